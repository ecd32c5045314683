// The C face of talk.cpp for apps: a model that is smaller than the server's, as it holds only the heads in use and a
// packed table of folding.
#include "tutela_edge.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "../talk.hpp"

using namespace tutela;

namespace {

constexpr char magic[8] = {'T', 'U', 'T', 'E', 'D', 'G', 'E', '2'};
constexpr size_t stages = 8;
constexpr float cap = 3.0f;

struct Header {
    char magic[8];
    uint32_t folded, letters;  // code points in the table of folding, and letters that they fold to
    float drift, spread;
};
static_assert(sizeof(Header) == 24);

}  // namespace

struct tutela_edge {
    Folding folding;
    std::vector<int8_t> main, other;
    float drift, spread;
};

// After the header: how many letters each code point folds to (one byte each), the letters (three bytes each), the main
// head, and the heads of the stages side by side.
tutela_edge* tutela_edge_open(const uint8_t* data, size_t size) try {
    Header header;
    if (data == nullptr || size < sizeof header) return nullptr;
    std::memcpy(&header, data, sizeof header);
    const size_t main = size_t(1) << Heads::main_bits, places = size_t(1) << Heads::other_bits;
    if (std::memcmp(header.magic, magic, sizeof magic) != 0 || header.folded > 0x110000 || header.letters > 0x1000000 ||
        size != sizeof header + header.folded + 3 * size_t(header.letters) + main + places * stages)
        return nullptr;
    const uint8_t* at = data + sizeof header;
    std::vector<uint32_t> begins(1, 0), letters(header.letters);
    for (size_t i = 0; i < header.folded; ++i) begins.push_back(begins.back() + at[i]);
    if (begins.back() != header.letters) return nullptr;
    at += header.folded;
    for (uint32_t& letter : letters) letter = at[0] | at[1] << 8 | at[2] << 16, at += 3;
    std::vector<int8_t> first(main), other(places * Heads::others, 0);
    std::memcpy(first.data(), at, main);
    at += main;
    for (size_t place = 0; place < places; ++place) std::memcpy(&other[place * Heads::others], at + place * stages, stages);
    return new tutela_edge{Folding(std::move(begins), std::move(letters)), std::move(first), std::move(other),
                           header.drift, header.spread};
} catch (...) {
    return nullptr;
}

float tutela_edge_score(const tutela_edge* edge, const char* text, size_t size, uint8_t* stage) try {
    if (stage != nullptr) *stage = 0;
    if (edge == nullptr || text == nullptr) return 0;
    std::vector<uint32_t> letters, places;
    normalise({text, size}, edge->folding, letters, places);
    const Heads heads(edge->main, edge->other);
    const float found = (heads.main(letters) - edge->drift) / edge->spread;
    if (!(found > 0)) return 0;
    if (stage != nullptr) {
        const auto sums = heads.other(letters);
        *stage = uint8_t(std::max_element(sums.begin(), sums.begin() + stages) - sums.begin() + 1);
    }
    return std::min(found, cap);
} catch (...) {
    return 0;
}

void tutela_edge_close(tutela_edge* edge) { delete edge; }
