// An immutable set of 256-bit hashes with 64-bit keys in one file, searched exactly within a Hamming radius.
//
// Multi-index hashing (Norouzi, Punjani, Fleet 2012) in two steps. A hash is 16 words of 16 bits, which make 8 pairs. If two
// hashes differ in at most r bits and the radii t of the pairs satisfy sum(t + 1) > r, then some pair differs in at most
// its t bits; and then one of its two words differs in at most half of them. So the rows are sorted by each word, and
// beside each row number stands the other word of the pair: the few buckets near the query's word are read through, and
// only rows whose whole pair is near are compared. Hashes with an even and an odd number of ones are kept in two parts:
// distances between hashes of known parity are all even or all odd, so half the radii need no search of their own (nearly
// all PDQ hashes have exactly 128 ones).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.hpp"

namespace tutela {

constexpr size_t hash_bytes = 32;
constexpr uint32_t max_radius = 256;

struct Hit {
    uint64_t key;
    uint32_t distance;
};

// The file is torn, cut short or not ours.
struct CorruptSegment : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// ---- the file: little-endian, every section aligned to a cache line

struct TableSection {
    uint64_t begins_at;    // uint32[buckets + 1]
    uint64_t partners_at;  // uint16[count]
    uint64_t rows_at;      // uint32[count]
};

struct PartSection {
    uint64_t count;
    uint64_t hashes_at;  // uint64[count][4]
    uint64_t keys_at;    // uint64[count]
    uint64_t sorted;     // 1: there are tables; 2: no tables, rows ascend by their first eight bytes; 0: in no order
    TableSection tables[table_count];
};

struct FileHeader {
    char magic[8];
    uint64_t file_bytes;
    PartSection parts[2];  // an even, an odd number of ones
};

constexpr char file_magic[8] = {'T', 'U', 'T', 'S', 'E', 'G', '0', '2'};
constexpr size_t section_alignment = 64;

// Parts with fewer rows have no tables: reading them through is about as fast, but for an equal hash, which is found by
// bisection among the ascending rows.
constexpr uint64_t fewest_sorted = 8192;

// Write a segment of `count` hashes (32 bytes each) and keys to a new file, and flush it to the disk.
// Throws std::system_error when the file cannot be written.
void build_segment(const std::string& path, const uint8_t* hashes, const uint64_t* keys, uint64_t count);

// Every row within the radius, reading them all; for the few that are not in a segment yet.
void scan_rows(const uint8_t* hashes, size_t count, const uint8_t* query, uint32_t radius, std::vector<RowHit>& out);

class Segment {
   public:
    // Over bytes that outlive the segment, 64-byte aligned. Throws CorruptSegment when any part of the structure is
    // out of bounds, so that a search can never leave the file.
    Segment(const uint8_t* bytes, size_t size);

    uint64_t count() const { return parts_[0].count + parts_[1].count; }

    // Every hash within the radius of the 32-byte query, in no particular order. Thread-safe.
    void search(const uint8_t* query, uint32_t radius, std::vector<Hit>& out) const;

    // Row i of all rows, even part first.
    const uint8_t* hash(uint64_t row) const;
    uint64_t key(uint64_t row) const;

   private:
    struct Part {
        uint64_t count = 0;
        const uint64_t* hashes = nullptr;
        const uint64_t* keys = nullptr;
        bool sorted = false;
        bool ascending = false;
        std::array<WordTable, table_count> tables{};
    };

    static Part open_part(const uint8_t* bytes, size_t size, const PartSection& section);
    static void find_equal(const Part& part, const uint64_t* query, std::vector<Hit>& out);
    static void search_part(const Part& part, const uint64_t* query, uint32_t radius, std::vector<Hit>& out);

    std::array<Part, 2> parts_;
};

}  // namespace tutela
