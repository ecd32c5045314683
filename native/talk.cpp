#include "talk.hpp"
#include "utf8.hpp"

#include <algorithm>
#include <cmath>

namespace tutela {
namespace {

constexpr uint32_t space = ' ';
constexpr size_t most_letters = 4;
constexpr size_t most_joints = 2;  // in-a-chain-of-words there are more

bool is_digit(uint32_t letter) { return letter >= '0' && letter <= '9'; }
bool is_latin(uint32_t letter) { return letter >= 'a' && letter <= 'z'; }

// What a sign or digit stands for inside a word; 0 where for nothing.
uint32_t stands_for(uint32_t letter) {
    switch (letter) {
        case '0':
            return 'o';
        case '1':
        case '!':
        case '|':
        case 0xa1:
            return 'i';
        case '3':
        case 0x20ac:
            return 'e';
        case '4':
        case '@':
            return 'a';
        case '5':
        case '$':
            return 's';
        case '7':
        case '+':
            return 't';
        case '8':
            return 'b';
        case '9':
            return 'g';
        case '2':
            return 'z';
        case '6':
            return 'g';
        case '(':
        case '<':
        case 0xa2:
            return 'c';
        default:
            return 0;
    }
}

struct Letter {
    uint32_t letter;  // folded; space for what separates
    uint32_t raw;     // as it was given
    uint32_t place;
};

struct Given {
    uint32_t raw, place;
};
using Text = std::vector<Given>;

bool is_upper(uint32_t raw) { return raw >= 'A' && raw <= 'Z'; }
bool is_plain(uint32_t raw) { return is_latin(raw) || is_upper(raw); }
bool is_letter(uint32_t raw) {
    return is_plain(raw) || (raw >= 0xc0 && raw < 0x2000) || (raw >= 0x2e80 && raw < 0xe000);
}

// Whether ASCII stands at a place of a text.
bool stands(const Text& text, size_t at, std::string_view wanted) {
    if (at + wanted.size() > text.size()) return false;
    for (size_t i = 0; i < wanted.size(); ++i)
        if (text[at + i].raw != uint8_t(wanted[i])) return false;
    return true;
}

// Whether a capital begins another word than what stands before it from `first` on.
bool begins_word(const Text& text, size_t first, size_t at) {
    if (at == first || !is_upper(text[at].raw)) return false;
    return !is_upper(text[at - 1].raw) || (at + 1 < text.size() && is_latin(text[at + 1].raw));
}

// The length of a character reference of HTML and what it is; 0 where there is none.
std::pair<size_t, uint32_t> reference(const Text& text, size_t at) {
    if (text[at].raw != '&') return {0, 0};
    static constexpr std::pair<std::string_view, uint32_t> named[] = {
        {"&amp;", '&'},  {"&lt;", '<'},   {"&gt;", '>'},     {"&quot;", '"'},   {"&apos;", '\''},
        {"&nbsp;", ' '}, {"&shy;", 0xad}, {"&zwj;", 0x200d}, {"&zwnj;", 0x200c}};
    for (const auto& [name, raw] : named)
        if (stands(text, at, name)) return {name.size(), raw};
    if (!stands(text, at, "&#") || at + 2 >= text.size()) return {0, 0};
    const bool hex = text[at + 2].raw == 'x' || text[at + 2].raw == 'X';
    uint32_t value = 0;
    size_t end = at + (hex ? 3 : 2);
    for (const size_t begin = end; end < text.size() && end < begin + 7; ++end) {
        const uint32_t raw = text[end].raw, low = raw | 0x20;
        if (is_digit(raw))
            value = value * (hex ? 16 : 10) + raw - '0';
        else if (hex && low >= 'a' && low <= 'f')
            value = value * 16 + low - 'a' + 10;
        else
            break;
    }
    if (end >= text.size() || text[end].raw != ';' || value == 0 || value > 0x10ffff) return {0, 0};
    return {end + 1 - at, value};
}

// The length of a tag or mark of HTML that says nothing by itself; one with words in it is text.
size_t tag(const Text& text, size_t at) {
    if (text[at].raw != '<' && text[at].raw != '-') return 0;
    static constexpr std::string_view marks[] = {
        "<!--",    "-->",      "<b>",    "<i>",    "<u>",    "<s>",    "<em>",   "<strong>",  "<span>",
        "<font>",  "<small>",  "<big>",  "<sub>",  "<sup>",  "<del>",  "<ins>",  "<mark>",    "<code>",
        "<wbr>",   "<wbr/>",   "</b>",   "</i>",   "</u>",   "</s>",   "</em>",  "</strong>", "</span>",
        "</font>", "</small>", "</big>", "</sub>", "</sup>", "</del>", "</ins>", "</mark>",   "</code>"};
    if (stands(text, at, "<!--")) {  // an empty remark, with its end
        size_t end = at + 4;
        while (end < text.size() && text[end].raw == space) ++end;
        if (stands(text, end, "-->")) return end + 3 - at;
    }
    for (const auto mark : marks)
        if (stands(text, at, mark)) return mark.size();
    return 0;
}

// Letters drawn with several signs, beside others; the length and the letter.
std::pair<size_t, uint32_t> drawn(const Text& text, size_t at) {
    const uint32_t first = text[at].raw;
    if (first != '/' && first != '\\' && first != '|' && first != '(') return {0, 0};
    static constexpr std::pair<std::string_view, char> shapes[] = {
        {"/\\/\\", 'm'}, {"|\\/|", 'm'}, {"\\/\\/", 'w'}, {"|/\\|", 'w'}, {"|\\|", 'n'},
        {"/\\/", 'n'},   {"|-|", 'h'},   {"|_|", 'u'},    {"/\\", 'a'},   {"\\/", 'v'},
        {"|_", 'l'},     {"|<", 'k'},    {"|)", 'd'},     {"|=", 'f'},    {"()", 'o'}};
    for (const auto& [shape, letter] : shapes) {
        if (!stands(text, at, shape)) continue;
        const auto beside = [&](size_t i) {
            return i < text.size() && (is_letter(text[i].raw) || stands_for(text[i].raw) != 0);
        };
        const bool before = at > 0 && beside(at - 1), behind = beside(at + shape.size());
        if (letter == 'o' ? before && behind : before || behind) return {shape.size(), uint32_t(letter)};
    }
    return {0, 0};
}

// What emphasises or joins, and is no space between letters.
bool joins(uint32_t raw) {
    return raw == '*' || raw == '_' || raw == '~' || raw == '`' || raw == '-' || raw == 0xb7 || raw == 0x2010 ||
           raw == 0x2011 || raw == 0x2022 || raw == 0x2027 || raw == 0x2219;
}

// The letters from a place on that joiners hold together, and how many joints there are.
std::pair<size_t, size_t> joined(const Text& text, size_t at) {
    size_t end = at, joints = 0;
    while (end < text.size() && is_letter(text[at].raw)) {
        if (is_letter(text[end].raw)) {
            ++end;
            continue;
        }
        size_t behind = end;
        while (behind < text.size() && joins(text[behind].raw)) ++behind;
        if (behind == end || behind == text.size() || !is_letter(text[behind].raw)) break;
        end = behind, ++joints;
    }
    return {end - at, joints};
}

// The length of ASCII letters from a place on, and whether they are WordsInOne; fewer letters a word after #.
std::pair<size_t, bool> words_in_one(const Text& text, size_t at) {
    size_t end = at, words = 0;
    for (; end < text.size() && is_plain(text[end].raw); ++end) words += end == at || begins_word(text, at, end);
    const size_t least = at > 0 && text[at - 1].raw == '#' ? 2 : 3;
    return {end - at, words > 1 && end - at >= least * words};
}

// What turns the order of letters around, in the levels of UAX #9.
constexpr uint32_t to_left = 0x202e, to_right = 0x202d, end_of_turn = 0x202c, end_of_isolate = 0x2069;
bool turns(uint32_t raw) { return (raw >= 0x202a && raw <= to_left) || (raw >= 0x2066 && raw <= end_of_isolate); }
bool ends_paragraph(uint32_t raw) {
    return raw == '\n' || raw == '\r' || raw == 0x85 || raw == 0x2029 || (raw >= 0x1c && raw <= 0x1e);
}

// Puts letters that overrides turn around in the order in which they are shown (UAX #9, X1 to X8 and L2); whether there
// are any. Letters that are only embedded keep their own order, as left-to-right ones do.
bool turn(Text& text) {
    struct Turn {
        uint8_t level;
        bool isolates, overrides;
    };
    constexpr uint8_t deepest = 125;
    static thread_local std::vector<Turn> open;
    static thread_local std::vector<uint8_t> levels;
    open.assign(1, {0, false, false}), levels.clear();
    size_t too_deep = 0;
    uint8_t highest = 0;
    for (const auto& [raw, place] : text) {
        const Turn now = open.back();
        // What an embedding to the left holds is one level up: turned twice, and so as it was.
        levels.push_back(now.level + uint8_t(now.level % 2 == 1 && !now.overrides));
        highest = std::max(highest, levels.back());
        if (ends_paragraph(raw)) {
            open.resize(1), too_deep = 0, levels.back() = 0;
        } else if (raw == end_of_turn || raw == end_of_isolate) {
            const bool isolate = raw == end_of_isolate;
            if (too_deep > 0) {
                --too_deep;
                continue;
            }
            while (isolate && open.size() > 1 && !open.back().isolates) open.pop_back();
            if (open.size() > 1 && open.back().isolates == isolate) open.pop_back();
        } else if (turns(raw)) {
            const bool left = raw == 0x202b || raw == to_left || raw == 0x2067;
            const auto level = uint8_t(left ? (now.level + 1) | 1 : (now.level + 2) & ~1);
            if (level > deepest || too_deep > 0)
                ++too_deep;
            else
                open.push_back({level, raw >= 0x2066, raw == to_left || raw == to_right});
        }
    }
    for (uint8_t level = highest; level > 0; --level)
        for (size_t begin = 0; begin < text.size();) {
            size_t end = begin;
            while (end < text.size() && levels[end] >= level) ++end;
            std::reverse(text.begin() + ptrdiff_t(begin), text.begin() + ptrdiff_t(end));
            std::reverse(levels.begin() + ptrdiff_t(begin), levels.begin() + ptrdiff_t(end));
            begin = std::max(end, begin + 1);
        }
    return highest > 0;
}

// The code points of a text; whether there are overrides to the left among them.
bool read(std::string_view text, Text& found) {
    bool turned = false;
    found.clear();
    for (uint32_t at = 0, place = 0; at < text.size(); ++place) {
        size_t behind = at;
        const uint32_t raw = next_letter(text, behind);
        at = uint32_t(behind), turned |= raw == to_left;
        found.push_back({raw, place});
    }
    return turned;
}

// The text as people see it: what marks it up is gone, letters that are drawn are letters, #WordsInOne stand apart.
// Nothing that may be a word is left out.
void unmark(Text& found) {
    static thread_local Text next;
    bool marked = false, upper = false;
    for (const auto& [raw, place] : found) {
        marked |= raw == '&' || raw == '<' || raw == '/' || raw == '\\' || raw == '|' || raw == '(' || joins(raw);
        upper |= is_upper(raw);
    }
    // Calls `take` at each place that is not behind a part that it took; it puts into `next`, and says how long the
    // part was.
    const auto step = [&](auto&& take) {
        next.clear();
        for (size_t at = 0; at < found.size();) at += std::max<size_t>(1, take(at));
        found.swap(next);
    };
    const auto put = [&](uint32_t raw, size_t at) { next.push_back({raw, found[at].place}); };
    if (marked) {
        step([&](size_t at) {
            const auto [length, raw] = reference(found, at);
            return put(length != 0 ? raw : found[at].raw, at), length;
        });
        step([&](size_t at) {
            const size_t length = tag(found, at);
            if (length == 0) put(found[at].raw, at);
            return length;
        });
        step([&](size_t at) {
            const auto [length, letter] = drawn(found, at);
            return put(length != 0 ? letter : found[at].raw, at), length;
        });
        step([&](size_t at) {
            const auto [length, joints] = joined(found, at);
            if (length == 0) put(found[at].raw, at);
            for (size_t i = at; i < at + length; ++i)
                if (joints > most_joints || !joins(found[i].raw)) put(found[i].raw, i);
            return length;
        });
    }
    if (upper) {
        step([&](size_t at) {
            const auto [length, apart] = words_in_one(found, at);
            if (length == 0) put(found[at].raw, at);
            for (size_t i = at; i < at + length; ++i) {
                if (apart && i > at && begins_word(found, at, i)) put(space, i);
                put(found[i].raw, i);
            }
            return length;
        });
    }
}

// Symbols and pictures, which split no word.
bool is_picture(uint32_t raw) { return (raw >= 0x2190 && raw < 0x2e80) || raw >= 0x1f000 || raw == 0xfffd; }

// Appends the normal form of a text that is in its order, of at most `most` letters for each code point.
void normalise(Text& given, size_t most, const Folding& folding, std::vector<uint32_t>& letters,
               std::vector<uint32_t>& places) {
    // Folded, each with what it was; spaces stay apart, so that words between s p a c e d letters are told.
    static thread_local std::vector<Letter> found;
    found.clear();
    unmark(given);
    for (const auto& [raw, place] : given) {
        const auto folded = folding.of(raw);
        if (folded.empty()) continue;  // invisible
        for (size_t i = 0; i < std::min(most, folded.size()); ++i) found.push_back({folded[i], raw, place});
    }
    const size_t count = found.size();
    const auto letter_at = [&](size_t i) { return i < count ? found[i].letter : space; };
    const auto is_word = [&](size_t i) { return i < count && found[i].letter != space && !is_digit(found[i].letter); };
    // Signs and digits between or beside letters.
    for (size_t i = 0; i < count; ++i) {
        const uint32_t raw = found[i].letter == space ? found[i].raw : found[i].letter;
        const uint32_t meant = stands_for(raw);
        if (meant == 0) continue;
        const bool before = i > 0 && is_word(i - 1), behind = is_word(i + 1);
        const bool sign = found[i].letter == space;
        // "1 for 2", "nr 17" and "wait!" stay; "h3y", "c@ll", "m33t" do not.
        size_t first = i, last = i;
        const auto part = [&](size_t j) {
            return j < count && (found[j].letter != space || stands_for(found[j].raw) != 0);
        };
        while (first > 0 && part(first - 1)) --first;
        while (part(last + 1)) ++last;
        size_t words = 0;
        for (size_t j = first; j <= last; ++j) words += is_word(j);
        const bool begins = i == first && behind && raw != '(' && raw != '<' && raw != '+';
        if (sign ? (before && behind) || begins : words > 0) found[i].letter = meant;
    }
    // Pictures inside words, and letters with one sign between each.
    const size_t begin = letters.size();
    letters.push_back(space), places.push_back(0);
    const auto put = [&](uint32_t letter, uint32_t from) {
        if (letters.back() == letter) return;  // a repeated letter is once, a space too
        letters.push_back(letter), places.push_back(from);
    };
    for (size_t i = 0; i < count; ++i) {
        if (found[i].letter != space) {
            put(found[i].letter, found[i].place);
            continue;
        }
        if (is_picture(found[i].raw) && i > 0 && is_word(i - 1) && is_word(i + 1)) continue;
        // A single letter, one separator, a single letter: they belong together, where three do.
        const auto alone = [&](size_t j) {
            return j < count && found[j].letter != space && (j == 0 || letter_at(j - 1) == space) &&
                   letter_at(j + 1) == space;
        };
        const bool here = i > 0 && alone(i - 1) && alone(i + 1);
        const bool three = here && ((i >= 3 && alone(i - 3) && letter_at(i - 2) == space) ||
                                    (alone(i + 3) && letter_at(i + 2) == space));
        if (three && (is_latin(letter_at(i - 1)) || is_latin(letter_at(i + 1)))) continue;
        put(space, found[i].place);
    }
    if (letters.size() == begin + 1) {
        letters.resize(begin), places.resize(begin);
        return;
    }
    if (letters.back() != space) letters.push_back(space), places.push_back(given.back().place + 1);
}

}  // namespace

size_t normalise(std::string_view text, const Folding& folding, std::vector<uint32_t>& letters,
                 std::vector<uint32_t>& places) {
    static thread_local Text given, shown;
    if (read(text, given) && (shown = given, turn(shown))) {
        normalise(shown, most_letters / 2, folding, letters, places);
        const size_t stored = letters.size();
        normalise(given, most_letters / 2, folding, letters, places);
        return stored;
    }
    normalise(given, most_letters, folding, letters, places);
    return letters.size();
}

float head_sum(std::span<const int8_t> head, View view, std::span<const uint32_t> letters) {
    int32_t sum = 0;
    uint32_t count = 0;
    each_gram(view, letters, [&](uint64_t hash) { sum += head[hash >> (64 - Heads::main_bits)], ++count; });
    return count == 0 ? -1e9f : float(sum) / std::sqrt(float(count));
}

std::array<int32_t, Heads::others> Heads::other(std::span<const uint32_t> letters) const {
    std::array<int32_t, others> sums{};
    each_gram(View::sound, letters, [&](uint64_t hash) {
        const int8_t* row = &other_[(hash >> (64 - other_bits)) * others];
        for (size_t i = 0; i < others; ++i) sums[i] += row[i];
    });
    return sums;
}

size_t KnownWords::place(std::span<const uint32_t> word) {
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (const uint32_t letter : word) hash = (hash ^ letter) * 0x100000001b3ULL;
    hash ^= hash >> 32, hash *= 0x9fb21c651e98df25ULL, hash ^= hash >> 29;
    return hash >> (64 - bits);
}

Familiarity KnownWords::of(std::span<const uint32_t> letters) const {
    const auto strange = [&](std::span<const uint32_t> word) {
        const size_t at = place(word);
        return !(places_[at / 8] >> (at % 8) & 1);
    };
    Familiarity found;
    for (size_t begin = 0; begin < letters.size();) {
        size_t end = begin;
        while (end < letters.size() && letters[end] != space) {
            if (!is_digit(letters[end])) ++found.letters, found.strange_letters += strange(letters.subspan(end, 1));
            ++end;
        }
        if (end > begin) ++found.words, found.strange_words += strange(letters.subspan(begin, end - begin));
        begin = end + 1;
    }
    return found;
}

std::vector<float> train(std::span<const TrainingText> texts, unsigned bits, const Pace& pace) {
    std::vector<float> weights((size_t(1) << bits) + 1, 0), squares(weights.size(), 1e-6f);
    weights.back() = pace.constant;
    for (int epoch = 0; epoch < pace.epochs; ++epoch) {
        for (size_t i = 0; i < texts.size(); ++i) {
            // A fixed order that mixes both kinds: a stride that shares no factor with the count.
            const size_t stride = texts.size() % 7919 == 0 ? 7907 : 7919;
            const TrainingText& text = texts[(i * stride + size_t(epoch)) % texts.size()];
            if (text.places.empty()) continue;
            const float each = 1.0f / std::sqrt(float(text.places.size()));
            float sum = weights.back();
            for (const uint32_t place : text.places) sum += weights[place] * each;
            const float error = (1.0f / (1.0f + std::exp(-sum)) - text.target) * text.weight;
            const auto step = [&](size_t place, float slope) {
                squares[place] += slope * slope;
                weights[place] -= pace.rate * slope / std::sqrt(squares[place]);
            };
            for (const uint32_t place : text.places) step(place, error * each + pace.decay * weights[place]);
        }
    }
    return weights;
}

}  // namespace tutela
