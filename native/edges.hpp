// Straight, upright edges: how much of any stretch of a row or column is an edge, in constant time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "luma.hpp"

namespace tutela {

// Brightness is added up over so many pixels along a line before differences are taken across it, so that noise and
// texture fade while the side of a picture laid over another stays.
constexpr size_t edge_block = 4;

// A soft edge is spread over two or three lines and counts once, where it is steepest, with half of what lies beside it:
// 2 * the difference there + those on both sides, of sums of four pixels. So much, 14 steps of brightness, is an edge whole.
constexpr uint16_t full_edge = 112;

// Edges of one direction. Position i lies between the lines i - 1 and i.
class Edges {
   public:
    // Of pictures of at least two blocks both ways.
    static Edges vertical(const Luma& luma);
    static Edges horizontal(const Luma& luma);

    // Pixels along the lines, and the number of positions.
    size_t length() const { return length_; }
    size_t positions() const { return positions_; }

    // 0-1: the share of a stretch of a line that is an edge, and of the whole line.
    float support(size_t position, size_t begin, size_t end) const;
    float total(size_t position) const { return totals_[position]; }

   private:
    Edges(size_t length, size_t positions, bool by_block);

    size_t index(size_t block, size_t position) const { return block * block_stride_ + position * position_stride_; }
    void take_totals();

    size_t length_, positions_, blocks_, block_stride_, position_stride_;
    std::vector<uint32_t> sums_;  // running sums of strength over blocks
    std::vector<float> totals_;
};

}  // namespace tutela
