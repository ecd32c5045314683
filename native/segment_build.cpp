// Building a segment's file: rows split by parity, then sorted by each word of their hashes, first by the word's high byte,
// then within each run of these by the low one, so that what is written at random fits into a processor's cache.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <system_error>
#include <vector>

#include "segment.hpp"

namespace tutela {
namespace {

// Written from front to back in large aligned pieces: the page cache then holds the file in huge pages where the file
// system can, and a search, which reads at random, misses the processor's address translation far less often.
class NewFile {
   public:
    explicit NewFile(const std::string& path) : descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
        if (descriptor_ < 0) fail("open");
        buffer_.reserve(piece);
    }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile() { ::close(descriptor_); }

    // Write at the end, from the next aligned position; returns that position.
    uint64_t append(const void* data, uint64_t size) {
        const uint64_t at = begin_section();
        write(data, size);
        return at;
    }

    uint64_t begin_section() {
        static constexpr uint8_t zeros[section_alignment] = {};
        write(zeros, (section_alignment - end() % section_alignment) % section_alignment);
        return end();
    }

    void write(const void* data, uint64_t size) {
        const auto* bytes = static_cast<const uint8_t*>(data);
        while (size > 0) {
            const uint64_t length = std::min<uint64_t>(size, piece - buffer_.size());
            buffer_.insert(buffer_.end(), bytes, bytes + length);
            bytes += length;
            size -= length;
            if (buffer_.size() == piece) flush();
        }
    }

    // The header's place is at the front; it is known last.
    void finish(const void* header, uint64_t size) {
        flush();
        write_at(0, header, size);
        if (::fsync(descriptor_) != 0) fail("sync");
    }

    uint64_t end() const { return flushed_ + buffer_.size(); }

   private:
    static constexpr uint64_t piece = uint64_t{32} << 20;

    void flush() {
        write_at(flushed_, buffer_.data(), buffer_.size());
        flushed_ += buffer_.size();
        buffer_.clear();
    }

    void write_at(uint64_t at, const void* data, uint64_t size) {
        const auto* bytes = static_cast<const char*>(data);
        while (size > 0) {
            const ssize_t written = ::pwrite(descriptor_, bytes, size, static_cast<off_t>(at));
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) fail("write");
            bytes += written;
            at += static_cast<uint64_t>(written);
            size -= static_cast<uint64_t>(written);
        }
    }

    [[noreturn]] static void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

    int descriptor_;
    std::vector<uint8_t> buffer_;
    uint64_t flushed_ = 0;
};

bool is_odd(const uint8_t* hash) {
    uint64_t words[hash_words];
    std::memcpy(words, hash, hash_bytes);
    return std::popcount(words[0] ^ words[1] ^ words[2] ^ words[3]) % 2 != 0;
}

uint16_t word_of(const uint8_t* hash, size_t number) {
    return static_cast<uint16_t>(hash[2 * number] | hash[2 * number + 1] << 8);
}

// The rows of one part, in their order in the file: row i of the part is row rows[i] of the input.
struct Rows {
    const uint8_t* hashes;
    std::vector<uint32_t> index;
    bool all;  // the part is the whole input, so index is left empty
    uint64_t count;

    const uint8_t* hash(uint64_t i) const { return hashes + hash_bytes * (all ? i : index[i]); }
    uint64_t row(uint64_t i) const { return all ? i : index[i]; }
};

struct Placed {
    uint16_t word;
    uint16_t partner;
    uint32_t row;
};

constexpr size_t run_buckets = 256;
constexpr size_t runs = buckets / run_buckets;

// The rows in order of the word's high byte. `run_begins` gets where each begins and the last ends.
std::vector<Placed> in_runs(const Rows& rows, size_t table, std::array<uint32_t, runs + 1>& run_begins) {
    run_begins.fill(0);
    for (uint64_t i = 0; i < rows.count; ++i) ++run_begins[word_of(rows.hash(i), table) / run_buckets + 1];
    std::partial_sum(run_begins.begin(), run_begins.end(), run_begins.begin());
    std::array<uint32_t, runs + 1> next = run_begins;
    std::vector<Placed> placed(rows.count);
    for (uint64_t i = 0; i < rows.count; ++i) {
        const uint16_t word = word_of(rows.hash(i), table);
        placed[next[word / run_buckets]++] = {word, word_of(rows.hash(i), table ^ 1), static_cast<uint32_t>(i)};
    }
    return placed;
}

TableSection write_table(NewFile& file, const Rows& rows, size_t table) {
    std::array<uint32_t, runs + 1> run_begins;
    const std::vector<Placed> placed = in_runs(rows, table, run_begins);
    std::vector<uint32_t> begins{0}, numbers(rows.count);
    std::vector<uint16_t> partners(rows.count);
    begins.reserve(buckets + 1);
    for (size_t run = 0; run < runs; ++run) {
        std::array<uint32_t, run_buckets> next{};
        for (uint32_t i = run_begins[run]; i < run_begins[run + 1]; ++i) ++next[placed[i].word % run_buckets];
        uint32_t end = run_begins[run];
        for (uint32_t& bucket : next) {
            const uint32_t begin = end;
            end += bucket;
            bucket = begin;
            begins.push_back(end);
        }
        for (uint32_t i = run_begins[run]; i < run_begins[run + 1]; ++i) {
            const uint32_t position = next[placed[i].word % run_buckets]++;
            partners[position] = placed[i].partner;
            numbers[position] = placed[i].row;
        }
    }
    TableSection section{};
    section.begins_at = file.append(begins.data(), begins.size() * sizeof begins[0]);
    section.partners_at = file.append(partners.data(), partners.size() * sizeof partners[0]);
    section.rows_at = file.append(numbers.data(), numbers.size() * sizeof numbers[0]);
    return section;
}

template <typename Item, typename Read>
uint64_t write_rows(NewFile& file, const Rows& rows, size_t item_bytes, Read read) {
    constexpr uint64_t block = 65536;
    const uint64_t at = file.begin_section();
    std::vector<uint8_t> buffer(block * item_bytes);
    for (uint64_t begin = 0; begin < rows.count; begin += block) {
        const uint64_t length = std::min(block, rows.count - begin);
        for (uint64_t i = 0; i < length; ++i) std::memcpy(&buffer[i * item_bytes], read(begin + i), item_bytes);
        file.write(buffer.data(), length * item_bytes);
    }
    return at;
}

uint64_t first_bytes(const uint8_t* hash) {
    uint64_t word;
    std::memcpy(&word, hash, sizeof word);
    return word;
}

// The same rows, ascending by their first eight bytes.
Rows ascending(const Rows& rows) {
    Rows ordered{rows.hashes, std::vector<uint32_t>(rows.count), false, rows.count};
    for (uint64_t i = 0; i < rows.count; ++i) ordered.index[i] = static_cast<uint32_t>(rows.row(i));
    std::sort(ordered.index.begin(), ordered.index.end(), [&rows](uint32_t a, uint32_t b) {
        return first_bytes(rows.hashes + hash_bytes * a) < first_bytes(rows.hashes + hash_bytes * b);
    });
    return ordered;
}

PartSection write_part(NewFile& file, const Rows& given, const uint64_t* keys) {
    const bool has_tables = given.count >= fewest_sorted;
    const Rows& rows = has_tables ? given : ascending(given);
    PartSection part{};
    part.count = rows.count;
    part.hashes_at = write_rows<uint8_t>(file, rows, hash_bytes, [&](uint64_t i) { return rows.hash(i); });
    part.keys_at = write_rows<uint64_t>(file, rows, sizeof(uint64_t), [&](uint64_t i) { return keys + rows.row(i); });
    part.sorted = has_tables ? 1 : 2;
    for (size_t t = 0; has_tables && t < table_count; ++t) part.tables[t] = write_table(file, rows, t);
    return part;
}

}  // namespace

void build_segment(const std::string& path, const uint8_t* hashes, const uint64_t* keys, uint64_t count) {
    if (count > UINT32_MAX) throw std::invalid_argument("a segment holds at most 2^32 - 1 hashes");
    Rows even{hashes, {}, false, 0}, odd{hashes, {}, false, 0};
    for (uint64_t i = 0; i < count; ++i) {
        if (is_odd(hashes + hash_bytes * i)) odd.index.push_back(static_cast<uint32_t>(i));
    }
    odd.count = odd.index.size();
    even.count = count - odd.count;
    even.all = odd.count == 0;
    if (!even.all) {
        even.index.reserve(even.count);
        for (uint64_t i = 0, next_odd = 0; i < count; ++i) {
            if (next_odd < odd.count && odd.index[next_odd] == i) {
                ++next_odd;
            } else {
                even.index.push_back(static_cast<uint32_t>(i));
            }
        }
    }

    NewFile file(path);
    FileHeader header{};
    file.append(&header, sizeof header);
    std::memcpy(header.magic, file_magic, sizeof file_magic);
    header.parts[0] = write_part(file, even, keys);
    header.parts[1] = write_part(file, odd, keys);
    header.file_bytes = file.begin_section();
    file.finish(&header, sizeof header);
}

}  // namespace tutela
