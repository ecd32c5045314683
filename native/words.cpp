#include "words.hpp"
#include "utf8.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <numeric>
#include <tuple>

namespace tutela {
namespace {

constexpr char magic[8] = {'T', 'U', 'T', 'W', 'O', 'R', 'D', '1'};
constexpr uint32_t space = ' ';
constexpr uint32_t none = UINT32_MAX;

struct Header {
    char magic[8];
    uint64_t count, nodes, edges, terms;
    uint64_t reserved[3];
};
static_assert(sizeof(Header) == 64);

// Letters, digits and the space, by which shallow states have a table.
constexpr uint32_t usual_letters = 37;
constexpr size_t most_shallow = 16384;
// Code points of the first plane: by these the first step is one look, in any script.
constexpr uint32_t most_first_letters = 0x10000;

int usual_letter(uint32_t letter) {
    if (letter >= 'a' && letter <= 'z') return int(letter - 'a');
    if (letter >= '0' && letter <= '9') return int(letter - '0') + 26;
    return letter == ' ' ? 36 : -1;
}

size_t round_up(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Scripts that are written without spaces: Thai to Myanmar, Khmer, kana, Han.
bool stands_without_spaces(uint32_t letter) {
    return (letter >= 0x0e00 && letter < 0x1100) || (letter >= 0x1780 && letter < 0x1800) ||
           (letter >= 0x3040 && letter < 0x3100) || (letter >= 0x3400 && letter < 0xa000) ||
           (letter >= 0xf900 && letter < 0xfb00) || letter >= 0x20000;
}

struct Pattern {
    std::vector<uint32_t> letters;
    bool free_before = false, free_behind = false;
};

std::vector<uint32_t> letters_of(std::string_view text) {
    std::vector<uint32_t> letters;
    for (size_t at = 0; at < text.size();) letters.push_back(next_letter(text, at));
    return letters;
}

// The term of a value.
Pattern pattern_of(const uint8_t* value) {
    std::string_view term(reinterpret_cast<const char*>(value), Patterns::width);
    term = term.substr(0, term.find('\0'));
    term = term.substr(0, std::min(term.find(" + "), term.find(" - ")));
    Pattern pattern;
    if (term.starts_with('*')) pattern.free_before = true, term.remove_prefix(1);
    if (term.ends_with('*')) pattern.free_behind = true, term.remove_suffix(1);
    pattern.letters = letters_of(term);
    return pattern;
}

// Without spaces, and each letter once where it repeats.
std::vector<uint32_t> closed_up(const std::vector<uint32_t>& letters) {
    std::vector<uint32_t> closed;
    for (const uint32_t letter : letters)
        if (letter != space && (closed.empty() || closed.back() != letter)) closed.push_back(letter);
    return closed;
}

constexpr uint8_t as_written = 1, when_closed_up = 2;

}  // namespace

Folding::Folding(std::vector<uint32_t> begins, std::vector<uint32_t> letters)
    : begins_(std::move(begins)), letters_(std::move(letters)) {
    if (begins_.empty() || begins_.front() != 0 || begins_.back() != letters_.size() ||
        !std::ranges::is_sorted(begins_))
        throw std::invalid_argument("the folding's table is not in order");
}

void Folding::fold(std::string_view text, std::vector<uint32_t>& folded, std::vector<uint32_t>& places) const {
    folded.reserve(folded.size() + text.size() + 1);
    places.reserve(places.size() + text.size() + 1);
    uint32_t place = 0;
    for (size_t at = 0; at < text.size(); ++place) {
        const uint32_t letter = next_letter(text, at);
        const auto add = [&](uint32_t one) {
            if (one == space && (folded.empty() || folded.back() == space)) return;
            folded.push_back(one);
            places.push_back(place);
        };
        if (letter + 1 < begins_.size())
            for (uint32_t i = begins_[letter]; i < begins_[letter + 1]; ++i) add(letters_[i]);
        else
            add(letter);
    }
    if (!folded.empty() && folded.back() == space) folded.pop_back(), places.pop_back();
}

// The automaton as it grows, then laid flat in the order of its states' depth.
class Builder {
public:
    void add(const Pattern& pattern, uint32_t row) {
        const std::vector<uint32_t> closed = closed_up(pattern.letters);
        const bool both = closed == pattern.letters, long_enough = closed.size() >= Patterns::least_closed_up;
        add(pattern, pattern.letters, row, both && long_enough ? as_written | when_closed_up : as_written);
        if (!both && long_enough) add(pattern, closed, row, when_closed_up);
    }

    std::vector<uint8_t> lay(std::span<const uint8_t> values, std::span<const uint64_t> keys,
                             const std::vector<uint32_t>& order) {
        std::vector<uint32_t> by_depth = {0}, number(states_.size(), 0);
        for (size_t i = 0; i < by_depth.size(); ++i) {
            number[by_depth[i]] = uint32_t(i);
            for (const auto& [letter, target] : states_[by_depth[i]].edges) by_depth.push_back(target);
        }
        std::vector<uint32_t> fail(states_.size(), 0), outputs(states_.size(), 0);
        for (const uint32_t state : by_depth) {
            for (const auto& [letter, target] : states_[state].edges) {
                uint32_t from = fail[state];
                if (state != 0) {
                    while (from != 0 && !states_[from].edges.contains(letter)) from = fail[from];
                    const auto found = states_[from].edges.find(letter);
                    fail[target] = found == states_[from].edges.end() ? 0 : found->second;
                }
                outputs[target] = states_[fail[target]].terms.empty() ? outputs[fail[target]] : fail[target];
            }
        }
        std::vector<Patterns::Node> nodes;
        std::vector<Patterns::Edge> edges;
        std::vector<Patterns::Term> terms;
        for (const uint32_t state : by_depth) {
            const State& from = states_[state];
            nodes.push_back({uint32_t(edges.size()), uint32_t(from.edges.size()), number[fail[state]],
                             number[outputs[state]], uint32_t(terms.size()), uint32_t(from.terms.size())});
            for (const auto& [letter, target] : from.edges) edges.push_back({letter, number[target]});
            terms.insert(terms.end(), from.terms.begin(), from.terms.end());
        }

        Header header{};
        std::memcpy(header.magic, magic, sizeof magic);
        header.count = keys.size(), header.nodes = nodes.size(), header.edges = edges.size();
        header.terms = terms.size();
        std::vector<uint8_t> bytes;
        const auto append = [&](const void* data, size_t size) {
            bytes.resize(round_up(bytes.size()));
            const auto* from = static_cast<const uint8_t*>(data);
            if (size) bytes.insert(bytes.end(), from, from + size);
        };
        append(&header, sizeof header);
        append(nullptr, 0);
        for (const uint32_t row : order)
            bytes.insert(bytes.end(), &values[row * Patterns::width], &values[row * Patterns::width] + Patterns::width);
        std::vector<uint64_t> ordered;
        for (const uint32_t row : order) ordered.push_back(keys[row]);
        append(ordered.data(), ordered.size() * sizeof(uint64_t));
        append(nodes.data(), nodes.size() * sizeof(Patterns::Node));
        append(edges.data(), edges.size() * sizeof(Patterns::Edge));
        append(terms.data(), terms.size() * sizeof(Patterns::Term));
        bytes.resize(round_up(bytes.size()));
        return bytes;
    }

private:
    void add(const Pattern& pattern, const std::vector<uint32_t>& letters, uint32_t row, int views) {
        if (letters.empty()) return;
        uint32_t state = 0;
        for (const uint32_t letter : letters) {
            auto [found, fresh] = states_[state].edges.try_emplace(letter, uint32_t(states_.size()));
            const uint32_t target = found->second;
            if (fresh) states_.emplace_back();
            state = target;
        }
        states_[state].terms.push_back(
            {row, uint32_t(letters.size()), pattern.free_before, pattern.free_behind, uint8_t(views), 0});
    }

    struct State {
        std::map<uint32_t, uint32_t> edges;
        std::vector<Patterns::Term> terms;
    };
    std::deque<State> states_ = std::deque<State>(1);
};

std::vector<uint8_t> Patterns::build(std::span<const uint8_t> values, std::span<const uint64_t> keys) {
    std::vector<uint32_t> order(keys.size());
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
        const int by_value = std::memcmp(&values[a * width], &values[b * width], width);
        return by_value ? by_value < 0 : keys[a] < keys[b];
    });
    Builder builder;
    for (uint32_t row = 0; row < order.size(); ++row)
        builder.add(pattern_of(&values[order[row] * width]), row);
    return builder.lay(values, keys, order);
}

Patterns::Patterns(std::span<const uint8_t> bytes) : bytes_(bytes) {
    Header header;
    if (bytes.size() < sizeof header) throw CorruptPatterns("the file is shorter than its header");
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.magic, magic, sizeof magic) != 0) throw CorruptPatterns("the file does not hold patterns");
    size_t at = sizeof header;
    const auto take = [&](uint64_t count, size_t size) -> const uint8_t* {
        at = round_up(at);
        if (count > bytes.size() / size || at > bytes.size() || count * size > bytes.size() - at)
            throw CorruptPatterns("the file is not as long as its header says");
        const uint8_t* here = bytes.data() + at;
        at += count * size;
        return here;
    };
    count_ = header.count;
    values_ = take(header.count, width);
    keys_ = reinterpret_cast<const uint64_t*>(take(header.count, sizeof(uint64_t)));
    nodes_ = {reinterpret_cast<const Node*>(take(header.nodes, sizeof(Node))), header.nodes};
    edges_ = {reinterpret_cast<const Edge*>(take(header.edges, sizeof(Edge))), header.edges};
    terms_ = {reinterpret_cast<const Term*>(take(header.terms, sizeof(Term))), header.terms};
    if (round_up(at) != bytes.size() || nodes_.empty())
        throw CorruptPatterns("the file is not as long as its header says");
    // Whatever the file says, no search leaves it or goes in circles: fails and outputs lead to lesser depths.
    for (size_t i = 0; i < nodes_.size(); ++i) {
        const Node& node = nodes_[i];
        const bool inside = uint64_t(node.edges) + node.edge_count <= edges_.size() &&
                            uint64_t(node.terms) + node.term_count <= terms_.size();
        if (!inside || (i != 0 && (node.fail >= i || node.outputs >= i))) throw CorruptPatterns("a state is damaged");
    }
    for (const Edge& edge : edges_)
        if (edge.target >= nodes_.size()) throw CorruptPatterns("an edge is damaged");
    for (const Term& term : terms_)
        if (term.row >= count_) throw CorruptPatterns("a term is damaged");
    const size_t shallow = std::min(nodes_.size(), most_shallow);
    shallow_.assign(shallow * usual_letters, 0);
    for (uint32_t state = 0; state < shallow; ++state)
        for (const Edge& edge : edges_.subspan(nodes_[state].edges, nodes_[state].edge_count))
            if (const int usual = usual_letter(edge.letter); usual >= 0)
                shallow_[state * usual_letters + size_t(usual)] = edge.target;
    for (const Edge& edge : edges_.subspan(nodes_[0].edges, nodes_[0].edge_count))
        if (edge.letter < most_first_letters) {
            if (edge.letter >= first_.size()) first_.resize(edge.letter + 1, 0);
            first_[edge.letter] = edge.target;
        }
    begins_anywhere_ = std::ranges::any_of(terms_, [](const Term& term) { return term.free_before != 0; });
}

// Where a state goes by a letter; 0, which nothing goes to, where it goes nowhere.
uint32_t Patterns::edge(uint32_t state, uint32_t letter) const {
    if (state == 0 && letter < most_first_letters) return letter < first_.size() ? first_[letter] : 0;
    const int usual = usual_letter(letter);
    if (usual >= 0 && state * size_t(usual_letters) < shallow_.size())
        return shallow_[state * usual_letters + size_t(usual)];
    const Node& node = nodes_[state];
    const auto edges = edges_.subspan(node.edges, node.edge_count);
    const auto found = std::ranges::lower_bound(edges, letter, {}, &Edge::letter);
    return found == edges.end() || found->letter != letter ? 0 : found->target;
}

uint32_t Patterns::step(uint32_t state, uint32_t letter) const {
    while (true) {
        if (const uint32_t target = edge(state, letter)) return target;
        if (state == 0) return 0;
        state = nodes_[state].fail;
    }
}

// Every term that begins at one place.
template <typename Each>
void Patterns::descend(const std::vector<uint32_t>& letters, size_t begin, Each&& each) const {
    uint32_t state = 0;
    for (size_t at = begin; at < letters.size(); ++at) {
        state = edge(state, letters[at]);
        if (state == 0) return;
        const Node& node = nodes_[state];
        for (const Term& term : terms_.subspan(node.terms, node.term_count))
            if (term.length == at + 1 - begin) each(term, begin, at + 1);
    }
}

template <typename Each>
void Patterns::walk(const std::vector<uint32_t>& letters, Each&& each) const {
    uint32_t state = 0;
    for (size_t at = 0; at < letters.size(); ++at) {
        state = step(state, letters[at]);
        for (uint32_t ending = state; ending != 0; ending = nodes_[ending].outputs) {
            const Node& node = nodes_[ending];
            for (const Term& term : terms_.subspan(node.terms, node.term_count))
                if (term.length <= at + 1) each(term, at + 1 - term.length, at + 1);
        }
    }
}

std::vector<WordHit> Patterns::find(std::string_view text, const Folding& folding) const {
    std::vector<WordHit> hits;
    if (count_ == 0) return hits;
    std::vector<uint32_t> folded, places;
    folding.fold(text, folded, places);
    const auto is_edge = [&](size_t at) {  // between the letters at - 1 and at
        if (at == 0 || at >= folded.size()) return true;
        return folded[at - 1] == space || folded[at] == space || stands_without_spaces(folded[at - 1]) ||
               stands_without_spaces(folded[at]);
    };
    const auto add = [&](const Term& term, size_t begin, size_t end) {
        hits.push_back({term.row, places[begin], places[end - 1] + 1});
    };
    // Nearly all terms begin where words do: from there the tree of terms is left after a few letters. Only where some
    // may begin anywhere is there a step for every letter.
    const auto check = [&](const Term& term, size_t begin, size_t end) {
        if ((term.views & as_written) && (term.free_behind || is_edge(end))) add(term, begin, end);
    };
    for (size_t begin = 0; begin < folded.size(); ++begin)
        if (folded[begin] != space && is_edge(begin)) descend(folded, begin, check);
    if (begins_anywhere_)
        walk(folded, [&](const Term& term, size_t begin, size_t end) {
            if (term.free_before && !is_edge(begin)) check(term, begin, end);
        });

    // What is found closed up must begin and end where words do: a letter that stands for several, as in `p t then`,
    // begins or ends a word where any of them does.
    std::vector<uint32_t> closed, begins, ends;
    for (uint32_t at = 0; at < folded.size(); ++at) {
        if (folded[at] == space) continue;
        const uint32_t begin = is_edge(at) ? at : none, end = is_edge(at + 1) ? at + 1 : none;
        if (!closed.empty() && closed.back() == folded[at]) {
            if (begins.back() == none) begins.back() = begin;
            if (end != none) ends.back() = end;
            continue;
        }
        closed.push_back(folded[at]), begins.push_back(begin), ends.push_back(end);
    }
    if (closed.size() != folded.size())
        for (size_t begin = 0; begin < closed.size(); ++begin)
            if (begins[begin] != none)
                descend(closed, begin, [&](const Term& term, size_t, size_t end) {
                    if ((term.views & when_closed_up) && ends[end - 1] != none)
                        add(term, begins[begin], ends[end - 1]);
                });
    std::ranges::sort(hits, [](const WordHit& a, const WordHit& b) {
        return std::tie(a.row, a.begin, a.end) < std::tie(b.row, b.begin, b.end);
    });
    const auto repeated = std::ranges::unique(hits, {}, &WordHit::row);
    hits.erase(repeated.begin(), repeated.end());
    return hits;
}

std::pair<size_t, size_t> Patterns::equal(const uint8_t* wanted) const {
    const auto bound = [&](bool behind) {
        size_t begin = 0, end = count_;
        while (begin < end) {
            const size_t middle = begin + (end - begin) / 2;
            const int order = std::memcmp(value(middle), wanted, width);
            if (order < 0 || (behind && order == 0)) begin = middle + 1;
            else end = middle;
        }
        return begin;
    };
    return {bound(false), bound(true)};
}

}  // namespace tutela
