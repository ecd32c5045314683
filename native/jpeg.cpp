#include "jpeg.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include "jpeg_bits.hpp"
#include "jpeg_file.hpp"
#include "jpeg_progressive.hpp"
#include "jpeg_samples.hpp"
#include "jpeg_shown.hpp"
#include "jpeg_transform.hpp"
#include "jpeg_walk.hpp"

namespace tutela {
namespace {

constexpr size_t most_eighths = 4;
constexpr size_t together = 3;  // blocks whose values are read side by side

// Finds where the blocks start, then takes a row of units at a time: their values, then samples.
template <size_t Eighths>
class Decoder {
   public:
    Decoder(const JpegFile& file, std::optional<uint64_t> seed)
        : file_(file),
          component_(file.components.front()),
          walk_(file),
          differences_(walk_.differences(component_)),
          ac_(walk_.ac(component_)),
          samples_(file) {
        if (seed) shown_.emplace(file, walk_, *seed);
        blocks_.resize(file.units_across() * component_.across * component_.down);
        frequencies_.resize(blocks_.size());
    }

    std::optional<DecodedLuma> decode() && {
        const size_t across = file_.units_across(), units = across * file_.units_down();
        const size_t interval = file_.restart_interval == 0 ? units : file_.restart_interval;
        for (size_t unit = 0; unit < units;) {
            if (unit % interval == 0) {
                first_ = unit;
                mean_ = 0;
                if (!find_starts(unit / interval, std::min(interval, units - unit) * walk_.blocks()))
                    return std::nullopt;
            }
            // Up to the end of the row or of the stretch.
            const size_t next = std::min({units, first_ + interval, (unit / across + 1) * across});
            read_blocks(unit, next - unit);
            if (shown_) show_blocks(unit, next - unit);
            samples_.transform(blocks_.data(), unit % across, next - unit);
            unit = next;
            if (unit % across == 0 && !samples_.finish_row(unit / across - 1)) return std::nullopt;
        }
        if (shown_ && !shown_->is_luma()) return std::nullopt;
        return samples_.take();
    }

   private:
    using LumaBlock = Block<Eighths>;

    // Of the blocks between two restarts, which are filled up to a whole byte and have no more. False where they are
    // not.
    bool find_starts(size_t stretch, size_t blocks) {
        const size_t begin = stretch == 0 ? 0 : file_.ends[stretch - 1] * 8, end = file_.ends[stretch] * 8;
        if (end - begin < blocks * Walk::least_bits) return false;
        const size_t places = blocks + 1 + Walk::margin;
        if (places > places_) {
            starts_ = std::make_unique_for_overwrite<uint32_t[]>(places);
            places_ = places;
        }
        starts_[0] = static_cast<uint32_t>(begin);
        return walk_.find_starts(starts_.get(), blocks, end) && end - starts_[blocks] < 8;
    }

    // The values of so many units, from one on: the means of the blocks first, then what else is wanted of several
    // blocks at once.
    void read_blocks(size_t unit, size_t units) {
        const uint32_t* starts = &starts_[(unit - first_) * walk_.blocks()];
        const size_t luma_blocks = size_t{component_.across} * component_.down, count = units * luma_blocks;
        const uint8_t* const data = file_.bits.get();
        LumaBlock* to = blocks_.data();
        size_t* frequencies = frequencies_.data();
        int mean = mean_;
        for (size_t i = 0; i < units; ++i, starts += walk_.blocks()) {
            for (size_t block = 0; block < luma_blocks; ++block) {
                mean += differences_.read(data, starts[block], *frequencies++);
                *to = {};
                (to++)->values[0] = mean;
            }
        }
        mean_ = mean;
        if (Eighths == 1) return;
        const size_t whole = count - count % together;
        for (size_t block = 0; block < whole; block += together) read_frequencies<together>(block);
        for (size_t block = whole; block < count; ++block) read_frequencies<1>(block);
    }

    // The values that are wanted of some blocks, side by side: each waits for its own tables only, and their ends are
    // one branch to guess. A block that is done goes on where nothing is wanted. The walk has seen that the values are
    // there.
    template <size_t Blocks>
    void read_frequencies(size_t first) {
        std::array<size_t, Blocks> at;
        std::array<unsigned, Blocks> position;
        std::copy_n(&frequencies_[first], Blocks, at.data());
        position.fill(1);
        for (bool more = true; more;) {
            more = false;
#pragma GCC unroll 4
            for (size_t i = 0; i < Blocks; ++i) {
                const Bits bits(file_.bits.get(), at[i]);
                const Code code = ac_.next(bits);
                const unsigned reached = std::min(position[i] + code.run, 63u);
                blocks_[first + i].values[LumaBlock::places[reached]] = extended(bits.behind(code.length), code.size);
                at[i] += code.bits;
                position[i] = reached + 1;
                more |= position[i] < LumaBlock::wanted;
            }
        }
    }

    void show_blocks(size_t unit, size_t units) {
        const LumaMeans means{blocks_[0].values.data(), sizeof(LumaBlock) / sizeof(int)};
        shown_->add(&starts_[(unit - first_) * walk_.blocks()], units, means, unit == first_);
    }

    const JpegFile& file_;
    const JpegComponent& component_;
    const Walk walk_;
    const Differences& differences_;
    const Codes& ac_;
    Samples<Eighths> samples_;
    std::unique_ptr<uint32_t[]> starts_;  // of the blocks of a stretch, in bits
    size_t places_ = 0;                   // for them
    size_t first_ = 0;                    // unit of it
    std::vector<LumaBlock> blocks_;       // of a row
    std::vector<size_t> frequencies_;     // of these, where the values behind their means start, in bits
    std::optional<ScanColours> shown_;
    int mean_ = 0;  // of the last block
};

template <size_t Eighths>
std::optional<DecodedLuma> decoded(const JpegFile& file, std::optional<uint64_t> seed) {
    return Decoder<Eighths>(file, seed).decode();
}

}  // namespace

std::optional<DecodedLuma> jpeg_luma(std::span<const uint8_t> data, size_t min_side, std::optional<uint64_t> seed) {
    const std::optional<JpegFile> file = read_jpeg(data);
    if (!file) return std::nullopt;
    const size_t side = std::min(file->width, file->height);
    size_t eighths = 1;
    while (eighths <= most_eighths && (side * eighths + 7) / 8 < min_side) ++eighths;
    if (eighths > most_eighths) return std::nullopt;
    if (file->progressive) return progressive_luma(*file, eighths, seed);
    using Decode = std::optional<DecodedLuma> (*)(const JpegFile&, std::optional<uint64_t>);
    constexpr std::array<Decode, most_eighths> decode = {&decoded<1>, &decoded<2>, &decoded<3>, &decoded<4>};
    return decode[eighths - 1](*file, seed);
}

}  // namespace tutela
