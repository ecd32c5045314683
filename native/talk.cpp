#include "talk.hpp"
#include "utf8.hpp"

#include <algorithm>
#include <cmath>

namespace tutela {
namespace {

constexpr uint32_t space = ' ';
constexpr size_t most_letters = 4;

bool is_digit(uint32_t letter) { return letter >= '0' && letter <= '9'; }
bool is_latin(uint32_t letter) { return letter >= 'a' && letter <= 'z'; }

// What a sign or digit stands for inside a word; 0 where for nothing.
uint32_t stands_for(uint32_t letter) {
    switch (letter) {
        case '0': return 'o';
        case '1': case '!': case '|': case 0xa1: return 'i';
        case '3': case 0x20ac: return 'e';
        case '4': case '@': return 'a';
        case '5': case '$': return 's';
        case '7': case '+': return 't';
        case '8': return 'b';
        case '9': return 'g';
        case '2': return 'z';
        case '6': return 'g';
        case '(': case '<': case 0xa2: return 'c';
        default: return 0;
    }
}

struct Letter {
    uint32_t letter;   // folded; space for what separates
    uint32_t raw;      // as it was given
    uint32_t place;
};

// Symbols and pictures, which split no word.
bool is_picture(uint32_t raw) { return (raw >= 0x2190 && raw < 0x2e80) || raw >= 0x1f000 || raw == 0xfffd; }

}  // namespace

void normalise(std::string_view text, const Folding& folding, std::vector<uint32_t>& letters,
               std::vector<uint32_t>& places) {
    // Folded, each with what it was; spaces stay apart, so that words between s p a c e d letters are told.
    static thread_local std::vector<Letter> found;
    found.clear();
    uint32_t place = 0;
    for (size_t at = 0; at < text.size(); ++place) {
        const uint32_t raw = next_letter(text, at);
        const auto folded = folding.of(raw);
        if (folded.empty()) continue;  // invisible
        for (size_t i = 0; i < std::min(most_letters, folded.size()); ++i) found.push_back({folded[i], raw, place});
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
            return j < count && found[j].letter != space && (j == 0 || letter_at(j - 1) == space) && letter_at(j + 1) == space;
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
    if (letters.back() != space) letters.push_back(space), places.push_back(place);
}

std::pair<int32_t, uint32_t> Heads::main(std::span<const uint32_t> letters) const {
    int32_t sum = 0;
    uint32_t count = 0;
    each_ngram(letters, [&](uint64_t hash) { sum += main_[hash >> (64 - main_bits)], ++count; });
    return {sum, count};
}

std::array<int32_t, Heads::others> Heads::other(std::span<const uint32_t> letters) const {
    std::array<int32_t, others> sums{};
    each_ngram(letters, [&](uint64_t hash) {
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
