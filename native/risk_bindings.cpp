// The Python face of the state of conversations: events and records travel as bytes of the layouts in risk.hpp.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "risk.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

template <typename Number>
using Array = nb::ndarray<nb::numpy, Number>;

template <typename Number>
Array<Number> array_of(std::vector<Number>&& values, std::initializer_list<size_t> shape) {
    auto* kept = new std::vector<Number>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<Number>*>(p); });
    return Array<Number>(kept->data(), shape, owner);
}

template <typename Number>
Array<Number> array_of(std::vector<Number>&& values) {
    const size_t count = values.size();
    return array_of(std::move(values), {count});
}

template <typename Record>
std::vector<Record> records_of(const nb::bytes& bytes) {
    if (bytes.size() % sizeof(Record) != 0) throw nb::value_error("the bytes are no whole number of records");
    std::vector<Record> records(bytes.size() / sizeof(Record));
    if (!records.empty()) std::memcpy(records.data(), bytes.c_str(), bytes.size());
    return records;
}

template <typename Record>
nb::bytes bytes_of(std::span<const Record> records) {
    return nb::bytes(records.data(), records.size_bytes());
}

nb::tuple apply(RiskTable& table, const nb::bytes& bytes) {
    const auto events = records_of<RiskEvent>(bytes);
    std::vector<Crossing> crossings;
    {
        nb::gil_scoped_release unlocked;
        const std::lock_guard alone(table.changing);
        table.apply(events, crossings);
    }
    std::vector<uint64_t> accounts, positions;
    std::vector<uint32_t> times;
    std::vector<float> features;
    for (const Crossing& one : crossings) {
        accounts.push_back(one.account), positions.push_back(one.position), times.push_back(one.at_s);
        features.insert(features.end(), one.features.begin(), one.features.end());
    }
    const size_t count = crossings.size();
    return nb::make_tuple(array_of(std::move(accounts)), array_of(std::move(positions)), array_of(std::move(times)),
                          array_of(std::move(features), {count, risk_features}));
}

void set_weights(RiskTable& table, const std::vector<float>& scale, const std::vector<float>& weight) {
    if (scale.size() != risk_counters || weight.size() != risk_counters)
        throw nb::value_error("there must be one scale and one weight for each counter");
    RiskWeights weights;
    std::ranges::copy(scale, weights.scale.begin());
    std::ranges::copy(weight, weights.weight.begin());
    table.set_weights(weights);
}

void set_gates(RiskTable& table, const std::vector<std::pair<uint32_t, float>>& gates) {
    for (const auto& gate : gates)
        if (gate.first >= risk_features) throw nb::value_error("there is no such feature");
    table.set_gates(gates);
}

nb::object features(RiskTable& table, uint64_t key) {
    const Account* found = table.account(key);
    if (found == nullptr) return nb::none();
    const auto values = table.features(*found);
    return nb::cast(array_of(std::vector<float>(values.begin(), values.end())));
}

nb::object account(RiskTable& table, uint64_t key) {
    const Account* found = table.account(key);
    return found == nullptr ? nb::object(nb::none()) : nb::object(nb::bytes(found, sizeof *found));
}

nb::bytes pairs_of(RiskTable& table, uint64_t sender) {
    std::vector<Pair> found;
    for (size_t i = 0; i < table.pairs.size(); ++i)
        if (table.pairs[i].sender == sender) found.push_back(table.pairs[i]);
    return bytes_of<Pair>(found);
}

// Which accounts have that much trust. Any thread may ask: whatever moves records holds the same lock.
Array<uint8_t> trusting(RiskTable& table, const std::vector<uint64_t>& keys, float least) {
    std::vector<uint8_t> found;
    {
        nb::gil_scoped_release unlocked;
        const std::lock_guard alone(table.changing);
        for (const uint64_t key : keys) {
            const Account* one = table.account(key);
            found.push_back(one != nullptr && table.trust(*one) >= least);
        }
    }
    return array_of(std::move(found));
}

size_t forget_before(RiskTable& table, uint32_t at_s) {
    const std::lock_guard alone(table.changing);
    return table.forget_before(at_s);
}

void load_accounts(RiskTable& table, const nb::bytes& bytes) {
    const std::lock_guard alone(table.changing);
    for (const Account& one : records_of<Account>(bytes)) table.add_account(one.key) = one;
}

void load_pairs(RiskTable& table, const nb::bytes& bytes) {
    for (const Pair& one : records_of<Pair>(bytes)) table.add_pair(one.sender, one.recipient) = one;
}

nb::bytes seen_ids(const RiskTable& table, size_t which) {
    return bytes_of<uint64_t>(table.seen.sets.at(which));
}

void load_seen_ids(RiskTable& table, size_t which, const nb::bytes& bytes, uint64_t count, uint32_t since_s) {
    auto ids = records_of<uint64_t>(bytes);
    if (!std::has_single_bit(std::max<size_t>(1, ids.size()))) throw nb::value_error("a set of ids is a power of two");
    table.seen.sets.at(which) = std::move(ids), table.seen.counts.at(which) = count, table.seen.since_s = since_s;
}

Array<uint64_t> pseudonyms(const nb::list& names, uint64_t first, uint64_t second) {
    std::vector<uint64_t> found;
    found.reserve(names.size());
    for (const auto& name : names) {
        Py_ssize_t size = 0;
        const char* text = name.is_none() ? nullptr : PyUnicode_AsUTF8AndSize(name.ptr(), &size);
        if (text == nullptr && !name.is_none()) throw nb::python_error();
        // 0 stands for nobody.
        found.push_back(size == 0 ? 0 : std::max<uint64_t>(1, siphash({text, size_t(size)}, {first, second})));
    }
    return array_of(std::move(found));
}

}  // namespace

void bind_risk(nb::module_& m) {
    nb::class_<RiskTable>(m, "RiskTable")
        .def(nb::init<>())
        .def("set_weights", &set_weights, nb::arg("scale"), nb::arg("weight"))
        .def("set_gates", &set_gates, nb::arg("gates"))
        .def("apply", &apply, nb::arg("events"))
        .def("features", &features, nb::arg("account"))
        .def("account", &account, nb::arg("account"))
        .def("pairs_of", &pairs_of, nb::arg("account"))
        .def("came_first", &RiskTable::came_first, nb::arg("sender"), nb::arg("recipient"))
        .def("set_level", &RiskTable::set_level, nb::arg("account"), nb::arg("level"), nb::arg("at_s"))
        .def("trusting", &trusting, nb::arg("accounts"), nb::arg("least"))
        .def("forget_before", &forget_before, nb::arg("at_s"))
        .def("digest", &RiskTable::digest)
        .def("account_chunks", [](RiskTable& table) { return table.accounts.chunks(); })
        .def("account_chunk", [](RiskTable& table, size_t i) { return bytes_of(table.accounts.chunk(i)); }, nb::arg("number"))
        .def("pair_chunks", [](RiskTable& table) { return table.pairs.chunks(); })
        .def("pair_chunk", [](RiskTable& table, size_t i) { return bytes_of(table.pairs.chunk(i)); }, nb::arg("number"))
        .def("load_accounts", &load_accounts, nb::arg("records"))
        .def("load_pairs", &load_pairs, nb::arg("records"))
        .def("seen_ids", &seen_ids, nb::arg("which"))
        .def("load_seen_ids", &load_seen_ids, nb::arg("which"), nb::arg("ids"), nb::arg("count"), nb::arg("since_s"))
        .def_prop_ro("seen_counts", [](const RiskTable& table) { return nb::make_tuple(table.seen.counts[0], table.seen.counts[1], table.seen.since_s); })
        .def_prop_ro("accounts", [](RiskTable& table) { return table.accounts.size(); })
        .def_prop_ro("pairs", [](RiskTable& table) { return table.pairs.size(); })
        .def_prop_ro("memory_bytes", [](RiskTable& table) { return table.accounts.bytes() + table.pairs.bytes(); })
        .def_prop_ro("odd", [](const RiskTable& table) { return nb::make_tuple(table.repeated, table.late, table.ahead); });
    m.def("risk_feature_names", [] {
        nb::list names;
        for (const auto& name : risk_feature_names()) names.append(nb::str(name.data(), name.size()));
        return names;
    });
    m.def("pseudonyms", &pseudonyms, nb::arg("names"), nb::arg("first"), nb::arg("second"));
}
