// The Python face of views: one picture and many quadrilaterals in, hashes out. The lock is released while hashing.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "pdq.hpp"
#include "structure.hpp"
#include "views.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using Luma = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Quadrilaterals = nb::ndarray<const double, nb::shape<-1, 4, 2>, nb::c_contig, nb::device::cpu>;

template <typename T>
nb::ndarray<nb::numpy, T> owned(std::unique_ptr<T[]> values, std::initializer_list<size_t> shape) {
    T* data = values.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::ndarray<nb::numpy, T>(data, shape, owner);
}

void need_pixels(const Luma& luma) {
    if (luma.shape(0) == 0 || luma.shape(1) == 0) throw nb::value_error("pixels must not be empty");
}

// Hashes of the views and, of the first `turned` of them, of all eight ways to turn them.
nb::tuple pdq_views(const Luma& luma, const Quadrilaterals& corners, size_t turned_count) {
    const size_t count = corners.shape(0);
    need_pixels(luma);
    if (turned_count > count) throw nb::value_error("no more views can be turned than there are");
    const size_t rows = count + 7 * turned_count;
    auto hashes = std::make_unique<uint8_t[]>(rows * 32);
    auto qualities = std::make_unique<uint8_t[]>(count);
    {
        nb::gil_scoped_release unlocked;
        const Pyramid pyramid(luma.data(), luma.shape(0), luma.shape(1));
        uint8_t* out = hashes.get();
        for (size_t i = 0; i < count; ++i) {
            Corners view;
            std::memcpy(view.data(), corners.data() + 8 * i, sizeof view);
            const size_t turns = i < turned_count ? dihedral_count : 1;
            if (viewable(pyramid, view)) {
                const Picture64 small = view_of(pyramid, view);
                const Frequencies straight = frequencies(small);
                qualities[i] = static_cast<uint8_t>(says_something(straight) ? quality(small) : 0);
                for (size_t turn = 0; turn < turns; ++turn) {
                    const Hash hash = hash_of(turned(straight, static_cast<Dihedral>(turn)));
                    std::memcpy(out + 32 * turn, hash.data(), 32);
                }
            }
            out += 32 * turns;
        }
    }
    return nb::make_tuple(owned(std::move(hashes), {rows, 32}), owned(std::move(qualities), {count}));
}

nb::ndarray<nb::numpy, float> sums_of(const LineSums& lines) {
    auto values = std::make_unique<float[]>(lines.sums.size());
    std::copy(lines.sums.begin(), lines.sums.end(), values.get());
    return owned(std::move(values), {lines.blocks + 1, lines.positions});
}

nb::tuple line_edges(const Luma& luma) {
    need_pixels(luma);
    LineSums vertical, horizontal;
    {
        nb::gil_scoped_release unlocked;
        vertical = vertical_edges(luma.data(), luma.shape(0), luma.shape(1));
        horizontal = horizontal_edges(luma.data(), luma.shape(0), luma.shape(1));
    }
    return nb::make_tuple(sums_of(vertical), sums_of(horizontal));
}

nb::ndarray<nb::numpy, float> find_blobs(const Luma& luma, float fine, float coarse, size_t reach) {
    need_pixels(luma);
    if (!(fine > 0 && coarse > 0 && fine < 64 && coarse < 64)) throw nb::value_error("deviations must be in (0, 64)");
    std::vector<Blob> found;
    {
        nb::gil_scoped_release unlocked;
        found = blobs(luma.data(), luma.shape(0), luma.shape(1), fine, coarse, reach);
    }
    auto values = std::make_unique<float[]>(3 * found.size());
    for (size_t i = 0; i < found.size(); ++i) {
        values[3 * i] = found[i].x, values[3 * i + 1] = found[i].y, values[3 * i + 2] = found[i].strength;
    }
    return owned(std::move(values), {found.size(), 3});
}

}  // namespace

void bind_views(nb::module_& m) {
    m.def("line_edges", &line_edges, nb::arg("luma"));
    m.def("blobs", &find_blobs, nb::arg("luma"), nb::arg("fine"), nb::arg("coarse"), nb::arg("reach"));
    m.def("pdq_views", &pdq_views, nb::arg("luma"), nb::arg("corners"), nb::arg("turned") = 0);
}
