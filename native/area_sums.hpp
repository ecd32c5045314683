// Sums over any upright box of a picture, its sides between pixels too, in constant time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "luma.hpp"

namespace tutela {

// Running sums over all pixels above and to the left (Crow, "Summed-area tables for texture mapping", 1984). They may run
// over: only the differences over one strip of boxes are used, and these do not.
class AreaSums {
   public:
    explicit AreaSums(const Luma& luma);

    // Means of the boxes between each two neighbouring columns and rows, which rise, in pixels from the left top corner, row
    // by row. Columns and rows that lie on each other have the mean 0 between them.
    void means(std::span<const double> columns, std::span<const double> rows, float* out) const;

   private:
    size_t height_, width_;
    std::unique_ptr<uint32_t[]> sums_;  // (height + 1) x (width + 1)
};

}  // namespace tutela
