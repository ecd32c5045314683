// Any bytes as a JPEG, at every share of its size: never out of bounds, and luma of the size that was asked for.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "jpeg.hpp"
#include "jpeg_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    for (const size_t min_side : {1, 20, 40, 60, 80}) {
        const auto luma = tutela::jpeg_luma(std::span(data, size), min_side, size);
        if (!luma) continue;
        if (luma->pixels.size() != luma->height * luma->width) std::abort();
        if (luma->height < min_side || luma->width < min_side) std::abort();
    }
    for (size_t at = 0; at < size; at += 2) {
        at = tutela::next_marker(std::span(data, size), at);
        if (at < size && (data[at] != 0xFF || data[at + 1] == 0 || data[at + 1] == 0xFF)) std::abort();
    }
    return 0;
}
