#include "letters.hpp"

#include <algorithm>

namespace tutela {

namespace {

constexpr size_t block = 4096;

// All ones where the condition holds: written so that the compiler looks at many bytes at once.
uint8_t mask(bool condition) { return condition ? 0xff : 0; }

uint8_t is_no_text(uint8_t byte) {
    const uint8_t white = mask(byte == 0x09) | mask(byte == 0x0a) | mask(byte == 0x0c) | mask(byte == 0x0d);
    return (mask(byte < 0x20) & ~white & ~mask(byte == 0x1b)) | mask(byte == 0x7f);
}

}  // namespace

bool is_text(std::span<const uint8_t> data) {
    for (size_t begin = 0; begin < data.size(); begin += block) {
        const uint8_t* bytes = data.data() + begin;
        const size_t count = std::min(block, data.size() - begin);
        uint8_t found = 0;
        for (size_t at = 0; at < count; ++at) found |= is_no_text(bytes[at]);
        if (found) return false;
    }
    return true;
}

// Every row of that length covers a place that is a multiple of it: only where a letter stands there, its row is walked.
bool has_row(std::span<const uint8_t> data, const Letters& letters, size_t length) {
    size_t walked = 0;  // before it everything is known
    for (size_t at = length - 1; at < data.size(); at += length) {
        if (at < walked || !letters[data[at]]) continue;
        size_t begin = at, end = at + 1;
        while (begin > walked && letters[data[begin - 1]]) --begin;
        while (end < data.size() && end - begin < length && letters[data[end]]) ++end;
        if (end - begin >= length) return true;
        walked = end;
    }
    return false;
}

}  // namespace tutela
