#include "prefixes.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <system_error>

namespace tutela {
namespace {

constexpr char magic[8] = {'T', 'U', 'T', 'P', 'R', 'E', 'F', '1'};
constexpr int bucket_bits = 22;
constexpr size_t bucket_count = size_t(1) << bucket_bits;
constexpr size_t tail_bytes = Prefixes::width - 8;

struct Header {
    char magic[8];
    uint64_t count;
    uint64_t reserved[6];
};
static_assert(sizeof(Header) == 64);

size_t round_up(size_t bytes) { return (bytes + 63) / 64 * 64; }

struct Layout {
    size_t buckets = sizeof(Header), prefixes, tails, keys, end;
    explicit Layout(size_t count) {
        prefixes = round_up(buckets + (bucket_count + 1) * sizeof(uint32_t));
        tails = round_up(prefixes + count * sizeof(uint64_t));
        keys = round_up(tails + count * tail_bytes);
        end = keys + count * sizeof(uint64_t);
    }
};

uint64_t prefix_of(const uint8_t* value) {
    uint64_t prefix;
    std::memcpy(&prefix, value, 8);
    if constexpr (std::endian::native == std::endian::little) prefix = __builtin_bswap64(prefix);
    return prefix;
}

[[noreturn]] void fail(const std::string& path) { throw std::system_error(errno, std::generic_category(), path); }

class Writer {
public:
    explicit Writer(const std::string& path) : path_(path) {
        descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor_ < 0) fail(path);
    }
    ~Writer() { ::close(descriptor_); }
    void write(size_t at, const void* data, size_t size) {
        const auto* from = static_cast<const char*>(data);
        while (size) {
            const ssize_t written = ::pwrite(descriptor_, from, size, off_t(at));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) fail(path_);
            from += written, at += size_t(written), size -= size_t(written);
        }
    }
    void end_at(size_t size) {
        if (::ftruncate(descriptor_, off_t(size)) != 0) fail(path_);
    }

private:
    std::string path_;
    int descriptor_;
};

}  // namespace

void Prefixes::build(const std::string& path, std::span<const uint8_t> values, std::span<const uint64_t> keys) {
    const size_t count = keys.size();
    std::vector<uint32_t> order(count);
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
        const uint64_t x = prefix_of(&values[a * width]), y = prefix_of(&values[b * width]);
        if (x != y) return x < y;
        const int by_tail = std::memcmp(&values[a * width + 8], &values[b * width + 8], tail_bytes);
        return by_tail ? by_tail < 0 : keys[a] < keys[b];
    });
    const Layout layout(count);
    std::vector<uint32_t> buckets(bucket_count + 1, 0);
    for (const uint32_t row : order) ++buckets[(prefix_of(&values[row * width]) >> (64 - bucket_bits)) + 1];
    std::partial_sum(buckets.begin(), buckets.end(), buckets.begin());

    Writer file(path);
    Header header{};
    std::memcpy(header.magic, magic, sizeof magic);
    header.count = count;
    file.write(0, &header, sizeof header);
    file.write(layout.buckets, buckets.data(), buckets.size() * sizeof(uint32_t));
    constexpr size_t page = 1 << 16;
    std::vector<uint64_t> numbers;
    std::vector<uint8_t> tails;
    for (size_t begin = 0; begin < count; begin += page) {
        const size_t end = std::min(begin + page, count);
        numbers.clear(), tails.clear();
        for (size_t i = begin; i < end; ++i) {
            const uint8_t* value = &values[order[i] * width];
            numbers.push_back(prefix_of(value));
            tails.insert(tails.end(), value + 8, value + width);
        }
        file.write(layout.prefixes + begin * 8, numbers.data(), numbers.size() * 8);
        file.write(layout.tails + begin * tail_bytes, tails.data(), tails.size());
        numbers.clear();
        for (size_t i = begin; i < end; ++i) numbers.push_back(keys[order[i]]);
        file.write(layout.keys + begin * 8, numbers.data(), numbers.size() * 8);
    }
    file.end_at(layout.end);
}

Prefixes::Prefixes(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail(path);
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        const int error = errno;
        ::close(descriptor);
        errno = error;
        fail(path);
    }
    length_ = size_t(status.st_size);
    if (length_ < sizeof(Header)) {
        ::close(descriptor);
        throw CorruptPrefixes("the file is shorter than its header");
    }
    void* mapped = ::mmap(nullptr, length_, PROT_READ, MAP_SHARED, descriptor, 0);
    const int error = errno;
    ::close(descriptor);
    if (mapped == MAP_FAILED) {
        errno = error;
        fail(path);
    }
    base_ = static_cast<const uint8_t*>(mapped);
    Header header;
    std::memcpy(&header, base_, sizeof header);
    const char* wrong = nullptr;
    if (std::memcmp(header.magic, magic, sizeof magic) != 0) wrong = "the file does not hold prefixes";
    else if (header.count > UINT32_MAX || Layout(header.count).end != length_)
        wrong = "the file is not as long as its header says";
    if (wrong == nullptr) {
        const Layout layout(header.count);
        count_ = header.count;
        buckets_ = reinterpret_cast<const uint32_t*>(base_ + layout.buckets);
        prefixes_ = reinterpret_cast<const uint64_t*>(base_ + layout.prefixes);
        tails_ = base_ + layout.tails;
        keys_ = reinterpret_cast<const uint64_t*>(base_ + layout.keys);
        // Whatever the file says, no search reads beyond it.
        bool rises = buckets_[0] == 0 && buckets_[bucket_count] == count_;
        for (size_t i = 0; i < bucket_count; ++i) rises &= buckets_[i] <= buckets_[i + 1];
        if (!rises) wrong = "the file's buckets are damaged";
    }
    if (wrong != nullptr) {
        ::munmap(mapped, length_);
        throw CorruptPrefixes(wrong);
    }
    ::madvise(mapped, length_, MADV_RANDOM);
}

Prefixes::~Prefixes() { ::munmap(const_cast<uint8_t*>(base_), length_); }

void Prefixes::forget_tail() const {
    const auto page = size_t(::sysconf(_SC_PAGESIZE));
    const size_t from = (size_t(tails_ - base_) + page - 1) / page * page;
    if (from < length_) ::madvise(const_cast<uint8_t*>(base_) + from, length_ - from, MADV_DONTNEED);
}

std::pair<uint32_t, uint32_t> Prefixes::bucket(uint64_t prefix) const {
    const size_t number = prefix >> (64 - bucket_bits);
    return {buckets_[number], buckets_[number + 1]};
}

void Prefixes::find(const uint8_t* value, std::vector<uint64_t>& keys) const {
    const uint64_t prefix = prefix_of(value);
    const auto [begin, end] = bucket(prefix);
    const uint64_t* found = std::lower_bound(prefixes_ + begin, prefixes_ + end, prefix);
    for (; found != prefixes_ + end && *found == prefix; ++found) {
        const size_t row = size_t(found - prefixes_);
        if (std::memcmp(tails_ + row * tail_bytes, value + 8, tail_bytes) == 0) keys.push_back(keys_[row]);
    }
}

bool Prefixes::may_hold(std::span<const uint8_t> values) const {
    if (count_ == 0) return false;
    const size_t count = values.size() / width;
    for (size_t i = 0; i < count; ++i) __builtin_prefetch(&buckets_[prefix_of(&values[i * width]) >> (64 - bucket_bits)]);
    for (size_t i = 0; i < count; ++i) __builtin_prefetch(prefixes_ + bucket(prefix_of(&values[i * width])).first);
    for (size_t i = 0; i < count; ++i) {
        const uint64_t prefix = prefix_of(&values[i * width]);
        const auto [begin, end] = bucket(prefix);
        for (uint32_t row = begin; row < end; ++row)
            if (prefixes_[row] == prefix) return true;
    }
    return false;
}

void Prefixes::value_at(size_t row, uint8_t* value) const {
    const uint64_t prefix = prefixes_[row];
    for (int i = 0; i < 8; ++i) value[i] = uint8_t(prefix >> (56 - 8 * i));
    std::memcpy(value + 8, tails_ + row * tail_bytes, tail_bytes);
}

}  // namespace tutela
