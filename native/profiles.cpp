#include "profiles.hpp"

#include <algorithm>

#include "view_kernels.hpp"

namespace tutela {
namespace {

// Sums over a whole line, put together of those over its stretches.
struct Sums {
    double values = 0, squares = 0, placed = 0, steps = 0, square_steps = 0, jumps = 0;

    void add(const LineSums& stretch, size_t begin) {
        values += stretch.values;
        squares += stretch.squares;
        placed += stretch.placed + static_cast<double>(begin) * stretch.values;
        steps += stretch.steps;
        square_steps += stretch.square_steps;
        jumps += stretch.jumps;
    }
};

Line line_of(const Sums& sums, size_t length) {
    const auto count = static_cast<double>(length);
    const double mean = sums.values / count, middle = (count - 1) / 2;
    const double variance = std::max(sums.squares / count - mean * mean, 0.0);
    // Places about their middle have the variance (n^2 - 1) / 12.
    const double spread = (count * count - 1) / 12, together = sums.placed / count - middle * mean;
    const double sloping = spread > 0 ? together * together / spread : 0.0;
    const double neighbours = std::max(count - 1, 1.0);
    return {static_cast<float>(mean),
            static_cast<float>(variance),
            static_cast<float>(std::max(variance - sloping, 0.0)),
            static_cast<float>(sums.steps / neighbours),
            static_cast<float>(sums.square_steps / neighbours / (2 * std::max(variance, 1e-3))),
            static_cast<float>(sums.jumps / count)};
}

// The kernel's numbers have 32 bits, so that it is given a stretch of each line at a time.
void measure_tile(const Luma& luma, const Box& box, const Box& tile, std::vector<Sums>& rows, std::vector<Sums>& columns) {
    const size_t count = tile.width();
    std::vector<uint32_t> sums(6 * count, 0);
    const ColumnSums of_columns{&sums[0], &sums[count], &sums[2 * count], &sums[3 * count], &sums[4 * count], &sums[5 * count]};
    for (size_t y = tile.top; y < tile.bottom; ++y) {
        const uint8_t* row = luma.row(y) + tile.left;
        LineSums of_row;
        view_kernels().measure(row, y > tile.top ? row - luma.width : nullptr, count, static_cast<uint32_t>(y - tile.top),
                               of_columns, &of_row);
        rows[y - box.top].add(of_row, tile.left - box.left);
    }
    for (size_t x = 0; x < count; ++x) {
        const LineSums of_column{of_columns.values[x], of_columns.squares[x], of_columns.placed[x],
                                 of_columns.steps[x], of_columns.square_steps[x], of_columns.jumps[x]};
        columns[tile.left - box.left + x].add(of_column, tile.top - box.top);
    }
}

std::vector<Line> lines_of(const std::vector<Sums>& sums, size_t length) {
    std::vector<Line> lines;
    lines.reserve(sums.size());
    for (const Sums& line : sums) lines.push_back(line_of(line, length));
    return lines;
}

}  // namespace

Profiles profiles(const Luma& luma, const Box& box) {
    std::vector<Sums> rows(box.height()), columns(box.width());
    for (size_t top = box.top; top < box.bottom; top += longest_line) {
        for (size_t left = box.left; left < box.right; left += longest_line) {
            const Box tile{left, top, std::min(left + longest_line, box.right), std::min(top + longest_line, box.bottom)};
            measure_tile(luma, box, tile, rows, columns);
        }
    }
    return {lines_of(rows, box.width()), lines_of(columns, box.height())};
}

}  // namespace tutela
