// The Python face of PDQ: arrays in, bytes out. Shapes and types are checked here; the lock is released while hashing.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <variant>

#include "dispatch.hpp"
#include "pdq.hpp"
#include "views.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using Array = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

constexpr size_t max_side = size_t{1} << 31;

using AnyPixels = std::variant<Pixels<uint8_t>, Pixels<float>>;

// (height, width, eighths) of the picture that the pixels were reduced from.
using Source = std::optional<std::tuple<size_t, size_t, size_t>>;

AnyPixels pixels_of(const Array& array, const Source& source) {
    const bool bytes = array.dtype() == nb::dtype<uint8_t>(), floats = array.dtype() == nb::dtype<float>();
    if (!bytes && !floats) throw nb::type_error("pixels must be uint8 or float32");
    const bool rgb = array.ndim() == 3 && array.shape(2) == 3 && bytes;
    if (array.ndim() != 2 && !rgb) {
        throw nb::value_error("pixels must have shape (height, width), or (height, width, 3) as uint8");
    }
    const size_t height = array.shape(0), width = array.shape(1), channels = rgb ? 3 : 1;
    if (height == 0 || width == 0) throw nb::value_error("pixels must not be empty");
    const auto [source_height, source_width, eighths] = source.value_or(std::tuple{height, width, size_t{8}});
    if (source_height > max_side || source_width > max_side) throw nb::value_error("a side is too long");
    if (bytes) {
        return Pixels<uint8_t>{static_cast<const uint8_t*>(array.data()), height, width, channels,
                               source_height, source_width, eighths};
    }
    const auto* data = static_cast<const float*>(array.data());
    for (size_t i = 0; i < height * width; ++i) {
        if (!std::isfinite(data[i])) throw nb::value_error("pixels must be finite");
    }
    return Pixels<float>{data, height, width, channels, source_height, source_width, eighths};
}

bool too_small(const AnyPixels& pixels) {
    return std::visit([](const auto& p) { return p.source_height < min_side || p.source_width < min_side; }, pixels);
}

Picture64 downsample_any(const AnyPixels& pixels) {
    return std::visit([](const auto& p) { return downsample(p); }, pixels);
}

nb::bytes as_bytes(const Hash& hash) { return nb::bytes(hash.data(), hash.size()); }

nb::tuple as_tuple(const std::array<Hash, dihedral_count>& hashes) {
    nb::list out;
    for (const Hash& hash : hashes) out.append(as_bytes(hash));
    return nb::tuple(out);
}

nb::tuple pdq(const Array& array, const Source& source) {
    const AnyPixels pixels = pixels_of(array, source);
    Hash hash{};
    int detail = 0;
    if (!too_small(pixels)) {
        nb::gil_scoped_release unlocked;
        const Picture64 small = downsample_any(pixels);
        detail = quality(small);
        hash = hash_of(frequencies(small));
    }
    return nb::make_tuple(as_bytes(hash), detail);
}

nb::tuple pdq_dihedral(const Array& array, const Source& source) {
    const AnyPixels pixels = pixels_of(array, source);
    std::array<Hash, dihedral_count> hashes{};
    int detail = 0;
    if (!too_small(pixels)) {
        nb::gil_scoped_release unlocked;
        const Picture64 small = downsample_any(pixels);
        detail = quality(small);
        const Frequencies straight = frequencies(small);
        for (size_t view = 0; view < dihedral_count; ++view) {
            hashes[view] = hash_of(turned(straight, static_cast<Dihedral>(view)));
        }
    }
    return nb::make_tuple(as_tuple(hashes), detail);
}

nb::tuple pdq_turned(const Array& array, const Source& source) {
    const AnyPixels pixels = pixels_of(array, source);
    std::array<Hash, dihedral_count> hashes{};
    int detail = 0, turned_detail = 0;
    if (!too_small(pixels)) {
        nb::gil_scoped_release unlocked;
        const Mirrorings small = std::visit([](const auto& p) { return downsample_mirrored(p); }, pixels);
        detail = quality(small[0]);
        turned_detail = says_something(frequencies(small[0])) ? detail : 0;
        hashes = hashes_of(small);
    }
    return nb::make_tuple(as_tuple(hashes), detail, turned_detail);
}

nb::object pdq_downsample(const Array& array, const Source& source) {
    const AnyPixels pixels = pixels_of(array, source);
    auto* out = new Picture64;
    nb::capsule owner(out, [](void* p) noexcept { delete static_cast<Picture64*>(p); });
    {
        nb::gil_scoped_release unlocked;
        *out = downsample_any(pixels);
    }
    return nb::cast(nb::ndarray<nb::numpy, float, nb::shape<64, 64>>(out->data(), {64, 64}, owner));
}

double variety_of(const nb::bytes& value) {
    Hash hash;
    if (value.size() != hash.size()) throw nb::value_error("a hash has 32 bytes");
    std::memcpy(hash.data(), value.c_str(), hash.size());
    return variety(hash);
}

std::vector<std::string> level_names() {
    std::vector<std::string> names;
    for (const Level& candidate : levels()) names.emplace_back(candidate.name);
    return names;
}

}  // namespace

void bind_pdq(nb::module_& m) {
    m.def("pdq", &pdq, nb::arg("pixels"), nb::arg("source") = nb::none());
    m.def("pdq_dihedral", &pdq_dihedral, nb::arg("pixels"), nb::arg("source") = nb::none());
    m.def("pdq_turned", &pdq_turned, nb::arg("pixels"), nb::arg("source") = nb::none());
    m.def("pdq_downsample", &pdq_downsample, nb::arg("pixels"), nb::arg("source") = nb::none());
    m.def("pdq_variety", &variety_of, nb::arg("value"));
    m.def("simd", [] { return std::string(level().name); });
    m.def("simd_levels", &level_names);
    m.def("select_simd", [](const std::string& name) { select_level(name); }, nb::arg("level"));
}
