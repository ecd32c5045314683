// The loops over lines; see view_kernels.hpp. Plain loops that the compiler vectorises for the level's flags.
#include "view_kernels.hpp"

#include "edges.hpp"

namespace tutela::TUTELA_LEVEL {
namespace {

inline uint32_t difference(uint32_t a, uint32_t b) { return a > b ? a - b : b - a; }

void measure(const uint8_t* __restrict row, const uint8_t* above, size_t count, uint32_t place, ColumnSums columns,
             LineSums* out) {
    uint32_t* __restrict column_values = columns.values;
    uint32_t* __restrict column_squares = columns.squares;
    uint32_t* __restrict column_placed = columns.placed;
    uint32_t* __restrict column_steps = columns.steps;
    uint32_t* __restrict column_square_steps = columns.square_steps;
    uint32_t* __restrict column_jumps = columns.jumps;
    uint32_t values = 0, squares = 0, placed = 0, steps = 0, square_steps = 0, jumps = 0;
    for (uint32_t x = 0; x < static_cast<uint32_t>(count); ++x) {
        const uint32_t value = row[x], square = value * value;
        values += value;
        squares += square;
        placed += x * value;
        column_values[x] += value;
        column_squares[x] += square;
        column_placed[x] += place * value;
    }
    for (size_t x = 1; x < count; ++x) {
        const uint32_t step = difference(row[x], row[x - 1]);
        steps += step;
        square_steps += step * step;
        column_jumps[x] += step;
    }
    if (above != nullptr) {
        for (size_t x = 0; x < count; ++x) {
            const uint32_t step = difference(row[x], above[x]);
            jumps += step;
            column_steps[x] += step;
            column_square_steps[x] += step * step;
        }
    }
    *out = {values, squares, placed, steps, square_steps, jumps};
}

void sum_rows(const uint8_t* __restrict rows, size_t width, uint16_t* __restrict out) {
    for (size_t x = 0; x < width; ++x) {
        out[x] = static_cast<uint16_t>(rows[x] + rows[width + x] + rows[2 * width + x] + rows[3 * width + x]);
    }
}

void sum_neighbours(const uint8_t* __restrict row, size_t groups, uint16_t* __restrict out) {
    for (size_t i = 0; i < groups; ++i) {
        out[i] = static_cast<uint16_t>(row[4 * i] + row[4 * i + 1] + row[4 * i + 2] + row[4 * i + 3]);
    }
}

void differences(const uint16_t* __restrict a, const uint16_t* __restrict b, size_t count, uint16_t* __restrict out) {
    for (size_t i = 0; i < count; ++i) out[i] = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
}

void strengths(const uint16_t* before, const uint16_t* at, const uint16_t* after, size_t count, uint16_t* __restrict out) {
    for (size_t i = 0; i < count; ++i) {
        const uint16_t left = before[i], here = at[i], right = after[i];
        const auto strength = static_cast<uint16_t>(2 * here + left + right);
        const uint16_t most = left > right ? left : right;
        const uint16_t capped = strength < full_edge ? strength : full_edge;
        out[i] = here >= most ? capped : 0;
    }
}

void add(const uint32_t* __restrict sums, const uint16_t* __restrict values, size_t count, uint32_t* __restrict out) {
    for (size_t i = 0; i < count; ++i) out[i] = sums[i] + values[i];
}

void sum_above(const uint32_t* __restrict row, const uint32_t* __restrict next, const int32_t* __restrict places,
               double share, size_t count, RowSums out) {
    uint32_t* __restrict whole = out.whole;
    double* __restrict part = out.share;
    for (size_t i = 0; i < count; ++i) {
        const uint32_t at = row[places[i]], below = next[places[i]];
        whole[i] = at;
        part[i] = share * static_cast<double>(static_cast<int32_t>(below - at));
    }
}

void sum_between(RowSums upper, RowSums lower, const double* __restrict shares, size_t columns, double* __restrict sums) {
    const uint32_t *high = upper.whole, *low = lower.whole;
    const double *high_share = upper.share, *low_share = lower.share;
    for (size_t j = 0; j < columns; ++j) {
        const size_t k = j + columns;
        const double before = static_cast<double>(static_cast<int32_t>(low[j] - high[j])) + (low_share[j] - high_share[j]);
        const double after = static_cast<double>(static_cast<int32_t>(low[k] - high[k])) + (low_share[k] - high_share[k]);
        sums[j] = before + shares[j] * (after - before);
    }
}

void means_between(const double* __restrict sums, const double* __restrict factors, double factor, size_t columns,
                   float* __restrict out) {
    for (size_t j = 0; j < columns; ++j) out[j] = static_cast<float>((sums[j + 1] - sums[j]) * factors[j] * factor);
}

uint32_t detail(const float* picture) {
    uint32_t sum = 0;
    for (size_t i = 0; i < 64; ++i) {
        const float* row = picture + i * 64;
        for (size_t j = 0; j < 63; ++j) {
            const auto percent = static_cast<int32_t>((row[j] - row[j + 1]) * 100.0f / 255.0f);
            sum += static_cast<uint32_t>(percent < 0 ? -percent : percent);
        }
    }
    for (size_t i = 0; i < 63 * 64; ++i) {
        const auto percent = static_cast<int32_t>((picture[i] - picture[i + 64]) * 100.0f / 255.0f);
        sum += static_cast<uint32_t>(percent < 0 ? -percent : percent);
    }
    return sum;
}

}  // namespace

extern const ViewKernels view_kernels;
const ViewKernels view_kernels{measure, sum_rows, sum_neighbours, differences, strengths, add,
                               sum_above, sum_between, means_between, detail};

}  // namespace tutela::TUTELA_LEVEL
