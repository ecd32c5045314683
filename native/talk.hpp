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
// word and is no letter left out; single spaces between words, one before and one behind. Where controls turn letters
// around, what people see comes first, then what is stored, as not every app obeys them; returns where that begins, or
// the end. `places` are in code points of the text. At most four letters for each that was given.
size_t normalise(std::string_view text, const Folding& folding, std::vector<uint32_t>& letters,
                 std::vector<uint32_t>& places);

// How a text is taken apart. By sound, however it is cut into words and lines: what is known is found again. By words, as
// they are written: what is new is told by the words that it shares with what is known.
enum class View : uint8_t { sound, words };

// The consonant that a letter sounds like; 0 for vowels and what may be silent. Other scripts' letters are themselves.
constexpr uint32_t sound_of(uint32_t letter) {
    switch (letter) {
        case 'a':
        case 'e':
        case 'i':
        case 'o':
        case 'u':
        case 'y':
        case 'h':
        case 'w':
            return 0;
        case 'c':
        case 'q':
            return 'k';
        case 'z':
            return 's';
        case 'v':
            return 'f';
        case 'j':
            return 'g';
        default:
            return letter;
    }
}

constexpr uint64_t gram_prime = 0x100000001b3ULL;
constexpr uint64_t mixed(uint64_t hash) {
    hash ^= hash >> 32, hash *= 0x9fb21c651e98df25ULL;
    return hash ^ hash >> 29;
}

// Calls each with the hash of every run of `least` to `most` letters; equal letters of different kinds are different.
template <typename Each>
void each_run(std::span<const uint32_t> letters, size_t least, size_t most, uint64_t kind, Each&& each) {
    for (size_t begin = 0; begin + least <= letters.size(); ++begin) {
        uint64_t hash = 0xcbf29ce484222325ULL + kind;
        for (size_t n = 0; n < most && begin + n < letters.size(); ++n) {
            hash = (hash ^ letters[begin + n]) * gram_prime;
            if (n + 1 >= least) each(mixed(hash + n));
        }
    }
}

// Calls each with the hash of everything that a view sees in a normal form: by sound, three to five letters and four or
// five consonants in a row, whatever spaces are between them (ordinary talk has fewer too often); by words, three to five
// letters with their spaces, words, and two words that follow each other.
template <typename Each>
void each_gram(View view, std::span<const uint32_t> letters, Each&& each) {
    if (view == View::sound) {
        static thread_local std::vector<uint32_t> joined, consonants;
        joined.clear(), consonants.clear();
        for (const uint32_t letter : letters) {
            if (letter == ' ') continue;
            if (joined.empty() || joined.back() != letter) joined.push_back(letter);
            const uint32_t sound = sound_of(letter);
            if (sound != 0 && (consonants.empty() || consonants.back() != sound)) consonants.push_back(sound);
        }
        each_run(joined, 3, 5, 0, each);
        each_run(consonants, 4, 5, 1, each);
        return;
    }
    each_run(letters, 3, 5, 0, each);
    uint64_t word = 0, before = 0;
    for (const uint32_t letter : letters) {
        if (letter != ' ') {
            word = (word ^ letter) * gram_prime + 7;
            continue;
        }
        if (word != 0) {
            each(mixed(word));
            if (before != 0) each(mixed(before * gram_prime ^ word));
        }
        before = word, word = 0;
    }
}

// What a head of 2^20 weights comes to: the sum of a text's weights over the square root of how many n-grams it has;
// -1e9 where it has none.
float head_sum(std::span<const int8_t> head, View view, std::span<const uint32_t> letters);

// Linear heads over n-grams by sound: one that asks how unusual a text is, in 2^20 places, and others that name what it
// does, in 2^17, looked at only where the first is over its drift.
class Heads {
public:
    static constexpr unsigned main_bits = 20, other_bits = 17;
    static constexpr size_t others = 16;

    Heads(std::span<const int8_t> main, std::span<const int8_t> other) : main_(main), other_(other) {}

    float main(std::span<const uint32_t> letters) const { return head_sum(main_, View::sound, letters); }
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
