// Views of one picture: any four corners in it, brought down to the 64x64 that PDQ takes, from one small pyramid.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pdq.hpp"

namespace tutela {

// Luma and its halvings, each pixel the mean of the four below it.
class Pyramid {
   public:
    // Throws std::invalid_argument when empty.
    Pyramid(const uint8_t* luma, size_t height, size_t width);

    struct Level {
        size_t height, width;
        std::vector<float> pixels;
    };

    const std::vector<Level>& levels() const { return levels_; }

   private:
    std::vector<Level> levels_;
};

// Left-top, right-top, right-bottom, left-bottom of the view, as (x, y) in fractions of the picture's width and height.
// What lies outside of the picture is its mirror image.
using Corners = std::array<std::array<double, 2>, 4>;

// The farthest a corner may lie outside, in widths and heights.
constexpr double max_outside = 4.0;

// False where the corners are not those of a convex quadrilateral of some size, or lie too far outside.
bool viewable(const Pyramid& pyramid, const Corners& corners);

// Root mean square of the frequencies under which their signs, and so the hash, are chance: a lattice has much detail and
// nothing as coarse as what is hashed.
constexpr float min_strength = 5.0f;

bool says_something(const Frequencies& frequencies);

// The view at 64x64. The corners must be viewable.
Picture64 view_of(const Pyramid& pyramid, const Corners& corners);

}  // namespace tutela
