#include "jpeg.hpp"

#include <algorithm>
#include <array>

#include "jpeg_bits.hpp"
#include "jpeg_file.hpp"
#include "jpeg_transform.hpp"
#include "jpeg_walk.hpp"

namespace tutela {
namespace {

constexpr size_t most_eighths = 4;

// Takes a row of units at a time: where the blocks start, then their values, then samples.
template <size_t Eighths>
class Decoder {
   public:
    explicit Decoder(const JpegFile& file)
        : file_(file),
          component_(file.components.front()),
          walk_(file),
          dc_(*file.dc[component_.dc]),
          ac_(*file.ac[component_.ac]),
          inverse_(*file.quantisation[component_.quantisation]),
          luma_{{}, (file.height * Eighths + 7) / 8, (file.width * Eighths + 7) / 8} {
        luma_.pixels.resize(luma_.height * luma_.width);
        starts_.resize(file.units_across() * walk_.blocks() + 1 + Walk::margin);
        blocks_.resize(file.units_across() * component_.across * component_.down);
        samples_across_ = file.units_across() * component_.across * Eighths;
        line_length_ = samples_across_ + lanes;
        samples_.resize(component_.down * Eighths * line_length_);
    }

    std::optional<DecodedLuma> decode() && {
        const size_t across = file_.units_across(), units = across * file_.units_down();
        const size_t interval = file_.restart_interval == 0 ? units : file_.restart_interval;
        size_t at = 0;
        for (size_t unit = 0; unit < units;) {
            const size_t stretch = unit / interval, end = file_.ends[stretch] * 8;
            if (unit % interval == 0) {
                at = stretch == 0 ? 0 : file_.ends[stretch - 1] * 8;
                mean_ = 0;
            }
            // Up to the end of the row or of the stretch.
            const size_t next = std::min({units, (stretch + 1) * interval, (unit / across + 1) * across});
            const size_t blocks = (next - unit) * walk_.blocks();
            starts_[0] = at;
            if (!walk_.find_starts(starts_.data(), blocks, end)) return std::nullopt;
            at = starts_[blocks];
            read_blocks(next - unit);
            transform_blocks(unit % across, next - unit);
            unit = next;
            if (unit % across == 0 && !finish_row(unit / across - 1)) return std::nullopt;
            // A stretch is filled up to a whole byte and has no more.
            const bool is_last = unit % interval == 0 || unit == units;
            if (is_last && end - at >= 8) return std::nullopt;
        }
        return std::move(luma_);
    }

   private:
    using LumaBlock = Block<Eighths>;

    // The values of so many units.
    void read_blocks(size_t units) {
        const size_t luma_blocks = size_t{component_.across} * component_.down;
        LumaBlock* block = blocks_.data();
        for (size_t unit = 0; unit < units; ++unit) {
            const size_t* start = &starts_[unit * walk_.blocks()];
            for (size_t number = 0; number < luma_blocks; ++number) read_block(*start++, *block++);
        }
    }

    [[gnu::always_inline]] void read_block(size_t start, LumaBlock& block) {
        Bits bits(file_.bits.get(), start);
        const Code code = dc_.next(bits);
        mean_ += extended(bits.behind(code.length), code.size);
        block = {};
        block.values[0] = mean_;
        bits.skip(code.bits);
        if (Eighths > 1) read_frequencies(bits, block);
    }

    // The values that are wanted. The walk has seen that they are there.
    [[gnu::always_inline]] void read_frequencies(Bits bits, LumaBlock& block) const {
        unsigned position = 1;
        while (true) {
            bits.refill();
#pragma GCC unroll 2
            for (unsigned i = 0; i < 2; ++i) {
                const Code code = ac_.next(bits);
                position += code.run;
                if (position >= LumaBlock::wanted) return;
                block.values[LumaBlock::places[position]] = extended(bits.behind(code.length), code.size);
                bits.skip(code.bits);
                ++position;
            }
        }
    }

    // The samples of so many units, from a column of units on.
    void transform_blocks(size_t column, size_t units) {
        const LumaBlock* block = blocks_.data();
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
    // value beyond those of eight-bit pictures gets past this: it makes the samples of its block, in the root mean square,
    // an eighth of itself darker and brighter than grey.
    bool finish_row(size_t row) {
        unsigned wild = 0;
        for (size_t y = 0; y < component_.down * Eighths; ++y) {
            const float* samples = samples_.data() + y * line_length_;
            for (size_t x = 0; x < samples_across_; ++x) wild |= (samples[x] <= -256.0f) | (samples[x] >= 512.0f);
            const size_t line = row * component_.down * Eighths + y, width = luma_.width;
            if (line >= luma_.height) continue;
            uint8_t* pixels = luma_.pixels.data() + line * width;
            for (size_t x = 0; x < width; ++x) {
                pixels[x] = static_cast<uint8_t>(static_cast<int>(std::min(std::max(samples[x], 0.0f), 255.0f)));
            }
        }
        return wild == 0;
    }

    const JpegFile& file_;
    const JpegComponent& component_;
    const Walk walk_;
    const Codes dc_, ac_;
    const InverseTransform<Eighths> inverse_;
    std::vector<size_t> starts_;     // of the blocks of a row, in bits
    std::vector<LumaBlock> blocks_;  // of a row
    int mean_ = 0;                   // of the last block
    std::vector<float> samples_;     // of a row
    size_t samples_across_, line_length_;
    DecodedLuma luma_;
};

template <size_t Eighths>
std::optional<DecodedLuma> decoded(const JpegFile& file) {
    return Decoder<Eighths>(file).decode();
}

}  // namespace

std::optional<DecodedLuma> jpeg_luma(std::span<const uint8_t> data, size_t min_side) {
    const std::optional<JpegFile> file = read_jpeg(data);
    if (!file) return std::nullopt;
    const size_t side = std::min(file->width, file->height);
    size_t eighths = 1;
    while (eighths <= most_eighths && (side * eighths + 7) / 8 < min_side) ++eighths;
    if (eighths > most_eighths) return std::nullopt;
    using Decode = std::optional<DecodedLuma> (*)(const JpegFile&);
    constexpr std::array<Decode, most_eighths> decode = {&decoded<1>, &decoded<2>, &decoded<3>, &decoded<4>};
    return decode[eighths - 1](*file);
}

}  // namespace tutela
