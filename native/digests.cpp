#include "digests.hpp"

#ifdef TUTELA_X86_64

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "sha_rounds.hpp"

// MD5 is one long chain of additions, each of which waits for the one before; the two SHAs have instructions of their
// own. Four steps of it and four rounds of each of them are done by turns, and the SHAs fit in where MD5 waits.
#define TUTELA_SHA [[gnu::target("sha,sse4.1,ssse3")]]
#define TUTELA_SHA_INLINE [[gnu::target("sha,sse4.1,ssse3"), gnu::always_inline]] inline

namespace tutela {
namespace {

constexpr size_t block_bytes = 64;

// RFC 1321, 3.4: the whole part of 2^32 |sin(i + 1)|; and how far each step rotates.
constexpr std::array<uint32_t, 64> sines = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
constexpr std::array<int, 16> rotations = {7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21};

struct Md5 {
    std::array<uint32_t, 4> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    const uint8_t* block = nullptr;

    template <unsigned step>
    TUTELA_SHA_INLINE void advance() {
        constexpr unsigned round = step / 16;
        constexpr unsigned word = std::array{step, 5 * step + 1, 3 * step + 5, 7 * step}[round] % 16;
        uint32_t& a = state[(64 - step) % 4];
        const uint32_t b = state[(65 - step) % 4], c = state[(66 - step) % 4], d = state[(67 - step) % 4];
        uint32_t value;
        std::memcpy(&value, block + 4 * word, 4);
        value += a + sines[step];
        // What depends on b, the newest, comes last.
        if constexpr (round == 0) value += d ^ (b & (c ^ d));
        if constexpr (round == 1) value = value + (~d & c) + (d & b);
        if constexpr (round == 2) value += b ^ (c ^ d);
        if constexpr (round == 3) value += c ^ (b | ~d);
        a = b + std::rotl(value, rotations[round * 4 + step % 4]);
    }
};

// Words of the schedule are made four at a time; `words` holds the last sixteen.
struct Sha1 {
    __m128i abcd, e, e_before;
    __m128i words[4];

    template <unsigned four>
    TUTELA_SHA_INLINE void advance() {
        __m128i& next = words[four % 4];
        if constexpr (four >= 4) {
            next = _mm_sha1msg1_epu32(next, words[(four + 1) % 4]);
            next = _mm_sha1msg2_epu32(_mm_xor_si128(next, words[(four + 2) % 4]), words[(four + 3) % 4]);
        }
        const __m128i added = four == 0 ? _mm_add_epi32(e, next) : _mm_sha1nexte_epu32(e_before, next);
        e_before = abcd;
        abcd = _mm_sha1rnds4_epu32(abcd, added, four / 5);
    }
};

struct Sha256 {
    __m128i abef, cdgh;
    __m128i words[4];

    template <unsigned four>
    TUTELA_SHA_INLINE void advance() {
        __m128i& next = words[four % 4];
        if constexpr (four >= 4) {
            const __m128i seventh = _mm_alignr_epi8(words[(four + 3) % 4], words[(four + 2) % 4], 4);
            next = _mm_add_epi32(_mm_sha256msg1_epu32(next, words[(four + 1) % 4]), seventh);
            next = _mm_sha256msg2_epu32(next, words[(four + 3) % 4]);
        }
        const __m128i roots = _mm_load_si128(reinterpret_cast<const __m128i*>(&cube_roots[4 * four]));
        const __m128i added = _mm_add_epi32(next, roots);
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, added);
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(added, 0x0e));
    }
};

class Pass {
   public:
    TUTELA_SHA Pass() {
        sha1_.abcd = _mm_set_epi32(0x67452301, int(0xefcdab89), int(0x98badcfe), 0x10325476);
        sha1_.e = _mm_set_epi32(int(0xc3d2e1f0), 0, 0, 0);
        sha256_.abef = _mm_set_epi32(0x6a09e667, int(0xbb67ae85), 0x510e527f, int(0x9b05688c));
        sha256_.cdgh = _mm_set_epi32(0x3c6ef372, int(0xa54ff53a), 0x1f83d9ab, 0x5be0cd19);
    }

    // Take in blocks. Only the last differ, in how they tell the length.
    TUTELA_SHA void take(const uint8_t* of_md5, const uint8_t* of_sha, size_t blocks) {
        // Big-endian words, the first of them in the uppermost or the lowest lane.
        const __m128i falling = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
        const __m128i rising = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
        for (; blocks > 0; --blocks, of_md5 += block_bytes, of_sha += block_bytes) {
            const Md5 md5 = md5_;
            const Sha1 sha1 = sha1_;
            const Sha256 sha256 = sha256_;
            md5_.block = of_md5;
            for (size_t i = 0; i < 4; ++i) {
                const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(of_sha + 16 * i));
                sha1_.words[i] = _mm_shuffle_epi8(bytes, falling);
                sha256_.words[i] = _mm_shuffle_epi8(bytes, rising);
            }
            turns(std::make_integer_sequence<unsigned, 16>());
            for (size_t i = 0; i < 4; ++i) md5_.state[i] += md5.state[i];
            sha1_.e = _mm_sha1nexte_epu32(sha1_.e_before, sha1.e);
            sha1_.abcd = _mm_add_epi32(sha1_.abcd, sha1.abcd);
            sha256_.abef = _mm_add_epi32(sha256_.abef, sha256.abef);
            sha256_.cdgh = _mm_add_epi32(sha256_.cdgh, sha256.cdgh);
        }
    }

    TUTELA_SHA Digests result() const {
        Digests out;
        std::memcpy(out.md5.data(), md5_.state.data(), out.md5.size());
        std::array<uint32_t, 4> abcd, e, abef, cdgh;
        store(abcd, sha1_.abcd);
        store(e, sha1_.e);
        store(abef, sha256_.abef);
        store(cdgh, sha256_.cdgh);
        const std::array sha1 = {abcd[3], abcd[2], abcd[1], abcd[0], e[3]};
        const std::array sha256 = {abef[3], abef[2], cdgh[3], cdgh[2], abef[1], abef[0], cdgh[1], cdgh[0]};
        write(sha1, out.sha1);
        write(sha256, out.sha256);
        return out;
    }

   private:
    template <unsigned... turn>
    TUTELA_SHA_INLINE void turns(std::integer_sequence<unsigned, turn...>) {
        (take_turn<turn>(), ...);
    }

    // One of sixteen: SHA-1 has twenty times four rounds, the others sixteen.
    template <unsigned turn>
    TUTELA_SHA_INLINE void take_turn() {
        md5_.advance<4 * turn>();
        sha256_.advance<turn>();
        md5_.advance<4 * turn + 1>();
        sha1_.advance<5 * turn / 4>();
        md5_.advance<4 * turn + 2>();
        if constexpr (turn % 4 == 3) sha1_.advance<5 * turn / 4 + 1>();
        md5_.advance<4 * turn + 3>();
    }

    TUTELA_SHA static void store(std::array<uint32_t, 4>& lanes, __m128i value) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(lanes.data()), value);
    }

    template <size_t Words, size_t Bytes>
    static void write(const std::array<uint32_t, Words>& words, std::array<uint8_t, Bytes>& bytes) {
        static_assert(Bytes == 4 * Words);
        for (size_t i = 0; i < Bytes; ++i) bytes[i] = static_cast<uint8_t>(words[i / 4] >> (24 - 8 * (i % 4)));
    }

    Md5 md5_;
    Sha1 sha1_;
    Sha256 sha256_;
};

// Nothing of the content stays on the stack of a thread that waits.
template <typename T>
void wipe(T& value) {
    std::memset(static_cast<void*>(&value), 0, sizeof value);
    asm volatile("" : : "r"(&value) : "memory");
}

}  // namespace

std::optional<Digests> digests(std::span<const uint8_t> data) {
    static const bool able = has_sha_instructions();
    if (!able) return std::nullopt;
    Pass pass;
    const size_t whole = data.size() / block_bytes, rest = data.size() % block_bytes;
    pass.take(data.data(), data.data(), whole);
    // The rest, a one, zeros, and the length in bits at the end of the last block: least byte first, or last.
    std::array<uint8_t, 2 * block_bytes> of_md5{};
    if (rest > 0) std::memcpy(of_md5.data(), data.data() + whole * block_bytes, rest);
    of_md5[rest] = 0x80;
    std::array<uint8_t, 2 * block_bytes> of_sha = of_md5;
    const size_t blocks = rest < block_bytes - 8 ? 1 : 2;
    for (size_t i = 0; i < 8; ++i) {
        const auto byte = static_cast<uint8_t>(uint64_t{data.size()} * 8 >> (8 * i));
        of_md5[blocks * block_bytes - 8 + i] = byte;
        of_sha[blocks * block_bytes - 1 - i] = byte;
    }
    pass.take(of_md5.data(), of_sha.data(), blocks);
    const Digests made = pass.result();
    wipe(pass);
    wipe(of_md5);
    wipe(of_sha);
    return made;
}

}  // namespace tutela

#else

namespace tutela {

std::optional<Digests> digests(std::span<const uint8_t>) { return std::nullopt; }

}  // namespace tutela

#endif
