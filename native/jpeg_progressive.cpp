#include "jpeg_progressive.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "jpeg_bits.hpp"
#include "jpeg_samples.hpp"
#include "jpeg_shown.hpp"
#include "jpeg_transform.hpp"

namespace tutela {
namespace {

// The positions of a block from one to another, as bits.
uint64_t band(unsigned first, unsigned last) {
    return first > last ? 0 : ~uint64_t{0} << first & ~uint64_t{0} >> (63 - last);
}

// How many blocks, this one first, have no further value in the scan (T.81, G.1.2.2).
struct Run {
    size_t blocks;
    unsigned bits;  // of the code and of the number behind it
};

Run run_of(const Code& code, uint64_t behind) {
    const unsigned bits = code.run == Code::rest ? 0 : code.run;
    return {(size_t{1} << bits) + (bits == 0 ? 0 : behind >> (64 - bits)), code.length + bits};
}

bool is_run(const Code& code) { return code.size == 0 && code.run != 15; }

// Gathers the values over the scans; blocks stand in the order of units.
template <size_t Eighths>
class Gatherer {
   public:
    Gatherer(const JpegFile& file, std::optional<uint64_t> seed) : file_(file) {
        if (seed) chosen_ = shown_.emplace(file, *seed).choose_units();
        for (const JpegComponent& component : file.components) {
            const size_t blocks = size_t{component.across} * component.down;
            Plane& plane = planes_.emplace_back(Plane{component.across, component.down, blocks,
                                                      file.blocks_across(component), file.units_across(), {}, {}, {}});
            plane.known.resize(blocks * units());
            if (planes_.size() > 1) plane.means.resize(plane.known.size());
            plane.whole.resize(chosen_.size() * blocks);
            for (const size_t unit : chosen_) std::fill_n(&plane.known[unit * blocks], blocks, uint64_t{1});
        }
        luma_.resize(planes_[0].known.size());
    }

    std::optional<DecodedLuma> decode() && {
        for (const JpegScan& scan : file_.scans) {
            if (!(scan.has_means() ? read_means(scan) : read_values(scan))) return std::nullopt;
        }
        if (shown_ && !is_luma()) return std::nullopt;
        Samples<Eighths> samples(file_);
        const size_t across = file_.units_across();
        for (size_t row = 0; row < file_.units_down(); ++row) {
            samples.transform(&luma_[row * across * planes_[0].blocks], 0, across);
            if (!samples.finish_row(row)) return std::nullopt;
        }
        return samples.take();
    }

   private:
    struct Plane {
        size_t across, down, blocks;  // of a unit
        size_t blocks_across;         // of the picture, in a scan of this plane alone
        size_t units_across;
        std::vector<uint64_t> known;     // of each block the positions of values that are not zero; the first is
                                         // marked where all of them are kept
        std::vector<int> means;          // of a colour
        std::vector<BlockValues> whole;  // of the units that are looked at

        size_t place(size_t row, size_t column) const {
            return (row / down * units_across + column / across) * blocks + row % down * across + column % across;
        }
    };

    size_t units() const { return file_.units_across() * file_.units_down(); }

    // All blocks of a scan in its order: `read` takes the bits, the number of the plane and of the block; false of it,
    // or of this, where the scan is broken. `restart` before each stretch.
    template <typename Restart, typename Read>
    bool each_block(const JpegScan& scan, Restart restart, Read read) {
        const size_t number = scan.components.front();
        const Plane& plane = planes_[number];
        const bool interleaved = scan.components.size() > 1;
        const size_t across = plane.blocks_across;
        const size_t steps = interleaved ? units() : across * file_.blocks_down(file_.components[number]);
        const size_t interval = scan.restart_interval == 0 ? steps : scan.restart_interval;
        size_t begin = scan.begin, step = 0, row = 0, column = 0;
        for (const size_t end : scan.ends) {
            Bits bits(file_.bits.get(), begin * 8);
            restart();
            for (const size_t stop = std::min(steps, step + interval); step < stop; ++step) {
                if (interleaved) {
                    for (const size_t component : scan.components) {
                        const size_t blocks = planes_[component].blocks;
                        for (size_t block = 0; block < blocks; ++block) {
                            if (!read(bits, component, step * blocks + block)) return false;
                        }
                    }
                } else {
                    if (!read(bits, number, plane.blocks == 1 ? step : plane.place(row, column))) return false;
                    if (++column == across) column = 0, ++row;
                }
                if (bits.at() > end * 8) return false;
            }
            if (end * 8 - bits.at() >= 8) return false;
            begin = end;
        }
        return true;
    }

    bool read_means(const JpegScan& scan) {
        const int one = 1 << scan.low;
        if (scan.adds_bits) {
            return each_block(
                scan, [] {},
                [&](Bits& bits, size_t component, size_t block) {
                    bits.refill();
                    if (bits.peek(1) != 0) mean(component, block) |= one;
                    bits.skip(1);
                    return true;
                });
        }
        std::array<const Codes*, 3> codes{};
        std::vector<Codes> tables(scan.tables.begin(), scan.tables.end());
        for (size_t i = 0; i < scan.components.size(); ++i) codes[scan.components[i]] = &tables[i];
        std::array<int, 3> last{};
        return each_block(
            scan, [&] { last.fill(0); },
            [&](Bits& bits, size_t component, size_t block) {
                bits.refill();
                const Code code = codes[component]->next(bits);
                last[component] += extended(bits.behind(code.length), code.size);
                mean(component, block) = last[component] * one;
                bits.skip(code.bits);
                return code.length != 0;
            });
    }

    int& mean(size_t component, size_t block) {
        return component == 0 ? luma_[block].values[0] : planes_[component].means[block];
    }

    bool read_values(const JpegScan& scan) {
        const Codes codes(scan.tables.front());
        return scan.components.front() == 0 ? read_values<true>(scan, codes) : read_values<false>(scan, codes);
    }

    template <bool IsLuma>
    bool read_values(const JpegScan& scan, const Codes& codes) {
        Plane& plane = planes_[scan.components.front()];
        const int one = 1 << scan.low;
        size_t run = 0;  // of blocks without further values
        if (scan.adds_bits) {
            return each_block(
                scan, [&] { run = 0; },
                [&](Bits& bits, size_t, size_t block) { return add_bits<IsLuma>(bits, scan, codes, plane, block, run); });
        }
        return each_block(
            scan, [&] { run = 0; },
            [&](Bits& bits, size_t, size_t block) {
                if (run > 0) {
                    --run;
                    return true;
                }
                uint64_t known = plane.known[block];
                for (unsigned position = scan.first; position <= scan.last; ++position) {
                    bits.refill();
                    const Code code = codes.next(bits);
                    const uint64_t behind = bits.behind(code.length);
                    if (is_run(code)) {
                        if (code.length == 0) return false;
                        const Run ends = run_of(code, behind);
                        run = ends.blocks - 1;
                        bits.skip(ends.bits);
                        break;
                    }
                    bits.skip(code.bits);
                    position += code.run;
                    if (position > scan.last) return false;
                    if (code.size == 0) continue;
                    store<IsLuma>(plane, known, block, position, extended(behind, code.size) * one);
                    known |= uint64_t{1} << position;
                }
                plane.known[block] = known;
                return true;
            });
    }

    // One more bit of each value that is known, and values that are one bit only (T.81, G.1.2.3).
    template <bool IsLuma>
    [[gnu::always_inline]] bool add_bits(Bits& bits, const JpegScan& scan, const Codes& codes, Plane& plane, size_t block,
                                         size_t& run) {
        const int one = 1 << scan.low;
        uint64_t known = plane.known[block];
        unsigned position = scan.first;
        while (run == 0 && position <= scan.last) {
            bits.refill();
            const Code code = codes.next(bits);
            const uint64_t behind = bits.behind(code.length);
            if (is_run(code)) {
                if (code.length == 0) return false;
                const Run ends = run_of(code, behind);
                run = ends.blocks;
                bits.skip(ends.bits);
                break;
            }
            bits.skip(code.bits);
            uint64_t zeros = ~known & band(position, scan.last);
            for (unsigned passed = 0; passed < code.run; ++passed) zeros &= zeros - 1;
            if (zeros == 0) return false;
            const auto reached = static_cast<unsigned>(std::countr_zero(zeros));
            add<IsLuma>(bits, plane, known & band(position, reached), known, block, one);
            if (code.size != 0) {
                store<IsLuma>(plane, known, block, reached, behind >> 63 != 0 ? one : -one);
                known |= uint64_t{1} << reached;
            }
            position = reached + 1;
        }
        if (run > 0) {
            add<IsLuma>(bits, plane, known & band(position, scan.last), known, block, one);
            --run;
        }
        plane.known[block] = known;
        return true;
    }

    // A bit for each of these positions.
    template <bool IsLuma>
    [[gnu::always_inline]] void add(Bits& bits, Plane& plane, uint64_t positions, uint64_t known, size_t block, int one) {
        const uint64_t kept = (known & 1) != 0 ? ~uint64_t{0} : IsLuma ? wanted : 0;
        for (const uint64_t half : {positions & 0xFFFFFFFF, positions & ~uint64_t{0xFFFFFFFF}}) {
            if (half == 0) continue;
            bits.refill();
            for (uint64_t left = half & kept; left != 0; left &= left - 1) {
                const auto position = static_cast<unsigned>(std::countr_zero(left));
                const auto before = static_cast<size_t>(std::popcount(half & ((uint64_t{1} << position) - 1)));
                if (bits.behind(before) >> 63 == 0) continue;
                if (IsLuma) enlarge(luma_[block].values[LumaBlock::places[position]], one);
                if ((known & 1) != 0) enlarge(whole(plane, block)[position], one);
            }
            bits.skip(static_cast<size_t>(std::popcount(half)));
        }
    }

    static void enlarge(int& value, int by) { value += value >= 0 ? by : -by; }

    template <bool IsLuma>
    void store(Plane& plane, uint64_t known, size_t block, unsigned position, int value) {
        if (IsLuma) luma_[block].values[LumaBlock::places[position]] = value;
        if ((known & 1) != 0) [[unlikely]]
            whole(plane, block)[position] = value;
    }

    BlockValues& whole(Plane& plane, size_t block) {
        const size_t unit = block / plane.blocks;
        const auto chosen = std::ranges::lower_bound(chosen_, unit) - chosen_.begin();
        return plane.whole[static_cast<size_t>(chosen) * plane.blocks + block % plane.blocks];
    }

    bool is_luma() {
        const LumaMeans luma{luma_[0].values.data(), sizeof(LumaBlock) / sizeof(int)};
        std::array<const int*, 2> colours{};
        for (size_t i = 1; i < planes_.size(); ++i) colours[i - 1] = planes_[i].means.data();
        shown_->compare_means(units(), luma, colours);
        std::vector<BlockValues> unit;
        for (const size_t chosen : chosen_) {
            unit.clear();
            for (size_t component = 0; component < planes_.size(); ++component) {
                Plane& plane = planes_[component];
                for (size_t block = chosen * plane.blocks; block < (chosen + 1) * plane.blocks; ++block) {
                    unit.push_back(whole(plane, block));
                    unit.back()[0] = mean(component, block);
                }
            }
            shown_->look_at(unit.data());
        }
        return shown_->is_luma();
    }

    using LumaBlock = Block<Eighths>;

    // Positions of the values that the small picture needs.
    static constexpr uint64_t wanted = [] {
        uint64_t wanted = 0;
        for (size_t position = 1; position < 64; ++position) {
            if (LumaBlock::places[position] != LumaBlock::unwanted) wanted |= uint64_t{1} << position;
        }
        return wanted;
    }();

    const JpegFile& file_;
    std::optional<ShownLuma> shown_;
    std::vector<size_t> chosen_;  // units that are looked at
    std::vector<Plane> planes_;
    std::vector<LumaBlock> luma_;
};

template <size_t Eighths>
std::optional<DecodedLuma> decoded(const JpegFile& file, std::optional<uint64_t> seed) {
    return Gatherer<Eighths>(file, seed).decode();
}

}  // namespace

std::optional<DecodedLuma> progressive_luma(const JpegFile& file, size_t eighths, std::optional<uint64_t> seed) {
    using Decode = std::optional<DecodedLuma> (*)(const JpegFile&, std::optional<uint64_t>);
    constexpr std::array<Decode, 4> decode = {&decoded<1>, &decoded<2>, &decoded<3>, &decoded<4>};
    return decode[eighths - 1](file, seed);
}

}  // namespace tutela
