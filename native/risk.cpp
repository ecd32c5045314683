#include "risk.hpp"

#include <algorithm>
#include <cmath>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace tutela {
namespace {

constexpr uint32_t hour = 3600, day = 86'400, week = 7 * day, month = 30 * day;
constexpr uint32_t trust_half_s = 3 * day, pairs_half_s = 7 * day, coercion_half_s = 1800;
constexpr std::array<uint32_t, risk_counters> half_s = {hour, day,  week, week, week, week, week, week,
                                                       month, week, week, week, week, week, day};
constexpr uint32_t ahead_s = 300;      // by how much a clock may go fast
constexpr uint32_t late_s = 7 * day;   // what comes later counts as of then
constexpr uint32_t ids_s = day;
constexpr float stage_bonus = 0.1f;
constexpr float ask_coercion = 1.0f, demand_coercion = 2.0f;
constexpr uint16_t night_from = 23 * 60, night_until = 5 * 60, unknown_minute = 65535;

constexpr std::array<std::string_view, risk_features> names = {
    "minors_hour",   "minors_day",    "minors_week",    "contacts_week", "requests_week", "accepted_week",
    "refused_week",  "insisted_week", "rejected_month", "moves_week",    "gifts_week",    "private_week",
    "asks_week",     "night_week",    "same_day",       "contact",       "trust",         "coercion",
    "score",         "share_minors",  "acceptance",     "stages",        "age_days",      "is_minor"};

// Of Pair::flags.
constexpr uint16_t contacted = 1, counted = 2, answered_yes = 4, answered_no = 8, turned_away_from = 16, moved = 32,
                   gave = 64, asked = 128, in_group = 256, to_minor_flag = 512, acquainted = 1024;

bool is_minor(uint8_t band) { return band >= 1 && band <= 3; }

uint64_t mixed(uint64_t value) {
    value ^= value >> 33, value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33, value *= 0xc4ceb9fe1a85ec53ULL;
    return value ^ value >> 33;
}
uint64_t hash_of(uint64_t sender, uint64_t recipient) { return mixed(sender * 0x9e3779b97f4a7c15ULL + mixed(recipient)); }
const auto account_hash = [](const Account& account) { return mixed(account.key); };
const auto pair_hash = [](const Pair& pair) { return hash_of(pair.sender, pair.recipient); };

float faded(uint32_t elapsed_s, uint32_t half) { return std::exp2f(-float(elapsed_s) / float(half)); }

// A sum that halves: what came then, as it counts at `last_s`.
float at_last(float amount, uint32_t then_s, uint32_t last_s, uint32_t half) {
    return then_s < last_s ? amount * faded(last_s - then_s, half) : amount;
}

void add(Account& account, size_t counter, uint32_t at_s, float amount) {
    float& value = account.counters[counter];
    value = std::max(0.0f, value + at_last(amount, at_s, account.last_s, half_s[counter]));
}

}  // namespace

std::span<const std::string_view> risk_feature_names() { return names; }

bool SeenIds::has(const std::vector<uint64_t>& set, uint64_t id) {
    if (set.empty()) return false;
    for (size_t at = id & (set.size() - 1);; at = (at + 1) & (set.size() - 1)) {
        if (set[at] == id) return true;
        if (set[at] == 0) return false;
    }
}

void SeenIds::put(std::vector<uint64_t>& set, uint64_t id) {
    size_t at = id & (set.size() - 1);
    while (set[at] != 0) at = (at + 1) & (set.size() - 1);
    set[at] = id;
}

bool SeenIds::take(uint64_t id, uint32_t received_s) {
    if (id == 0) return true;
    if (received_s >= since_s + ids_s) {
        sets[1] = std::move(sets[0]), counts[1] = counts[0];
        sets[0] = {}, counts[0] = 0;
        since_s = received_s;
    }
    if (has(sets[0], id) || has(sets[1], id)) return false;
    if ((counts[0] + 1) * 4 > sets[0].size() * 3) {
        std::vector<uint64_t> larger(std::max<size_t>(1024, sets[0].size() * 2), 0);
        for (const uint64_t one : sets[0])
            if (one != 0) put(larger, one);
        sets[0] = std::move(larger);
    }
    put(sets[0], id), ++counts[0];
    return true;
}

Account* RiskTable::account(uint64_t key) {
    return accounts.find(mixed(key), [key](const Account& one) { return one.key == key; });
}

Pair* RiskTable::pair(uint64_t sender, uint64_t recipient) {
    return pairs.find(hash_of(sender, recipient),
                      [=](const Pair& one) { return one.sender == sender && one.recipient == recipient; });
}

bool RiskTable::came_first(uint64_t sender, uint64_t recipient) {
    const Pair* found = pair(sender, recipient);
    return found != nullptr && (found->flags & (counted | to_minor_flag | acquainted)) == (counted | to_minor_flag);
}

Account& RiskTable::add_account(uint64_t key) {
    Account& account = accounts.insert(mixed(key), account_hash);
    account.key = key;
    return account;
}

Pair& RiskTable::add_pair(uint64_t sender, uint64_t recipient) {
    Pair& pair = pairs.insert(hash_of(sender, recipient), pair_hash);
    pair.sender = sender, pair.recipient = recipient;
    return pair;
}

Account& RiskTable::touch(uint64_t key, uint32_t at_s) {
    Account* found = account(key);
    if (found == nullptr) {
        found = &add_account(key);
        found->first_s = found->last_s = at_s;
        return *found;
    }
    if (at_s > found->last_s + forget_s) {  // as if it had been swept away before
        const Account fresh{};
        *found = fresh;
        found->key = key, found->first_s = found->last_s = at_s;
    }
    found->first_s = std::min(found->first_s, at_s);
    if (at_s <= found->last_s) return *found;
    const uint32_t elapsed = at_s - found->last_s;
    const float by_hour = faded(elapsed, hour), by_day = faded(elapsed, day), by_week = faded(elapsed, week),
                by_month = faded(elapsed, month);
    for (size_t i = 0; i < risk_counters; ++i)
        found->counters[i] *= half_s[i] == hour ? by_hour : half_s[i] == day ? by_day : half_s[i] == week ? by_week : by_month;
    found->coercion *= faded(elapsed, coercion_half_s);
    found->last_s = at_s;
    return *found;
}

Pair& RiskTable::touch_pair(uint64_t sender, uint64_t recipient, uint32_t at_s) {
    Pair* found = pair(sender, recipient);
    if (found != nullptr && at_s > found->last_s + forget_s) {
        const Pair fresh{};
        *found = fresh;
        found->sender = sender, found->recipient = recipient, found->first_s = found->last_s = at_s;
    }
    if (found == nullptr) {
        found = &add_pair(sender, recipient);
        found->first_s = found->last_s = at_s;
    }
    if (at_s > found->last_s) {
        found->trust *= faded(at_s - found->last_s, trust_half_s);
        found->coercion *= faded(at_s - found->last_s, coercion_half_s);
        found->last_s = at_s;
    }
    return *found;
}

uint8_t RiskTable::band_of(uint64_t key) {
    const Account* found = account(key);
    return found == nullptr ? 0 : found->band;
}

void RiskTable::tell_band(uint64_t key, uint8_t band, uint8_t known, uint32_t at_s) {
    if (band == 0 || key == 0) return;
    Account& one = touch(key, at_s);
    one.band = band, one.known = known;
}

void RiskTable::apply(std::span<const RiskEvent> events, std::vector<Crossing>& crossings) {
    for (const RiskEvent& event : events) take(event, crossings);
}

void RiskTable::take(const RiskEvent& event, std::vector<Crossing>& crossings) {
    if (event.kind == uint8_t(RiskKind::nothing)) return;
    if (!seen.take(event.id, event.received_s)) {
        ++repeated;
        return;
    }
    int64_t at = event.at_ms / 1000;
    if (at > int64_t(event.received_s) + ahead_s) at = event.received_s, ++ahead;
    if (at < int64_t(event.received_s) - late_s) at = int64_t(event.received_s) - late_s, ++late;
    const auto at_s = uint32_t(std::max<int64_t>(0, at));
    tell_band(event.sender, event.band, event.known, at_s);
    tell_band(event.recipient, event.recipient_band, event.recipient_known, at_s);
    uint64_t judged = event.sender;
    switch (RiskKind(event.kind)) {
        case RiskKind::message:
        case RiskKind::contact_request:
        case RiskKind::payment:
        case RiskKind::call:
        case RiskKind::media: approach(event, at_s); break;
        case RiskKind::contact_answer: answered(event, at_s), judged = event.recipient; break;
        case RiskKind::block:
        case RiskKind::report: turned_away(event, at_s), judged = event.recipient; break;
        case RiskKind::cleared: clear(event.sender); return;
        case RiskKind::forgotten: forget(event.sender); return;
        case RiskKind::restored: restore(event.sender); return;
        default: return;
    }
    const bool ours = judged != 0 && !(event.flags & RiskFlag::elsewhere);
    const Account* found = ours ? account(judged) : nullptr;
    if (found == nullptr) return;
    const auto values = features(*found);
    const bool crosses = std::ranges::any_of(gates_, [&](const auto& gate) { return values[gate.first] >= gate.second; });
    if (crosses) crossings.push_back({judged, event.position, found->last_s, values});
}

void RiskTable::approach(const RiskEvent& event, uint32_t at_s) {
    Account& from = touch(event.sender, at_s);
    if (event.recipient == 0) return;
    const Pair* known = pair(event.sender, event.recipient);
    const uint32_t known_s = known == nullptr ? 0 : known->last_s;
    Pair& to = touch_pair(event.sender, event.recipient, at_s);
    const bool minor = is_minor(band_of(event.recipient));
    if (event.flags & RiskFlag::acquainted) to.flags |= acquainted;
    if (event.flags & RiskFlag::group) {
        to.flags |= in_group;
        if ((to.flags & counted) && at_s <= to.first_s) {
            // It came late: they were in a group before one wrote to the other alone.
            count_contact(from, to, to.flags & to_minor_flag, -1);
            to.flags &= uint16_t(~counted);
            if (to.flags & to_minor_flag) add(from, private_week, to.first_s, 1);
        }
        return;
    }
    const bool first = !(to.flags & contacted);
    const bool stranger = !(to.flags & acquainted) && !(event.flags & RiskFlag::role);
    if (first) {
        to.flags |= contacted;
        to.first_s = at_s;
        Pair* back = pair(event.recipient, event.sender);
        const bool answers = back != nullptr && (back->flags & contacted) && back->first_s <= at_s;
        if (back != nullptr && (back->flags & counted) && back->first_s > at_s) {
            // It came late: the other one only answered.
            Account& other = touch(event.recipient, back->first_s);
            count_contact(other, *back, back->flags & to_minor_flag, -1);
            back->flags &= uint16_t(~counted);
        }
        if (stranger && !answers && !(to.flags & in_group)) {
            to.flags |= counted;
            if (minor) to.flags |= to_minor_flag;
            count_contact(from, to, minor, 1);
            if (minor && event.opening != 0) {
                if (from.opening == event.opening) add(from, same_day, at_s, 1);
                from.opening = event.opening;
            }
        }
        if (stranger && minor && (to.flags & in_group) && !answers) add(from, private_week, at_s, 1);
        if (at_s <= known_s && minor && stranger) {
            // It came late: what the other one answered stands there already.
            if (to.flags & answered_yes) add(from, accepted_week, known_s, 1);
            if (to.flags & answered_no) add(from, refused_week, known_s, 1);
            if ((to.flags & turned_away_from) && (to.flags & counted) && !is_minor(from.band))
                add(from, rejected_month, known_s, 1);
        } else {
            to.flags &= uint16_t(~(answered_yes | answered_no | turned_away_from));  // to nothing that was asked
        }
    }
    const bool own_age = is_minor(from.band);
    if (minor && stranger && !own_age) said(event, from, to, at_s);
    if (event.kind == uint8_t(RiskKind::media) && (event.flags & RiskFlag::asked)) {
        to.coercion += at_last(ask_coercion, at_s, to.last_s, coercion_half_s);
        from.coercion += at_last(ask_coercion, at_s, from.last_s, coercion_half_s);
    }
    if (event.kind == uint8_t(RiskKind::payment) && (event.flags & RiskFlag::asked) && minor) {
        to.coercion += at_last(demand_coercion, at_s, to.last_s, coercion_half_s);
        from.coercion += at_last(demand_coercion, at_s, from.last_s, coercion_half_s);
    }
    if (event.coercion > 0) {
        to.coercion += at_last(event.coercion, at_s, to.last_s, coercion_half_s);
        from.coercion += at_last(event.coercion, at_s, from.last_s, coercion_half_s);
    }
    // A child's own words never count against the child, and what adults say to each other is theirs.
    const uint8_t their_band = band_of(event.recipient);
    const float heard = own_age ? 0.0f : minor ? 1.0f : their_band == 0 ? 0.5f : 0.0f;
    const float trust = std::max(0.0f, event.trust) * heard * ((to.flags & acquainted) ? 0.5f : 1.0f);
    if (!(trust > 0)) return;
    to.trust += at_last(trust, at_s, to.last_s, trust_half_s);
    if (event.stage > 0 && event.stage <= risk_stages) from.stages |= uint8_t(1u << (event.stage - 1));
    auto place = std::ranges::find(from.strongest, event.recipient, &Account::Strong::recipient);
    if (place == from.strongest.end())
        place = std::ranges::min_element(from.strongest, {}, [&](const Account::Strong& one) {
            return at_last(one.trust, one.at_s, from.last_s, pairs_half_s);
        });
    if (place->recipient == event.recipient ||
        to.trust > at_last(place->trust, place->at_s, from.last_s, pairs_half_s))
        *place = {event.recipient, to.trust, to.last_s};
}

void RiskTable::count_contact(Account& from, Pair& to, bool minor, float sign) {
    add(from, contacts_week, to.first_s, sign);
    if (!minor) return;
    // Among minors it counts for little, and less where nobody knows how old the sender is.
    const float amount = sign * (is_minor(from.band) ? 0.25f : from.band == 0 ? 0.5f : 1.0f);
    for (const size_t counter : {minors_hour, minors_day, minors_week}) add(from, counter, to.first_s, amount);
}

void RiskTable::said(const RiskEvent& event, Account& from, Pair& to, uint32_t at_s) {
    const auto once = [&](uint16_t flag, size_t counter) {
        if (!(to.flags & flag)) add(from, counter, at_s, 1);
        to.flags |= flag;
    };
    const auto kind = RiskKind(event.kind);
    if (kind == RiskKind::contact_request) {
        add(from, requests_week, at_s, 1);
        if (to.flags & answered_no) add(from, insisted_week, at_s, 1);
    }
    if (event.flags & RiskFlag::moves) once(moved, moves_week);
    if (kind == RiskKind::payment && !(event.flags & RiskFlag::asked)) {
        add(from, gifts_week, at_s, (to.flags & gave) ? 0.5f : 1.0f);
        to.flags |= gave;
    }
    if (kind == RiskKind::call || (kind == RiskKind::media && (event.flags & RiskFlag::asked))) once(asked, asks_week);
    const bool night = event.minute != unknown_minute && (event.minute >= night_from || event.minute < night_until);
    if (night) add(from, night_week, at_s, 1);
}

void RiskTable::answered(const RiskEvent& event, uint32_t at_s) {
    const uint16_t flag = (event.flags & RiskFlag::asked) ? answered_yes : answered_no;
    if (event.recipient == 0) return;
    Pair* asker = pair(event.recipient, event.sender);
    if (asker == nullptr || !(asker->flags & contacted)) {  // it may have come before what it answers
        touch_pair(event.recipient, event.sender, at_s).flags |= flag;
        return;
    }
    if ((asker->flags & flag) || !is_minor(band_of(event.sender))) return;
    asker->flags |= flag;
    if (asker->flags & acquainted) return;
    add(touch(event.recipient, at_s), flag == answered_yes ? accepted_week : refused_week, at_s, 1);
}

void RiskTable::turned_away(const RiskEvent& event, uint32_t at_s) {
    // It counts where the other one came first, and once; a crowd that nobody wrote to has no voice.
    if (event.recipient == 0) return;
    Pair* came = pair(event.recipient, event.sender);
    if (came == nullptr || !(came->flags & contacted)) {  // it may have come before what it turns away
        touch_pair(event.recipient, event.sender, at_s).flags |= turned_away_from;
        return;
    }
    const bool counts = came != nullptr && (came->flags & counted) && !(came->flags & turned_away_from);
    if (!counts || !is_minor(band_of(event.sender)) || is_minor(band_of(event.recipient))) return;
    came->flags |= turned_away_from;
    add(touch(event.recipient, at_s), rejected_month, at_s, 1);
}

float RiskTable::trust(const Account& account) const {
    float sum = 0;
    for (const auto& one : account.strongest)
        if (one.recipient != 0) sum += at_last(one.trust, one.at_s, account.last_s, pairs_half_s);
    return sum * (1.0f + stage_bonus * float(std::max(0, std::popcount(account.stages) - 1)));
}

std::array<float, risk_features> RiskTable::features(const Account& account) const {
    std::array<float, risk_features> found{};
    std::ranges::copy(account.counters, found.begin());
    float contact = 0;
    for (size_t i = 0; i < risk_counters; ++i)
        if (weights_.scale[i] > 0) contact += weights_.weight[i] * std::min(1.0f, account.counters[i] / weights_.scale[i]);
    const float trust = this->trust(account);
    const float met = account.counters[contacts_week], requests = account.counters[requests_week];
    float* derived = found.data() + risk_counters;
    derived[0] = contact;
    derived[1] = trust;
    derived[2] = account.coercion;
    derived[3] = contact + trust;
    derived[4] = met > 0 ? std::min(1.0f, account.counters[minors_week] / met) : 0;
    derived[5] = requests > 0 ? std::min(1.0f, account.counters[accepted_week] / requests) : 1;
    derived[6] = float(std::popcount(account.stages));
    derived[7] = float(account.last_s - account.first_s) / float(day);
    derived[8] = is_minor(account.band) ? 1 : 0;
    return found;
}

void RiskTable::set_level(uint64_t key, uint8_t level, uint32_t at_s) {
    if (Account* found = account(key)) found->level = level, found->level_s = at_s;
}

void RiskTable::clear(uint64_t key) {
    if (Account* found = account(key)) {
        found->counters.fill(0);
        found->strongest.fill({});
        found->coercion = 0, found->level = found->stages = 0, found->level_s = found->opening = 0;
    }
    for (size_t i = 0; i < pairs.size(); ++i) {
        Pair& one = pairs[i];
        if (one.sender != key) continue;
        one.trust = one.coercion = 0;
    }
}

// The account as if it had done nothing yet: what it did follows in the ledger once more.
void RiskTable::restore(uint64_t key) {
    clear(key);
    pairs.remove([key](const Pair& one) { return one.sender == key; }, pair_hash);
}

void RiskTable::forget(uint64_t key) {
    accounts.remove([key](const Account& one) { return one.key == key; }, account_hash);
    pairs.remove([key](const Pair& one) { return one.sender == key || one.recipient == key; }, pair_hash);
    for (size_t i = 0; i < accounts.size(); ++i)
        for (auto& one : accounts[i].strongest)
            if (one.recipient == key) one = {};
}

size_t RiskTable::forget_before(uint32_t at_s) {
    const auto silent = [at_s](const auto& one) { return one.last_s < at_s; };
    const size_t gone = accounts.remove(silent, account_hash) + pairs.remove(silent, pair_hash);
#ifdef __GLIBC__
    if (gone >= Dense<Pair>::chunk_records) malloc_trim(0);  // else the C library keeps it for later
#endif
    return gone;
}

uint64_t RiskTable::digest() {
    uint64_t sum = 0;
    const auto add_all = [&sum](auto& records, uint64_t kind) {
        for (size_t i = 0; i < records.size(); ++i)
            sum += siphash({reinterpret_cast<const char*>(&records[i]), sizeof records[i]}, {kind, kind});
    };
    add_all(accounts, 1), add_all(pairs, 2);
    return sum;
}

uint64_t siphash(std::string_view text, const std::array<uint64_t, 2>& key) {
    uint64_t v0 = key[0] ^ 0x736f6d6570736575ULL, v1 = key[1] ^ 0x646f72616e646f6dULL,
             v2 = key[0] ^ 0x6c7967656e657261ULL, v3 = key[1] ^ 0x7465646279746573ULL;
    const auto round = [&] {
        v0 += v1, v1 = std::rotl(v1, 13), v1 ^= v0, v0 = std::rotl(v0, 32);
        v2 += v3, v3 = std::rotl(v3, 16), v3 ^= v2;
        v0 += v3, v3 = std::rotl(v3, 21), v3 ^= v0;
        v2 += v1, v1 = std::rotl(v1, 17), v1 ^= v2, v2 = std::rotl(v2, 32);
    };
    const auto take = [&](uint64_t word) { v3 ^= word, round(), round(), v0 ^= word; };
    size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        uint64_t word = 0;
        for (size_t i = 0; i < 8; ++i) word |= uint64_t(uint8_t(text[at + i])) << (8 * i);
        take(word);
    }
    uint64_t last = uint64_t(text.size()) << 56;
    for (size_t i = 0; at + i < text.size(); ++i) last |= uint64_t(uint8_t(text[at + i])) << (8 * i);
    take(last);
    v2 ^= 0xff;
    round(), round(), round(), round();
    return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace tutela
