#include "sha256.hpp"

#include <bit>
#include <cstring>

#include "sha_rounds.hpp"

#ifdef TUTELA_X86_64
#include <immintrin.h>
#endif

namespace tutela {
namespace {

using State = std::array<uint32_t, 8>;
using Compress = void (*)(State&, const uint8_t*);

uint32_t big_endian(const uint8_t* at) {
    return uint32_t(at[0]) << 24 | uint32_t(at[1]) << 16 | uint32_t(at[2]) << 8 | at[3];
}

// FIPS 180-4, 6.2.2.
void compress_portably(State& state, const uint8_t* block) {
    std::array<uint32_t, 64> words;
    for (int i = 0; i < 16; ++i) words[i] = big_endian(block + 4 * i);
    for (int i = 16; i < 64; ++i) {
        const uint32_t a = words[i - 15], b = words[i - 2];
        words[i] = words[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + words[i - 7] +
                   (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (int i = 0; i < 64; ++i) {
        const uint32_t first = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) +
                               cube_roots[i] + words[i];
        const uint32_t second = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
    }
    const State last = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; ++i) state[i] += last[i];
}

#ifdef TUTELA_X86_64

[[gnu::target("sha,sse4.1,ssse3")]] void compress_by_instructions(State& state, const uint8_t* block) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const auto* from = reinterpret_cast<const __m128i*>(block);
    __m128i words[4];
    for (int i = 0; i < 4; ++i) words[i] = _mm_shuffle_epi8(_mm_loadu_si128(from + i), swap);
    // The instructions hold the state as (f e b a) and (h g d c).
    __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(state.data()));
    __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(state.data() + 4));
    low = _mm_shuffle_epi32(low, 0xB1);
    high = _mm_shuffle_epi32(high, 0x1B);
    __m128i abef = _mm_alignr_epi8(low, high, 8);
    __m128i cdgh = _mm_blend_epi16(high, low, 0xF0);
    const __m128i abef_before = abef, cdgh_before = cdgh;
    for (int four = 0; four < 16; ++four) {
        __m128i& now = words[four % 4];
        if (four >= 4) {
            const __m128i newest = words[(four + 3) % 4];
            const __m128i shifted = _mm_alignr_epi8(newest, words[(four + 2) % 4], 4);
            now = _mm_add_epi32(_mm_sha256msg1_epu32(now, words[(four + 1) % 4]), shifted);
            now = _mm_sha256msg2_epu32(now, newest);
        }
        const __m128i sum =
            _mm_add_epi32(now, _mm_load_si128(reinterpret_cast<const __m128i*>(cube_roots.data()) + four));
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
    low = _mm_shuffle_epi32(abef, 0x1B);
    high = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(state.data()), _mm_blend_epi16(low, high, 0xF0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(state.data() + 4), _mm_alignr_epi8(high, low, 8));
}

const Compress compress = has_sha_instructions() ? compress_by_instructions : compress_portably;

#else

constexpr Compress compress = compress_portably;

#endif

}  // namespace

Sha256Value sha256(std::string_view text) {
    State state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
    size_t at = 0;
    for (; at + 64 <= text.size(); at += 64) compress(state, bytes + at);
    std::array<uint8_t, 128> last{};
    const size_t rest = text.size() - at;
    if (rest) std::memcpy(last.data(), bytes + at, rest);
    last[rest] = 0x80;
    const size_t end = rest < 56 ? 64 : 128;
    const uint64_t bits = uint64_t(text.size()) * 8;
    for (int i = 0; i < 8; ++i) last[end - 1 - i] = uint8_t(bits >> 8 * i);
    for (size_t block = 0; block < end; block += 64) compress(state, last.data() + block);
    Sha256Value value;
    for (int i = 0; i < 8; ++i)
        for (int j = 0; j < 4; ++j) value[4 * i + j] = uint8_t(state[i] >> (24 - 8 * j));
    return value;
}

}  // namespace tutela
