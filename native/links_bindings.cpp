// The Python face of links and of the index of their digests. The lock is released where a whole file is gone through.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "prefixes.hpp"
#include "urls.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using Values = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Keys = nb::ndarray<const uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::string_view view_of(const nb::bytes& text) { return {text.c_str(), text.size()}; }

nb::bytes joined(const std::vector<Sha256Value>& values) {
    std::string all;
    all.reserve(values.size() * 32);
    for (const Sha256Value& value : values) all.append(reinterpret_cast<const char*>(value.data()), value.size());
    return nb::bytes(all.data(), all.size());
}

// (host, path, query or None, whether the host is an address); the host alone where it is beyond ASCII; None for no
// link.
nb::object parse(const nb::bytes& text, bool as_browser, const nb::bytes& mapped_host) {
    Link link;
    const Reading reading = as_browser ? Reading::browser : Reading::strict;
    switch (parse_link(view_of(text), reading, view_of(mapped_host), link)) {
        case Parsed::nothing: return nb::none();
        case Parsed::beyond_ascii: return nb::bytes(link.host.data(), link.host.size());
        case Parsed::link: break;
    }
    const nb::object query =
        link.has_query ? nb::object(nb::str(link.query.data(), link.query.size())) : nb::object(nb::none());
    return nb::make_tuple(nb::str(link.host.data(), link.host.size()), nb::str(link.path.data(), link.path.size()),
                          query, link.is_address);
}

void add(std::vector<Sha256Value>& values, const std::vector<Sha256Value>& more) {
    for (const Sha256Value& value : more)
        if (std::ranges::find(values, value) == values.end()) values.push_back(value);
}

// The digests of pages, folders and domains to look up, of either reading; the host where it is beyond ASCII; None.
nb::object look_up(const nb::bytes& text, const nb::bytes& mapped_host) {
    const std::string_view view = view_of(text);
    Link link;
    const Parsed parsed = parse_link(view, Reading::browser, view_of(mapped_host), link);
    if (parsed == Parsed::beyond_ascii) return nb::bytes(link.host.data(), link.host.size());
    Lookups found;
    if (parsed == Parsed::link) found = lookups(link);
    if (may_be_read_twice(view) && parse_link(view, Reading::strict, {}, link) == Parsed::link) {
        const Lookups other = lookups(link);
        add(found.pages, other.pages), add(found.folders, other.folders), add(found.domains, other.domains);
    }
    if (found.pages.empty()) return nb::none();
    return nb::make_tuple(joined(found.pages), joined(found.folders), joined(found.domains));
}

nb::bytes digest(const nb::bytes& text) {
    const Sha256Value value = sha256(view_of(text));
    return nb::bytes(value.data(), value.size());
}

void build(const std::string& path, const Values& values, const Keys& keys) {
    if (values.shape(1) != Prefixes::width) throw nb::value_error("values must have shape (count, 32)");
    if (values.shape(0) != keys.shape(0)) throw nb::value_error("there must be as many keys as values");
    nb::gil_scoped_release unlocked;
    Prefixes::build(path, {values.data(), values.size()}, {keys.data(), keys.size()});
}

class PrefixFile {
public:
    explicit PrefixFile(const std::string& path) : prefixes_(path) {}

    size_t count() const { return prefixes_.size(); }

    nb::list search_many(const nb::bytes& values) const {
        const std::span<const uint8_t> all = checked(values);
        const bool any = prefixes_.may_hold(all);
        nb::list out;
        std::vector<uint64_t> keys;
        for (size_t at = 0; at < all.size(); at += Prefixes::width) {
            keys.clear();
            if (any) prefixes_.find(&all[at], keys);
            nb::list found;
            for (const uint64_t key : keys) found.append(key);
            out.append(found);
        }
        return out;
    }

    bool may_hold(const nb::bytes& values) const { return prefixes_.may_hold(checked(values)); }

    nb::tuple rows(size_t begin, size_t end) const {
        end = std::min(end, prefixes_.size());
        begin = std::min(begin, end);
        const size_t count = end - begin;
        auto* values = new std::vector<uint8_t>(count * Prefixes::width);
        nb::capsule values_owner(values, [](void* p) noexcept { delete static_cast<std::vector<uint8_t>*>(p); });
        auto* keys = new std::vector<uint64_t>(count);
        nb::capsule keys_owner(keys, [](void* p) noexcept { delete static_cast<std::vector<uint64_t>*>(p); });
        for (size_t i = 0; i < count; ++i) {
            prefixes_.value_at(begin + i, values->data() + i * Prefixes::width);
            (*keys)[i] = prefixes_.key_at(begin + i);
        }
        return nb::make_tuple(
            nb::ndarray<nb::numpy, uint8_t, nb::ndim<2>>(values->data(), {count, Prefixes::width}, values_owner),
            nb::ndarray<nb::numpy, uint64_t, nb::ndim<1>>(keys->data(), {count}, keys_owner));
    }

    nb::object bytes() const {
        const auto all = prefixes_.bytes();
        return nb::steal(PyMemoryView_FromMemory(const_cast<char*>(reinterpret_cast<const char*>(all.data())),
                                                 Py_ssize_t(all.size()), PyBUF_READ));
    }

    void forget_tail() const { prefixes_.forget_tail(); }

private:
    static std::span<const uint8_t> checked(const nb::bytes& values) {
        if (values.size() % Prefixes::width) throw nb::value_error("values are 32 bytes each");
        return {reinterpret_cast<const uint8_t*>(values.c_str()), values.size()};
    }

    Prefixes prefixes_;
};

}  // namespace

void bind_links(nb::module_& m) {
    nb::exception<CorruptPrefixes>(m, "CorruptPrefixesError");
    m.def("parse_link", &parse, nb::arg("text"), nb::arg("as_browser") = true, nb::arg("mapped_host") = nb::bytes("", 0));
    m.def("look_up_link", &look_up, nb::arg("text"), nb::arg("mapped_host") = nb::bytes("", 0));
    m.def("sha256", &digest, nb::arg("text"));
    m.def("build_prefixes", &build, nb::arg("path"), nb::arg("values"), nb::arg("keys"));
    nb::class_<PrefixFile>(m, "Prefixes")
        .def(nb::init<const std::string&>(), nb::arg("path"))
        .def("__len__", &PrefixFile::count)
        .def("search_many", &PrefixFile::search_many, nb::arg("values"))
        .def("may_hold", &PrefixFile::may_hold, nb::arg("values"))
        .def("rows", &PrefixFile::rows, nb::arg("begin"), nb::arg("end"))
        .def("bytes", &PrefixFile::bytes, nb::keep_alive<0, 1>())
        .def("forget_tail", &PrefixFile::forget_tail);
}
