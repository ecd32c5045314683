// The Python face of what text is made of. The lock is released meanwhile.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "letters.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using Data = nb::ndarray<nb::ro, const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

bool text(const Data& data) {
    nb::gil_scoped_release unlocked;
    return is_text({data.data(), data.size()});
}

bool row(const Data& data, const nb::bytes& letters, size_t length) {
    Letters table;
    if (letters.size() != table.size()) throw std::invalid_argument("letters: give 256 bytes, each 0 or 1");
    if (length == 0) throw std::invalid_argument("length: give at least 1");
    std::copy_n(reinterpret_cast<const uint8_t*>(letters.c_str()), table.size(), table.begin());
    nb::gil_scoped_release unlocked;
    return has_row({data.data(), data.size()}, table, length);
}

std::vector<std::pair<size_t, size_t>> runs(const Data& data) {
    nb::gil_scoped_release unlocked;
    return base64_runs({data.data(), data.size()});
}

std::vector<std::pair<size_t, size_t>> groups(const Data& data) {
    nb::gil_scoped_release unlocked;
    return base64_groups({data.data(), data.size()});
}

std::vector<std::pair<size_t, size_t>> tight(const Data& data) {
    nb::gil_scoped_release unlocked;
    return tight_runs({data.data(), data.size()});
}

std::vector<std::pair<size_t, size_t>> markup(const Data& data) {
    nb::gil_scoped_release unlocked;
    return markup_runs({data.data(), data.size()});
}

size_t blocks(const Data& data) {
    nb::gil_scoped_release unlocked;
    return block_letters({data.data(), data.size()});
}

}  // namespace

void bind_letters(nb::module_& m) {
    m.def("is_text", &text, nb::arg("data"));
    m.def("base64_runs", &runs, nb::arg("data"));
    m.def("base64_groups", &groups, nb::arg("data"));
    m.def("tight_runs", &tight, nb::arg("data"));
    m.def("markup_runs", &markup, nb::arg("data"));
    m.def("block_letters", &blocks, nb::arg("data"));
    m.def("has_row", &row, nb::arg("data"), nb::arg("letters"), nb::arg("length"));
}
