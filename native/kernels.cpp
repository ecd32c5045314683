// The hot loops; see kernels.hpp. Plain loops over plain arrays that the compiler vectorises for the level's flags.
#include "kernels.hpp"

#ifndef TUTELA_LEVEL
#error "TUTELA_LEVEL names the instruction-set level, for example baseline"
#endif

namespace tutela::TUTELA_LEVEL {
namespace {

void accumulate_u8(float* __restrict accumulator, const uint8_t* __restrict row, float weight, size_t count) {
    for (size_t i = 0; i < count; ++i) accumulator[i] += weight * static_cast<float>(static_cast<int32_t>(row[i]));
}

void accumulate_f32(float* __restrict accumulator, const float* __restrict row, float weight, size_t count) {
    for (size_t i = 0; i < count; ++i) accumulator[i] += weight * row[i];
}

void luma_from_rgb(float* __restrict out, const float* __restrict rgb, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        out[i] = 0.299f * rgb[3 * i] + 0.587f * rgb[3 * i + 1] + 0.114f * rgb[3 * i + 2];
    }
}

void dct_64_to_16(const float* __restrict picture, const float* __restrict dct_16x64,
                  const float* __restrict dct_64x16, float* __restrict out) {
    // Four rows of the result at a time: each row of the picture is read once for them, and no sum waits for another.
    for (size_t i = 0; i < 16; i += 4) {
        float columns[4][64] = {};
        for (size_t k = 0; k < 64; ++k) {
            const float* row = picture + k * 64;
            const float w0 = dct_16x64[i * 64 + k], w1 = dct_16x64[(i + 1) * 64 + k];
            const float w2 = dct_16x64[(i + 2) * 64 + k], w3 = dct_16x64[(i + 3) * 64 + k];
            for (size_t j = 0; j < 64; ++j) {
                columns[0][j] += w0 * row[j];
                columns[1][j] += w1 * row[j];
                columns[2][j] += w2 * row[j];
                columns[3][j] += w3 * row[j];
            }
        }
        float result[4][16] = {};
        for (size_t k = 0; k < 64; ++k) {
            const float* row = dct_64x16 + k * 16;
            for (size_t r = 0; r < 4; ++r) {
                for (size_t j = 0; j < 16; ++j) result[r][j] += columns[r][k] * row[j];
            }
        }
        for (size_t r = 0; r < 4; ++r) {
            for (size_t j = 0; j < 16; ++j) out[(i + r) * 16 + j] = result[r][j];
        }
    }
}

inline uint32_t distance(const uint64_t* a, const uint64_t* b) {
    return static_cast<uint32_t>(__builtin_popcountll(a[0] ^ b[0]) + __builtin_popcountll(a[1] ^ b[1]) +
                                 __builtin_popcountll(a[2] ^ b[2]) + __builtin_popcountll(a[3] ^ b[3]));
}

void scan(const uint64_t* __restrict hashes, size_t count, const uint64_t* __restrict query, uint32_t radius,
          HitSink sink) {
    // Distances of a block first, so that this loop has no branch and vectorises; then the few that are near.
    constexpr size_t block = 512;
    uint32_t distances[block];
    const uint64_t q0 = query[0], q1 = query[1], q2 = query[2], q3 = query[3];
    for (size_t start = 0; start < count; start += block) {
        const size_t length = count - start < block ? count - start : block;
        const uint64_t* rows = hashes + 4 * start;
        uint32_t nearest = 256;
        for (size_t i = 0; i < length; ++i) {
            const uint64_t* row = rows + 4 * i;
            const auto d = static_cast<uint32_t>(
                __builtin_popcountll(row[0] ^ q0) + __builtin_popcountll(row[1] ^ q1) +
                __builtin_popcountll(row[2] ^ q2) + __builtin_popcountll(row[3] ^ q3));
            distances[i] = d;
            nearest = d < nearest ? d : nearest;
        }
        if (nearest > radius) continue;
        for (size_t i = 0; i < length; ++i) {
            if (distances[i] <= radius) sink.push(sink.owner, {static_cast<uint32_t>(start + i), distances[i]});
        }
    }
}

inline uint32_t chunk_value(const uint64_t* hash, const ChunkProbe& chunk) {
    const uint32_t word = chunk.first_bit / 64, shift = chunk.first_bit % 64;
    uint64_t value = hash[word] >> shift;
    if (shift + chunk.bits > 64) value |= hash[word + 1] << (64 - shift);
    return static_cast<uint32_t>(value & ((uint64_t{1} << chunk.bits) - 1));
}

// A row is found by every chunk that is near enough; only the first of them reports it.
inline bool found_before(const uint64_t* row, const uint64_t* query, const ChunkProbe* chunks, size_t current) {
    for (size_t c = 0; c < current; ++c) {
        const auto flips = static_cast<uint32_t>(
            __builtin_popcount(chunk_value(row, chunks[c]) ^ chunk_value(query, chunks[c])));
        if (flips <= chunks[c].radius) return true;
    }
    return false;
}

// Into the second level of the cache, which has room for more reads under way than the first: a tenth faster, measured.
inline void ask_for(const void* address) { __builtin_prefetch(address, 0, 2); }

bool probe(const uint64_t* __restrict hashes, const ChunkProbe* chunks, size_t chunk_count,
           const uint64_t* __restrict query, uint32_t radius, size_t max_candidates, HitSink sink) {
    // Three random reads follow each other for a row: its bucket's offsets, its id, its hash. Each stage asks for the
    // memory of the next one for a whole batch, so that many reads are under way at once.
    constexpr size_t batch = 64;
    constexpr size_t candidate_batch = 128;
    uint32_t first[batch], last[batch];
    uint32_t candidates[candidate_batch];
    size_t waiting = 0, compared = 0;

    for (size_t c = 0; c < chunk_count; ++c) {
        const ChunkProbe& chunk = chunks[c];
        const uint32_t* offsets = chunk.offsets;
        const uint32_t* ids = chunk.ids;
        const uint32_t value = chunk_value(query, chunk);

        auto compare_waiting = [&] {
            for (size_t i = 0; i < waiting; ++i) {
                const uint64_t* row = hashes + 4 * size_t{candidates[i]};
                const uint32_t d = distance(row, query);
                if (d <= radius && !found_before(row, query, chunks, c)) sink.push(sink.owner, {candidates[i], d});
            }
            compared += waiting;
            waiting = 0;
        };

        for (size_t i = 0; i < batch && i < chunk.flip_count; ++i) {
            ask_for(offsets + (value ^ chunk.flips[i]));
        }
        for (size_t start = 0; start < chunk.flip_count; start += batch) {
            const size_t length = chunk.flip_count - start < batch ? chunk.flip_count - start : batch;
            const size_t next_end =
                chunk.flip_count < start + 2 * batch ? chunk.flip_count : start + 2 * batch;
            for (size_t i = start + batch; i < next_end; ++i) {
                ask_for(offsets + (value ^ chunk.flips[i]));
            }
            for (size_t i = 0; i < length; ++i) {
                const uint32_t bucket = value ^ chunk.flips[start + i];
                first[i] = offsets[bucket];
                last[i] = offsets[bucket + 1];
                if (first[i] != last[i]) ask_for(ids + first[i]);
            }
            for (size_t i = 0; i < length; ++i) {
                for (uint32_t position = first[i]; position < last[i]; ++position) {
                    candidates[waiting] = ids[position];
                    ask_for(hashes + 4 * size_t{candidates[waiting]});
                    if (++waiting == candidate_batch) {
                        compare_waiting();
                        if (compared > max_candidates) return false;
                    }
                }
            }
        }
        compare_waiting();
    }
    return true;
}

}  // namespace

extern const Kernels kernels;
const Kernels kernels{accumulate_u8, accumulate_f32, luma_from_rgb, dct_64_to_16, scan, probe};

}  // namespace tutela::TUTELA_LEVEL
