// Views of one picture: any four corners in it, brought down to the 64x64 that PDQ takes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "area_sums.hpp"
#include "luma.hpp"
#include "pdq.hpp"

namespace tutela {

// Luma and its halvings, each pixel the mean of the four below it: what tilted views are sampled from.
class Pyramid {
   public:
    explicit Pyramid(const Luma& luma);

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

// Those of an upright rectangle in pixels.
Corners corners_of(const Luma& luma, double left, double top, double right, double bottom);

// The fewest pixels that the longer of a view's two opposite sides has, half of the 64 that it is brought to.
constexpr double least_view_side = 32.0;

// The farthest a corner may lie outside, in widths and heights.
constexpr double max_outside = 4.0;

// A picture that views are found in and taken from, with what is computed of it once for all of them.
class Canvas {
   public:
    // Copies the pixels. Throws std::invalid_argument when there are none.
    Canvas(const uint8_t* luma, size_t height, size_t width);
    Canvas(const Canvas&) = delete;
    Canvas& operator=(const Canvas&) = delete;

    const Luma& luma() const { return luma_; }
    const AreaSums& sums() const { return sums_; }

    // False where the corners are not those of a convex quadrilateral of some size, or lie too far outside.
    bool viewable(const Corners& corners) const;

    // Whether a view has pixels enough to be known by: what is magnified much is smooth, and smooth views look alike.
    bool has_detail(const Corners& corners) const;

    // The view at 64x64. The corners must be viewable.
    Picture64 view(const Corners& corners);

   private:
    std::vector<uint8_t> pixels_;
    Luma luma_;
    AreaSums sums_;
    std::once_flag tilted_;
    std::optional<Pyramid> pyramid_;  // made for the first tilted view
};

// A quadrilateral of a picture as a picture of its own.
struct Cutting {
    std::vector<uint8_t> pixels;
    size_t height, width;
};

// At the same scale, each side as long as the longer of the two opposite ones; black where it lies outside. Empty where a
// side would have fewer than `least` pixels, or four times as many as the longer of the picture's.
Cutting cut_out(const Luma& luma, const Corners& corners, size_t least);

// Root mean square of the frequencies under which their signs, and so the hash, are chance: a lattice has much detail and
// nothing as coarse as what is hashed.
constexpr float min_strength = 5.0f;

bool says_something(const Frequencies& frequencies);

// Steps of brightness by which neighbours differ where there is something to see.
constexpr float least_difference = 4.0f;

// How many of the 64 fields of 8x8 show something. Photos fill their windows; a shape on plain ground does not.
int filled_fields(const Picture64& picture);

}  // namespace tutela
