// Words in text: the text folded (case, accents, widths, look-alikes), then every listed term found in one pass by an
// automaton (Aho and Corasick, "Efficient string matching", 1975) in two views: as it is written, and closed up, for
// what is s p a c e d or streeetched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tutela {

struct CorruptPatterns : std::runtime_error {
    using runtime_error::runtime_error;
};

// What each code point is folded to: letters[begins[c]] up to letters[begins[c + 1]]. Beyond the table: itself.
class Folding {
public:
    Folding(std::vector<uint32_t> begins, std::vector<uint32_t> letters);
    // Appends the folded code points of UTF-8, and for each where in the text (in code points) it came from. Whatever
    // separates words is one space, none at either end.
    void fold(std::string_view text, std::vector<uint32_t>& folded, std::vector<uint32_t>& places) const;
    // What one code point is folded to; a space for what separates, nothing for what is invisible. Until the next call,
    // where it is beyond the table.
    std::span<const uint32_t> of(uint32_t letter) const {
        if (letter + 1 < begins_.size()) return {&letters_[begins_[letter]], &letters_[begins_[letter + 1]]};
        static thread_local uint32_t itself;
        itself = letter;
        return {&itself, 1};
    }

private:
    std::vector<uint32_t> begins_, letters_;
};

struct WordHit {
    uint32_t row;         // of the pattern
    uint32_t begin, end;  // in the text as it was given, in code points
};

// Patterns as their entries have them, 256 bytes each, padded with zeros: the folded term, `*` before or behind where it
// may go on there. What stands behind ` + ` or ` - `, beside which it counts or does not, is the caller's to look for.
class Patterns {
public:
    static constexpr size_t width = 256;
    static constexpr size_t least_closed_up = 6;  // letters of a term that is looked for closed up

    // The file's bytes: patterns in order, their keys, the automaton.
    static std::vector<uint8_t> build(std::span<const uint8_t> values, std::span<const uint64_t> keys);

    // Over bytes that outlive it. Raises CorruptPatterns.
    explicit Patterns(std::span<const uint8_t> bytes);

    size_t size() const { return count_; }
    std::span<const uint8_t> bytes() const { return bytes_; }
    const uint8_t* value(size_t row) const { return values_ + row * width; }
    uint64_t key(size_t row) const { return keys_[row]; }
    // Every pattern that the text holds, each once, where it first does.
    std::vector<WordHit> find(std::string_view text, const Folding& folding) const;
    // The rows of a value.
    std::pair<size_t, size_t> equal(const uint8_t* value) const;

private:
    struct Node {
        uint32_t edges, edge_count, fail, outputs;  // outputs: the nearest state along the fails that ends terms
        uint32_t terms, term_count;
    };
    struct Edge {
        uint32_t letter, target;
    };
    struct Term {
        uint32_t row, length;
        uint8_t free_before, free_behind, views, padding;
    };
    friend class Builder;

    uint32_t edge(uint32_t state, uint32_t letter) const;
    uint32_t step(uint32_t state, uint32_t letter) const;
    template <typename Each>
    void walk(const std::vector<uint32_t>& letters, Each&& each) const;
    template <typename Each>
    void descend(const std::vector<uint32_t>& letters, size_t begin, Each&& each) const;

    std::span<const uint8_t> bytes_;
    size_t count_ = 0;
    const uint8_t* values_ = nullptr;
    const uint64_t* keys_ = nullptr;
    std::span<const Node> nodes_;
    std::span<const Edge> edges_;
    std::span<const Term> terms_;
    // Where each of the shallow states goes by a usual letter: most steps are one look.
    std::vector<uint32_t> shallow_;
    std::vector<uint32_t> first_;   // where the first state goes, by any letter of the first plane
    bool begins_anywhere_ = false;  // whether any term may begin inside a word
};

}  // namespace tutela
