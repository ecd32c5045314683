// The loops that views are found and sampled by, one table of them for each instruction-set level, as kernels.hpp
// has those of hashing and search. All of them count in whole numbers, so that every level finds the same.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tutela {

// Sums over a line of at most `longest_line` pixels.
struct LineSums {
    uint32_t values, squares;
    uint32_t placed;        // each value times its place in the line
    uint32_t steps;         // differences of neighbours in the line
    uint32_t square_steps;
    uint32_t jumps;         // differences from the line before
};

constexpr size_t longest_line = 1024;

// The same of each of a row's columns so far.
struct ColumnSums {
    uint32_t *values, *squares, *placed, *steps, *square_steps, *jumps;
};

// A row boundary's sums at the whole columns before and after each column boundary, all those before first: over the whole
// rows above it, and over its share of the row that it lies in.
struct RowSums {
    uint32_t* whole;
    double* share;
};

struct ViewKernels {
    // The sums of a row, number `place` of its columns, which are added to. `above` is null for the first row.
    void (*measure)(const uint8_t* row, const uint8_t* above, size_t count, uint32_t place, ColumnSums columns, LineSums* out);
    // out[i] = the four rows' pixels of a column; out[i] = four neighbours of a row.
    void (*sum_rows)(const uint8_t* rows, size_t width, uint16_t* out);
    void (*sum_neighbours)(const uint8_t* row, size_t groups, uint16_t* out);
    // How strong an edge between places is, by their differences from those before: see edges.hpp.
    void (*differences)(const uint16_t* a, const uint16_t* b, size_t count, uint16_t* out);
    void (*strengths)(const uint16_t* before, const uint16_t* at, const uint16_t* after, size_t count, uint16_t* out);
    // out[i] = sums[i] + values[i]
    void (*add)(const uint32_t* sums, const uint16_t* values, size_t count, uint32_t* out);
    // The sums of a row boundary that lies `share` below `row`; places[j] is the whole column before column boundary j.
    void (*sum_above)(const uint32_t* row, const uint32_t* next, const int32_t* places, double share, size_t columns, RowSums out);
    // sums[j] = the sum between two row boundaries and left of column boundary j, which lies shares[j] after a whole column.
    void (*sum_between)(RowSums upper, RowSums lower, const double* shares, size_t columns, double* sums);
    // out[j] = (sums[j + 1] - sums[j]) * factors[j] * factor
    void (*means_between)(const double* sums, const double* factors, double factor, size_t columns, float* out);
    // Whether all lie between -bound and bound; what is no number does not.
    bool (*all_under)(const float* values, size_t count, float bound);
    // The sum of whole per cents by which neighbours of a 64x64 picture of bytes differ; see quality().
    uint32_t (*detail)(const float* picture);
    // How many of the 64 fields of a 64x64 picture have neighbours that differ by at least so much.
    uint32_t (*filled_fields)(const float* picture, float least);
};

// Those of the level in use.
const ViewKernels& view_kernels();

}  // namespace tutela
