// 32-byte digests in one mapped file: the first 8 bytes of each, in order, behind a table of buckets by their first 22
// bits, are all that a search touches; what remains of each and its key lie behind them and are read on a hit alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace tutela {

struct CorruptPrefixes : std::runtime_error {
    using runtime_error::runtime_error;
};

class Prefixes {
public:
    static constexpr size_t width = 32;

    // Raises CorruptPrefixes, std::system_error.
    explicit Prefixes(const std::string& path);
    ~Prefixes();
    Prefixes(const Prefixes&) = delete;
    Prefixes& operator=(const Prefixes&) = delete;

    // `values` are n x 32 bytes. Raises std::system_error.
    static void build(const std::string& path, std::span<const uint8_t> values, std::span<const uint64_t> keys);

    size_t size() const { return count_; }
    std::span<const uint8_t> bytes() const { return {base_, length_}; }
    // Appends the keys of every member that is equal.
    void find(const uint8_t* value, std::vector<uint64_t>& keys) const;
    // The buckets of several values are fetched together; whether one of the values may be a member.
    bool may_hold(std::span<const uint8_t> values) const;
    void value_at(size_t row, uint8_t* value) const;
    uint64_t key_at(size_t row) const { return keys_[row]; }
    // Give back the memory of what a search does not touch.
    void forget_tail() const;

private:
    std::pair<uint32_t, uint32_t> bucket(uint64_t prefix) const;

    const uint8_t* base_ = nullptr;
    size_t length_ = 0;
    size_t count_ = 0;
    const uint32_t* buckets_ = nullptr;
    const uint64_t* prefixes_ = nullptr;
    const uint8_t* tails_ = nullptr;
    const uint64_t* keys_ = nullptr;
};

}  // namespace tutela
