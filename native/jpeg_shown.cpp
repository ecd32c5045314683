#include "jpeg_shown.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <tuple>
#include <utility>

#include "jpeg_transform.hpp"

namespace tutela {
namespace {

constexpr float material = 10;          // levels of grey; so much cut off makes another grey of a block
constexpr float material_mean = 2.5f;   // the same on the average of all blocks that are looked at
constexpr size_t share_of_means = 200;  // one mean in so many may be cut off by more than that
constexpr size_t share_of_blocks = 32;
constexpr size_t units_a_mean = 4, units_a_look = 128, fewest_looks = 24, most_looks = 48;

// Not std::clamp, whose references keep the compiler from taking several values at once.
[[gnu::always_inline]] inline float cut_off(float value) { return std::min(std::max(value, -128.0f), 127.0f); }

// No channel has more of a colour's difference than this.
constexpr float most_of_blue = 1.772f, most_of_red = 1.402f;

// The luma of red, green and blue as they are shown; all values less 128 (JFIF 1.02).
[[gnu::always_inline]] inline float luma_shown(float luma, float blue, float red) {
    return 0.299f * cut_off(luma + 1.402f * red) + 0.587f * cut_off(luma - 0.344136f * blue - 0.714136f * red) +
           0.114f * cut_off(luma + 1.772f * blue);
}

const std::array<std::array<float, 8>, 8>& waves() {
    static const auto waves = [] {
        std::array<std::array<float, 8>, 8> out{};
        for (size_t k = 0; k < 8; ++k) {
            for (size_t i = 0; i < 8; ++i) {
                const double angle = std::numbers::pi / 16 * static_cast<double>((2 * i + 1) * k);
                out[k][i] = static_cast<float>(k == 0 ? std::sqrt(0.125) : 0.5 * std::cos(angle));
            }
        }
        return out;
    }();
    return waves;
}

}  // namespace

ShownLuma::ShownLuma(const JpegFile& file, uint64_t seed)
    : all_units_(file.units_across() * file.units_down()), random_(seed) {
    const JpegComponent& luma = file.components.front();
    for (const JpegComponent& component : file.components) {
        const size_t blocks = size_t{component.across} * component.down;
        components_.push_back({component.across,
                               component.down,
                               blocks,
                               &*file.quantisation[component.quantisation],
                               std::vector<float>(64 * blocks),
                               {},
                               {}});
        for (size_t at = 0; at < 32; ++at) {
            components_.back().columns[at] = static_cast<uint8_t>(at * component.across / luma.across);
            components_.back().lines[at] = static_cast<uint8_t>(at * component.down / luma.down);
        }
    }
    distance_ = std::max<size_t>(1, all_units_ / std::clamp(all_units_ / units_a_look, fewest_looks, most_looks));
}

size_t ShownLuma::random() {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;  // Knuth, MMIX
    return random_ >> 33;
}

std::optional<size_t> ShownLuma::next_unit(size_t units) {
    if (next_look_ >= units) return std::nullopt;
    const size_t unit = next_look_;
    next_look_ += 1 + random() % (2 * distance_);
    return unit;
}

std::vector<size_t> ShownLuma::choose_units() {
    std::vector<size_t> chosen;
    while (const auto unit = next_unit(all_units_)) chosen.push_back(*unit);
    return chosen;
}

// Of a colour that has several blocks in a unit, the first.
void ShownLuma::compare_means(size_t units, LumaMeans means, std::array<const int*, 2> colours) {
    const size_t first = std::exchange(units_, units_ + units);
    if (components_.size() != 3) return;
    const auto& [luma, blue, red] = std::tie(components_[0], components_[1], components_[2]);
    const float luma_level = luma.level(1) / static_cast<float>(luma.blocks), blue_level = blue.level(1),
                red_level = red.level(1);
    for (; next_mean_ < units_; next_mean_ += 1 + random() % (2 * units_a_mean - 1), ++means_) {
        const size_t unit = next_mean_ - first;
        int sum = 0;
        for (size_t block = 0; block < luma.blocks; ++block) sum += means[unit * luma.blocks + block];
        const float mean = static_cast<float>(sum) * luma_level,
                    blueness = static_cast<float>(colours[0][unit * blue.blocks]) * blue_level,
                    redness = static_cast<float>(colours[1][unit * red.blocks]) * red_level;
        if (std::abs(mean) + most_of_blue * std::abs(blueness) + most_of_red * std::abs(redness) <= 127) continue;
        const float luma_mean = cut_off(mean);
        cut_means_ += std::abs(luma_shown(luma_mean, blueness, redness) - luma_mean) > material;
    }
}

void ShownLuma::transform(Component& component, const BlockValues* blocks) {
    const size_t line = component.across * 8;
    const auto& wave = waves();
    for (size_t block = 0; block < component.blocks; ++block) {
        std::array<float, 64> values{};
        std::array<bool, 8> filled{true};  // columns
        for (size_t position = 0; position < 64; ++position) {
            const int value = blocks[block][position];
            if (value == 0) continue;
            values[zigzag[position]] = static_cast<float>(value * (*component.steps)[position]);
            filled[zigzag[position] % 8] = true;
        }
        std::array<std::array<float, 8>, 8> lines{};
        for (size_t u = 0; u < 8; ++u) {
            if (!filled[u]) continue;
            std::array<float, 8> column{};
            for (size_t v = 0; v < 8; ++v) {
                for (size_t y = 0; y < 8; ++y) column[y] += values[v * 8 + u] * wave[v][y];
            }
            for (size_t y = 0; y < 8; ++y) {
                for (size_t x = 0; x < 8; ++x) lines[y][x] += column[y] * wave[u][x];
            }
        }
        float* to = component.plane.data() + block / component.across * 8 * line + block % component.across * 8;
        for (size_t y = 0; y < 8; ++y) std::copy_n(lines[y].data(), 8, to + y * line);
    }
}

void ShownLuma::look_at(const BlockValues* blocks) {
    const BlockValues* const luma_blocks = blocks;
    for (Component& component : components_) {
        transform(component, blocks);
        blocks += component.blocks;
    }
    const Component& luma = components_[0];
    const size_t length = luma.across * 8;
    std::array<std::array<float, 32>, 2> colours{};
    for (size_t down = 0; down < luma.down; ++down) {
        std::array<float, 32> shown{};
        for (size_t y = down * 8; y < down * 8 + 8; ++y) {
            for (size_t i = 1; i < components_.size(); ++i) {
                if (y == 0 || components_[i].lines[y] != components_[i].lines[y - 1]) {
                    spread(components_[i], y, colours[i - 1]);
                }
            }
            const float* line = &luma.plane[y * length];
            for (size_t left = 0; left < length; left += 8) {
                for (size_t x = left; x < left + 8; ++x) {
                    shown[x] += luma_shown(cut_off(line[x]), colours[0][x], colours[1][x]);
                }
            }
        }
        for (size_t across = 0; across < luma.across; ++across) {
            const size_t block = down * luma.across + across;
            judge(std::accumulate(&shown[across * 8], &shown[across * 8] + 8, 0.0f) / 64,
                  luma.level(luma_blocks[block][0]));
        }
    }
}

void ShownLuma::spread(const Component& component, size_t y, std::array<float, 32>& colours) {
    const float* from = &component.plane[component.lines[y] * component.across * 8];
    for (size_t x = 0; x < components_[0].across * 8; ++x) colours[x] = cut_off(from[component.columns[x]]);
}

void ShownLuma::judge(float shown, float mean) {
    const float cut = std::abs(shown - cut_off(mean));
    cut_ += cut;
    cut_blocks_ += cut > material;
    ++blocks_;
}

bool ShownLuma::is_luma() const {
    return cut_means_ * share_of_means <= means_ && cut_blocks_ * share_of_blocks <= blocks_ &&
           cut_ <= material_mean * static_cast<float>(blocks_);
}

ScanColours::ScanColours(const JpegFile& file, const Walk& walk, uint64_t seed)
    : file_(file), values_(walk.blocks()), shown_(file, seed) {
    for (const JpegComponent& component : file.components) {
        const size_t blocks = size_t{component.across} * component.down;
        components_.push_back({blocks, &walk.dc(component), &walk.ac(component), &walk.differences(component), 0,
                               std::vector<int>(blocks * file.units_across())});
    }
}

void ScanColours::add(const uint32_t* starts, size_t units, LumaMeans luma, bool anew) {
    const uint32_t* own = starts + components_[0].blocks;
    for (size_t i = 1; i < components_.size(); own += components_[i++].blocks) {
        if (anew) components_[i].mean = 0;
        read_means(components_[i], own, units);
    }
    std::array<const int*, 2> colours{};
    for (size_t i = 1; i < components_.size(); ++i) colours[i - 1] = components_[i].means.data();
    shown_.compare_means(units, luma, colours);
    while (const auto unit = shown_.next_unit(units_ + units)) {
        look_at(starts + (*unit - units_) * values_.size(), *unit - units_, luma);
    }
    units_ += units;
}

void ScanColours::read_means(Component& component, const uint32_t* starts, size_t units) {
    const Differences& differences = *component.differences;
    const uint8_t* const data = file_.bits.get();
    int mean = component.mean;
    int* means = component.means.data();
    const size_t blocks = component.blocks, unit_blocks = values_.size();
    if (blocks == 1) {
        for (const uint32_t* last = starts + units * unit_blocks; starts != last; starts += unit_blocks) {
            *means++ = mean += differences.read(data, *starts);
        }
    } else {
        for (size_t unit = 0; unit < units; ++unit, starts += unit_blocks) {
            for (size_t block = 0; block < blocks; ++block) *means++ = mean += differences.read(data, starts[block]);
        }
    }
    component.mean = mean;
}

void ScanColours::look_at(const uint32_t* starts, size_t unit, LumaMeans luma) {
    BlockValues* to = values_.data();
    for (Component& component : components_) {
        for (size_t block = 0; block < component.blocks; ++block, ++starts, ++to) {
            const size_t number = unit * component.blocks + block;
            to->fill(0);
            (*to)[0] = &component == components_.data() ? luma[number] : component.means[number];
            Bits bits(file_.bits.get(), *starts);
            bits.skip(component.dc->next(bits).bits);
            for (size_t position = 1; position < 64; ++position) {
                bits.refill();
                const Code code = component.ac->next(bits);
                position += code.run;
                if (position >= 64) break;
                (*to)[position] = extended(bits.behind(code.length), code.size);
                bits.skip(code.bits);
            }
        }
    }
    shown_.look_at(values_.data());
}

}  // namespace tutela
