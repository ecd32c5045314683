// Whether the luma of a JPEG is what a viewer shows. It shows red, green and blue, each cut off to 0-255, and what is
// cut off is missing from the means: a black luma plane may have a whole picture in its colours, and a grey block may
// be nothing but waves that leave the range. The means of all units, and a sample of units that nobody can foresee,
// tell.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "jpeg_bits.hpp"
#include "jpeg_file.hpp"
#include "jpeg_walk.hpp"

namespace tutela {

// The means of luma blocks as the file has them: one in so many numbers.
struct LumaMeans {
    const int* first;
    size_t stride;

    int operator[](size_t block) const { return first[block * stride]; }
};

// The values of a block as the file has them, in its order: the mean first.
using BlockValues = std::array<int, 64>;

// Is told of all units of a picture, in their order.
class ShownLuma {
   public:
    // `seed` chooses the units that are decoded whole.
    ShownLuma(const JpegFile& file, uint64_t seed);

    // The units to be decoded whole, in order. Only before any other is asked for.
    std::vector<size_t> choose_units();

    // The next unit to be decoded whole, where it is among the next so many; it is another one afterwards.
    std::optional<size_t> next_unit(size_t units);

    // The means of the next units: of the luma and, where there are colours, of each of their blocks.
    void compare_means(size_t units, LumaMeans luma, std::array<const int*, 2> colours);

    // All blocks of a unit in the order of the scan.
    void look_at(const BlockValues* blocks);

    // Whether so little was cut off that the means of the luma are those that a viewer shows.
    bool is_luma() const;

   private:
    struct Component {
        size_t across, down, blocks;
        const std::array<uint16_t, 64>* steps;
        std::vector<float> plane;                // its samples in one unit, less 128
        std::array<uint8_t, 32> columns, lines;  // of it, by those of the luma

        float level(int mean_as_filed) const { return static_cast<float>(mean_as_filed * (*steps)[0]) / 8; }
    };

    size_t random();
    void transform(Component& component, const BlockValues* blocks);
    void spread(const Component& component, size_t y, std::array<float, 32>& colours);
    void judge(float shown, float mean);

    std::vector<Component> components_;
    size_t all_units_, units_ = 0;  // of the picture; so far
    size_t next_mean_ = 0, next_look_ = 0,
           distance_;  // the next whose means are compared, that is decoded; between these
    uint64_t random_;
    size_t means_ = 0, cut_means_ = 0, blocks_ = 0, cut_blocks_ = 0;
    float cut_ = 0;
};

// The colours of a scan that has everything, where its blocks' starts are known.
class ScanColours {
   public:
    ScanColours(const JpegFile& file, const Walk& walk, uint64_t seed);

    // The next units, of one row at most: where their blocks start, in bits. `anew` behind a restart.
    void add(const uint32_t* starts, size_t units, LumaMeans luma, bool anew);

    bool is_luma() const { return shown_.is_luma(); }

   private:
    struct Component {
        size_t blocks;
        const Codes *dc, *ac;
        const Differences* differences;
        int mean = 0;            // of its last block
        std::vector<int> means;  // of the blocks of the units that were added last
    };

    void read_means(Component& component, const uint32_t* starts, size_t units);
    void look_at(const uint32_t* starts, size_t unit, LumaMeans luma);

    const JpegFile& file_;
    std::vector<Component> components_;
    std::vector<BlockValues> values_;  // of a unit
    size_t units_ = 0;                 // so far
    ShownLuma shown_;
};

}  // namespace tutela
