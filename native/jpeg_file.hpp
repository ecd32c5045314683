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

    size_t units_across() const;
    size_t units_down() const;
};

// The file, or nothing where it is no ordinary one.
std::optional<JpegFile> read_jpeg(std::span<const uint8_t> file);

}  // namespace tutela
