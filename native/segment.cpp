#include "segment.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "dispatch.hpp"

namespace tutela {
namespace {

// Relative costs, measured: visiting a bucket, comparing a hash found at a random place, comparing the next in a row.
constexpr double visit_cost = 1.0;
constexpr double compare_cost = 1.4;
constexpr double scan_cost = 0.16;

double combinations_up_to(uint32_t bits, uint32_t ones) {
    double sum = 0.0, term = 1.0;
    for (uint32_t k = 0; k <= ones && k <= bits; ++k) {
        sum += term;
        term = term * (bits - k) / (k + 1);
    }
    return sum;
}

double probe_cost(uint32_t bits, uint32_t ones, double count) {
    return combinations_up_to(bits, ones) * (visit_cost + compare_cost * count / std::exp2(bits));
}

// Radii for the chunks with sum(t_i + 1) = radius + 1, the cheapest first. -1: the chunk is not asked at all.
std::vector<int> chunk_radii(const std::vector<uint32_t>& widths, uint32_t radius, double count) {
    std::vector<int> radii(widths.size(), -1);
    for (uint32_t step = 0; step <= radius; ++step) {
        size_t best = widths.size();
        double least = 0.0;
        for (size_t i = 0; i < widths.size(); ++i) {
            const auto next = static_cast<uint32_t>(radii[i] + 1);
            if (next > widths[i]) continue;
            const double before = radii[i] < 0 ? 0.0 : probe_cost(widths[i], next - 1, count);
            const double marginal = probe_cost(widths[i], next, count) - before;
            if (best == widths.size() || marginal < least) best = i, least = marginal;
        }
        if (best == widths.size()) return {};
        ++radii[best];
    }
    return radii;
}

double total_cost(const std::vector<uint32_t>& widths, const std::vector<int>& radii, double count) {
    double sum = 0.0;
    for (size_t i = 0; i < widths.size(); ++i) {
        if (radii[i] >= 0) sum += probe_cost(widths[i], static_cast<uint32_t>(radii[i]), count);
    }
    return sum;
}

std::vector<uint32_t> even_widths(uint32_t chunks) {
    std::vector<uint32_t> widths(chunks, 256 / chunks);
    for (uint32_t i = 0; i < 256 % chunks; ++i) ++widths[i];
    return widths;
}

// Every pattern of `bits` bits with at most `ones` ones, ascending, so that neighbours share cache lines.
const std::vector<uint32_t>& flip_patterns(uint32_t bits, uint32_t ones) {
    static std::mutex mutex;
    static std::map<std::pair<uint32_t, uint32_t>, std::vector<uint32_t>> known;
    const std::lock_guard lock(mutex);
    auto [entry, fresh] = known.try_emplace({bits, ones});
    if (fresh) {
        std::vector<uint32_t>& patterns = entry->second;
        patterns.push_back(0);
        for (size_t begin = 0, round = 0; round < ones; ++round) {
            const size_t end = patterns.size();
            for (; begin < end; ++begin) {
                const uint32_t pattern = patterns[begin];
                for (uint32_t bit = static_cast<uint32_t>(std::bit_width(pattern)); bit < bits; ++bit) {
                    patterns.push_back(pattern | (1u << bit));
                }
            }
        }
        std::sort(patterns.begin(), patterns.end());
    }
    return entry->second;
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

std::vector<uint32_t> chunk_widths(uint64_t count) {
    constexpr uint32_t planned_radius = 30;       // PDQ's 31 between hashes of equal parity
    constexpr double table_bytes_per_hash = 72;   // what the bucket tables may take beside hash, key and ids
    const auto n = static_cast<double>(count);
    std::vector<uint32_t> best;
    double least = n * scan_cost;
    for (uint32_t chunks = 8; chunks <= max_chunks; ++chunks) {
        const std::vector<uint32_t> widths = even_widths(chunks);
        double table_bytes = 0.0;
        for (const uint32_t width : widths) table_bytes += 4.0 * std::exp2(width);
        if (table_bytes > std::max(n * table_bytes_per_hash, 65536.0)) continue;
        const std::vector<int> radii = chunk_radii(widths, planned_radius, n);
        const double cost = total_cost(widths, radii, n);
        if (cost < least) least = cost, best = widths;
    }
    return best;
}

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

Segment::Part Segment::open_part(const uint8_t* bytes, size_t size, const PartSection& part_section) const {
    Part part;
    part.count = part_section.count;
    require(part.count <= UINT32_MAX, "a part has more rows than row numbers");
    part.hashes = section<uint64_t>(bytes, size, part_section.hashes_at, part.count * hash_words, "hashes out of bounds");
    part.keys = section<uint64_t>(bytes, size, part_section.keys_at, part.count, "keys out of bounds");
    require(part_section.chunk_count <= max_chunks, "too many chunks");
    uint32_t next_bit = 0;
    for (size_t c = 0; c < part_section.chunk_count; ++c) {
        const ChunkSection& chunk = part_section.chunks[c];
        require(chunk.bits >= 1 && chunk.bits <= 31 && chunk.first_bit == next_bit, "chunks do not tile the hash");
        next_bit += chunk.bits;
        require(next_bit <= 256, "chunks do not tile the hash");
        const size_t buckets = size_t{1} << chunk.bits;
        const auto* offsets = section<uint32_t>(bytes, size, chunk.offsets_at, buckets + 1, "buckets out of bounds");
        const auto* ids = section<uint32_t>(bytes, size, chunk.ids_at, part.count, "row numbers out of bounds");
        uint32_t disorder = offsets[0] | (offsets[buckets] != part.count);
        for (size_t i = 0; i < buckets; ++i) disorder |= offsets[i] > offsets[i + 1];
        require(disorder == 0, "bucket offsets are not ascending");
        uint32_t highest = 0;
        for (size_t i = 0; i < part.count; ++i) highest = std::max(highest, ids[i]);
        require(part.count == 0 || highest < part.count, "a row number is out of bounds");
        part.chunks.push_back({offsets, ids, chunk.first_bit, chunk.bits, 0, nullptr, 0});
    }
    require(part.chunks.empty() || next_bit == 256, "chunks do not tile the hash");
    return part;
}

const Segment::Plan& Segment::plan(const Part& part, uint32_t radius) const {
    const std::lock_guard lock(planning_);
    std::unique_ptr<const Plan>& planned = part.plans[radius];
    if (!planned) {
        auto fresh = std::make_unique<Plan>();
        std::vector<uint32_t> widths;
        for (const ChunkProbe& chunk : part.chunks) widths.push_back(chunk.bits);
        const auto n = static_cast<double>(part.count);
        const std::vector<int> radii = chunk_radii(widths, radius, n);
        fresh->scan = radii.empty() || total_cost(widths, radii, n) >= n * scan_cost;
        for (size_t i = 0; !fresh->scan && i < part.chunks.size(); ++i) {
            if (radii[i] < 0) continue;
            ChunkProbe probe = part.chunks[i];
            probe.radius = static_cast<uint32_t>(radii[i]);
            const std::vector<uint32_t>& flips = flip_patterns(probe.bits, probe.radius);
            probe.flips = flips.data();
            probe.flip_count = flips.size();
            fresh->probes.push_back(probe);
        }
        planned = std::move(fresh);
    }
    return *planned;
}

void Segment::search_part(const Part& part, const uint64_t* query, uint32_t radius, std::vector<Hit>& out) const {
    if (part.count == 0) return;
    const Plan& planned = plan(part, radius);
    const Kernels& loops = kernels();
    std::vector<RowHit> rows;
    // Lists of near-copies crowd into few buckets; where comparing those costs more than reading all, read all.
    const auto crowded = static_cast<size_t>(static_cast<double>(part.count) * scan_cost / compare_cost) + 1024;
    if (planned.scan || !loops.probe(part.hashes, planned.probes.data(), planned.probes.size(), query, radius, crowded,
                                     sink_into(rows))) {
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
