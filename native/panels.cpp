// Panels: pictures laid beside others without gutters, found by straight lines that go through most of a box.
#include <algorithm>
#include <cmath>

#include "finding.hpp"

namespace tutela {
namespace {

constexpr float min_cut = 0.6f;   // a line cuts a box in two when this share of it, from side to side, is an edge
constexpr int max_depth = 3;      // how often the pieces of a cut are cut again
constexpr size_t most_cuts = 24;
constexpr size_t near = 4;        // pixels that an even grid's line may lie off its place
constexpr float min_grid = 0.4f;  // the inner lines of an even grid are edges for at least this share
constexpr size_t most_parts = 4;  // of a side of an even grid
constexpr float min_seam = 0.45f;  // a line is a seam of an uneven grid when this share of the whole line is an edge
constexpr size_t most_seams = 10;
constexpr size_t gutter = 8;      // pixels between two seams that no picture lies between

// The lines between `first` and `last` that are edges from `begin` to `end`, the best of close ones.
std::vector<size_t> cuts(const Edges& edges, size_t first, size_t last, size_t begin, size_t end) {
    const size_t margin = std::max<size_t>(3, (last - first) / 50);
    std::vector<std::pair<float, size_t>> strong;
    for (size_t place = first + margin; place + margin < last; ++place) {
        const float support = edges.support(place, begin, end);
        if (support >= min_cut) strong.emplace_back(-support, place);
    }
    std::sort(strong.begin(), strong.end());
    std::vector<size_t> chosen;
    for (size_t i = 0; i < std::min(strong.size(), most_cuts); ++i) {
        const size_t place = strong[i].second;
        const auto close = [&](size_t other) { return std::max(place, other) - std::min(place, other) < 3; };
        if (std::none_of(chosen.begin(), chosen.end(), close)) chosen.push_back(place);
    }
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

float mean_support(const Edges& edges, const std::vector<size_t>& places, size_t begin, size_t end) {
    if (places.empty()) return -1.0f;
    float sum = 0.0f;
    for (const size_t place : places) sum += edges.support(place, begin, end);
    return sum / static_cast<float>(places.size());
}

struct Cutter {
    const Edges &vertical, &horizontal;
    std::vector<size_t> &columns, &rows;
    std::vector<Box>& found;

    void cut(const Box& box, int depth) {
        std::vector<size_t> across = cuts(vertical, box.left, box.right, box.top, box.bottom);
        std::vector<size_t> down = cuts(horizontal, box.top, box.bottom, box.left, box.right);
        if (across.empty() && down.empty()) return;
        columns.insert(columns.end(), across.begin(), across.end());
        rows.insert(rows.end(), down.begin(), down.end());
        const bool by_columns = mean_support(vertical, across, box.top, box.bottom) >=
                                mean_support(horizontal, down, box.left, box.right);
        std::vector<size_t>& lines = by_columns ? across : down;
        lines.push_back(by_columns ? box.right : box.bottom);
        size_t begin = by_columns ? box.left : box.top;
        for (const size_t end : lines) {
            const Box piece = by_columns ? Box{begin, box.top, end, box.bottom} : Box{box.left, begin, box.right, end};
            begin = end;
            if (static_cast<double>(piece.width()) < least_side * static_cast<double>(horizontal.length()) ||
                static_cast<double>(piece.height()) < least_side * static_cast<double>(vertical.length())) {
                continue;
            }
            found.push_back(piece);
            if (depth > 1) cut(piece, depth - 1);
        }
    }
};

size_t part_of(size_t length, size_t i, size_t parts) { return (length * i + parts / 2) / parts; }

bool is_divided(const Edges& edges, size_t length, size_t parts) {
    for (size_t i = 1; i < parts; ++i) {
        const size_t place = part_of(length, i, parts);
        float best = 0.0f;
        for (size_t at = place - std::min(near, place); at <= std::min(place + near, length); ++at) {
            best = std::max(best, edges.total(at));
        }
        if (best < min_grid) return false;
    }
    return true;
}

// The cells of even grids whose inner lines show at least faintly.
void add_grids(const Edges& vertical, const Edges& horizontal, std::vector<Box>& found) {
    const size_t width = horizontal.length(), height = vertical.length();
    for (size_t columns = 1; columns <= most_parts; ++columns) {
        if (!is_divided(vertical, width, columns)) continue;
        for (size_t rows = 1; rows <= most_parts; ++rows) {
            if (columns * rows == 1 || !is_divided(horizontal, height, rows)) continue;
            for (size_t i = 0; i < columns * rows; ++i) {
                const size_t x = i % columns, y = i / columns;
                found.push_back({part_of(width, x, columns), part_of(height, y, rows), part_of(width, x + 1, columns),
                                 part_of(height, y + 1, rows)});
            }
        }
    }
}

using Span = std::pair<size_t, size_t>;

// Between the lines that are edges through most of the whole picture, and its frame.
std::vector<Span> spans(const Edges& edges) {
    const size_t length = edges.positions() - 1;
    std::vector<std::pair<float, size_t>> strong;
    for (size_t i = 3; i + 3 <= length; ++i) {
        if (edges.total(i) >= min_seam) strong.emplace_back(-edges.total(i), i);
    }
    std::sort(strong.begin(), strong.end());
    std::vector<size_t> lines{0, length};
    for (const auto& [_, place] : strong) {
        if (lines.size() >= most_seams + 2) break;
        const auto close = [&, at = place](size_t other) { return std::max(at, other) - std::min(at, other) < 2; };
        if (std::none_of(lines.begin(), lines.end(), close)) lines.push_back(place);
    }
    std::sort(lines.begin(), lines.end());
    const auto least = static_cast<size_t>(least_side * static_cast<double>(length));
    std::vector<Span> found;
    for (size_t i = 0; i + 1 < lines.size(); ++i) {
        if (lines[i + 1] - lines[i] <= gutter && i + 2 < lines.size()) continue;
        for (size_t j = i + 1; j < lines.size(); ++j) {
            if (lines[j] - lines[i] < least || (lines[j] - lines[j - 1] <= gutter && j > i + 1)) continue;
            found.emplace_back(lines[i], lines[j]);
            break;
        }
    }
    return found;
}

// The cells of uneven grids: a seam that is faint at one cell shows at the others.
void add_cells(const Edges& vertical, const Edges& horizontal, std::vector<Box>& found) {
    const std::vector<Span> across = spans(vertical), down = spans(horizontal);
    if (across.size() * down.size() < 2) return;
    for (const auto& [left, right] : across) {
        for (const auto& [top, bottom] : down) found.push_back({left, top, right, bottom});
    }
}

}  // namespace

std::vector<Box> panels(const Edges& vertical, const Edges& horizontal, std::vector<size_t>& columns,
                        std::vector<size_t>& rows) {
    std::vector<Box> found;
    add_grids(vertical, horizontal, found);
    add_cells(vertical, horizontal, found);
    Cutter{vertical, horizontal, columns, rows, found}.cut({0, 0, horizontal.length(), vertical.length()}, max_depth);
    return found;
}

}  // namespace tutela
