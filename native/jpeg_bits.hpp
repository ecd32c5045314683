// The bits of a JPEG's scan, the Huffman codes that they begin with, and the values behind those.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "jpeg_file.hpp"

namespace tutela {

constexpr size_t look = 12;  // bits that one look into a table resolves

inline uint64_t big_endian(const uint8_t* bytes) {
    uint64_t value;
    std::memcpy(&value, bytes, 8);
    if constexpr (std::endian::native == std::endian::big) return value;
    return __builtin_bswap64(value);
}

// The next bits, the first of them uppermost. `refill` makes at least 56 of them good.
class Bits {
   public:
    Bits(const uint8_t* data, size_t at) : data_(data), next_(data + at / 8) {
        refill();
        skip(at % 8);
    }
    void refill() {
        bits_ |= big_endian(next_) >> good_;
        next_ += (63 - good_) / 8;
        good_ |= 56;
    }
    size_t peek(size_t count) const { return static_cast<size_t>(bits_ >> (64 - count)); }
    uint64_t behind(size_t count) const { return bits_ << count; }
    void skip(size_t count) {
        bits_ <<= count % 64;
        good_ -= count;
    }
    // How many bits of the data are behind.
    size_t at() const { return static_cast<size_t>(next_ - data_) * 8 - good_; }

   private:
    const uint8_t* data_;
    const uint8_t* next_;
    uint64_t bits_ = 0;
    size_t good_ = 0;
};

// A code, and what it says of the value behind it.
struct Code {
    uint8_t length = 0;  // 0 where there is no such code
    uint8_t size = 0;    // of the value, in bits
    uint8_t bits = 0;    // of both
    uint8_t run = 0;     // of zeros before the value; `rest` for all that are left

    static constexpr unsigned rest = 64;
};

// Codes by the bits that begin with them.
class Codes {
   public:
    explicit Codes(const HuffmanTable& table) : symbols_(table.symbols) {
        size_t first = 0, number = 0;
        for (unsigned length = 1; length <= 16; ++length) {
            first_[length] = static_cast<ptrdiff_t>(number) - static_cast<ptrdiff_t>(first);
            for (size_t i = 0; i < table.counts[length - 1]; ++i, ++first, ++number) {
                if (length > look) continue;
                const size_t spread = look - length;
                std::fill_n(by_bits_.begin() + static_cast<ptrdiff_t>(first << spread), 1 << spread,
                            code(length, number));
            }
            limit_[length] = first << (16 - length);
            first <<= 1;
        }
    }

    // By `look` bits. Length 0 where the code is longer, or none.
    Code at(size_t bits) const { return by_bits_[bits]; }

    // By the next bits. Length 0 where they begin no code.
    Code next(const Bits& bits) const {
        const Code code = at(bits.peek(look));
        return code.length != 0 ? code : long_code(bits.peek(16));
    }

   private:
    Code code(unsigned length, size_t number) const {
        const unsigned symbol = symbols_[number], size = symbol & 15;
        return {static_cast<uint8_t>(length), static_cast<uint8_t>(size), static_cast<uint8_t>(length + size),
                static_cast<uint8_t>(symbol == 0 ? Code::rest : symbol >> 4)};
    }
    Code long_code(size_t word) const {
        for (unsigned length = look + 1; length <= 16; ++length) {
            if (word >= limit_[length]) continue;
            return code(length, static_cast<size_t>(static_cast<ptrdiff_t>(word >> (16 - length)) + first_[length]));
        }
        return {};
    }

    std::vector<uint8_t> symbols_;
    std::array<Code, 1 << look> by_bits_{};
    std::array<size_t, 17> limit_{};
    std::array<ptrdiff_t, 17> first_{};
};

// The value in the uppermost of some bits, so many of them (T.81, F.2.2.1). Without a branch, which would be a guess.
inline int extended(uint64_t bits, unsigned size) {
    const int value = static_cast<int>(bits >> 1 >> (63 - size));
    const int negative = static_cast<int>(~bits >> 63);
    return value - (negative << size) + negative;
}

// Differences of means: a code and the value behind it in one look, where few bits hold both.
class Differences {
   public:
    explicit Differences(const Codes& codes) : codes_(codes) {
        for (size_t bits = 0; bits < by_bits_.size(); ++bits) {
            const Code code = codes.at(bits << (look - short_look));
            if (code.length == 0 || code.bits > short_look) continue;
            const uint64_t behind = uint64_t{bits} << (64 - short_look) << code.length;
            by_bits_[bits] = {static_cast<int16_t>(extended(behind, code.size)), code.bits};
        }
    }

    // The one that starts at a bit of the data. `end` gets where it ends.
    int read(const uint8_t* data, size_t start, size_t& end) const {
        const Difference difference = at(data, start);
        if (difference.bits == 0) [[unlikely]]
            return read_long(data, start, end);
        end = start + difference.bits;
        return difference.value;
    }

    // The same where nobody asks where it ends.
    int read(const uint8_t* data, size_t start) const {
        const Difference difference = at(data, start);
        if (difference.bits != 0) [[likely]]
            return difference.value;
        size_t end;
        return read_long(data, start, end);
    }

   private:
    struct Difference {
        int16_t value = 0;
        uint16_t bits = 0;  // 0 where they are too many
    };
    Difference at(const uint8_t* data, size_t start) const {
        return by_bits_[big_endian(data + start / 8) << start % 8 >> (64 - short_look)];
    }
    static constexpr size_t short_look = 10;

    [[gnu::noinline]] int read_long(const uint8_t* data, size_t start, size_t& end) const {
        const Bits bits(data, start);
        const Code code = codes_.next(bits);
        end = start + code.bits;
        return extended(bits.behind(code.length), code.size);
    }

    const Codes& codes_;
    std::array<Difference, 1 << short_look> by_bits_{};
};

}  // namespace tutela
