// The Python face of words: text in as UTF-8, what was found out with its place in code points.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>

#include "words.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using Numbers = nb::ndarray<const uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Values = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Keys = nb::ndarray<const uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bytes = nb::ndarray<nb::ro, const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::string_view view_of(const nb::bytes& text) { return {text.c_str(), text.size()}; }

Folding* folding(const Numbers& begins, const Numbers& letters) {
    return new Folding({begins.data(), begins.data() + begins.size()}, {letters.data(), letters.data() + letters.size()});
}

nb::str fold(const Folding& folding, const nb::bytes& text) {
    std::vector<uint32_t> folded, places;
    folding.fold(view_of(text), folded, places);
    PyObject* made = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, folded.data(), Py_ssize_t(folded.size()));
    if (made == nullptr) throw nb::python_error();
    return nb::steal<nb::str>(made);
}

nb::bytes build(const Values& values, const Keys& keys) {
    if (values.shape(1) != Patterns::width) throw nb::value_error("patterns must have shape (count, 256)");
    if (values.shape(0) != keys.shape(0)) throw nb::value_error("there must be as many keys as patterns");
    std::vector<uint8_t> bytes;
    {
        nb::gil_scoped_release unlocked;
        bytes = Patterns::build({values.data(), values.size()}, {keys.data(), keys.size()});
    }
    return nb::bytes(bytes.data(), bytes.size());
}

class PatternFile {
public:
    explicit PatternFile(const Bytes& bytes) : bytes_(bytes), patterns_({bytes.data(), bytes.size()}) {}

    size_t count() const { return patterns_.size(); }

    // (value, begin, end) of every pattern that the text holds.
    nb::list find(const nb::bytes& text, const Folding& folding) const {
        std::vector<WordHit> hits;
        {
            nb::gil_scoped_release unlocked;
            hits = patterns_.find(view_of(text), folding);
        }
        nb::list found;
        for (const WordHit& hit : hits)
            found.append(nb::make_tuple(nb::bytes(patterns_.value(hit.row), Patterns::width), hit.begin, hit.end));
        return found;
    }

    nb::list keys_of(const nb::bytes& value) const {
        if (value.size() != Patterns::width) throw nb::value_error("a pattern is 256 bytes");
        const auto [begin, end] = patterns_.equal(reinterpret_cast<const uint8_t*>(value.c_str()));
        nb::list keys;
        for (size_t row = begin; row < end; ++row) keys.append(patterns_.key(row));
        return keys;
    }

    nb::tuple rows(size_t begin, size_t end) const {
        end = std::min(end, patterns_.size());
        begin = std::min(begin, end);
        const size_t count = end - begin;
        const uint8_t* from = patterns_.value(begin);
        auto* values = new std::vector<uint8_t>(from, from + count * Patterns::width);
        nb::capsule values_owner(values, [](void* p) noexcept { delete static_cast<std::vector<uint8_t>*>(p); });
        auto* keys = new std::vector<uint64_t>(count);
        nb::capsule keys_owner(keys, [](void* p) noexcept { delete static_cast<std::vector<uint64_t>*>(p); });
        for (size_t i = 0; i < count; ++i) (*keys)[i] = patterns_.key(begin + i);
        return nb::make_tuple(
            nb::ndarray<nb::numpy, uint8_t, nb::ndim<2>>(values->data(), {count, Patterns::width}, values_owner),
            nb::ndarray<nb::numpy, uint64_t, nb::ndim<1>>(keys->data(), {count}, keys_owner));
    }

private:
    Bytes bytes_;
    Patterns patterns_;
};

}  // namespace

void bind_words(nb::module_& m) {
    nb::exception<CorruptPatterns>(m, "CorruptPatternsError");
    nb::class_<Folding>(m, "Folding")
        .def(nb::new_(&folding), nb::arg("begins"), nb::arg("letters"))
        .def("fold", &fold, nb::arg("text"));
    m.def("build_patterns", &build, nb::arg("values"), nb::arg("keys"));
    nb::class_<PatternFile>(m, "Patterns")
        .def(nb::init<const Bytes&>(), nb::arg("data"))
        .def("__len__", &PatternFile::count)
        .def("find", &PatternFile::find, nb::arg("text"), nb::arg("folding"))
        .def("keys_of", &PatternFile::keys_of, nb::arg("value"))
        .def("rows", &PatternFile::rows, nb::arg("begin"), nb::arg("end"));
}
