#include "letters.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace tutela {

namespace {

constexpr size_t block = 4096, probed = 8;

// All ones where the condition holds: written so that the compiler looks at many bytes at once.
uint8_t mask(bool condition) { return condition ? 0xff : 0; }

uint8_t is_no_text(uint8_t byte) {
    const uint8_t white = mask(byte == 0x09) | mask(byte == 0x0a) | mask(byte == 0x0c) | mask(byte == 0x0d);
    return (mask(byte < 0x20) & ~white & ~mask(byte == 0x1b)) | mask(byte == 0x7f);
}

constexpr size_t shortest_group = 4, longest_group = 64, fewest_groups = 64;
// Every run covers one of these places, with room for the spaces that tell how long its groups are.
constexpr size_t groups_apart = (fewest_groups - 4) * (shortest_group + 1);

constexpr size_t fewest_in_a_line = 48, looked_at_together = 64;

constexpr size_t fewest_of_markup = 8, most_between = 2;

constexpr size_t fewest_of_blocks = 8, most_between_blocks = 200;

constexpr size_t row_letters = 16, rows_of_run = 4, letters_of_row_alone = 240, most_breaks = 16, most_padding = 2;

// What stands from a place on; past the end of the text nothing does.
class Text {
   public:
    explicit Text(std::span<const uint8_t> data) : data_(data) {}

    size_t size() const { return data_.size(); }
    bool is(size_t at, char c) const { return at < data_.size() && data_[at] == static_cast<uint8_t>(c); }
    bool is_any(size_t at, std::string_view of) const {
        return at < data_.size() && of.find(static_cast<char>(data_[at])) != of.npos;
    }
    bool is_letter(size_t at) const { return at < data_.size() && letters()[data_[at]]; }

    // How many letters stand from a place on, at most so many, and before it.
    size_t letters_from(size_t at, size_t most) const {
        size_t count = 0;
        while (count < most && is_letter(at + count)) ++count;
        return count;
    }
    size_t letters_before(size_t at, size_t most) const {
        size_t count = 0;
        while (count < most && count < at && is_letter(at - count - 1)) ++count;
        return count;
    }

    size_t letters_end(size_t at) const {
        const Letters& among = letters();
        while (at < data_.size() && among[data_[at]]) ++at;
        return at;
    }

    size_t next_letter(size_t at) const {
        const Letters& among = letters();
        while (at < data_.size() && !among[data_[at]]) ++at;
        return at;
    }

    // Where a break that begins here ends; here, where there is none.
    size_t break_end(size_t at) const {
        if (is_any(at, "\"'")) {  // joined strings of programs: "…" + "…"
            const char quote = is(at, '"') ? '"' : '\'';
            size_t end = spaces_end(at + 1);
            if (is(end, '+') && is(end = spaces_end(end + 1), quote)) return end + 1;
        }
        if (is(at, '\\') && is_any(at + 1, "nrt")) return at + 2;
        if (is(at, '&') && is(at + 1, '#')) {
            const bool named = (is(at + 2, '1') && is_any(at + 3, "03")) || (is(at + 2, 'x') && is_any(at + 3, "aAdD"));
            if (named && is(at + 4, ';')) return at + 5;
        }
        if (is(at, '%') && is(at + 1, '0') && is_any(at + 2, "aAdD")) return at + 3;
        if (is(at, '%') && is(at + 1, '2') && is_any(at + 2, "BFbf")) return at + 3;
        return is_any(at, white) || is_any(at, "\"',\\>|") ? at + 1 : at;
    }

    size_t breaks_end(size_t at) const {
        for (size_t n = 0; n < most_breaks; ++n) {
            const size_t end = break_end(at);
            if (end == at) break;
            at = end;
        }
        return at;
    }

    size_t padding_end(size_t at) const {
        for (size_t n = 0; n < most_padding; ++n) {
            if (is(at, '=')) {
                ++at;
            } else if (is(at, '%') && is(at + 1, '3') && is_any(at + 2, "dD")) {
                at += 3;
            } else {
                break;
            }
        }
        return at;
    }

   private:
    static constexpr std::string_view white = " \t\n\r\f\v";

    static const Letters& letters() {
        static const Letters made = [] {
            Letters table{};
            for (int n = 0; n < 26; ++n) table['A' + n] = table['a' + n] = 1;
            for (int n = 0; n < 10; ++n) table['0' + n] = 1;
            for (const char c : {'+', '/', '_', '-'}) table[static_cast<uint8_t>(c)] = 1;
            return table;
        }();
        return made;
    }

    size_t spaces_end(size_t at) const {
        while (is_any(at, white)) ++at;
        return at;
    }

    std::span<const uint8_t> data_;
};

}  // namespace

std::vector<std::pair<size_t, size_t>> base64_runs(std::span<const uint8_t> data) {
    const Text text(data);
    std::vector<std::pair<size_t, size_t>> found;
    // A run begins with the first letter of a row: whoever begins with a later one has the same rows, or fewer letters.
    for (size_t begin = text.next_letter(0); begin < text.size();) {
        const size_t first_end = text.letters_end(begin);
        size_t end = begin, rows = 0;
        for (size_t row = first_end; row - end >= row_letters; row = text.letters_end(end)) {
            end = text.breaks_end(row);
            ++rows;
        }
        if (rows < rows_of_run) end = first_end - begin >= letters_of_row_alone ? first_end : begin;
        if (end > begin) {
            end = text.padding_end(text.letters_end(end));
            found.emplace_back(begin, end);
            begin = text.next_letter(end);
        } else {
            begin = text.next_letter(first_end);
        }
    }
    return found;
}

std::vector<std::pair<size_t, size_t>> base64_groups(std::span<const uint8_t> data) {
    const Text text(data);
    std::vector<std::pair<size_t, size_t>> found;
    for (size_t at = 0; at < text.size();) {
        size_t first = at + text.letters_from(at, longest_group), end = at;
        const size_t length = text.letters_from(first + 1, longest_group), step = length + 1;
        if (text.is(first, ' ') && length >= shortest_group && text.is(first + step, ' ')) {
            size_t last = first + step;
            while (text.letters_from(last + 1, length) == length && text.is(last + step, ' ')) last += step;
            while (first >= step && text.is(first - step, ' ') && text.letters_before(first, length) == length) first -= step;
            const bool is_whole = text.letters_before(first, length) == length;  // the group before the first space
            end = last + 1;
            if ((last - first) / step + is_whole >= fewest_groups) {
                found.emplace_back(is_whole ? first - length : first + 1, end + text.letters_from(end, length));
            }
        }
        at = std::max(at + groups_apart, end);
    }
    return found;
}

namespace {

bool is_printed(uint8_t byte) { return byte > 0x20 && byte < 0x7f; }

size_t printed_end(std::span<const uint8_t> data, size_t at) {
    for (; at + looked_at_together <= data.size(); at += looked_at_together) {
        uint8_t all = 0xff;
        for (size_t n = 0; n < looked_at_together; ++n) all &= mask(is_printed(data[at + n]));
        if (!all) break;
    }
    while (at < data.size() && is_printed(data[at])) ++at;
    return at;
}

}  // namespace

// Every line that is long enough covers one of these places, and few words do: only there it is walked.
std::vector<std::pair<size_t, size_t>> tight_runs(std::span<const uint8_t> data) {
    std::vector<std::pair<size_t, size_t>> found;
    for (size_t at = 0; at + fewest_in_a_line <= data.size();) {  // nothing goes on over `at`
        const size_t behind = at + fewest_in_a_line;
        size_t begin = behind;
        while (begin > at && is_printed(data[begin - 1])) --begin;
        size_t end = begin < behind ? printed_end(data, behind) : behind;
        const bool is_run = end - begin >= fewest_in_a_line;
        for (size_t line = begin; end - line >= fewest_in_a_line; end = printed_end(data, line)) {
            line = end;
            if (line < data.size() && data[line] == '\r') ++line;
            if (line < data.size() && data[line] == '\n') ++line;
        }
        if (is_run) found.emplace_back(begin, end);
        at = end;
    }
    return found;
}

std::vector<std::pair<size_t, size_t>> markup_runs(std::span<const uint8_t> data) {
    const auto is_shown = [](uint8_t byte) {
        return (byte >= 0x20 && byte < 0x7f) || byte == '\t' || byte == '\n' || byte == '\f' || byte == '\r';
    };
    std::vector<std::pair<size_t, size_t>> found;
    const uint8_t* const end = data.data() + data.size();
    const uint8_t* at = data.data();
    while (at < end && (at = static_cast<const uint8_t*>(std::memchr(at, '<', static_cast<size_t>(end - at))))) {
        const uint8_t* const begin = at++;
        const uint8_t letter = at < end ? *at | 0x20 : 0;
        if (letter < 'a' || letter > 'z') continue;
        const uint8_t* run_end = at;
        bool is_closed = false;
        for (; at < end && static_cast<size_t>(at - run_end) <= most_between; ++at) {
            if (!is_shown(*at)) continue;
            is_closed |= *at == '>';
            run_end = at + 1;
        }
        at = run_end;
        if (is_closed && static_cast<size_t>(run_end - begin) >= fewest_of_markup) {
            found.emplace_back(begin - data.data(), run_end - data.data());
        }
    }
    return found;
}

namespace {

uint8_t at_or_zero(std::span<const uint8_t> data, size_t at) { return at < data.size() ? data[at] : 0; }

// The length of the block letter at a place, 0 where there is none: U+2580 to 25FF, 26AA, 26AB, 2801 to 28FF, 2B1B, 2B1C,
// 1F534, 1F535, 1F7E0 to 1F7EB, 1FB00 to 1FBAF.
size_t block_letter(std::span<const uint8_t> data, size_t at) {
    const uint8_t first = data[at], second = at_or_zero(data, at + 1), third = at_or_zero(data, at + 2);
    const auto within = [](uint8_t byte, uint8_t from, uint8_t to) { return byte >= from && byte <= to; };
    if (first == 0xe2) {
        const bool is_one = second == 0x9a   ? within(third, 0xaa, 0xab)
                            : second == 0xa0 ? within(third, 0x81, 0xbf)
                            : second == 0xac ? within(third, 0x9b, 0x9c)
                                             : (within(second, 0x96, 0x97) || within(second, 0xa1, 0xa3)) && within(third, 0x80, 0xbf);
        return is_one ? 3 : 0;
    }
    if (first != 0xf0 || second != 0x9f) return 0;
    const uint8_t fourth = at_or_zero(data, at + 3);
    const bool is_one = third == 0x94   ? within(fourth, 0xb4, 0xb5)
                        : third == 0x9f ? within(fourth, 0xa0, 0xab)
                        : third == 0xae ? within(fourth, 0x80, 0xaf)
                                        : within(third, 0xac, 0xad) && within(fourth, 0x80, 0xbf);
    return is_one ? 4 : 0;
}

// The length of what may stand between two of them at a place: ASCII, a space of another width, an empty Braille pattern, a
// selector of an emoji's looks.
size_t between_blocks(std::span<const uint8_t> data, size_t at) {
    const uint8_t first = data[at], second = at_or_zero(data, at + 1), third = at_or_zero(data, at + 2);
    if (first < 0x80) return 1;
    if (first == 0xc2 && second == 0xa0) return 2;
    const bool is_blank = (first == 0xe2 && ((second == 0xa0 && third == 0x80) || (second == 0x80 && third >= 0x80 && third <= 0x8f))) ||
                          (first == 0xe3 && second == 0x80 && third == 0x80) || (first == 0xef && second == 0xb8 && third == 0x8f);
    return is_blank ? 3 : 0;
}

}  // namespace

size_t block_letters(std::span<const uint8_t> data) {
    const auto next = [&](size_t at, uint8_t byte) {
        const void* found = at < data.size() ? std::memchr(data.data() + at, byte, data.size() - at) : nullptr;
        return found ? static_cast<size_t>(static_cast<const uint8_t*>(found) - data.data()) : data.size();
    };
    size_t count = 0, e2 = next(0, 0xe2), f0 = next(0, 0xf0);
    while (e2 < data.size() || f0 < data.size()) {
        size_t at = std::min(e2, f0), row = 0;
        for (size_t between = 0; at < data.size() && between <= most_between_blocks;) {
            if (const size_t length = block_letter(data, at)) {
                ++row;
                between = 0;
                at += length;
            } else if (const size_t blank = row ? between_blocks(data, at) : 0) {
                between += blank;
                at += blank;
            } else {
                break;
            }
        }
        if (row >= fewest_of_blocks) count += row;
        at = std::max(at, std::min(e2, f0) + 1);
        if (e2 < at) e2 = next(at, 0xe2);
        if (f0 < at) f0 = next(at, 0xf0);
    }
    return count;
}

bool is_text(std::span<const uint8_t> data) {
    for (size_t begin = 0; begin < data.size(); begin += block) {
        const uint8_t* bytes = data.data() + begin;
        const size_t count = std::min(block, data.size() - begin);
        uint8_t found = 0;
        for (size_t at = 0; at < count; ++at) found |= is_no_text(bytes[at]);
        if (found) return false;
    }
    return true;
}

// Every row of that length covers one of these places with the letters that follow it, and few words do: only there the row
// is walked.
bool has_row(std::span<const uint8_t> data, const Letters& letters, size_t length) {
    const size_t together = std::min(length, probed), apart = length - together + 1;
    size_t walked = 0;  // before it everything is known
    for (size_t at = 0; at + together <= data.size(); at += apart) {
        const uint8_t* bytes = data.data() + at;
        uint8_t all = 1;
        if (together == probed) {
            for (size_t n = 0; n < probed; ++n) all &= letters[bytes[n]];
        } else {
            for (size_t n = 0; n < together; ++n) all &= letters[bytes[n]];
        }
        if (!all || at < walked) continue;
        size_t begin = at, end = at + together;
        while (begin > walked && letters[data[begin - 1]]) --begin;
        while (end < data.size() && end - begin < length && letters[data[end]]) ++end;
        if (end - begin >= length) return true;
        walked = end;
    }
    return false;
}

}  // namespace tutela
