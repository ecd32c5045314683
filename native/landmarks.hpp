// Landmarks: places that are found again in a crop, under an overlay or in a collage.
#pragma once

#include <vector>

#include "area_sums.hpp"
#include "luma.hpp"

namespace tutela {

// A place in pixels from the left top corner.
struct Point {
    float x, y;
};

// A landmark is looked for with the picture's root of area brought to so many pixels, as the extreme of all within `reach`
// of these both ways of the difference of two Gaussians, whose standard deviations are these (Lowe, "Distinctive Image
// Features from Scale-Invariant Keypoints", 2004, section 3).
constexpr double landmark_size = 72;
constexpr float fine = 1.85f, coarse = 3.0f;
constexpr size_t landmark_reach = 3;
// Landmarks lie at least so far apart, across or down, as a share of the root of the picture's area.
constexpr double landmark_spacing = 0.1;
constexpr double smallest_scale = 0.25;

// The strongest landmarks of a box whose square window of side `window` lies within it, strongest first. All lengths but
// places are shares of the root of the box's area; `scale`, from `smallest_scale` to 1, finds those of a crop that keeps
// scale^2 of it. What is looked at grows with 1 / scale^2.
std::vector<Point> landmarks(const AreaSums& sums, const Box& box, size_t limit, double window, double scale);

}  // namespace tutela
