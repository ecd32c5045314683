// The hot loops; see kernels.hpp. Plain loops over plain arrays that the compiler vectorises for the level's flags, and one
// comparison that it would not.
#include "kernels.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#ifndef TUTELA_LEVEL
#error "TUTELA_LEVEL names the instruction-set level, for example baseline"
#endif

namespace tutela::TUTELA_LEVEL {
namespace {

#if defined(__AVX512F__)
constexpr size_t register_bytes = 64;
#elif defined(__AVX2__)
constexpr size_t register_bytes = 32;
#else
constexpr size_t register_bytes = 16;
#endif

inline float number(uint8_t value) { return static_cast<float>(static_cast<int32_t>(value)); }
inline float number(float value) { return value; }

// Four taps at a time, so that a sum is read and written once for them; and a strip of columns at a time, so that the sums
// stay in the cache.
template <typename T>
inline void weigh_rows(const T* __restrict rows, size_t stride, const float* __restrict weights, size_t taps, size_t count,
                       float* __restrict out) {
    constexpr size_t strip = 4096;
    for (size_t begin = 0; begin < count; begin += strip) {
        const size_t length = count - begin < strip ? count - begin : strip;
        float* __restrict sums = out + begin;
        for (size_t i = 0; i < length; ++i) sums[i] = 0.0f;
        size_t tap = 0;
        for (; tap + 4 <= taps; tap += 4) {
            const T *first = rows + tap * stride + begin, *second = first + stride, *third = second + stride, *fourth = third + stride;
            const float w0 = weights[tap], w1 = weights[tap + 1], w2 = weights[tap + 2], w3 = weights[tap + 3];
            for (size_t i = 0; i < length; ++i) {
                const float two = sums[i] + w0 * number(first[i]) + w1 * number(second[i]);
                sums[i] = two + w2 * number(third[i]) + w3 * number(fourth[i]);
            }
        }
        for (; tap < taps; ++tap) {
            const T* row = rows + tap * stride + begin;
            for (size_t i = 0; i < length; ++i) sums[i] += weights[tap] * number(row[i]);
        }
    }
}

void weigh_rows_u8(const uint8_t* rows, size_t stride, const float* weights, size_t taps, size_t count, float* out) {
    weigh_rows(rows, stride, weights, taps, count, out);
}

void weigh_rows_f32(const float* rows, size_t stride, const float* weights, size_t taps, size_t count, float* out) {
    weigh_rows(rows, stride, weights, taps, count, out);
}

void luma_from_rgb(float* __restrict out, const float* __restrict rgb, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        out[i] = 0.299f * rgb[3 * i] + 0.587f * rgb[3 * i + 1] + 0.114f * rgb[3 * i + 2];
    }
}

void interleave(const float* __restrict lines, size_t count, double* __restrict out) {
    for (size_t i = 0; i < count; ++i) {
        for (size_t line = 0; line < 8; ++line) out[8 * i + line] = static_cast<double>(lines[line * count + i]);
    }
}

void weigh(const double* __restrict lines, const size_t* __restrict firsts, const size_t* __restrict ends,
           const double* __restrict weights, float* __restrict out) {
    // A typedef: of an alias Clang would leave the alignment as it is, and read what is not aligned as if it were.
    typedef double Lanes __attribute__((vector_size(register_bytes), aligned(sizeof(double)), may_alias));
    static_assert(alignof(Lanes) == sizeof(double));
    constexpr size_t lanes = register_bytes / sizeof(double);
    for (size_t j = 0; j < 64; ++j) {
        for (size_t line = 0; line < 8; line += lanes) {
            const double* values = lines + 8 * firsts[j] + line;
            Lanes sums{};
            for (size_t tap = ends[j]; tap < ends[j + 1]; ++tap, values += 8) {
                sums += weights[tap] * *reinterpret_cast<const Lanes*>(values);
            }
            for (size_t lane = 0; lane < lanes; ++lane) out[64 * (line + lane) + j] = static_cast<float>(sums[lane]);
        }
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
            const float w0 = columns[0][k], w1 = columns[1][k], w2 = columns[2][k], w3 = columns[3][k];
            for (size_t j = 0; j < 16; ++j) {
                result[0][j] += w0 * row[j];
                result[1][j] += w1 * row[j];
                result[2][j] += w2 * row[j];
                result[3][j] += w3 * row[j];
            }
        }
        for (size_t r = 0; r < 4; ++r) {
            for (size_t j = 0; j < 16; ++j) out[(i + r) * 16 + j] = result[r][j];
        }
    }
}

void hash_bits(const float* values, uint8_t* hash) {
    // As whole numbers in the same order: the bits of a negative one fall as it rises. Then bit by bit the largest number
    // that no more than 127 of them are under, until one has half of them on either side. Sorting would be guesses of a
    // branch, half of them wrong.
    int32_t keys[256];
    for (size_t i = 0; i < 256; ++i) {
        const float value = values[i] + 0.0f;  // of the two zeros neither is larger
        int32_t bits;
        __builtin_memcpy(&bits, &value, 4);
        keys[i] = bits ^ ((bits >> 31) & INT32_MAX);
    }
    auto median = static_cast<uint32_t>(INT32_MIN);
    for (int bit = 31; bit >= 0; --bit) {
        const uint32_t next = median + (uint32_t{1} << bit);
        const auto bound = static_cast<int32_t>(next);
        int32_t under = 0;
        for (size_t i = 0; i < 256; ++i) under += keys[i] < bound;
        if (under <= 127) median = next;
        if (under == 128) {
            median = next - 1;
            break;
        }
    }
    for (size_t word = 0; word < 4; ++word) {
        uint64_t bits = 0;
        for (size_t i = 0; i < 64; ++i) bits |= uint64_t{keys[64 * word + i] > static_cast<int32_t>(median)} << i;
        bits = __builtin_bswap64(bits);
        __builtin_memcpy(hash + 24 - 8 * word, &bits, 8);
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

// Bit i: `words[i]` differs from `word` in at most `bound` bits. At most 32 words; nothing behind them is read.
inline uint32_t near_words(const uint16_t* words, size_t count, uint16_t word, uint32_t bound) {
#if defined(__AVX512BITALG__)
    const __mmask32 lanes = _bzhi_u32(~0u, static_cast<uint32_t>(count));
    const __m512i differing = _mm512_xor_si512(_mm512_maskz_loadu_epi16(lanes, words), _mm512_set1_epi16(static_cast<int16_t>(word)));
    const __m512i limit = _mm512_set1_epi16(static_cast<int16_t>(bound));
    return _mm512_mask_cmple_epu16_mask(lanes, _mm512_popcnt_epi16(differing), limit);
#else
    uint16_t padded[32];
    if (count < 32) {
        for (size_t i = 0; i < count; ++i) padded[i] = words[i];
        for (size_t i = count; i < 32; ++i) padded[i] = static_cast<uint16_t>(~word);
        words = padded;
    }
#if defined(__AVX2__)
    const __m256i ones_of_nibble = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i nibble = _mm256_set1_epi8(15), all = _mm256_set1_epi16(static_cast<int16_t>(word));
    const __m256i beyond = _mm256_set1_epi16(static_cast<int16_t>(bound));
    __m256i far[2];
    for (size_t half = 0; half < 2; ++half) {
        const __m256i loaded = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + 16 * half));
        const __m256i differing = _mm256_xor_si256(loaded, all);
        const __m256i low = _mm256_shuffle_epi8(ones_of_nibble, _mm256_and_si256(differing, nibble));
        const __m256i high = _mm256_shuffle_epi8(ones_of_nibble, _mm256_and_si256(_mm256_srli_epi16(differing, 4), nibble));
        const __m256i ones = _mm256_maddubs_epi16(_mm256_add_epi8(low, high), _mm256_set1_epi8(1));
        far[half] = _mm256_cmpgt_epi16(ones, beyond);
    }
    // Packing takes quarters in turns; the permutation puts them in order again.
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi16(far[0], far[1]), 0xD8);
    const uint32_t near = ~static_cast<uint32_t>(_mm256_movemask_epi8(packed));
#else
    uint16_t differing[32];
    for (size_t i = 0; i < 32; ++i) {
        uint16_t x = static_cast<uint16_t>(words[i] ^ word);
        x = static_cast<uint16_t>(x - ((x >> 1) & 0x5555));
        x = static_cast<uint16_t>((x & 0x3333) + ((x >> 2) & 0x3333));
        x = static_cast<uint16_t>((x + (x >> 4)) & 0x0f0f);
        differing[i] = static_cast<uint16_t>((x + (x >> 8)) & 31);
    }
    uint32_t near = 0;
    for (size_t i = 0; i < 32; ++i) near |= static_cast<uint32_t>(differing[i] <= bound) << i;
#endif
    return count < 32 ? near & ((1u << count) - 1) : near;
#endif
}

// Into the second level of the cache, which has room for more reads under way than the first: a tenth faster, measured.
inline void ask_for(const void* address) { __builtin_prefetch(address, 0, 2); }

// How far the word may be that a pair's rows are looked up by: if the two words differ in at most `radius` bits in all,
// the first differs in at most half of them, or the second in fewer than half.
inline int32_t reach(int32_t pair_radius, size_t side) {
    return side == 0 ? (pair_radius < 0 ? -1 : pair_radius / 2) : (pair_radius < 1 ? -1 : (pair_radius - 1) / 2);
}

// A row is found by every pair that is near enough, and by both words of a pair; only the first reports it.
inline bool found_before(const uint64_t* row, const uint64_t* query, const ProbePlan& plan, size_t table) {
    const size_t pair = table / 2;
    for (size_t p = 0; p <= pair; ++p) {
        const auto differing = static_cast<uint32_t>((row[p / 2] ^ query[p / 2]) >> (32 * (p % 2)));
        if (p < pair && __builtin_popcount(differing) <= plan.pair_radii[p]) return true;
        if (p == pair && table % 2 == 1) return __builtin_popcount(differing & 0xffff) <= reach(plan.pair_radii[p], 0);
    }
    return false;
}

bool probe(const uint64_t* __restrict hashes, const WordTable* tables, const ProbePlan* plan,
           const uint64_t* __restrict query, uint32_t radius, size_t max_candidates, HitSink sink) {
    // A search reads at random: a bucket's begin, its partners, and for those that are near enough the row's number, then
    // its hash. Each stage asks for the memory of the next one well before, so that many reads are under way at once.
    constexpr size_t batch = 272;       // all buckets of radius 31
    constexpr size_t ahead = 32;        // buckets
    constexpr size_t lines_ahead = 8;   // of a bucket; the processor goes on by itself
    constexpr size_t candidate_batch = 64;
    struct Visit {
        uint32_t begin, end;
        uint16_t table, partner;
        uint16_t value;
        uint16_t bound;
    };
    struct Candidate {
        const uint32_t* row;
        size_t table;
    };
    Visit visits[batch];
    Candidate candidates[candidate_batch], fetched[candidate_batch];
    uint32_t numbers[candidate_batch];
    size_t waiting = 0, comparing = 0, compared = 0;

    // Compare what was fetched, and fetch what waits.
    auto advance = [&] {
        for (size_t i = 0; i < comparing; ++i) {
            const uint64_t* row = hashes + hash_words * size_t{numbers[i]};
            const uint32_t d = distance(row, query);
            if (d <= radius && !found_before(row, query, *plan, fetched[i].table)) sink.push(sink.owner, {numbers[i], d});
        }
        compared += comparing;
        for (size_t i = 0; i < waiting; ++i) {
            fetched[i] = candidates[i];
            numbers[i] = *candidates[i].row;
            ask_for(hashes + hash_words * size_t{numbers[i]});
        }
        comparing = waiting;
        waiting = 0;
    };

    size_t table = 0, flip = 0;
    while (table < table_count) {
        size_t length = 0;
        while (table < table_count && length < batch) {
            const int32_t pair_radius = plan->pair_radii[table / 2], far = reach(pair_radius, table % 2);
            const auto word = static_cast<uint16_t>(query[table / 4] >> (16 * (table % 4)));
            const auto partner = static_cast<uint16_t>(query[table / 4] >> (16 * (table % 4 ^ 1)));
            const size_t flips = far < 0 ? 0 : plan->flips_up_to[far];
            for (; flip < flips && length < batch; ++flip) {
                const auto value = static_cast<uint16_t>(word ^ plan->flips[flip]);
                const auto bound = static_cast<uint16_t>(pair_radius - __builtin_popcount(plan->flips[flip]));
                visits[length++] = {0, 0, static_cast<uint16_t>(table), partner, value, bound};
                ask_for(tables[table].begins + value);
            }
            if (flip < flips) break;
            ++table;
            flip = 0;
        }
        for (size_t i = 0; i < length + ahead; ++i) {
            if (i < length) {
                Visit& visit = visits[i];
                const WordTable& source = tables[visit.table];
                visit.begin = source.begins[visit.value];
                visit.end = source.begins[visit.value + 1];
                const auto* line = reinterpret_cast<const char*>(source.partners + visit.begin);
                const auto* last = reinterpret_cast<const char*>(source.partners + visit.end);
                if (last > line + 64 * lines_ahead) last = line + 64 * lines_ahead;
                for (; line < last; line += 64) ask_for(line);
            }
            if (i < ahead) continue;
            const Visit& visit = visits[i - ahead];
            const WordTable& source = tables[visit.table];
            for (uint32_t position = visit.begin; position < visit.end; position += 32) {
                const size_t left = visit.end - position;
                uint32_t near = near_words(source.partners + position, left < 32 ? left : 32, visit.partner, visit.bound);
                for (; near != 0; near &= near - 1) {
                    candidates[waiting] = {source.rows + position + __builtin_ctz(near), visit.table};
                    ask_for(candidates[waiting].row);
                    if (++waiting < candidate_batch) continue;
                    advance();
                    if (compared > max_candidates) return false;
                }
            }
        }
    }
    advance();
    advance();
    return true;
}

}  // namespace

extern const Kernels kernels;
const Kernels kernels{weigh_rows_u8, weigh_rows_f32, luma_from_rgb, interleave, weigh, dct_64_to_16, hash_bits, scan, probe};

}  // namespace tutela::TUTELA_LEVEL
