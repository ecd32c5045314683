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

size_t sub_blocks_end(const File& file, size_t begin) {
    return walk_sub_blocks({file.data(), file.size()}, begin, [](std::span<const uint8_t>) {});
}

// (all pieces as one, how many they are, where they end)
nb::tuple sub_blocks(const File& file, size_t begin) {
    std::vector<uint8_t> joined;
    size_t count = 0;
    const size_t end = walk_sub_blocks({file.data(), file.size()}, begin, [&](std::span<const uint8_t> piece) {
        joined.insert(joined.end(), piece.begin(), piece.end());
        ++count;
    });
    return nb::make_tuple(nb::bytes(joined.data(), joined.size()), count, end);
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
    m.def("gif_sub_blocks", &sub_blocks, nb::arg("file"), nb::arg("begin"));
    m.def("gif_sub_blocks_end", &sub_blocks_end, nb::arg("file"), nb::arg("begin"));
    m.def("find_literals", &literals_in, nb::arg("data"), nb::arg("literals"), nb::arg("most") = nb::none());
}
