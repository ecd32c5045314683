// A grey picture and upright boxes in it: what views are found in.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tutela {

// Rows of height x width bytes.
struct Luma {
    const uint8_t* pixels;
    size_t height, width;

    const uint8_t* row(size_t y) const { return pixels + y * width; }
};

// In pixels; right and bottom are the first ones outside.
struct Box {
    size_t left, top, right, bottom;

    size_t width() const { return right - left; }
    size_t height() const { return bottom - top; }
    bool operator==(const Box&) const = default;
};

}  // namespace tutela
