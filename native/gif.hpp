// The data of a GIF's blocks, which stands in pieces of up to 255 bytes, each behind its length (GIF89a, 15).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tutela {

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

}  // namespace tutela
