// What views are found by: straight upright edges, and blobs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tutela {

// Pixels averaged along a line before a difference is taken across it, and the difference that counts as an edge whole.
constexpr size_t edge_block = 4;
constexpr float full_step = 14.0f;

// Running sums of edge strength along lines: (blocks + 1) rows of `positions`. Position i lies between lines i-1 and i.
struct LineSums {
    size_t blocks, positions;
    std::vector<float> sums;
};

LineSums vertical_edges(const uint8_t* luma, size_t height, size_t width);
LineSums horizontal_edges(const uint8_t* luma, size_t height, size_t width);

// An extreme of the difference of two Gaussians, in pixels from the top left corner, and how strong it is.
struct Blob {
    float x, y, strength;
};

// Extremes of all within `reach` pixels both ways, strongest first (Lowe, 2004, section 3). Deviations are in pixels.
std::vector<Blob> blobs(const uint8_t* luma, size_t height, size_t width, float fine, float coarse, size_t reach);

}  // namespace tutela
