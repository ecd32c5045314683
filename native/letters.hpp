// What text is made of: whether it is text at all, and whether so many letters of one kind stand in a row. Both are
// asked of every text, long before any pattern looks at it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace tutela {

using Letters = std::array<uint8_t, 256>;

// Whether every byte is one that text has: no control characters but white space and escapes.
bool is_text(std::span<const uint8_t> data);

// Whether `length` bytes in a row are among the letters (1; 0 are the others). `length` is at least 1.
bool has_row(std::span<const uint8_t> data, const Letters& letters, size_t length);

// (begin, end) of every long run of base64, in order: four rows of sixteen letters or more, with up to sixteen breaks
// between them (white space, quotes, commas and their escapes, as texts and programs have them), or a row of 240; with the
// letters that follow, and padding.
std::vector<std::pair<size_t, size_t>> base64_runs(std::span<const uint8_t> data);

// (begin, end) of every run of letters of base64 in groups of one length, 4 to 64, with a space behind each: 64 groups or
// more, with the letters that follow, at most as many as a group has.
std::vector<std::pair<size_t, size_t>> base64_groups(std::span<const uint8_t> data);

// (begin, end) of every run of lines of printable ASCII without a space, in order: 48 letters or more in each line, and a
// shorter one as the last.
std::vector<std::pair<size_t, size_t>> tight_runs(std::span<const uint8_t> data);

// (begin, end) of every run of printable ASCII and white space that begins with an element's beginning, `<` and a letter,
// and closes it: eight bytes or more, with up to two others in a row between, such as the lengths of a GIF's blocks.
std::vector<std::pair<size_t, size_t>> markup_runs(std::span<const uint8_t> data);

// How many letters of UTF-8 that are blocks, dots, circles or squares stand in rows of eight or more, with nothing but ASCII
// and blanks between two, 200 bytes at most. What is no text has such letters by chance, but no rows of them.
size_t block_letters(std::span<const uint8_t> data);

}  // namespace tutela
