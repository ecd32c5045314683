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

// Two neighbours, read as one: reading one by one takes twice as long.
typedef uint64_t Pair __attribute__((aligned(4), may_alias));
static_assert(alignof(Pair) == 4);
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first of a pair is its lower half");

inline uint32_t first(uint64_t pair) { return static_cast<uint32_t>(pair); }
inline uint32_t second(uint64_t pair) { return static_cast<uint32_t>(pair >> 32); }
inline double change(uint32_t from, uint32_t to) { return static_cast<double>(static_cast<int32_t>(to - from)); }

void sum_above(const uint32_t* __restrict row, const uint32_t* __restrict next, const int32_t* __restrict places,
               double share, size_t columns, RowSums out) {
    uint32_t *__restrict whole_before = out.whole, *__restrict whole_after = out.whole + columns;
    double *__restrict part_before = out.share, *__restrict part_after = out.share + columns;
    for (size_t j = 0; j < columns; ++j) {
        const uint64_t at = *reinterpret_cast<const Pair*>(row + places[j]);
        const uint64_t below = *reinterpret_cast<const Pair*>(next + places[j]);
        whole_before[j] = first(at);
        whole_after[j] = second(at);
        part_before[j] = share * change(first(at), first(below));
        part_after[j] = share * change(second(at), second(below));
    }
}

void sum_between(RowSums upper, RowSums lower, const double* __restrict shares, size_t columns, double* __restrict sums) {
    const uint32_t *high = upper.whole, *low = lower.whole;
    const double *high_share = upper.share, *low_share = lower.share;
    for (size_t j = 0; j < columns; ++j) {
        const size_t k = j + columns;
        const double before = change(high[j], low[j]) + (low_share[j] - high_share[j]);
        const double after = change(high[k], low[k]) + (low_share[k] - high_share[k]);
        sums[j] = before + shares[j] * (after - before);
    }
}

void means_between(const double* __restrict sums, const double* __restrict factors, double factor, size_t columns,
                   float* __restrict out) {
    for (size_t j = 0; j < columns; ++j) out[j] = static_cast<float>((sums[j + 1] - sums[j]) * factors[j] * factor);
}

bool all_under(const float* values, size_t count, float bound) {
    uint32_t beyond = 0;
    for (size_t i = 0; i < count; ++i) beyond |= static_cast<uint32_t>(!(__builtin_fabsf(values[i]) < bound));
    return beyond == 0;
}

inline uint32_t per_cents(float a, float b) {
    const auto percent = static_cast<int32_t>((a - b) * 100.0f / 255.0f);
    return static_cast<uint32_t>(percent < 0 ? -percent : percent);
}

uint32_t detail(const float* picture) {
    // Each pixel and the next one, then without those of the next row.
    uint32_t sum = 0;
    for (size_t i = 0; i < 64 * 64 - 1; ++i) sum += per_cents(picture[i], picture[i + 1]);
    for (size_t i = 63; i < 64 * 64 - 1; i += 64) sum -= per_cents(picture[i], picture[i + 1]);
    for (size_t i = 0; i < 63 * 64; ++i) sum += per_cents(picture[i], picture[i + 64]);
    return sum;
}

inline uint32_t differ(float a, float b, float least) { return static_cast<uint32_t>(__builtin_fabsf(a - b) >= least); }

uint32_t filled_fields(const float* picture, float least) {
    uint32_t filled = 0;
    for (size_t top = 0; top < 64; top += 8) {
        uint32_t shown[64] = {};  // by column, of eight rows: whether one differs from the next one or the one below
        for (size_t y = top; y < top + 8; ++y) {
            const float* row = picture + 64 * y;
            const float* below = y < 63 ? row + 64 : row;
            for (size_t x = 0; x < 64; ++x) shown[x] |= differ(below[x], row[x], least);
            for (size_t x = 0; x < 48; ++x) shown[x] |= differ(row[x + 1], row[x], least);
            for (size_t x = 47; x < 63; ++x) shown[x] |= differ(row[x + 1], row[x], least);  // one twice: whole vectors
        }
        for (size_t left = 0; left < 64; left += 8) {
            uint32_t any = 0;
            for (size_t x = left; x < left + 8; ++x) any |= shown[x];
            filled += any;
        }
    }
    return filled;
}

}  // namespace

extern const ViewKernels view_kernels;
const ViewKernels view_kernels{measure, sum_rows, sum_neighbours, differences, strengths, add,
                               sum_above, sum_between, means_between, all_under, detail, filled_fields};

}  // namespace tutela::TUTELA_LEVEL
