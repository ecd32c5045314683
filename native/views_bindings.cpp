// The Python face of views: what is found in one picture, and the hashes of many quadrilaterals in it. The lock is released
// meanwhile.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <tuple>
#include <vector>

#include "finding.hpp"
#include "landmarks.hpp"
#include "pdq.hpp"
#include "views.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using Grey = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Quadrilaterals = nb::ndarray<const double, nb::shape<-1, 4, 2>, nb::c_contig, nb::device::cpu>;
using Quadrilateral = nb::ndarray<const double, nb::shape<4, 2>, nb::c_contig, nb::device::cpu>;
using Turns = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bounds = std::tuple<double, double, double, double>;

template <typename T>
nb::ndarray<nb::numpy, T> owned(std::unique_ptr<T[]> values, std::initializer_list<size_t> shape) {
    T* data = values.release();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::ndarray<nb::numpy, T>(data, shape, owner);
}

nb::ndarray<nb::numpy, double> array_of(const std::vector<Corners>& found) {
    auto corners = std::make_unique<double[]>(8 * found.size());
    std::memcpy(corners.get(), found.data(), found.size() * sizeof(Corners));
    return owned(std::move(corners), {found.size(), 4, 2});
}

std::unique_ptr<Canvas> canvas_of(const Grey& luma) {
    if (luma.shape(0) == 0 || luma.shape(1) == 0) throw nb::value_error("pixels must not be empty");
    nb::gil_scoped_release unlocked;
    return std::make_unique<Canvas>(luma.data(), luma.shape(0), luma.shape(1));
}

// None where the picture would be too small.
std::unique_ptr<Canvas> cut_out_of(const Canvas& canvas, const Quadrilateral& corners, size_t least) {
    Corners quadrilateral;
    std::memcpy(quadrilateral.data(), corners.data(), sizeof quadrilateral);
    nb::gil_scoped_release unlocked;
    const Cutting cutting = cut_out(canvas.luma(), quadrilateral, std::max<size_t>(least, 1));
    if (cutting.pixels.empty()) return nullptr;
    return std::make_unique<Canvas>(cutting.pixels.data(), cutting.height, cutting.width);
}

// Hashes of the views, for each turn whose bit is set for the view; and what turning does not change: qualities, and how
// many fields are filled.
nb::tuple hashes_of(Canvas& canvas, const double* corners, const uint8_t* turns, size_t count) {
    size_t rows = 0;
    for (size_t i = 0; i < count; ++i) rows += static_cast<size_t>(std::popcount(turns[i]));
    auto hashes = std::make_unique<uint8_t[]>(rows * 32);
    auto qualities = std::make_unique<uint8_t[]>(count);
    auto filled = std::make_unique<uint8_t[]>(count);
    {
        nb::gil_scoped_release unlocked;
        uint8_t* out = hashes.get();
        for (size_t i = 0; i < count; ++i) {
            Corners view;
            std::memcpy(view.data(), corners + 8 * i, sizeof view);
            const bool is_viewable = canvas.viewable(view);
            Frequencies straight{};
            if (is_viewable) {
                const Picture64 small = canvas.view(view);
                straight = frequencies(small);
                qualities[i] = static_cast<uint8_t>(canvas.has_detail(view) && says_something(straight) ? quality(small) : 0);
                filled[i] = static_cast<uint8_t>(filled_fields(small));
            }
            for (size_t turn = 0; turn < dihedral_count; ++turn) {
                if ((turns[i] >> turn & 1) == 0) continue;
                if (is_viewable) {
                    const Hash hash = hash_of(turned(straight, static_cast<Dihedral>(turn)));
                    std::memcpy(out, hash.data(), 32);
                }
                out += 32;
            }
        }
    }
    return nb::make_tuple(owned(std::move(hashes), {rows, 32}), owned(std::move(qualities), {count}), owned(std::move(filled), {count}));
}

nb::tuple hashes(Canvas& canvas, const Quadrilaterals& corners, const Turns& turns) {
    if (turns.shape(0) != corners.shape(0)) throw nb::value_error("there must be as many turns as views");
    return hashes_of(canvas, corners.data(), turns.data(), corners.shape(0));
}

nb::tuple pdq_views(const Grey& luma, const Quadrilaterals& corners, size_t turned_count) {
    if (turned_count > corners.shape(0)) throw nb::value_error("no more views can be turned than there are");
    std::vector<uint8_t> turns(corners.shape(0), 1);
    std::fill_n(turns.begin(), turned_count, uint8_t{255});
    const nb::tuple found = hashes_of(*canvas_of(luma), corners.data(), turns.data(), turns.size());
    return nb::make_tuple(found[0], found[1]);
}

nb::tuple pictures(const Canvas& canvas, size_t most_pieces, size_t most_rectangles) {
    std::vector<Found> found;
    {
        nb::gil_scoped_release unlocked;
        found = pictures_inside(canvas.luma(), most_pieces, most_rectangles);
    }
    std::vector<Corners> corners;
    auto scores = std::make_unique<float[]>(found.size());
    size_t of_pieces = 0;
    for (const auto& [family, box, score] : found) {
        const auto side = [](size_t place) { return static_cast<double>(place); };
        scores[corners.size()] = score;
        corners.push_back(corners_of(canvas.luma(), side(box.left), side(box.top), side(box.right), side(box.bottom)));
        of_pieces += family == Family::piece;
    }
    return nb::make_tuple(array_of(corners), owned(std::move(scores), {found.size()}), of_pieces);
}

// The box in whole pixels, at least one each way.
Box box_of(const Luma& luma, const Bounds& bounds) {
    const auto [left, top, right, bottom] = bounds;
    if (!(0 <= left && left < right && right <= 1 && 0 <= top && top < bottom && bottom <= 1)) {
        throw nb::value_error("bounds are left, top, right, bottom in fractions of the picture");
    }
    const auto place = [](double share, size_t length) {
        return static_cast<size_t>(std::lround(share * static_cast<double>(length)));
    };
    Box box{place(left, luma.width), place(top, luma.height), place(right, luma.width), place(bottom, luma.height)};
    box.left = std::min(box.left, luma.width - 1), box.top = std::min(box.top, luma.height - 1);
    box.right = std::max(box.right, box.left + 1), box.bottom = std::max(box.bottom, box.top + 1);
    return box;
}

void need_window(double window) {
    if (!(window > 0 && window <= 1)) throw nb::value_error("window must be in (0, 1]");
}

nb::ndarray<nb::numpy, double> windows_in(const Canvas& canvas, const Bounds& bounds, size_t limit, double window, double scale) {
    need_window(window);
    if (!(scale >= smallest_scale && scale <= 1)) throw nb::value_error("scale must be in [0.25, 1]");
    const Luma& luma = canvas.luma();
    const Box box = box_of(luma, bounds);
    std::vector<Corners> found;
    {
        nb::gil_scoped_release unlocked;
        found = windows(canvas, box, limit, window, scale);
    }
    return array_of(found);
}

nb::ndarray<nb::numpy, double> tilted_in(const Canvas& canvas) {
    std::vector<Corners> found;
    {
        nb::gil_scoped_release unlocked;
        found = tilted(canvas.luma());
    }
    return array_of(found);
}

// The number of each view's family, and its corners.
nb::tuple views_in(const Canvas& canvas, size_t pieces, size_t rectangles, size_t most_landmarks, double window, size_t inner,
                   float sure, const Quadrilaterals& edges) {
    need_window(window);
    const Budget budget{pieces, rectangles, most_landmarks, window, inner, sure};
    std::vector<Corners> edge_corners(edges.shape(0));
    std::memcpy(edge_corners.data(), edges.data(), edge_corners.size() * sizeof(Corners));
    std::vector<View> found;
    {
        nb::gil_scoped_release unlocked;
        found = views_inside(canvas, budget, edge_corners);
    }
    std::vector<Corners> corners;
    auto families = std::make_unique<uint8_t[]>(found.size());
    for (const View& view : found) {
        families[corners.size()] = static_cast<uint8_t>(view.family);
        corners.push_back(view.corners);
    }
    return nb::make_tuple(owned(std::move(families), {found.size()}), array_of(corners));
}

}  // namespace

void bind_views(nb::module_& m) {
    m.def("pdq_views", &pdq_views, nb::arg("luma"), nb::arg("corners"), nb::arg("turned") = 0);
    nb::class_<Canvas>(m, "Canvas")
        .def(nb::new_(&canvas_of), nb::arg("luma"))
        .def("hashes", &hashes, nb::arg("corners"), nb::arg("turns"))
        .def("views", &views_in, nb::arg("pieces"), nb::arg("rectangles"), nb::arg("landmarks"), nb::arg("window"),
             nb::arg("inner"), nb::arg("sure"), nb::arg("edges"))
        .def("tilted", &tilted_in)
        .def("cut_out", &cut_out_of, nb::arg("corners"), nb::arg("least"))
        .def("pictures", &pictures, nb::arg("most_pieces"), nb::arg("most_rectangles"))
        .def("windows", &windows_in, nb::arg("bounds"), nb::arg("limit"), nb::arg("window"), nb::arg("scale"));
}
