// The values of a JPEG's block to samples: the inverse transform of its lowest frequencies.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numbers>

namespace tutela {

// Where the values of a block lie, row by row, in the order of the file (T.81, figure A.6).
constexpr std::array<uint8_t, 64> zigzag = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

// Numbers that the processor takes together.
constexpr size_t lanes = 4;
using Floats [[gnu::vector_size(lanes * sizeof(float))]] = float;
using Integers [[gnu::vector_size(lanes * sizeof(int))]] = int;

// The values of a block's lowest frequencies as the file has them, row by row, and a place for those that are not wanted.
template <size_t Points>
struct Block {
    static_assert(Points <= lanes);
    static constexpr size_t unwanted = Points * lanes;
    std::array<int, unwanted + 1> values;

    // By position in the file.
    static constexpr std::array<uint8_t, 64> places = [] {
        std::array<uint8_t, 64> places{};
        for (size_t position = 0; position < 64; ++position) {
            const size_t down = zigzag[position] / 8, across = zigzag[position] % 8;
            places[position] = static_cast<uint8_t>(down < Points && across < Points ? down * lanes + across : unwanted);
        }
        return places;
    }();
    // No position from here on is wanted.
    static constexpr unsigned wanted = [] {
        unsigned wanted = 64;
        while (places[wanted - 1] == unwanted) --wanted;
        return wanted;
    }();
};

template <size_t Points>
class InverseTransform {
   public:
    // With the steps of quantisation, in zigzag order.
    explicit InverseTransform(const std::array<uint16_t, 64>& steps) {
        for (size_t position = 0; position < 64; ++position) {
            const size_t place = Block<Points>::places[position];
            if (place != Block<Points>::unwanted) steps_[place / lanes][place % lanes] = steps[position];
        }
        for (size_t i = 0; i < Points; ++i) {
            for (size_t k = 0; k < Points; ++k) {
                const double angle = std::numbers::pi / 2.0 * static_cast<double>((2 * i + 1) * k) / Points;
                weights_[k][i] = static_cast<float>(k == 0 ? std::sqrt(0.125) : 0.5 * std::cos(angle));
            }
        }
    }

    // Lines of samples that are to be cut off towards zero. Always `lanes` of them are written, for the next block to write
    // over those too many.
    void operator()(const Block<Points>& block, float* samples, size_t line_length) const {
        std::array<Floats, Points> rows;
        for (size_t v = 0; v < Points; ++v) {
            Integers values;
            std::memcpy(&values, block.values.data() + v * lanes, sizeof(values));
            rows[v] = __builtin_convertvector(values, Floats) * steps_[v];
        }
        for (size_t y = 0; y < Points; ++y) {
            Floats row{}, line = Floats{} + 128.5f;
            for (size_t v = 0; v < Points; ++v) row += weights_[v][y] * rows[v];
            for (size_t u = 0; u < Points; ++u) line += weights_[u] * row[u];
            std::memcpy(samples + y * line_length, &line, sizeof(line));
        }
    }

   private:
    std::array<Floats, Points> steps_{}, weights_{};
};

}  // namespace tutela
