// What a JPEG file says of itself, as far as it is an ordinary one: eight bits, grey or luma with two colours, baseline in
// one scan or progressive in several (ITU-T T.81). Any other file, and any that departs from the standard, is left to
// another decoder.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace tutela {

// A table of Huffman codes as the file has it (T.81, B.2.4.2).
struct HuffmanTable {
    std::array<uint8_t, 16> counts{};  // of codes of 1 to 16 bits
    std::vector<uint8_t> symbols;      // in the order of their codes

    bool operator==(const HuffmanTable&) const = default;
};

struct JpegComponent {
    uint8_t id;
    uint8_t across, down;  // blocks of it in one unit of the scan
    uint8_t quantisation;
    uint8_t dc, ac;  // its tables
};

// A scan of a progressive file: some values of all components or of one, or one more bit of them (T.81, G.1.1.1).
struct JpegScan {
    std::vector<size_t> components;    // by their numbers
    std::vector<HuffmanTable> tables;  // of each; none where bits are added to means
    unsigned first, last;              // positions of the values; 0 and 0 for the means
    bool adds_bits;                    // to values that earlier scans told
    unsigned low;                      // so many bits of the values are left to later scans
    size_t restart_interval;
    size_t begin;              // of its bits, in bytes
    std::vector<size_t> ends;  // of its stretches

    bool has_means() const { return first == 0; }
};

struct JpegFile {
    size_t width = 0, height = 0;
    std::vector<JpegComponent> components;  // one or three; the first is luma and has the most blocks
    std::array<std::optional<std::array<uint16_t, 64>>, 4> quantisation;  // in zigzag order
    std::array<std::optional<HuffmanTable>, 4> dc, ac;
    size_t restart_interval = 0;  // units between restarts; 0 for none
    bool progressive = false;
    std::vector<JpegScan> scans;  // of a progressive file: together they tell every bit of every value
    // The bits of the scan without stuffing and markers, and where each stretch between restarts ends; those of several
    // scans stand one behind the other. Behind them are `padding` zeros.
    std::unique_ptr<uint8_t[]> bits;
    std::vector<size_t> ends;

    static constexpr size_t padding = 512;
    static constexpr size_t most_bytes = (size_t{1} << 29) - 2 * padding;  // places of bits fit in 32 bits

    // The blocks of a component that a scan of it alone has.
    size_t blocks_across(const JpegComponent& component) const;
    size_t blocks_down(const JpegComponent& component) const;

    size_t units_across() const;
    size_t units_down() const;
};

// Where the next marker in a scan begins, from a byte on: not stuffing, a restart or a fill byte (T.81, B.1.1). The size
// of the file where there is none.
size_t next_marker(std::span<const uint8_t> file, size_t from);

// The file, or nothing where it is no ordinary one.
std::optional<JpegFile> read_jpeg(std::span<const uint8_t> file);

}  // namespace tutela
