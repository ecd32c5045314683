#include "segment.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>

#include "dispatch.hpp"

namespace tutela {
namespace {

// Costs in nanoseconds, measured: visiting a bucket, reading one of its rows' partners, comparing a hash found at a random
// place, comparing the next of all.
constexpr double visit_cost = 12.0;
constexpr double partner_cost = 0.12;
constexpr double compare_cost = 25.0;
constexpr double scan_cost = 1.3;

double combinations_up_to(uint32_t bits, int32_t ones) {
    double sum = 0.0, term = 1.0;
    for (int32_t k = 0; k <= ones && k <= static_cast<int32_t>(bits); ++k) {
        sum += term;
        term = term * (bits - k) / (k + 1);
    }
    return sum;
}

// What a pair costs that may differ in at most `pair_radius` bits, among evenly spread hashes.
double pair_cost(int32_t pair_radius, double count) {
    const double visits = combinations_up_to(16, pair_radius / 2) + combinations_up_to(16, (pair_radius - 1) / 2);
    const double candidates = combinations_up_to(32, pair_radius) * count / std::exp2(32);
    return visits * (visit_cost + partner_cost * count / buckets) + candidates * compare_cost;
}

struct Flips {
    std::vector<uint16_t> patterns;  // fewer ones first
    uint32_t up_to[17] = {};         // how many have at most so many ones
};

const Flips& flips() {
    static const Flips made = [] {
        Flips order;
        order.patterns.resize(buckets);
        for (size_t i = 0; i < buckets; ++i) order.patterns[i] = static_cast<uint16_t>(i);
        std::stable_sort(order.patterns.begin(), order.patterns.end(),
                         [](uint16_t a, uint16_t b) { return std::popcount(a) < std::popcount(b); });
        for (const uint16_t pattern : order.patterns) ++order.up_to[std::popcount(pattern)];
        for (size_t ones = 1; ones <= 16; ++ones) order.up_to[ones] += order.up_to[ones - 1];
        return order;
    }();
    return made;
}

// Radii of the pairs with sum(t + 1) = radius + 1, as equal as can be: each further bit costs more than the one before.
// False where reading all rows is cheaper.
bool plan_probes(uint32_t radius, uint64_t count, ProbePlan& plan) {
    const auto low = static_cast<int32_t>((radius + 1) / pair_count) - 1;
    const size_t wider = (radius + 1) % pair_count;
    double cost = 0.0;
    for (size_t p = 0; p < pair_count; ++p) {
        plan.pair_radii[p] = p < wider ? low + 1 : low;
        if (plan.pair_radii[p] >= 0) cost += pair_cost(plan.pair_radii[p], static_cast<double>(count));
    }
    plan.flips = flips().patterns.data();
    std::copy(std::begin(flips().up_to), std::end(flips().up_to), plan.flips_up_to);
    return cost < static_cast<double>(count) * scan_cost;
}

void require(bool condition, const char* what) {
    if (!condition) throw CorruptSegment(what);
}

template <typename T>
const T* section(const uint8_t* bytes, size_t size, uint64_t at, uint64_t items, const char* what) {
    require(at % section_alignment == 0 && at <= size && items <= (size - at) / sizeof(T), what);
    return reinterpret_cast<const T*>(bytes + at);
}

template <typename Owner>
HitSink sink_into(std::vector<Owner>& rows) {
    return {&rows, [](void* owner, RowHit hit) { static_cast<std::vector<Owner>*>(owner)->push_back(hit); }};
}

}  // namespace

void scan_rows(const uint8_t* hashes, size_t count, const uint8_t* query, uint32_t radius,
               std::vector<RowHit>& out) {
    uint64_t words[hash_words];
    std::memcpy(words, query, hash_bytes);
    kernels().scan(reinterpret_cast<const uint64_t*>(hashes), count, words, radius, sink_into(out));
}

Segment::Segment(const uint8_t* bytes, size_t size) {
    require(size >= sizeof(FileHeader), "the file is shorter than a segment's header");
    FileHeader header;
    std::memcpy(&header, bytes, sizeof header);
    require(std::memcmp(header.magic, file_magic, sizeof file_magic) == 0, "the file is not a segment of this format");
    require(header.file_bytes == size, "the file is not as long as its header says");
    for (size_t parity = 0; parity < 2; ++parity) parts_[parity] = open_part(bytes, size, header.parts[parity]);
}

Segment::Part Segment::open_part(const uint8_t* bytes, size_t size, const PartSection& part_section) {
    Part part;
    part.count = part_section.count;
    require(part.count <= UINT32_MAX, "a part has more rows than row numbers");
    part.hashes = section<uint64_t>(bytes, size, part_section.hashes_at, part.count * hash_words, "hashes out of bounds");
    part.keys = section<uint64_t>(bytes, size, part_section.keys_at, part.count, "keys out of bounds");
    require(part_section.sorted <= 2, "a part is neither sorted nor unsorted");
    part.sorted = part_section.sorted == 1;
    part.ascending = part_section.sorted == 2;
    for (size_t i = 1; part.ascending && i < part.count; ++i) {
        require(part.hashes[hash_words * (i - 1)] <= part.hashes[hash_words * i], "ascending rows do not ascend");
    }
    for (size_t t = 0; part.sorted && t < table_count; ++t) {
        const TableSection& table = part_section.tables[t];
        const auto* begins = section<uint32_t>(bytes, size, table.begins_at, buckets + 1, "buckets out of bounds");
        const auto* partners = section<uint16_t>(bytes, size, table.partners_at, part.count, "partners out of bounds");
        const auto* rows = section<uint32_t>(bytes, size, table.rows_at, part.count, "row numbers out of bounds");
        uint32_t disorder = begins[0] | (begins[buckets] != part.count);
        for (size_t i = 0; i < buckets; ++i) disorder |= begins[i] > begins[i + 1];
        require(disorder == 0, "the begins of buckets are not ascending");
        uint32_t highest = 0;
        for (size_t i = 0; i < part.count; ++i) highest = std::max(highest, rows[i]);
        require(part.count == 0 || highest < part.count, "a row number is out of bounds");
        part.tables[t] = {begins, partners, rows};
    }
    return part;
}

void Segment::find_equal(const Part& part, const uint64_t* query, std::vector<Hit>& out) {
    uint64_t low = 0, high = part.count;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (part.hashes[hash_words * middle] < query[0]) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < part.count && part.hashes[hash_words * low] == query[0]; ++low) {
        if (std::memcmp(part.hashes + hash_words * low, query, hash_bytes) == 0) out.push_back({part.keys[low], 0});
    }
}

void Segment::search_part(const Part& part, const uint64_t* query, uint32_t radius, std::vector<Hit>& out) {
    if (part.count == 0) return;
    if (radius == 0 && part.ascending) return find_equal(part, query, out);
    const Kernels& loops = kernels();
    std::vector<RowHit> rows;
    ProbePlan plan;
    // Lists of near-copies crowd into few buckets; where comparing those costs more than reading all, read all.
    const auto crowded = static_cast<size_t>(static_cast<double>(part.count) * scan_cost / compare_cost) + 1024;
    if (!part.sorted || !plan_probes(radius, part.count, plan) ||
        !loops.probe(part.hashes, part.tables.data(), &plan, query, radius, crowded, sink_into(rows))) {
        rows.clear();
        loops.scan(part.hashes, part.count, query, radius, sink_into(rows));
    }
    for (const RowHit& row : rows) out.push_back({part.keys[row.row], row.distance});
}

void Segment::search(const uint8_t* query, uint32_t radius, std::vector<Hit>& out) const {
    uint64_t words[hash_words];
    std::memcpy(words, query, hash_bytes);
    int ones = 0;
    for (const uint64_t word : words) ones += std::popcount(word);
    radius = std::min(radius, max_radius);
    for (uint32_t parity = 0; parity < 2; ++parity) {
        // Distances to this part are all of one parity: the radius comes down to it.
        const uint32_t distance_parity = (static_cast<uint32_t>(ones) ^ parity) & 1u;
        if (radius % 2 == distance_parity) {
            search_part(parts_[parity], words, radius, out);
        } else if (radius > 0) {
            search_part(parts_[parity], words, radius - 1, out);
        }
    }
}

const uint8_t* Segment::hash(uint64_t row) const {
    const Part& part = parts_[row >= parts_[0].count];
    const uint64_t index = row >= parts_[0].count ? row - parts_[0].count : row;
    return reinterpret_cast<const uint8_t*>(part.hashes + hash_words * index);
}

uint64_t Segment::key(uint64_t row) const {
    return row < parts_[0].count ? parts_[0].keys[row] : parts_[1].keys[row - parts_[0].count];
}

}  // namespace tutela
