// The Python face of the digests: bytes in, three digests or None out. The lock is released meanwhile.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <optional>

#include "digests.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using Data = nb::ndarray<nb::ro, const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <size_t Size>
nb::bytes bytes_of(const std::array<uint8_t, Size>& digest) {
    return nb::bytes(digest.data(), digest.size());
}

nb::object all(const Data& data) {
    std::optional<Digests> made;
    {
        nb::gil_scoped_release unlocked;
        made = digests({data.data(), data.size()});
    }
    if (!made) return nb::none();
    return nb::make_tuple(bytes_of(made->md5), bytes_of(made->sha1), bytes_of(made->sha256));
}

}  // namespace

void bind_digests(nb::module_& m) { m.def("digests", &all, nb::arg("data")); }
