#include "jpeg.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <numbers>

#include "jpeg_bits.hpp"
#include "jpeg_file.hpp"

namespace tutela {
namespace {

constexpr int largest = 4096;  // no coefficient of an eight-bit picture comes near this; a power of two

// Where the coefficients of a block lie, row by row, in the order of the file (T.81, figure A.6).
constexpr std::array<uint8_t, 64> zigzag = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

constexpr size_t most_eighths = 4;
constexpr size_t lanes = 4;  // from one row of a block to the next

// Samples of a block at so many eighths: the inverse transform of as many points of its lowest frequencies.
template <size_t Points>
class Inverse {
   public:
    Inverse() {
        for (size_t i = 0; i < Points; ++i) {
            for (size_t k = 0; k < Points; ++k) {
                const double angle = std::numbers::pi / 2.0 * static_cast<double>((2 * i + 1) * k) / Points;
                weights_[k][i] = static_cast<float>(k == 0 ? std::sqrt(0.125) : 0.5 * std::cos(angle));
            }
        }
    }

    void operator()(const int* block, uint8_t* samples) {
        float rows[Points][lanes];
        for (size_t y = 0; y < Points; ++y) {
            float row[lanes] = {};
            for (size_t v = 0; v < Points; ++v) {
                for (size_t u = 0; u < lanes; ++u) row[u] += weights_[v][y] * static_cast<float>(block[v * lanes + u]);
            }
            std::copy_n(row, lanes, rows[y]);
        }
        for (size_t y = 0; y < Points; ++y) {
            float line[lanes];
            std::fill_n(line, lanes, 128.5f);
            for (size_t u = 0; u < Points; ++u) {
                for (size_t x = 0; x < lanes; ++x) line[x] += weights_[u][x] * rows[y][u];
            }
            for (size_t x = 0; x < lanes; ++x) {
                lowest_[x] = std::min(lowest_[x], line[x]);
                highest_[x] = std::max(highest_[x], line[x]);
                samples[y * lanes + x] = static_cast<uint8_t>(std::clamp(line[x], 0.0f, 255.0f));
            }
        }
    }

    // Whether no sample was so far out of range that decoders would differ about it.
    bool sane() const {
        return *std::ranges::min_element(lowest_) > -256.0f && *std::ranges::max_element(highest_) < 512.0f;
    }

   private:
    std::array<std::array<float, lanes>, Points> weights_{};
    std::array<float, lanes> lowest_{}, highest_{};
};

template <size_t Eighths>
class Decoder {
   public:
    explicit Decoder(const JpegFile& file) : file_(file) {
        for (const JpegComponent& component : file.components) {
            if (!dc_[component.dc]) dc_[component.dc] = std::make_unique<Codes>(*file.dc[component.dc]);
            if (!ac_[component.ac]) ac_[component.ac] = std::make_unique<AcTable>(*file.ac[component.ac]);
        }
        const std::array<uint16_t, 64>& steps = *file.quantisation[file.components[0].quantisation];
        for (unsigned position = 0; position < 64; ++position) {
            const size_t down = zigzag[position] / 8, across = zigzag[position] % 8;
            const bool wanted = down < Eighths && across < Eighths;
            places_[position] = static_cast<uint8_t>(wanted ? down * lanes + across : unwanted);
            if (!wanted) continue;
            wanted_ = position + 1;
            steps_[position] = steps[position];
        }
        const JpegComponent& luma = file.components[0];
        stride_ = file.units_across() * luma.across * Eighths + lanes;
        samples_.resize(file.units_down() * luma.down * Eighths * stride_);
    }

    std::optional<DecodedLuma> decode() {
        const size_t across = file_.units_across(), units = across * file_.units_down();
        const size_t interval = file_.restart_interval == 0 ? units : file_.restart_interval;
        Bits bits(file_.bits.data());
        for (size_t unit = 0; unit < units; ++unit) {
            const size_t stretch = unit / interval;
            if (unit % interval == 0) {
                bits.start(stretch == 0 ? 0 : file_.ends[stretch - 1]);
                end_ = file_.ends[stretch];
                mean_ = 0;
            }
            bits = decode_unit(bits, unit % across, unit / across);
            if (bits.left(end_) < 0) return std::nullopt;
            // A stretch is filled up to a whole byte and has no more.
            const bool is_last = (unit + 1) % interval == 0 || unit + 1 == units;
            if (is_last && bits.left(end_) >= 8) return std::nullopt;
        }
        return inverse_.sane() ? std::optional(cut()) : std::nullopt;
    }

   private:
    // The lowest frequencies, row by row, and a place for values that are not wanted.
    static constexpr size_t unwanted = Eighths * lanes;
    using Block = std::array<int, unwanted + 1>;

    [[gnu::always_inline]] Bits decode_unit(Bits bits, size_t column, size_t row) {
        const JpegComponent& luma = file_.components.front();
        for (size_t block = 0; block < size_t{luma.across} * luma.down; ++block) {
            bits = decode_luma(bits, column * luma.across + block % luma.across, row * luma.down + block / luma.across);
            if (bits.left(end_) < 0) return bits;
        }
        for (size_t number = 1; number < file_.components.size(); ++number) {
            const JpegComponent& colour = file_.components[number];
            for (size_t block = 0; block < size_t{colour.across} * colour.down; ++block) {
                bits.refill();
                const Code code = dc_[colour.dc]->next(bits.peek(16));
                if (code.length == 0) return bits.broken();
                bits.skip(code.length + code.symbol);
                bits = skip_values(bits, *ac_[colour.ac], 1);
                if (bits.left(end_) < 0) return bits;
            }
        }
        return bits;
    }

    [[gnu::always_inline]] Bits decode_luma(Bits bits, size_t column, size_t row) {
        const JpegComponent& luma = file_.components.front();
        bits.refill();
        const Code code = dc_[luma.dc]->next(bits.peek(16));
        if (code.length == 0) return bits.broken();
        bits.skip(code.length);
        mean_ += code.symbol == 0 ? 0 : extended(bits.peek(code.symbol), code.symbol);
        bits.skip(code.symbol);
        Block block{};
        bits = read_values(bits, *ac_[luma.ac], block);
        block[0] = mean_ * steps_[0];
        int magnitudes = mean_ ^ (mean_ >> 31);
        for (const int value : block) magnitudes |= value ^ (value >> 31);
        if (magnitudes >= largest) return bits.broken();
        std::array<uint8_t, Eighths * lanes> samples;
        inverse_(block.data(), samples.data());
        // A line is a few samples too long; the next block is written over them, or they are in the margin.
        uint8_t* to = samples_.data() + row * Eighths * stride_ + column * Eighths;
        for (size_t y = 0; y < Eighths; ++y) std::memcpy(to + y * stride_, samples.data() + y * lanes, lanes);
        return bits;
    }

    // The values that are wanted, and past the others.
    [[gnu::always_inline]] Bits read_values(Bits bits, const AcTable& table, Block& block) const {
        unsigned position = 1;
        while (position < wanted_) {
            bits.refill();
            bool told = true;
            for (unsigned values = 0; values < 56 / look && position < wanted_; ++values) {
                const Value next = table.value_at(bits.peek(look));
                told = position + next.advance <= 64;
                if (!told) break;
                bits.skip(next.bits & ~block_ends);
                if (next.bits >= block_ends) return bits;
                position += next.advance;
                block[places_[position - 1]] = next.value * steps_[position - 1];
            }
            if (told) continue;
            bits.refill();
            const Code code = table.codes.next(bits.peek(16));
            if (!fits(code, position)) return bits.broken();
            bits.skip(code.length);
            if (code.symbol == 0) return bits;
            const unsigned size = code.symbol & 15;
            position += (code.symbol >> 4) + 1;
            if (size != 0) block[places_[position - 1]] = extended(bits.peek(size), size) * steps_[position - 1];
            bits.skip(size);
        }
        return skip_values(bits, table, position);
    }

    // The picture without the margins of its blocks.
    DecodedLuma cut() const {
        DecodedLuma luma{{}, (file_.height * Eighths + 7) / 8, (file_.width * Eighths + 7) / 8};
        luma.pixels.reserve(luma.height * luma.width);
        for (size_t y = 0; y < luma.height; ++y) {
            const auto row = samples_.begin() + static_cast<ptrdiff_t>(y * stride_);
            luma.pixels.insert(luma.pixels.end(), row, row + static_cast<ptrdiff_t>(luma.width));
        }
        return luma;
    }

    const JpegFile& file_;
    Inverse<Eighths> inverse_;
    std::array<std::unique_ptr<Codes>, 4> dc_;
    std::array<std::unique_ptr<AcTable>, 4> ac_;
    std::array<uint8_t, 64> places_;  // in a block, by position in the file
    std::array<int, 64> steps_{};  // of quantisation; 0 where the value is not wanted
    unsigned wanted_ = 1;          // no position from here on is wanted
    std::vector<uint8_t> samples_;  // of whole blocks
    size_t stride_ = 0;
    size_t end_ = 0;
    int mean_ = 0;
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
