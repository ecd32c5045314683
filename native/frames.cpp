#include "frames.hpp"

#include <algorithm>
#include <cstring>

namespace tutela {

Taken take_frames(std::span<uint8_t> buffer, Framing& framing) {
    Taken taken;
    size_t at = 0;
    while (at < buffer.size()) {
        if (framing.left > 0) {
            const size_t size = std::min<size_t>(framing.left, buffer.size() - at);
            if (taken.begin == taken.end) {
                taken.begin = taken.end = at;
            } else if (taken.end != at) {
                std::memmove(buffer.data() + taken.end, buffer.data() + at, size);
            }
            taken.end += size;
            at += size;
            framing.left -= static_cast<uint32_t>(size);
            continue;
        }
        const size_t missing = framing.header.size() - framing.header_size;
        const size_t there = std::min(missing, buffer.size() - at);
        std::array<uint8_t, 4> header = framing.header;
        std::copy_n(buffer.data() + at, there, header.data() + framing.header_size);
        if (there < missing) {
            framing.header = header;
            framing.header_size += there;
            taken.length = buffer.size();
            return taken;
        }
        uint32_t length = 0;
        for (const uint8_t byte : header) length = length << 8 | byte;
        if (length == 0) {
            taken.length = at;
            taken.rest = missing;
            return taken;
        }
        framing.left = length;
        framing.header_size = 0;
        framing.announced += length;
        at += missing;
    }
    taken.length = at;
    return taken;
}

}  // namespace tutela
