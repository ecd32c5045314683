// Text as it comes: bytes that should be UTF-8, and are read as far as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tutela {

// The next code point of UTF-8; U+FFFD for a byte that begins none.
inline uint32_t next_letter(std::string_view text, size_t& at) {
    const auto byte = uint8_t(text[at]);
    const int more = byte < 0x80 ? 0 : byte >= 0xc2 && byte < 0xe0 ? 1 : (byte & 0xf0) == 0xe0 ? 2
                     : byte >= 0xf0 && byte < 0xf5                 ? 3
                                                                   : -1;
    if (more < 0 || at + size_t(more) >= text.size()) return ++at, 0xfffd;
    uint32_t letter = more == 0 ? byte : byte & (0x3f >> more);
    for (int i = 1; i <= more; ++i) {
        const auto next = uint8_t(text[at + size_t(i)]);
        if ((next & 0xc0) != 0x80) return ++at, 0xfffd;
        letter = letter << 6 | (next & 0x3f);
    }
    at += size_t(more) + 1;
    return letter > 0x10ffff || (letter >= 0xd800 && letter < 0xe000) ? 0xfffd : letter;
}

}  // namespace tutela
