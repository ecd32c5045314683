#include "views.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace tutela {
namespace {

using Level = Pyramid::Level;

constexpr double min_cells = 1e-3;  // a cell of the 64x64 smaller than this many pixels shows nothing

Level halved(const Level& above) {
    Level level{(above.height + 1) / 2, (above.width + 1) / 2, {}};
    level.pixels.resize(level.height * level.width);
    for (size_t y = 0; y < level.height; ++y) {
        const float* top = above.pixels.data() + 2 * y * above.width;
        const float* bottom = 2 * y + 1 < above.height ? top + above.width : top;
        float* out = level.pixels.data() + y * level.width;
        const size_t pairs = above.width / 2;
        for (size_t x = 0; x < pairs; ++x) {
            out[x] = 0.25f * (top[2 * x] + top[2 * x + 1] + bottom[2 * x] + bottom[2 * x + 1]);
        }
        if (pairs < level.width) out[pairs] = 0.5f * (top[above.width - 1] + bottom[above.width - 1]);
    }
    return level;
}

double distance(const std::array<double, 2>& a, const std::array<double, 2>& b, double width, double height) {
    return std::hypot((a[0] - b[0]) * width, (a[1] - b[1]) * height);
}

// Pixels of the full picture that a 64th of the view is across and down, at its longest.
struct Cell {
    double across, down;
};

Cell cell_of(const Pyramid& pyramid, const Corners& c) {
    const auto width = static_cast<double>(pyramid.levels()[0].width);
    const auto height = static_cast<double>(pyramid.levels()[0].height);
    return {std::max(distance(c[0], c[1], width, height), distance(c[3], c[2], width, height)) / 64,
            std::max(distance(c[0], c[3], width, height), distance(c[1], c[2], width, height)) / 64};
}

// The coarsest level on which a cell still measures so many pixels both ways.
size_t level_for(const Pyramid& pyramid, const Cell& cell, double pixels) {
    size_t level = 0;
    double smaller = std::min(cell.across, cell.down) / 2;
    for (; level + 1 < pyramid.levels().size() && smaller >= pixels; smaller /= 2) ++level;
    return level;
}

size_t mirrored(int64_t position, size_t length) {
    if (position >= 0 && position < static_cast<int64_t>(length)) return static_cast<size_t>(position);
    const auto period = static_cast<int64_t>(2 * length);
    const int64_t folded = ((position % period) + period) % period;
    return static_cast<size_t>(std::min(folded, period - 1 - folded));
}

// The pixels that lie under one of 64 equal parts of a stretch, and how much of each.
struct Share {
    int64_t first;
    size_t count;
    const float* weights;
};

struct Shares {
    std::array<Share, 64> parts;
    std::vector<float> weights;
};

Shares shares(double begin, double end) {
    const bool reversed = begin > end;
    const double low = std::min(begin, end), step = std::abs(end - begin) / 64;
    const auto most = static_cast<size_t>(std::ceil(step)) + 1;
    Shares all{{}, std::vector<float>(64 * most)};
    for (size_t i = 0; i < 64; ++i) {
        const double from = low + step * static_cast<double>(i), to = from + step;
        const auto first = static_cast<int64_t>(std::floor(from));
        const auto last = std::max(first, static_cast<int64_t>(std::ceil(to)) - 1);
        const size_t count = std::min(static_cast<size_t>(last - first + 1), most);
        float* weights = all.weights.data() + i * most;
        for (size_t tap = 0; tap < count; ++tap) {
            const auto pixel = static_cast<double>(first + static_cast<int64_t>(tap));
            weights[tap] = static_cast<float>(std::max(std::min(to, pixel + 1) - std::max(from, pixel), 0.0) / step);
        }
        all.parts[reversed ? 63 - i : i] = {first, count, weights};
    }
    return all;
}

// Sides along the picture's: every part is the mean of the pixels under it, rows first so that whole rows are added.
Picture64 upright(const Level& level, const Corners& c) {
    const auto width = static_cast<double>(level.width), height = static_cast<double>(level.height);
    const Shares columns = shares(c[0][0] * width, c[1][0] * width), rows = shares(c[0][1] * height, c[3][1] * height);
    const Share &left = columns.parts[c[0][0] < c[1][0] ? 0 : 63], &right = columns.parts[c[0][0] < c[1][0] ? 63 : 0];
    const int64_t first = left.first, last = right.first + static_cast<int64_t>(right.count);

    // A row of the level as far as the view needs it, mirrored beyond the level's edges.
    const auto length = static_cast<size_t>(last - first);
    std::vector<size_t> places;
    if (first < 0 || last > static_cast<int64_t>(level.width)) {
        for (int64_t x = first; x < last; ++x) places.push_back(mirrored(x, level.width));
    }
    std::vector<float> sums(length);
    Picture64 out;
    for (size_t i = 0; i < 64; ++i) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (size_t tap = 0; tap < rows.parts[i].count; ++tap) {
            const size_t y = mirrored(rows.parts[i].first + static_cast<int64_t>(tap), level.height);
            const float* row = level.pixels.data() + y * level.width;
            const float weight = rows.parts[i].weights[tap];
            if (places.empty()) {
                for (size_t x = 0; x < length; ++x) sums[x] += weight * row[static_cast<size_t>(first) + x];
            } else {
                for (size_t x = 0; x < length; ++x) sums[x] += weight * row[places[x]];
            }
        }
        for (size_t j = 0; j < 64; ++j) {
            const Share& share = columns.parts[j];
            const float* from = sums.data() + (share.first - first);
            float sum = 0.0f;
            for (size_t tap = 0; tap < share.count; ++tap) sum += share.weights[tap] * from[tap];
            out[i * 64 + j] = sum;
        }
    }
    return out;
}

// The projective map of the unit square to a quadrilateral, by Heckbert, "Fundamentals of Texture Mapping and Image
// Warping" (1989), section 2.2.3.
struct Projection {
    double a, b, c, d, e, f, g, h;
};

Projection projection(const Corners& q) {
    const double dx1 = q[1][0] - q[2][0], dx2 = q[3][0] - q[2][0], sx = q[0][0] - q[1][0] + q[2][0] - q[3][0];
    const double dy1 = q[1][1] - q[2][1], dy2 = q[3][1] - q[2][1], sy = q[0][1] - q[1][1] + q[2][1] - q[3][1];
    const double area = dx1 * dy2 - dx2 * dy1;
    const double g = (sx * dy2 - dx2 * sy) / area, h = (dx1 * sy - sx * dy1) / area;
    return {q[1][0] - q[0][0] + g * q[1][0], q[3][0] - q[0][0] + h * q[3][0], q[0][0],
            q[1][1] - q[0][1] + g * q[1][1], q[3][1] - q[0][1] + h * q[3][1], q[0][1], g, h};
}

float bilinear(const Level& level, float x, float y) {
    const float left = std::floor(x - 0.5f), top = std::floor(y - 0.5f);
    const float right_share = x - 0.5f - left, bottom_share = y - 0.5f - top;
    const auto column = static_cast<int32_t>(left), line = static_cast<int32_t>(top);
    const size_t x0 = mirrored(column, level.width), x1 = mirrored(column + 1, level.width);
    const float* row0 = level.pixels.data() + mirrored(line, level.height) * level.width;
    const float* row1 = level.pixels.data() + mirrored(line + 1, level.height) * level.width;
    const float above = row0[x0] + (row0[x1] - row0[x0]) * right_share;
    const float below = row1[x0] + (row1[x1] - row1[x0]) * right_share;
    return above + (below - above) * bottom_share;
}

// Turned or in perspective: each part is the mean of a few samples of a level on which it is one to two pixels large.
Picture64 warped(const Level& level, const Corners& corners, const Cell& cell, double scale) {
    const Projection p = projection(corners);
    const auto width = static_cast<double>(level.width), height = static_cast<double>(level.height);
    const auto samples = [&](double pixels) { return std::clamp<size_t>(static_cast<size_t>(pixels * scale), 1, 8); };
    const size_t across = samples(cell.across), down = samples(cell.down);
    const auto u_step = static_cast<float>(1.0 / static_cast<double>(64 * across));
    const auto v_step = static_cast<float>(1.0 / static_cast<double>(64 * down));
    const auto a = static_cast<float>(p.a * width), b = static_cast<float>(p.b * width), c = static_cast<float>(p.c * width);
    const auto d = static_cast<float>(p.d * height), e = static_cast<float>(p.e * height), f = static_cast<float>(p.f * height);
    const auto g = static_cast<float>(p.g), h = static_cast<float>(p.h);
    Picture64 out{};
    for (size_t i = 0; i < 64 * down; ++i) {
        const float v = (static_cast<float>(i) + 0.5f) * v_step;
        float* line = out.data() + i / down * 64;
        for (size_t j = 0; j < 64 * across; ++j) {
            const float u = (static_cast<float>(j) + 0.5f) * u_step;
            const float w = 1.0f / (g * u + h * v + 1.0f);
            line[j / across] += bilinear(level, (a * u + b * v + c) * w, (d * u + e * v + f) * w);
        }
    }
    const float share = 1.0f / static_cast<float>(across * down);
    for (float& value : out) value *= share;
    return out;
}

}  // namespace

Pyramid::Pyramid(const uint8_t* luma, size_t height, size_t width) {
    if (height == 0 || width == 0) throw std::invalid_argument("a picture needs at least one pixel");
    levels_.push_back({height, width, std::vector<float>(luma, luma + height * width)});
    while (levels_.back().height > 32 && levels_.back().width > 32) levels_.push_back(halved(levels_.back()));
}

bool viewable(const Pyramid& pyramid, const Corners& corners) {
    for (const auto& corner : corners) {
        for (const double place : corner) {
            if (!(place >= -max_outside && place <= 1 + max_outside)) return false;
        }
    }
    int turns = 0;
    for (size_t i = 0; i < 4; ++i) {
        const auto &before = corners[i], &at = corners[(i + 1) % 4], &after = corners[(i + 2) % 4];
        const double turn = (at[0] - before[0]) * (after[1] - at[1]) - (at[1] - before[1]) * (after[0] - at[0]);
        if (!(std::abs(turn) > 1e-9)) return false;
        turns += turn > 0 ? 1 : -1;
    }
    const Cell cell = cell_of(pyramid, corners);
    return std::abs(turns) == 4 && std::min(cell.across, cell.down) > min_cells;
}

bool says_something(const Frequencies& frequencies) {
    float sum = 0.0f;
    for (const float value : frequencies) sum += value * value;
    return sum >= min_strength * min_strength * static_cast<float>(frequencies.size());
}

Picture64 view_of(const Pyramid& pyramid, const Corners& c) {
    const Cell cell = cell_of(pyramid, c);
    const bool is_upright = c[0][1] == c[1][1] && c[2][1] == c[3][1] && c[0][0] == c[3][0] && c[1][0] == c[2][0];
    if (is_upright) return upright(pyramid.levels()[level_for(pyramid, cell, 2.0)], c);
    const size_t level = level_for(pyramid, cell, 1.0);
    return warped(pyramid.levels()[level], c, cell, std::ldexp(1.0, -static_cast<int>(level)));
}

}  // namespace tutela
