#include "area_sums.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "view_kernels.hpp"

namespace tutela {
namespace {

// A place between pixels: the whole ones before it, and the share of the next.
struct Place {
    size_t whole;
    double share;
};

std::vector<Place> places(std::span<const double> positions, size_t length) {
    std::vector<Place> found;
    found.reserve(positions.size());
    for (const double position : positions) {
        const double inside = std::clamp(position, 0.0, static_cast<double>(length));
        const size_t whole = std::min(static_cast<size_t>(inside), length - 1);
        found.push_back({whole, inside - static_cast<double>(whole)});
    }
    return found;
}

double inverse(double length) { return length > 0 ? 1 / length : 0.0; }

}  // namespace

AreaSums::AreaSums(const Luma& luma)
    : height_(luma.height), width_(luma.width), sums_(std::make_unique_for_overwrite<uint32_t[]>((height_ + 1) * (width_ + 1))) {
    const size_t stride = width_ + 1;
    std::fill_n(sums_.get(), stride, 0u);
    for (size_t y = 1; y <= height_; ++y) sums_[y * stride] = 0;
    size_t y = 0;
    // Four rows at a time: each sum waits for the one before it in its row.
    for (; y + 4 <= height_; y += 4) {
        const uint8_t* row = luma.row(y);
        const uint32_t* above = sums_.get() + y * stride;
        uint32_t* out = sums_.get() + (y + 1) * stride;
        uint32_t first = 0, second = 0, third = 0, fourth = 0;
        for (size_t x = 0; x < width_; ++x) {
            first += row[x];
            second += row[width_ + x];
            third += row[2 * width_ + x];
            fourth += row[3 * width_ + x];
            uint32_t sum = above[x + 1];
            out[x + 1] = sum += first;
            out[stride + x + 1] = sum += second;
            out[2 * stride + x + 1] = sum += third;
            out[3 * stride + x + 1] = sum += fourth;
        }
    }
    for (; y < height_; ++y) {
        const uint8_t* row = luma.row(y);
        const uint32_t* above = sums_.get() + y * stride;
        uint32_t* out = sums_.get() + (y + 1) * stride;
        uint32_t sum = 0;
        for (size_t x = 0; x < width_; ++x) out[x + 1] = above[x + 1] + (sum += row[x]);
    }
}

void AreaSums::means(std::span<const double> columns, std::span<const double> rows, float* out) const {
    const std::vector<Place> across = places(columns, width_), down = places(rows, height_);
    const size_t count = across.size();
    std::vector<int32_t> wholes(count);
    std::vector<double> shares(count), factors(count - 1), sums(count);
    for (size_t j = 0; j < count; ++j) {
        wholes[j] = static_cast<int32_t>(across[j].whole);
        shares[j] = across[j].share;
        if (j > 0) factors[j - 1] = inverse(columns[j] - columns[j - 1]);
    }
    std::vector<uint32_t> whole(4 * count);
    std::vector<double> share(4 * count);
    RowSums upper{whole.data(), share.data()}, lower{&whole[2 * count], &share[2 * count]};
    const ViewKernels& kernels = view_kernels();
    for (size_t i = 0; i < down.size(); ++i) {
        const uint32_t* row = sums_.get() + down[i].whole * (width_ + 1);
        kernels.sum_above(row, row + width_ + 1, wholes.data(), down[i].share, count, lower);
        if (i > 0) {
            kernels.sum_between(upper, lower, shares.data(), count, sums.data());
            kernels.means_between(sums.data(), factors.data(), inverse(rows[i] - rows[i - 1]), count - 1, out);
            out += count - 1;
        }
        std::swap(upper, lower);
    }
}

}  // namespace tutela
