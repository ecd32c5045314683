#include "views.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <stdexcept>

#include "view_kernels.hpp"

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

Cell cell_of(const Corners& c, double height, double width) {
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

// Sides along the picture's: every part is the mean of the pixels under it.
Picture64 upright(const AreaSums& sums, const Corners& c, double height, double width) {
    const auto lines = [](double begin, double end) {
        std::array<double, 65> all;
        for (size_t i = 0; i <= 64; ++i) all[i] = std::min(begin, end) + std::abs(end - begin) / 64 * static_cast<double>(i);
        return all;
    };
    Picture64 out;
    sums.means(lines(c[0][0] * width, c[1][0] * width), lines(c[0][1] * height, c[3][1] * height), out.data());
    if (c[0][0] > c[1][0]) {
        for (size_t i = 0; i < 64; ++i) std::reverse(out.begin() + 64 * i, out.begin() + 64 * (i + 1));
    }
    if (c[0][1] > c[3][1]) {
        for (size_t i = 0; i < 32; ++i) std::swap_ranges(out.begin() + 64 * i, out.begin() + 64 * (i + 1), out.begin() + 64 * (63 - i));
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

Pyramid::Pyramid(const Luma& luma) {
    levels_.push_back({luma.height, luma.width, std::vector<float>(luma.pixels, luma.pixels + luma.height * luma.width)});
    while (levels_.back().height > 32 && levels_.back().width > 32) levels_.push_back(halved(levels_.back()));
}

Corners corners_of(const Luma& luma, double left, double top, double right, double bottom) {
    const auto width = static_cast<double>(luma.width), height = static_cast<double>(luma.height);
    left /= width, right /= width, top /= height, bottom /= height;
    return {{{left, top}, {right, top}, {right, bottom}, {left, bottom}}};
}

Canvas::Canvas(const uint8_t* luma, size_t height, size_t width)
    : pixels_(luma, luma + height * width), luma_{pixels_.data(), height, width}, sums_(luma_) {
    if (pixels_.empty()) throw std::invalid_argument("a picture needs at least one pixel");
}

bool Canvas::viewable(const Corners& corners) const {
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
    const Cell cell = cell_of(corners, static_cast<double>(luma_.height), static_cast<double>(luma_.width));
    return std::abs(turns) == 4 && std::min(cell.across, cell.down) > min_cells;
}

bool Canvas::has_detail(const Corners& corners) const {
    const Cell cell = cell_of(corners, static_cast<double>(luma_.height), static_cast<double>(luma_.width));
    return 64 * std::min(cell.across, cell.down) >= least_view_side;
}

Picture64 Canvas::view(const Corners& c) {
    const auto height = static_cast<double>(luma_.height), width = static_cast<double>(luma_.width);
    const bool is_upright = c[0][1] == c[1][1] && c[2][1] == c[3][1] && c[0][0] == c[3][0] && c[1][0] == c[2][0];
    const auto inside = [](double place) { return place >= 0 && place <= 1; };
    if (is_upright && inside(c[0][0]) && inside(c[0][1]) && inside(c[2][0]) && inside(c[2][1])) {
        return upright(sums_, c, height, width);
    }
    std::call_once(tilted_, [&] { pyramid_.emplace(luma_); });
    const Cell cell = cell_of(c, height, width);
    const size_t level = level_for(*pyramid_, cell, 1.0);
    return warped(pyramid_->levels()[level], c, cell, std::ldexp(1.0, -static_cast<int>(level)));
}

Cutting cut_out(const Luma& luma, const Corners& corners, size_t least) {
    const auto columns = static_cast<double>(luma.width), rows = static_cast<double>(luma.height);
    const Cell cell = cell_of(corners, rows, columns);
    const double across = 64 * cell.across, down = 64 * cell.down, most = 4 * std::max(columns, rows) + 1;
    if (!(across < most && down < most)) return {};
    Cutting cutting{{}, static_cast<size_t>(down), static_cast<size_t>(across)};
    if (std::min(cutting.width, cutting.height) < least) return {};
    cutting.pixels.resize(cutting.height * cutting.width, 0);
    // A bilinear map of the rectangle to the quadrilateral, then between the four nearest pixels.
    const auto place = [&](size_t axis, double size) {
        std::array<double, 4> at;
        for (size_t i = 0; i < 4; ++i) at[i] = corners[i][axis] * size;
        const double u = 1.0 / static_cast<double>(cutting.width), v = 1.0 / static_cast<double>(cutting.height);
        return std::array{at[0], (at[1] - at[0]) * u, (at[3] - at[0]) * v, (at[2] - at[3] - at[1] + at[0]) * u * v};
    };
    const auto across_at = place(0, columns), down_at = place(1, rows);
    for (size_t i = 0; i < cutting.height; ++i) {
        uint8_t* out = cutting.pixels.data() + i * cutting.width;
        const double v = static_cast<double>(i) + 0.5;
        for (size_t j = 0; j < cutting.width; ++j) {
            const double u = static_cast<double>(j) + 0.5;
            const auto at = [&](const std::array<double, 4>& a) { return a[0] + a[1] * u + a[2] * v + a[3] * u * v; };
            const double x = at(across_at), y = at(down_at);
            if (!(x >= 0 && x < columns && y >= 0 && y < rows)) continue;
            const double left = std::max(x - 0.5, 0.0), top = std::max(y - 0.5, 0.0);
            const auto column = static_cast<size_t>(left), line = static_cast<size_t>(top);
            const size_t next = std::min(column + 1, luma.width - 1);
            const uint8_t *above = luma.row(line), *below = luma.row(std::min(line + 1, luma.height - 1));
            const double share = left - static_cast<double>(column);
            const double upper = above[column] + (above[next] - above[column]) * share;
            const double lower = below[column] + (below[next] - below[column]) * share;
            out[j] = static_cast<uint8_t>(upper + (lower - upper) * (top - static_cast<double>(line)));
        }
    }
    return cutting;
}

bool says_something(const Frequencies& frequencies) {
    float sum = 0.0f;
    for (const float value : frequencies) sum += value * value;
    return sum >= min_strength * min_strength * static_cast<float>(frequencies.size());
}

int filled_fields(const Picture64& picture) {
    return static_cast<int>(view_kernels().filled_fields(picture.data(), least_difference));
}

}  // namespace tutela
