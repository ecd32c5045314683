// The hot loops, one table of them for each instruction-set level. kernels.cpp is compiled once a level; dispatch.cpp
// picks the table. The loops work on plain arrays and call nothing: no inline function of a library may be compiled
// with flags that another translation unit's processor lacks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tutela {

// A probe of one chunk's bucket table: which buckets to visit is a list of bit patterns to flip.
struct ChunkProbe {
    const uint32_t* offsets;  // 2^bits + 1 positions in ids
    const uint32_t* ids;      // row numbers, grouped by bucket
    uint32_t first_bit;       // where the chunk begins in the hash, 0..255
    uint32_t bits;            // its width, 1..31
    uint32_t radius;          // flips of at most this many bits
    const uint32_t* flips;    // the patterns with at most `radius` ones
    size_t flip_count;
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
    // accumulator[i] += weight * row[i]
    void (*accumulate_u8)(float* accumulator, const uint8_t* row, float weight, size_t count);
    void (*accumulate_f32)(float* accumulator, const float* row, float weight, size_t count);
    // out[i] = 0.299 rgb[3i] + 0.587 rgb[3i+1] + 0.114 rgb[3i+2]
    void (*luma_from_rgb)(float* out, const float* rgb, size_t count);
    // The 16x16 low frequencies (1..16 both ways) of the 64x64 picture: D * picture * D^T.
    void (*dct_64_to_16)(const float* picture, const float* dct_16x64, const float* dct_64x16, float* out);
    // Every row within `radius` of the query, in row order.
    void (*scan)(const uint64_t* hashes, size_t count, const uint64_t* query, uint32_t radius, HitSink sink);
    // Every row that some chunk finds within `radius`, each once. False when more than `max_candidates` rows would
    // have to be compared: the caller then scans, and forgets what the sink got.
    bool (*probe)(const uint64_t* hashes, const ChunkProbe* chunks, size_t chunk_count, const uint64_t* query,
                  uint32_t radius, size_t max_candidates, HitSink sink);
};

}  // namespace tutela
