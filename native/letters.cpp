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

constexpr size_t fewest_of_markup = 8, most_between = 2;

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
