// The small picture that comes of a JPEG's luma, a row of units at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "jpeg.hpp"
#include "jpeg_file.hpp"
#include "jpeg_transform.hpp"

namespace tutela {

template <size_t Eighths>
class Samples {
   public:
    explicit Samples(const JpegFile& file)
        : component_(file.components.front()),
          inverse_(*file.quantisation[component_.quantisation]),
          luma_{{}, (file.height * Eighths + 7) / 8, (file.width * Eighths + 7) / 8} {
        luma_.pixels.resize(luma_.height * luma_.width);
        across_ = file.units_across() * component_.across * Eighths;
        line_length_ = across_ + lanes;
        samples_.resize(component_.down * Eighths * line_length_);
    }

    // The samples of so many units, from a column of units on.
    void transform(const Block<Eighths>* block, size_t column, size_t units) {
        for (size_t unit = column; unit < column + units; ++unit) {
            for (size_t down = 0; down < component_.down; ++down) {
                float* samples = samples_.data() + down * Eighths * line_length_ + unit * component_.across * Eighths;
                for (size_t across = 0; across < component_.across; ++across) {
                    inverse_(*block++, samples + across * Eighths, line_length_);
                }
            }
        }
    }

    // The pixels of a row of units. False where a sample is so far out of range that decoders would differ about it. No
    // value beyond those of eight-bit pictures gets past this: it makes the samples of its block, in the root mean
    // square, an eighth of itself darker and brighter than grey.
    bool finish_row(size_t row) {
        unsigned wild = 0;
        for (size_t y = 0; y < component_.down * Eighths; ++y) {
            const float* samples = samples_.data() + y * line_length_;
            for (size_t x = 0; x < across_; ++x) wild |= (samples[x] <= -256.0f) | (samples[x] >= 512.0f);
            const size_t line = row * component_.down * Eighths + y, width = luma_.width;
            if (line >= luma_.height) continue;
            uint8_t* pixels = luma_.pixels.data() + line * width;
            for (size_t x = 0; x < width; ++x) {
                pixels[x] = static_cast<uint8_t>(static_cast<int>(std::min(std::max(samples[x], 0.0f), 255.0f)));
            }
        }
        return wild == 0;
    }

    DecodedLuma take() { return std::move(luma_); }

   private:
    const JpegComponent& component_;
    const InverseTransform<Eighths> inverse_;
    std::vector<float> samples_;  // of a row
    size_t across_, line_length_;
    DecodedLuma luma_;
};

}  // namespace tutela
