// The bits of a JPEG's scan: Huffman codes, the values behind them, and how to get past a block without them.
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

// The next bits, the first of them uppermost. `refill` makes at least 56 of them good; past the end come zeros, so
// callers ask `left` once a block, whose codes are shorter than the padding. Passed by value, to stay in registers.
class Bits {
   public:
    explicit Bits(const uint8_t* data) : data_(data), next_(data) {}

    void start(size_t byte) {
        next_ = data_ + byte;
        bits_ = 0;
        good_ = 0;
    }
    void refill() {
        bits_ |= big_endian(next_) >> good_;
        next_ += (63 - good_) >> 3;
        good_ |= 56;
    }
    size_t peek(unsigned count) const { return static_cast<size_t>(bits_ >> (64 - count)); }
    void skip(unsigned count) {
        bits_ <<= count;
        good_ -= count;
    }
    // How many bits are left up to a byte; negative behind it, and where they were none of a block.
    ptrdiff_t left(size_t byte) const {
        return broken_ ? -1 : (data_ + byte - next_) * 8 + static_cast<ptrdiff_t>(good_);
    }
    Bits broken() const {
        Bits bits = *this;
        bits.broken_ = true;
        return bits;
    }

   private:
    const uint8_t* data_;
    const uint8_t* next_;
    uint64_t bits_ = 0;
    unsigned good_ = 0;
    bool broken_ = false;
};

struct Code {
    unsigned length;  // 0 where there is no such code
    unsigned symbol;
};

// Codes by the bits that begin with them.
class Codes {
   public:
    explicit Codes(const HuffmanTable& table) : symbols_(table.symbols) {
        size_t code = 0, number = 0;
        for (unsigned length = 1; length <= 16; ++length) {
            first_[length] = static_cast<ptrdiff_t>(number) - static_cast<ptrdiff_t>(code);
            for (size_t i = 0; i < table.counts[length - 1]; ++i, ++code, ++number) {
                if (length > look) continue;
                const auto entry = static_cast<uint16_t>(symbols_[number] << 8 | length);
                std::fill_n(by_bits_.begin() + static_cast<ptrdiff_t>(code << (look - length)), 1 << (look - length), entry);
            }
            limit_[length] = code << (16 - length);
            code <<= 1;
        }
    }

    // Length 0 where the code is longer than `look`, or none.
    Code at(size_t bits) const { return {by_bits_[bits] & 0xFFu, static_cast<unsigned>(by_bits_[bits] >> 8)}; }

    // By the next sixteen bits. Length 0 where they begin no code.
    Code next(size_t word) const {
        const Code code = at(word >> (16 - look));
        return code.length != 0 ? code : long_code(word);
    }

   private:
    Code long_code(size_t word) const {
        for (unsigned length = look + 1; length <= 16; ++length) {
            if (word < limit_[length]) {
                const auto number = static_cast<ptrdiff_t>(word >> (16 - length)) + first_[length];
                return {length, symbols_[static_cast<size_t>(number)]};
            }
        }
        return {0, 0};
    }

    std::vector<uint8_t> symbols_;
    std::array<uint16_t, 1 << look> by_bits_{};
    std::array<size_t, 17> limit_{};
    std::array<ptrdiff_t, 17> first_{};
};

// The value that so many bits stand for (T.81, F.2.2.1).
inline int extended(size_t bits, unsigned size) {
    const int value = static_cast<int>(bits);
    return size == 0 || value >> (size - 1) != 0 ? value : value - (1 << size) + 1;
}

// What begins with some bits of a block: its next value, and as many values as are whole in them.
struct Value {
    int16_t value;
    uint8_t bits;     // together with the code's; with `block_ends` where that is all that the code says
    uint8_t advance;  // positions up to behind the value; `none` where these bits do not tell
};
struct Stride {
    uint8_t bits;
    uint8_t advance;
};

constexpr unsigned block_ends = 128, none = 64;

class AcTable {
   public:
    explicit AcTable(const HuffmanTable& table) : codes(table) {
        for (size_t bits = 0; bits < values_.size(); ++bits) values_[bits] = value(bits);
        for (size_t bits = 0; bits < values_.size(); ++bits) strides_[bits] = stride(bits);
    }
    Value value_at(size_t bits) const { return values_[bits]; }
    Stride stride_at(size_t bits) const { return strides_[bits]; }

    const Codes codes;

   private:
    Value value(size_t bits) const {
        const Code code = codes.at(bits);
        const unsigned size = code.symbol & 15, used = code.length + size;
        if (code.length == 0 || used > look) return {0, 0, none};
        if (code.symbol == 0) return {0, static_cast<uint8_t>(used | block_ends), 0};
        const size_t magnitude = bits >> (look - used) & ((size_t{1} << size) - 1);
        return {static_cast<int16_t>(extended(magnitude, size)), static_cast<uint8_t>(used),
                static_cast<uint8_t>((code.symbol >> 4) + 1)};
    }

    Stride stride(size_t bits) const {
        unsigned used = 0, advance = 0;
        while (true) {
            const Value next = values_[bits << used & ((size_t{1} << look) - 1)];
            const unsigned taken = used + (next.bits & ~block_ends);
            if (taken > look || advance + next.advance >= none) break;
            used = taken;
            advance += next.advance;
            if (next.bits >= block_ends) return {static_cast<uint8_t>(used | block_ends), static_cast<uint8_t>(advance)};
        }
        return {static_cast<uint8_t>(used), static_cast<uint8_t>(used == 0 ? none : advance)};
    }

    std::array<Value, 1 << look> values_;
    std::array<Stride, 1 << look> strides_;
};

// Whether a code may stand at a position of a block.
inline bool fits(const Code& code, unsigned position) {
    const unsigned run = code.symbol >> 4, size = code.symbol & 15;
    return code.length != 0 && position + run < (size == 0 && run != 0 ? 63 : 64);
}

// Behind the end of the block, from a position in it.
[[gnu::always_inline]] inline Bits skip_values(Bits bits, const AcTable& table, unsigned position) {
    while (position < 64) {
        bits.refill();
        bool told = true;
        for (unsigned strides = 0; strides < 56 / look; ++strides) {
            const Stride stride = table.stride_at(bits.peek(look));
            told = position + stride.advance < 64;
            if (!told) break;
            bits.skip(stride.bits & ~block_ends);
            if (stride.bits >= block_ends) return bits;
            position += stride.advance;
        }
        if (told) continue;
        bits.refill();
        const Code code = table.codes.next(bits.peek(16));
        if (!fits(code, position)) return bits.broken();
        bits.skip(code.length + (code.symbol & 15));
        if (code.symbol == 0) return bits;
        position += (code.symbol >> 4) + 1;
    }
    return bits;
}

}  // namespace tutela
