// Rectangles: pictures laid over others, found by four straight edges that meet.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "finding.hpp"

namespace tutela {
namespace {

constexpr size_t most_lines = 9;           // of each direction that are put together to rectangles
constexpr float min_line = 0.2f;           // a line is considered when this share of the whole line is an edge
constexpr float min_support = 0.6f;        // the share of each side that must be an edge, where it is not the frame's
constexpr float min_faint = 0.1f;          // the same for one that lies on a line of the whole picture
constexpr float min_panel_support = 0.2f;  // the same for a panel: what it was cut along is an edge already
constexpr size_t snap = 5;                 // pixels that a side may be moved to a better line
constexpr float nearly = 0.9f;             // a line with this share of the best one's support is as good
constexpr float half_as_good = 0.6f;       // the same where the better line may be the far side of a gutter
constexpr double same_share = 0.02;        // of its own size: a rectangle's sides that differ by less are the same
constexpr float split = 1.0f;              // how much less sure a box is that a line cuts in two from side to side

struct Finder {
    Edges vertical, horizontal;
    size_t width, height;
    std::vector<size_t> columns, rows;  // lines that may cut a box in two

    explicit Finder(const Luma& luma)
        : vertical(Edges::vertical(luma)), horizontal(Edges::horizontal(luma)), width(luma.width), height(luma.height) {}

    bool is_inner(const Box& box, size_t side) const {
        return std::array{box.left > 0, box.right < width, box.top > 0, box.bottom < height}[side];
    }

    std::array<float, 4> supports(const Box& box) const {
        return {vertical.support(box.left, box.top, box.bottom), vertical.support(box.right, box.top, box.bottom),
                horizontal.support(box.top, box.left, box.right), horizontal.support(box.bottom, box.left, box.right)};
    }

    // The mean support of the sides that are not the frame's, more for more sides; 0 where one lacks support.
    float score(const Box& box, float least) const {
        const std::array<float, 4> of_sides = supports(box);
        const std::array<float, 4> whole_lines{vertical.total(box.left), vertical.total(box.right),
                                               horizontal.total(box.top), horizontal.total(box.bottom)};
        float sum = 0.0f;
        int sides = 0;
        for (size_t side = 0; side < 4; ++side) {
            if (!is_inner(box, side)) continue;
            if (of_sides[side] < least) return 0.0f;
            sum += std::max(of_sides[side], whole_lines[side]);
            ++sides;
        }
        if (sides == 0) return 0.0f;
        const float mean = sum / static_cast<float>(sides) + 0.02f * static_cast<float>(sides);
        return std::max(mean - split * std::max(cut_in_two(box) - 0.5f, 0.0f), 0.01f);
    }

    // The most support that a line through the middle of a box has from side to side.
    float cut_in_two(const Box& box) const {
        float most = 0.0f;
        const size_t across = std::max<size_t>(8, box.width() / 6), down = std::max<size_t>(8, box.height() / 6);
        for (const size_t x : columns) {
            if (x >= box.left + across && x + across <= box.right) most = std::max(most, vertical.support(x, box.top, box.bottom));
        }
        for (const size_t y : rows) {
            if (y >= box.top + down && y + down <= box.bottom) most = std::max(most, horizontal.support(y, box.left, box.right));
        }
        return most;
    }

    // A side moved to the innermost of the good lines close by, by its own length alone.
    size_t snapped(const Edges& edges, size_t place, size_t begin, size_t end, bool inwards_is_up, float nearly) const {
        std::array<float, 2 * snap + 1> support{};
        for (size_t i = 0; i <= 2 * snap; ++i) {
            const size_t at = place + i;
            if (at >= snap && at - snap < edges.positions()) support[i] = edges.support(at - snap, begin, end);
        }
        const float good = std::max(nearly * *std::max_element(support.begin(), support.end()), min_support);
        for (size_t i = 0; i <= 2 * snap; ++i) {
            const size_t from_inside = inwards_is_up ? 2 * snap - i : i;
            if (support[from_inside] >= good) return place + from_inside - snap;
        }
        return place;
    }

    Box snapped(Box box, float nearly) const {
        box.left = snapped(vertical, box.left, box.top, box.bottom, true, nearly);
        box.right = snapped(vertical, box.right, box.top, box.bottom, false, nearly);
        box.top = snapped(horizontal, box.top, box.left, box.right, true, nearly);
        box.bottom = snapped(horizontal, box.bottom, box.left, box.right, false, nearly);
        return box;
    }
};

// The frame's two lines and the best ones between, in order.
std::vector<size_t> best_lines(const Edges& edges) {
    const size_t length = edges.positions() - 1, margin = std::max<size_t>(2, length / 100);
    std::vector<std::pair<float, size_t>> strong;
    for (size_t i = margin; i + margin <= length; ++i) {
        if (edges.total(i) >= min_line) strong.emplace_back(-edges.total(i), i);
    }
    std::sort(strong.begin(), strong.end());
    std::vector<size_t> chosen{0, length};
    for (const auto& [_, place] : strong) {
        if (chosen.size() >= most_lines + 2) break;
        const auto close = [&, at = place](size_t other) { return std::max(at, other) - std::min(at, other) < margin; };
        if (std::none_of(chosen.begin(), chosen.end(), close)) chosen.push_back(place);
    }
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

using Pairs = std::vector<std::pair<size_t, size_t>>;

// Numbers of the lines that lie far enough apart, two by two.
Pairs pairs(const std::vector<size_t>& lines, double least) {
    Pairs found;
    for (size_t i = 0; i < lines.size(); ++i) {
        for (size_t j = i + 1; j < lines.size(); ++j) {
            if (static_cast<double>(lines[j] - lines[i]) >= least) found.emplace_back(i, j);
        }
    }
    return found;
}

// For each line and each pair of crossing ones, the support between these. A line that goes on through the whole picture
// may be faint at one cell of a collage; the frame is as good as any.
std::vector<std::vector<float>> supports(const Edges& edges, const std::vector<size_t>& lines,
                                         const std::vector<size_t>& crossing, const Pairs& between) {
    std::vector<std::vector<float>> all(lines.size(), std::vector<float>(between.size(), 1.0f));
    for (size_t line = 1; line + 1 < lines.size(); ++line) {
        for (size_t i = 0; i < between.size(); ++i) {
            const float here = edges.support(lines[line], crossing[between[i].first], crossing[between[i].second]);
            all[line][i] = std::max(here, edges.total(lines[line]));
        }
    }
    return all;
}

// The rectangles of the best lines with enough support on every side, best first; the whole left out.
std::vector<Box> combinations(const Finder& finder, const std::vector<size_t>& columns, const std::vector<size_t>& rows,
                              size_t limit) {
    const Pairs across = pairs(columns, least_side * static_cast<double>(finder.width));
    const Pairs down = pairs(rows, least_side * static_cast<double>(finder.height));
    const auto beside = supports(finder.vertical, columns, rows, down);
    const auto along = supports(finder.horizontal, rows, columns, across);
    std::vector<std::pair<float, Box>> found;
    for (size_t i = 0; i < across.size(); ++i) {
        const auto [left, right] = across[i];
        for (size_t j = 0; j < down.size(); ++j) {
            const auto [top, bottom] = down[j];
            const std::array<float, 4> sides{beside[left][j], beside[right][j], along[top][i], along[bottom][i]};
            const int inner = (left > 0) + (right + 1 < columns.size()) + (top > 0) + (bottom + 1 < rows.size());
            if (inner == 0 || *std::min_element(sides.begin(), sides.end()) < min_support) continue;
            const float total = std::accumulate(sides.begin(), sides.end(), 0.1f * static_cast<float>(inner));
            found.emplace_back(total, Box{columns[left], rows[top], columns[right], rows[bottom]});
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<Box> boxes;
    for (size_t i = 0; i < std::min(found.size(), limit); ++i) boxes.push_back(found[i].second);
    return boxes;
}

void keep_distinct(std::vector<Rectangle>& kept, std::vector<Rectangle> candidates, size_t limit) {
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Rectangle& a, const Rectangle& b) { return a.score > b.score; });
    for (const Rectangle& candidate : candidates) {
        if (kept.size() == limit) return;
        const auto alike = [&](const Rectangle& other) { return same(candidate.box, other.box); };
        if (std::none_of(kept.begin(), kept.end(), alike)) kept.push_back(candidate);
    }
}

std::vector<Rectangle> scored(const Finder& finder, const std::vector<Box>& boxes, float least) {
    std::vector<Rectangle> found;
    for (const Box& box : boxes) {
        const Box moved = finder.snapped(box, nearly), within_gutters = finder.snapped(box, half_as_good);
        for (const Box& candidate : {moved, within_gutters}) {
            if (candidate.left >= candidate.right || candidate.top >= candidate.bottom) continue;
            const float score = finder.score(candidate, least);
            if (score > 0.0f) found.push_back({candidate, score});
            if (within_gutters == moved) break;
        }
    }
    return found;
}

}  // namespace

bool same(const Box& a, const Box& b) {
    const double across = same_share * static_cast<double>(b.width()), down = same_share * static_cast<double>(b.height());
    const auto apart = [](size_t x, size_t y) { return static_cast<double>(std::max(x, y) - std::min(x, y)); };
    return apart(a.left, b.left) <= across && apart(a.right, b.right) <= across && apart(a.top, b.top) <= down &&
           apart(a.bottom, b.bottom) <= down;
}

std::vector<Rectangle> rectangles(const Luma& luma, size_t limit) {
    Finder finder(luma);
    const std::vector<Box> cut = panels(finder.vertical, finder.horizontal, finder.columns, finder.rows);
    const std::vector<size_t> columns = best_lines(finder.vertical), rows = best_lines(finder.horizontal);
    finder.columns.insert(finder.columns.end(), columns.begin() + 1, columns.end() - 1);
    finder.rows.insert(finder.rows.end(), rows.begin() + 1, rows.end() - 1);
    std::vector<Rectangle> kept;
    keep_distinct(kept, scored(finder, cut, min_panel_support), limit);
    keep_distinct(kept, scored(finder, combinations(finder, columns, rows, 4 * limit), min_faint), limit);
    return kept;
}

std::vector<Found> pictures_inside(const Luma& luma, size_t most_pieces, size_t most_rectangles) {
    std::vector<Found> found;
    if (std::min(luma.width, luma.height) < least_pixels) return found;
    const Profiles whole = profiles(luma, {0, 0, luma.width, luma.height});
    const auto add = [&](Family family, const Box& box, float score) {
        const auto alike = [&](const Found& other) { return same(box, other.box); };
        if (std::none_of(found.begin(), found.end(), alike)) found.push_back({family, box, score});
    };
    for (const Rectangle& item : bordered(luma, whole)) add(Family::piece, item.box, item.score);
    for (const Rectangle& item : pieces(luma, whole, most_pieces)) add(Family::piece, item.box, item.score);
    for (const Rectangle& item : rectangles(luma, most_rectangles)) add(Family::rectangle, item.box, item.score);
    return found;
}

}  // namespace tutela
