// What a message says, as a number: its letters brought into one form whatever disguises them, their n-grams hashed, and
// linear heads over those. Sums are of whole numbers, so that every processor finds the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "words.hpp"

namespace tutela {

// Appends the normal form of a text: folded letters (words.hpp), digits and signs that stand for letters inside words
// read as those, letters that are s p a c e d or s.p.a.c.e.d put together, repeated letters once, what stands inside a
// word and is no letter left out; single spaces between words, one before and one behind. `places` are in code points
// of the text. At most four letters for each that was given.
void normalise(std::string_view text, const Folding& folding, std::vector<uint32_t>& letters,
               std::vector<uint32_t>& places);

// Calls each with the hash of every n-gram of 3 to 5 letters, and of every word and two words that follow each other.
template <typename Each>
void each_ngram(std::span<const uint32_t> letters, Each&& each) {
    constexpr uint64_t prime = 0x100000001b3ULL;
    const auto mix = [](uint64_t h) {
        h ^= h >> 32, h *= 0x9fb21c651e98df25ULL;
        return h ^ h >> 29;
    };
    for (size_t begin = 0; begin + 3 <= letters.size(); ++begin) {
        uint64_t hash = 0xcbf29ce484222325ULL;
        for (size_t n = 0; n < 5 && begin + n < letters.size(); ++n) {
            hash = (hash ^ letters[begin + n]) * prime;
            if (n >= 2) each(mix(hash + n));
        }
    }
    uint64_t word = 0, before = 0;
    for (const uint32_t letter : letters) {
        if (letter != ' ') {
            word = (word ^ letter) * prime + 7;
            continue;
        }
        if (word != 0) {
            each(mix(word));
            if (before != 0) each(mix(before * prime ^ word));
        }
        before = word, word = 0;
    }
}

// Linear heads over hashed n-grams: one that asks how unusual a text is, in 2^20 places, and others that name what it
// does, in 2^17, looked at only where the first is over its drift.
class Heads {
public:
    static constexpr unsigned main_bits = 20, other_bits = 17;
    static constexpr size_t others = 16;

    Heads(std::span<const int8_t> main, std::span<const int8_t> other) : main_(main), other_(other) {}

    // The sum of a text's weights and how many n-grams it has.
    std::pair<int32_t, uint32_t> main(std::span<const uint32_t> letters) const;
    std::array<int32_t, others> other(std::span<const uint32_t> letters) const;

private:
    std::span<const int8_t> main_, other_;
};

// How much of a text is known: its words and its letters, looked up in a set of 2^20 places.
struct Familiarity {
    uint32_t words = 0, strange_words = 0, letters = 0, strange_letters = 0;
};

class KnownWords {
public:
    static constexpr unsigned bits = 20;

    explicit KnownWords(std::span<const uint8_t> places) : places_(places) {}

    Familiarity of(std::span<const uint32_t> letters) const;
    // The place of a word, or of a letter as a word of one.
    static size_t place(std::span<const uint32_t> word);

private:
    std::span<const uint8_t> places_;
};

struct TrainingText {
    std::vector<uint32_t> places;  // of its n-grams
    float target;                  // 1 or 0
    float weight;
};

struct Pace {
    int epochs;
    float rate, decay;
    float constant;  // what a text without n-grams comes to: well under 0, so that ordinary talk teaches little
};

// Logistic regression by AdaGrad (Duchi, Hazan and Singer, 2011), the texts in the same order each time: the same weights
// for the same texts. The last weight is the constant.
std::vector<float> train(std::span<const TrainingText> texts, unsigned bits, const Pace& pace);

}  // namespace tutela
