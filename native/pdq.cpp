#include "pdq.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "dispatch.hpp"
#include "view_kernels.hpp"

namespace tutela {
namespace {

// The weights of the input positions that one of the 64 outputs is made of.
struct Taps {
    size_t first;
    std::vector<float> weights;
};

// Two passes of a box of ceil(length / 128) positions, cut off and normalised at the edges, taken at the centres of
// 64 equal parts: each output is a tent of at most twice the box. Where the decoder reduced the picture, a pixel gets the
// weight of all the source positions that it covers, so that the filter stays that of the source.
Taps reduced(size_t first, const std::vector<double>& weights, size_t reduced_length, size_t eighths, std::vector<double>& cells);

using Grid = std::array<Taps, 64>;

// The outputs of a side; `mirrored`, those that the side would have had, seen in a mirror. PDQ's grid is not symmetric:
// it begins at whole pixels.
Grid tents(size_t length, size_t reduced_length, size_t eighths, bool mirrored) {
    const size_t window = (length + 127) / 128;
    const size_t half = (window + 2) / 2;
    const size_t reach_left = window - half, reach_right = half - 1;
    auto box_first = [&](size_t i) { return i > reach_left ? i - reach_left : 0; };
    auto box_last = [&](size_t i) { return std::min(length - 1, i + reach_right); };

    Grid all;
    std::vector<double> weights, cells;
    for (size_t output = 0; output < 64; ++output) {
        const auto centre = static_cast<size_t>((static_cast<double>(output) + 0.5) * static_cast<double>(length) / 64);
        const size_t outer_first = box_first(centre), outer_last = box_last(centre);
        size_t first = box_first(outer_first);
        const size_t last = box_last(outer_last);
        weights.assign(last - first + 1, 0.0);
        for (size_t middle = outer_first; middle <= outer_last; ++middle) {
            const size_t inner_first = box_first(middle), inner_last = box_last(middle);
            const double share = 1.0 / static_cast<double>(outer_last - outer_first + 1) /
                                 static_cast<double>(inner_last - inner_first + 1);
            weights[inner_first - first] += share;
            if (inner_last < last) weights[inner_last + 1 - first] -= share;
        }
        double running = 0.0;
        for (double& weight : weights) weight = running += weight;
        if (mirrored) {
            std::reverse(weights.begin(), weights.end());
            first = length - 1 - last;
        }
        all[output] = reduced(first, weights, reduced_length, eighths, cells);
    }
    return all;
}

Taps reduced(size_t first, const std::vector<double>& weights, size_t reduced_length, size_t eighths, std::vector<double>& cells) {
    // A source position is `eighths` units wide, a reduced pixel 8 units.
    const auto cell_of = [&](size_t unit) { return std::min(unit / 8, reduced_length - 1); };
    Taps taps{cell_of(first * eighths), {}};
    cells.assign(cell_of((first + weights.size()) * eighths - 1) - taps.first + 1, 0.0);
    for (size_t i = 0; i < weights.size(); ++i) {
        const size_t begin = (first + i) * eighths, end = begin + eighths;
        for (size_t unit = begin; unit < end;) {
            const size_t next = std::min(end, (unit / 8 + 1) * 8);
            cells[cell_of(unit) - taps.first] += weights[i] * static_cast<double>(next - unit) / static_cast<double>(eighths);
            unit = next;
        }
    }
    taps.weights.assign(cells.begin(), cells.end());
    return taps;
}

void weigh_rows(const Pixels<uint8_t>& pixels, const Taps& taps, size_t count, float* out) {
    kernels().weigh_rows_u8(pixels.data + taps.first * count, count, taps.weights.data(), taps.weights.size(), count, out);
}

void weigh_rows(const Pixels<float>& pixels, const Taps& taps, size_t count, float* out) {
    kernels().weigh_rows_f32(pixels.data + taps.first * count, count, taps.weights.data(), taps.weights.size(), count, out);
}

// 64x64 input is taken as it is: the caller already brought it down.
template <typename T>
bool already_small(const Pixels<T>& pixels) {
    return pixels.height == 64 && pixels.width == 64 && pixels.eighths == 8;
}

template <typename T>
void need_valid(const Pixels<T>& pixels) {
    if (pixels.height == 0 || pixels.width == 0) throw std::invalid_argument("a picture needs at least one pixel");
    const size_t eighths = pixels.eighths;
    if (eighths < 1 || eighths > 8 || (pixels.source_height * eighths + 7) / 8 != pixels.height ||
        (pixels.source_width * eighths + 7) / 8 != pixels.width) {
        throw std::invalid_argument("the pixels are not the source brought down to so many eighths");
    }
}

// The grid of a side, or of the same side mirrored. Valid pixels only.
template <typename T>
Grid grid_of(const Pixels<T>& pixels, bool of_rows, bool mirrored) {
    if (!already_small(pixels)) {
        return of_rows ? tents(pixels.source_height, pixels.height, pixels.eighths, mirrored)
                       : tents(pixels.source_width, pixels.width, pixels.eighths, mirrored);
    }
    Grid all;
    for (size_t i = 0; i < 64; ++i) all[i] = {mirrored ? 63 - i : i, {1.0f}};
    return all;
}

// The taps of all outputs of a line, one after the other, for the second pass, which adds up in double precision.
struct LineTaps {
    std::array<size_t, 64> firsts;
    std::array<size_t, 65> ends;  // where the weights of the outputs end, after a 0
    std::vector<double> weights;

    explicit LineTaps(const Grid& grid) : ends{} {
        for (size_t j = 0; j < 64; ++j) {
            firsts[j] = grid[j].first;
            weights.insert(weights.end(), grid[j].weights.begin(), grid[j].weights.end());
            ends[j + 1] = weights.size();
        }
    }
};

// One picture for each of the grids of columns, in the same pass over the pixels: vertically first, whole rows are added up.
template <typename T, size_t count>
std::array<Picture64, count> bring_down(const Pixels<T>& pixels, const Grid& rows, const std::array<Grid, count>& columns) {
    // Eight lines are brought down together, each in a lane of its own: along one line each sum waits for the one before.
    constexpr size_t together = 8;
    std::vector<float> rgb(pixels.channels == 3 ? pixels.width * pixels.channels : 0), lines(together * pixels.width);
    std::vector<double> interleaved(together * pixels.width);
    std::vector<LineTaps> taps(columns.begin(), columns.end());
    std::array<Picture64, count> out;
    for (size_t i = 0; i < 64; ++i) {
        float* line = &lines[i % together * pixels.width];
        if (pixels.channels == 3) {
            weigh_rows(pixels, rows[i], rgb.size(), rgb.data());
            kernels().luma_from_rgb(line, rgb.data(), pixels.width);
        } else {
            weigh_rows(pixels, rows[i], pixels.width, line);
        }
        if (i % together < together - 1) continue;
        kernels().interleave(lines.data(), pixels.width, interleaved.data());
        for (size_t grid = 0; grid < count; ++grid) {
            const auto& [firsts, ends, weights] = taps[grid];
            kernels().weigh(interleaved.data(), firsts.data(), ends.data(), weights.data(), &out[grid][64 * (i + 1 - together)]);
        }
    }
    return out;
}

template <typename T>
Picture64 downsample_any(const Pixels<T>& pixels) {
    need_valid(pixels);
    return bring_down<T, 1>(pixels, grid_of(pixels, true, false), {grid_of(pixels, false, false)})[0];
}

template <typename T>
Mirrorings downsample_mirrored_any(const Pixels<T>& pixels) {
    need_valid(pixels);
    const std::array<Grid, 2> columns{grid_of(pixels, false, false), grid_of(pixels, false, true)};
    const auto upright = bring_down<T, 2>(pixels, grid_of(pixels, true, false), columns);
    const auto upside_down = bring_down<T, 2>(pixels, grid_of(pixels, true, true), columns);
    return {upright[0], upright[1], upside_down[0], upside_down[1]};
}

struct DctMatrix {
    std::array<float, 16 * 64> by_row;     // 16 x 64
    std::array<float, 64 * 16> by_column;  // its transpose
};

const DctMatrix& dct_matrix() {
    static const DctMatrix matrix = [] {
        DctMatrix m;
        const auto scale = static_cast<float>(std::sqrt(2.0 / 64.0));
        for (size_t i = 0; i < 16; ++i) {
            for (size_t j = 0; j < 64; ++j) {
                const double angle = std::numbers::pi / 2.0 / 64.0 * static_cast<double>((i + 1) * (2 * j + 1));
                m.by_row[i * 64 + j] = m.by_column[j * 16 + i] = static_cast<float>(scale * std::cos(angle));
            }
        }
        return m;
    }();
    return matrix;
}

// The sum of whole per cents of the range by which neighbours differ, cut off towards zero, so that many faint steps do not
// add up to detail.
int64_t detail_of_any(const Picture64& picture) {
    const auto step = [](float u, float v) {
        const float percent = (u - v) * 100.0f / 255.0f;
        return std::isfinite(percent) ? std::abs(static_cast<int>(std::clamp(percent, -1e6f, 1e6f))) : 0;
    };
    int64_t sum = 0;
    for (size_t i = 0; i < 64; ++i) {
        const float* row = picture.data() + i * 64;
        for (size_t j = 0; j < 63; ++j) sum += step(row[j], row[j + 1]);
        if (i < 63) {
            for (size_t j = 0; j < 64; ++j) sum += step(row[j], row[j + 64]);
        }
    }
    return sum;
}

}  // namespace

Picture64 downsample(const Pixels<uint8_t>& pixels) { return downsample_any(pixels); }
Picture64 downsample(const Pixels<float>& pixels) { return downsample_any(pixels); }
Mirrorings downsample_mirrored(const Pixels<uint8_t>& pixels) { return downsample_mirrored_any(pixels); }
Mirrorings downsample_mirrored(const Pixels<float>& pixels) { return downsample_mirrored_any(pixels); }

int quality(const Picture64& picture) {
    // What bytes can make needs no care, and vectorises.
    const ViewKernels& kernels = view_kernels();
    const bool small = kernels.all_under(picture.data(), picture.size(), 1e5f);
    const int64_t detail = small ? kernels.detail(picture.data()) : detail_of_any(picture);
    return static_cast<int>(std::min<int64_t>(detail / 90, 100));
}

double variety(const Hash& hash) {
    std::array<uint16_t, 16> rows;
    static_assert(sizeof rows == sizeof hash);
    std::memcpy(rows.data(), hash.data(), sizeof rows);
    int fourth_powers = 16 * 16 * 16;  // the squares of all products of rows: first those of each with itself
    for (size_t i = 0; i < rows.size(); ++i) {
        for (size_t j = 0; j < i; ++j) {
            const int product = 16 - 2 * std::popcount(static_cast<uint16_t>(rows[i] ^ rows[j]));
            fourth_powers += 2 * product * product;
        }
    }
    return 256.0 * 256.0 / fourth_powers;
}

Frequencies frequencies(const Picture64& picture) {
    Frequencies out;
    const DctMatrix& matrix = dct_matrix();
    kernels().dct_64_to_16(picture.data(), matrix.by_row.data(), matrix.by_column.data(), out.data());
    return out;
}

Frequencies turned(const Frequencies& original_frequencies, Dihedral view) {
    // Index i stands for frequency i + 1, so mirroring an axis changes the sign where its index is even.
    const bool transpose = view == rotate90 || view == rotate270 || view == flip_plus1 || view == flip_minus1;
    const bool mirror_rows = view == rotate90 || view == rotate180 || view == flip_x || view == flip_minus1;
    const bool mirror_columns = view == rotate180 || view == rotate270 || view == flip_y || view == flip_minus1;
    Frequencies out;
    for (size_t i = 0; i < 16; ++i) {
        for (size_t j = 0; j < 16; ++j) {
            const float value = original_frequencies[transpose ? j * 16 + i : i * 16 + j];
            const bool negative = (mirror_rows && i % 2 == 0) != (mirror_columns && j % 2 == 0);
            out[i * 16 + j] = negative ? -value : value;
        }
    }
    return out;
}

std::array<Hash, dihedral_count> hashes_of(const Mirrorings& pictures) {
    std::array<Hash, dihedral_count> hashes;
    const auto fill = [&](const Picture64& picture, Dihedral straight, Dihedral transposed) {
        const Frequencies values = frequencies(picture);
        hashes[straight] = hash_of(values);
        hashes[transposed] = hash_of(turned(values, flip_plus1));
    };
    fill(pictures[0], original, flip_plus1);
    fill(pictures[1], flip_y, rotate90);
    fill(pictures[2], flip_x, rotate270);
    fill(pictures[3], rotate180, flip_minus1);
    return hashes;
}

Hash hash_of(const Frequencies& values) {
    Hash hash;
    kernels().hash_bits(values.data(), hash.data());
    return hash;
}

}  // namespace tutela
