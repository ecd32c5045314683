// The Python face of what reads files: the JPEG decoder, bytes in, luma or None out; the pieces of GIFs; and the search
// for beginnings. Where that may take long, the lock is released.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "gif.hpp"
#include "jpeg.hpp"
#include "jpeg_file.hpp"
#include "literals.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using File = nb::ndarray<nb::ro, const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::object luma(const File& file, size_t min_side, std::optional<uint64_t> seed) {
    std::optional<DecodedLuma> decoded;
    {
        nb::gil_scoped_release unlocked;
        decoded = jpeg_luma({file.data(), file.size()}, min_side, seed);
    }
    if (!decoded) return nb::none();
    auto* out = new DecodedLuma(std::move(*decoded));
    nb::capsule owner(out, [](void* p) noexcept { delete static_cast<DecodedLuma*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, uint8_t, nb::ndim<2>>(out->pixels.data(), {out->height, out->width}, owner));
}

std::optional<size_t> marker(const File& file, size_t from) {
    const size_t found = next_marker({file.data(), file.size()}, from);
    return found < file.size() ? std::optional(found) : std::nullopt;
}

// (introducer, where it begins, where it ends) of the first frame, graphic control or trailer from behind a block that
// ends there, or from behind the head where that is 0; None where there is none.
nb::object gif_block(const File& file, size_t end) {
    const GifBlock found = next_gif_block({file.data(), file.size()}, end);
    if (found.introducer == 0) return nb::none();
    return nb::make_tuple(found.introducer, found.begin, found.end);
}

// (what the pieces of the next extension with that label hold together, where they end), of those in several pieces
// that hold as many bytes; None where there is none.
nb::object gif_extension(const File& file, size_t begin, uint8_t label, size_t fewest) {
    std::vector<uint8_t> joined;
    const size_t end = next_gif_extension({file.data(), file.size()}, begin, label, fewest, joined);
    if (joined.empty()) return nb::none();
    return nb::make_tuple(nb::bytes(joined.data(), joined.size()), end);
}

std::vector<std::pair<size_t, size_t>> literals_in(const File& data, const std::vector<nb::bytes>& literals,
                                                   std::optional<size_t> most) {
    if (most == 0) throw nb::value_error("most is 1 at least");
    std::vector<std::string_view> views;
    for (const nb::bytes& literal : literals) {
        if (literal.size() < 2) throw nb::value_error("a literal has two bytes at least");
        views.emplace_back(literal.c_str(), literal.size());
    }
    nb::gil_scoped_release unlocked;
    return find_literals({data.data(), data.size()}, views, most.value_or(SIZE_MAX));
}

}  // namespace

void bind_jpeg(nb::module_& m) {
    m.def("jpeg_luma", &luma, nb::arg("file"), nb::arg("min_side"), nb::arg("seed") = nb::none());
    m.def("jpeg_marker", &marker, nb::arg("file"), nb::arg("begin"));
    m.def("gif_block", &gif_block, nb::arg("file"), nb::arg("end"));
    m.def("gif_extension", &gif_extension, nb::arg("file"), nb::arg("begin"), nb::arg("label"), nb::arg("fewest"));
    m.def("find_literals", &literals_in, nb::arg("data"), nb::arg("literals"), nb::arg("most") = nb::none());
}
