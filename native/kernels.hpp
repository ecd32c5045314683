// The hot loops, one table of them for each instruction-set level. kernels.cpp is compiled once a level; dispatch.cpp
// picks the table. The loops work on plain arrays and call nothing: no inline function of a library may be compiled
// with flags that another translation unit's processor lacks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tutela {

constexpr size_t hash_words = 4;
constexpr size_t table_count = 16;  // the 16-bit words of a hash; words 2p and 2p + 1 are pair p
constexpr size_t pair_count = table_count / 2;
constexpr size_t buckets = size_t{1} << 16;

// All rows sorted by one word of their hashes. At each position stand the other word of the pair and the row's number.
struct WordTable {
    const uint32_t* begins;    // [buckets + 1] where the rows with each value of the word begin
    const uint16_t* partners;  // [rows]
    const uint32_t* rows;      // [rows]
};

// How a radius is searched: how far each pair may be, and the patterns to flip, by their number of ones.
struct ProbePlan {
    int32_t pair_radii[pair_count];  // -1: the pair is not asked
    const uint16_t* flips;           // [buckets] those with fewer ones first
    uint32_t flips_up_to[17];        // how many have at most so many ones
};

struct RowHit {
    uint32_t row;
    uint32_t distance;
};

// Where hits go: grown by the caller's function, so that the kernel itself never allocates.
struct HitSink {
    void* owner;
    void (*push)(void* owner, RowHit hit);
};

struct Kernels {
    // out[i] = the sum of weights[tap] * rows[tap * stride + i] over all taps
    void (*weigh_rows_u8)(const uint8_t* rows, size_t stride, const float* weights, size_t taps, size_t count, float* out);
    void (*weigh_rows_f32)(const float* rows, size_t stride, const float* weights, size_t taps, size_t count, float* out);
    // out[i] = 0.299 rgb[3i] + 0.587 rgb[3i+1] + 0.114 rgb[3i+2]
    void (*luma_from_rgb)(float* out, const float* rgb, size_t count);
    // out[i] = lines[0][i], ..., lines[7][i] of eight lines, one after the other, of `count` numbers each.
    void (*interleave)(const float* lines, size_t count, double* out);
    // The 64 outputs of each of eight interleaved lines: output j is weighed from its first place on, with the weights from
    // ends[j] to ends[j + 1].
    void (*weigh)(const double* lines, const size_t* firsts, const size_t* ends, const double* weights, float* out);
    // The 16x16 low frequencies (1..16 both ways) of the 64x64 picture: D * picture * D^T.
    void (*dct_64_to_16)(const float* picture, const float* dct_16x64, const float* dct_64x16, float* out);
    // Which of 256 numbers are larger than the 128th smallest: 32 bytes, the last number's bit first.
    void (*hash_bits)(const float* values, uint8_t* hash);
    // Every row within `radius` of the query, in row order.
    void (*scan)(const uint64_t* hashes, size_t count, const uint64_t* query, uint32_t radius, HitSink sink);
    // Every row within `radius` that some pair finds, each once. False when more than `max_candidates` rows would have
    // to be compared: the caller then scans, and forgets what the sink got.
    bool (*probe)(const uint64_t* hashes, const WordTable* tables, const ProbePlan* plan, const uint64_t* query,
                  uint32_t radius, size_t max_candidates, HitSink sink);
};

}  // namespace tutela
