// What a JPEG file says of itself, as far as it is an ordinary one: baseline, eight bits, grey or luma with two colours in
// one scan (ITU-T T.81). Any other file, and any that departs from the standard, is left to another decoder.
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
};

struct JpegComponent {
    uint8_t id;
    uint8_t across, down;  // blocks of it in one unit of the scan
    uint8_t quantisation;
    uint8_t dc, ac;  // its tables
};

struct JpegFile {
    size_t width = 0, height = 0;
    std::vector<JpegComponent> components;  // one or three; the first is luma and has the most blocks
    std::array<std::optional<std::array<uint16_t, 64>>, 4> quantisation;  // in zigzag order
    std::array<std::optional<HuffmanTable>, 4> dc, ac;
    size_t restart_interval = 0;  // units between restarts; 0 for none
    // The bits of the scan without stuffing and markers, and where each stretch between restarts ends. Behind them are
    // `padding` zeros.
    std::unique_ptr<uint8_t[]> bits;
    std::vector<size_t> ends;

    static constexpr size_t padding = 512;
    static constexpr size_t most_bytes = (size_t{1} << 29) - 2 * padding;  // places of bits fit in 32 bits

    size_t units_across() const;
    size_t units_down() const;
};

// Where the next marker in a scan begins, from a byte on: not stuffing, a restart or a fill byte (T.81, B.1.1). The size
// of the file where there is none.
size_t next_marker(std::span<const uint8_t> file, size_t from);

// The file, or nothing where it is no ordinary one.
std::optional<JpegFile> read_jpeg(std::span<const uint8_t> file);

}  // namespace tutela
