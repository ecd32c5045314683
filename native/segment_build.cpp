// Building a segment's file: rows split by parity, then for each chunk the row numbers sorted into buckets, by runs of
// buckets that fit into a processor's cache.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
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

uint32_t chunk_of(const uint8_t* hash, uint32_t first_bit, uint32_t bits) {
    uint64_t words[hash_words];
    std::memcpy(words, hash, hash_bytes);
    const uint32_t word = first_bit / 64, shift = first_bit % 64;
    uint64_t value = words[word] >> shift;
    if (shift + bits > 64) value |= words[word + 1] << (64 - shift);
    return static_cast<uint32_t>(value & ((uint64_t{1} << bits) - 1));
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
    uint32_t value;  // of the chunk: the number of the bucket
    uint32_t row;
};

// The rows with their buckets, brought into runs of neighbouring buckets that fit into a processor's cache; within a
// run, in row order. `begins` gets where each run begins and the last ends.
std::vector<Placed> in_runs(const Rows& rows, const ChunkSection& chunk, uint32_t run_bits, std::vector<uint32_t>& begins) {
    std::vector<uint32_t> values(rows.count);
    begins.assign((size_t{1} << (chunk.bits - run_bits)) + 1, 0);
    for (uint64_t i = 0; i < rows.count; ++i) {
        values[i] = chunk_of(rows.hash(i), chunk.first_bit, chunk.bits);
        ++begins[(values[i] >> run_bits) + 1];
    }
    for (size_t run = 1; run < begins.size(); ++run) begins[run] += begins[run - 1];
    std::vector<uint32_t> next(begins.begin(), begins.end() - 1);
    std::vector<Placed> placed(rows.count);
    for (uint64_t i = 0; i < rows.count; ++i) placed[next[values[i] >> run_bits]++] = {values[i], static_cast<uint32_t>(i)};
    return placed;
}

void write_chunk(NewFile& file, const Rows& rows, ChunkSection& chunk) {
    const uint32_t run_bits = std::min(chunk.bits, 15u);
    const size_t run_buckets = size_t{1} << run_bits;
    std::vector<uint32_t> runs;
    const std::vector<Placed> placed = in_runs(rows, chunk, run_bits, runs);

    std::vector<uint32_t> offsets{0}, ids(rows.count), next(run_buckets);
    offsets.reserve((size_t{1} << chunk.bits) + 1);
    for (size_t run = 0; run + 1 < runs.size(); ++run) {
        std::fill(next.begin(), next.end(), 0);
        for (uint32_t i = runs[run]; i < runs[run + 1]; ++i) ++next[placed[i].value % run_buckets];
        uint32_t end = runs[run];
        for (uint32_t& bucket : next) {
            const uint32_t begin = end;
            end += bucket;
            bucket = begin;
            offsets.push_back(end);
        }
        for (uint32_t i = runs[run]; i < runs[run + 1]; ++i) ids[next[placed[i].value % run_buckets]++] = placed[i].row;
    }
    chunk.offsets_at = file.append(offsets.data(), offsets.size() * sizeof(uint32_t));
    chunk.ids_at = file.append(ids.data(), ids.size() * sizeof(uint32_t));
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

PartSection write_part(NewFile& file, const Rows& rows, const uint64_t* keys) {
    PartSection part{};
    part.count = rows.count;
    part.hashes_at = write_rows<uint8_t>(file, rows, hash_bytes, [&](uint64_t i) { return rows.hash(i); });
    part.keys_at = write_rows<uint64_t>(file, rows, sizeof(uint64_t), [&](uint64_t i) { return keys + rows.row(i); });
    uint32_t first_bit = 0;
    for (const uint32_t bits : chunk_widths(rows.count)) {
        ChunkSection& chunk = part.chunks[part.chunk_count++];
        chunk.bits = bits;
        chunk.first_bit = first_bit;
        first_bit += bits;
        write_chunk(file, rows, chunk);
    }
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
