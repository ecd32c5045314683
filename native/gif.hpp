// The blocks of a GIF, and the data in them, which stands in pieces of up to 255 bytes, each behind its length (GIF89a,
// 15). A file can be millions of blocks of two or three bytes: what nobody asks for is passed over here.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tutela {

struct GifBlock {
    uint8_t introducer = 0;  // 0x21, 0x2C or 0x3B; 0 where there is none
    size_t begin = 0, end = 0;
};

// Calls `take` with each piece of the chain that begins at a place, and gives where the chain ends: at its terminator,
// or behind the data where it is cut short.
template <typename Take>
size_t walk_sub_blocks(std::span<const uint8_t> data, size_t at, Take take) {
    while (at < data.size() && data[at] != 0) {
        const size_t begin = at + 1, end = begin + data[at];
        take(data.subspan(begin, std::min(end, data.size()) - begin));
        at = end;
    }
    return at;
}

inline size_t sub_blocks_end(std::span<const uint8_t> data, size_t at) {
    return walk_sub_blocks(data, at, [](std::span<const uint8_t>) {});
}

inline size_t colour_table(uint8_t packed) { return (packed & 0x80) != 0 ? size_t{6} << (packed & 7) : 0; }

// The first frame, graphic control (GIF89a, 23) or trailer behind a block that ends there; 0 stands for the head. As
// decoders do it passes over what is no block.
inline GifBlock next_gif_block(std::span<const uint8_t> data, size_t at) {
    if (data.size() < 13) return {};
    if (at == 0) at = 13 + colour_table(data[10]);
    while (at < data.size()) {
        const size_t begin = at;
        const uint8_t introducer = data[at];
        if (introducer == 0x3B) return {introducer, begin, begin + 1};
        if (introducer == 0x21) {
            at += 2;
        } else if (introducer == 0x2C && data.size() - at >= 10) {
            at += 10 + colour_table(data[at + 9]) + 1;
        } else {
            ++at;
            continue;
        }
        at = sub_blocks_end(data, at) + 1;
        const bool is_control = introducer == 0x21 && begin + 1 < data.size() && data[begin + 1] == 0xF9;
        if (introducer == 0x2C || is_control) return {introducer, begin, at};
    }
    return {};
}

// Puts together what the next extension with that label holds, of those in several pieces that hold as many bytes, and
// gives where it ends.
inline size_t next_gif_extension(std::span<const uint8_t> data, size_t at, uint8_t label, size_t fewest,
                                 std::vector<uint8_t>& joined) {
    for (; at + 1 < data.size(); ++at) {
        if (data[at] != 0x21 || data[at + 1] != label) continue;
        size_t pieces = 0, length = 0;
        const size_t begin = at + 2;
        at = walk_sub_blocks(data, begin, [&](std::span<const uint8_t> piece) {
            ++pieces;
            length += piece.size();
        });
        if (pieces > 1 && length >= fewest) {
            joined.reserve(length);
            walk_sub_blocks(data, begin, [&](std::span<const uint8_t> piece) {
                joined.insert(joined.end(), piece.begin(), piece.end());
            });
            return at;
        }
    }
    return at;
}

}  // namespace tutela
