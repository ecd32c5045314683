// What is known of accounts and of who wrote to whom, as numbers that fade: one record an account, one a pair, found by
// open addressing over dense chunks. Every counter is a sum that halves with time, so that the order in which events
// come changes nothing but the last bits.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace tutela {

enum class RiskKind : uint8_t {
    nothing, message, contact_request, contact_answer, block, report, profile, payment, call, media, cleared, forgotten,
    restored
};

// Of RiskEvent::flags.
struct RiskFlag {
    static constexpr uint8_t asked = 1;         // accepted, of an answer; asked for, of media and payments
    static constexpr uint8_t acquainted = 2;    // a mutual contact or family
    static constexpr uint8_t group = 4;         // said to a group, or in public
    static constexpr uint8_t moves = 8;         // a handle, link or contact card of elsewhere is in it
    static constexpr uint8_t role = 16;         // the sender has a role that the operator declared
    static constexpr uint8_t uncovered = 32;    // in a language that no scorer reads
    static constexpr uint8_t read = 64;         // its text was scored
    static constexpr uint8_t elsewhere = 128;   // whom it is about is judged in another shard
};

// One event as the ledger has it. The Python side packs the same layout.
struct RiskEvent {
    uint64_t position, id, sender, recipient, conversation;
    int64_t at_ms;
    uint32_t received_s;  // when the ledger took it
    uint32_t opening;     // of a long first text: a keyed hash of it; 0 for none
    float trust, coercion;  // evidence that the scorers of texts gave
    uint16_t minute;        // of the day, at the recipient's place; 65535 where unknown
    uint8_t kind, flags;
    uint8_t band, known;  // of the sender
    uint8_t recipient_band, recipient_known;
    uint8_t stage, scorers;
    uint8_t padding[6];
};
static_assert(sizeof(RiskEvent) == 80);

constexpr size_t risk_counters = 15;
enum Counter : size_t {
    minors_hour, minors_day, minors_week, contacts_week, requests_week, accepted_week, refused_week, insisted_week,
    rejected_month, moves_week, gifts_week, private_week, asks_week, night_week, same_day
};
constexpr size_t risk_features = risk_counters + 9;
constexpr size_t risk_stages = 8;

struct Account {
    uint64_t key;
    uint32_t first_s, last_s;
    uint8_t band, known, level, stages;
    uint32_t level_s;
    std::array<float, risk_counters> counters;
    float coercion;
    struct Strong {
        uint64_t recipient;
        float trust;
        uint32_t at_s;
    };
    std::array<Strong, 3> strongest;
    uint32_t opening, spare;
};
static_assert(sizeof(Account) == 144);

struct Pair {
    uint64_t sender, recipient;
    uint32_t first_s, last_s;
    float trust, coercion;
    uint16_t flags;
    uint8_t padding[6];
};
static_assert(sizeof(Pair) == 40);

// Records in chunks that never move, and an index of their keys.
template <typename Record>
class Dense {
public:
    static constexpr size_t chunk_records = 8192;

    Record* find(uint64_t hash, auto&& same) {
        if (index_.empty()) return nullptr;
        for (size_t at = hash & mask();; at = (at + 1) & mask()) {
            if (index_[at] == 0) return nullptr;
            Record& record = (*this)[index_[at] - 1];
            if (same(record)) return &record;
        }
    }
    Record& insert(uint64_t hash, auto&& hash_of) {
        if ((size_ + 1) * 4 > index_.size() * 3) grow(hash_of);
        if (size_ == chunks_.size() * chunk_records) chunks_.push_back(std::make_unique<Record[]>(chunk_records));
        place(hash, uint32_t(++size_));
        Record& record = (*this)[size_ - 1];
        std::memset(static_cast<void*>(&record), 0, sizeof(Record));
        return record;
    }
    // Removes what `gone` says; the order of the rest may change.
    size_t remove(auto&& gone, auto&& hash_of) {
        const size_t before = size_;
        for (size_t i = 0; i < size_;) {
            if (!gone((*this)[i])) ++i;
            else if (i + 1 == size_) --size_;
            else (*this)[i] = (*this)[--size_];
        }
        if (size_ == before) return 0;
        chunks_.resize((size_ + chunk_records - 1) / chunk_records);
        chunks_.shrink_to_fit();
        size_t places = 1024;
        while (size_ * 4 > places * 3) places *= 2;
        rebuild(places, hash_of);
        return before - size_;
    }
    Record& operator[](size_t i) { return chunks_[i / chunk_records][i % chunk_records]; }
    size_t size() const { return size_; }
    size_t bytes() const { return chunks_.size() * chunk_records * sizeof(Record) + index_.size() * sizeof(uint32_t); }
    std::span<const Record> chunk(size_t number) const {
        const size_t begin = number * chunk_records;
        return {chunks_[number].get(), begin < size_ ? std::min(chunk_records, size_ - begin) : 0};
    }
    size_t chunks() const { return (size_ + chunk_records - 1) / chunk_records; }

private:
    size_t mask() const { return index_.size() - 1; }
    void place(uint64_t hash, uint32_t number) {
        size_t at = hash & mask();
        while (index_[at] != 0) at = (at + 1) & mask();
        index_[at] = number;
    }
    void grow(auto&& hash_of) { rebuild(std::max<size_t>(1024, index_.size() * 2), hash_of); }
    void rebuild(size_t places, auto&& hash_of) {
        std::vector<uint32_t>().swap(index_);
        index_.resize(places, 0);
        for (size_t i = 0; i < size_; ++i) place(hash_of((*this)[i]), uint32_t(i + 1));
    }

    std::vector<std::unique_ptr<Record[]>> chunks_;
    std::vector<uint32_t> index_;
    size_t size_ = 0;
};

// Ids of events that were taken, for a day or two: two sets, of which the older is forgotten.
class SeenIds {
public:
    // Whether the id is new; from then on it is not.
    bool take(uint64_t id, uint32_t received_s);
    std::array<std::vector<uint64_t>, 2> sets;  // open addressing, 0 is empty
    std::array<uint64_t, 2> counts = {0, 0};
    uint32_t since_s = 0;

private:
    static bool has(const std::vector<uint64_t>& set, uint64_t id);
    static void put(std::vector<uint64_t>& set, uint64_t id);
};

// A feature that reached what a rule asks of it at least, when an event was taken.
struct Crossing {
    uint64_t account, position;
    uint32_t at_s;
    std::array<float, risk_features> features;
};

struct RiskWeights {
    std::array<float, risk_counters> scale{};   // of a counter: where its evidence is full
    std::array<float, risk_counters> weight{};  // the evidence then
};

class RiskTable {
public:
    static constexpr uint32_t forget_s = 30 * 86'400;

    RiskTable() = default;
    RiskTable(const RiskTable&) = delete;
    RiskTable& operator=(const RiskTable&) = delete;

    void set_weights(const RiskWeights& weights) { weights_ = weights; }
    void set_gates(std::vector<std::pair<uint32_t, float>> gates) { gates_ = std::move(gates); }
    // Takes events in their order; those whose id was taken before count as repeated.
    void apply(std::span<const RiskEvent> events, std::vector<Crossing>& crossings);
    std::array<float, risk_features> features(const Account& account) const;
    float trust(const Account& account) const;
    Account* account(uint64_t key);
    Pair* pair(uint64_t sender, uint64_t recipient);
    // Whether the sender came to the recipient as a stranger, first and one to one, and the recipient is under 18.
    bool came_first(uint64_t sender, uint64_t recipient);
    void set_level(uint64_t key, uint8_t level, uint32_t at_s);
    // Forgets whoever was silent since; how many records.
    size_t forget_before(uint32_t at_s);
    // The same for equal states, in whatever order their records lie.
    uint64_t digest();

    Dense<Account> accounts;
    Dense<Pair> pairs;
    SeenIds seen;
    uint64_t repeated = 0, late = 0, ahead = 0;
    std::mutex changing;  // held while records may move, by whoever lets several threads at the table
    Account& add_account(uint64_t key);
    Pair& add_pair(uint64_t sender, uint64_t recipient);

private:
    void take(const RiskEvent& event, std::vector<Crossing>& crossings);
    void approach(const RiskEvent& event, uint32_t at_s);
    void said(const RiskEvent& event, Account& from, Pair& pair, uint32_t at_s);
    void count_contact(Account& from, Pair& pair, bool to_minor, float sign);
    void answered(const RiskEvent& event, uint32_t at_s);
    void turned_away(const RiskEvent& event, uint32_t at_s);
    void clear(uint64_t key);
    void forget(uint64_t key);
    void restore(uint64_t key);
    void tell_band(uint64_t key, uint8_t band, uint8_t known, uint32_t at_s);
    uint8_t band_of(uint64_t key);
    Account& touch(uint64_t key, uint32_t at_s);
    Pair& touch_pair(uint64_t sender, uint64_t recipient, uint32_t at_s);

    RiskWeights weights_;
    std::vector<std::pair<uint32_t, float>> gates_;
};

// The names of `features`, in their order.
std::span<const std::string_view> risk_feature_names();

// SipHash-2-4 (Aumasson and Bernstein, 2012): what stands for a name where the key is not known.
uint64_t siphash(std::string_view text, const std::array<uint64_t, 2>& key);

}  // namespace tutela
