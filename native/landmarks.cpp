#include "landmarks.hpp"

#include <algorithm>
#include <cmath>

#include "dispatch.hpp"

namespace tutela {
namespace {

constexpr float weakest = 0.25f;  // steps of brightness

struct Grid {
    size_t height, width;
    std::vector<float> values;
};

// A box brought down to the size that landmarks are looked for at.
Grid brought_down(const AreaSums& sums, const Box& box, double size) {
    const auto side = [&](size_t length) {
        return std::max<size_t>(8, static_cast<size_t>(std::lround(static_cast<double>(length) * landmark_size / size)));
    };
    Grid grid{side(box.height()), side(box.width()), {}};
    grid.values.resize(grid.height * grid.width);
    const auto lines = [](size_t begin, size_t end, size_t parts) {
        std::vector<double> all(parts + 1);
        const double step = static_cast<double>(end - begin) / static_cast<double>(parts);
        for (size_t i = 0; i <= parts; ++i) all[i] = static_cast<double>(begin) + step * static_cast<double>(i);
        return all;
    };
    sums.means(lines(box.left, box.right, grid.width), lines(box.top, box.bottom, grid.height), grid.values.data());
    return grid;
}

// Two passes of a Gaussian, down then across, edges repeated.
std::vector<float> blurred(const Grid& grid, float deviation) {
    const auto reach = static_cast<int64_t>(std::ceil(3.0f * deviation));
    std::vector<float> weights(static_cast<size_t>(2 * reach + 1));
    float sum = 0.0f;
    for (int64_t i = -reach; i <= reach; ++i) {
        const auto place = static_cast<float>(i);
        sum += weights[static_cast<size_t>(i + reach)] = std::exp(-place * place / (2.0f * deviation * deviation));
    }
    for (float& weight : weights) weight /= sum;

    // Down, then across: each tap is one pass over all rows, which are repeated above and below, and longer at both ends.
    const auto rows = static_cast<int64_t>(grid.height), columns = static_cast<int64_t>(grid.width);
    const auto weigh = kernels().weigh_rows_f32;
    const int64_t long_columns = columns + 2 * reach;
    std::vector<float> tall(static_cast<size_t>((rows + 2 * reach) * columns)), down(grid.values.size());
    for (int64_t y = -reach; y < rows + reach; ++y) {
        std::copy_n(grid.values.data() + std::clamp<int64_t>(y, 0, rows - 1) * columns, columns, tall.data() + (y + reach) * columns);
    }
    weigh(tall.data(), grid.width, weights.data(), weights.size(), down.size(), down.data());
    std::vector<float> wide(static_cast<size_t>(rows * long_columns + 2 * reach)), sums(static_cast<size_t>(rows * long_columns));
    for (int64_t y = 0; y < rows; ++y) {
        const float* from = down.data() + y * columns;
        float* to = wide.data() + y * long_columns;
        std::fill_n(to, reach, from[0]);
        std::copy_n(from, columns, to + reach);
        std::fill_n(to + reach + columns, reach, from[columns - 1]);
    }
    weigh(wide.data(), 1, weights.data(), weights.size(), sums.size(), sums.data());
    std::vector<float> out(grid.values.size());
    for (int64_t y = 0; y < rows; ++y) std::copy_n(sums.data() + y * long_columns, columns, out.data() + y * columns);
    return out;
}

float top_of_parabola(float before, float at, float after) {
    const float bend = before - 2.0f * at + after;
    return std::abs(bend) < 1e-6f ? 0.0f : std::clamp(0.5f * (before - after) / bend, -0.5f, 0.5f);
}

struct Blob {
    float x, y, strength;
};

// The largest value within reach of each, across and down.
std::vector<float> largest_around(const std::vector<float>& values, size_t height, size_t width) {
    std::vector<float> across(values), out(values.size());
    for (size_t y = 0; y < height; ++y) {
        const float* row = values.data() + y * width;
        float* line = across.data() + y * width;
        for (size_t step = 1; step <= std::min(landmark_reach, width - 1); ++step) {
            for (size_t x = 0; x + step < width; ++x) line[x] = std::max(line[x], row[x + step]);
            for (size_t x = step; x < width; ++x) line[x] = std::max(line[x], row[x - step]);
        }
    }
    for (size_t y = 0; y < height; ++y) {
        const size_t last = std::min(height - 1, y + landmark_reach);
        float* line = out.data() + y * width;
        for (size_t v = y - std::min(y, landmark_reach); v <= last; ++v) {
            const float* row = across.data() + v * width;
            for (size_t x = 0; x < width; ++x) line[x] = std::max(line[x], row[x]);
        }
    }
    return out;
}

// Extremes, strongest first, in the grid's pixels.
std::vector<Blob> blobs(const Grid& grid) {
    std::vector<float> response = blurred(grid, fine);
    const std::vector<float> wide = blurred(grid, coarse);
    std::vector<float> strengths(response.size());
    for (size_t i = 0; i < response.size(); ++i) strengths[i] = std::abs(response[i] -= wide[i]);

    std::vector<Blob> found;
    const size_t width = grid.width, height = grid.height;
    const std::vector<float> largest = largest_around(strengths, height, width);
    for (size_t y = 1; y + 1 < height; ++y) {
        for (size_t x = 1; x + 1 < width; ++x) {
            const size_t place = y * width + x;
            const float strength = strengths[place];
            if (strength < largest[place] || strength <= weakest) continue;
            const float* centre = response.data() + place;
            const float dx = top_of_parabola(centre[-1], *centre, centre[1]);
            const float dy = top_of_parabola(*(centre - width), *centre, centre[width]);
            found.push_back({static_cast<float>(x) + 0.5f + dx, static_cast<float>(y) + 0.5f + dy, strength});
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const Blob& a, const Blob& b) { return a.strength > b.strength; });
    return found;
}

}  // namespace

std::vector<Point> landmarks(const AreaSums& sums, const Box& box, size_t limit, double window, double scale) {
    const auto width = static_cast<double>(box.width()), height = static_cast<double>(box.height());
    const double size = scale * std::sqrt(width * height), half = window * size / 2, apart = landmark_spacing * size;
    const Grid grid = brought_down(sums, box, size);
    std::vector<Point> chosen;
    for (const Blob& blob : blobs(grid)) {
        if (chosen.size() == limit) break;
        const double x = blob.x * width / static_cast<double>(grid.width), y = blob.y * height / static_cast<double>(grid.height);
        if (std::min(x, width - x) < half || std::min(y, height - y) < half) continue;
        const Point place{static_cast<float>(static_cast<double>(box.left) + x), static_cast<float>(static_cast<double>(box.top) + y)};
        const auto close = [&](const Point& other) {
            return std::abs(other.x - place.x) < apart && std::abs(other.y - place.y) < apart;
        };
        if (std::none_of(chosen.begin(), chosen.end(), close)) chosen.push_back(place);
    }
    return chosen;
}

}  // namespace tutela
