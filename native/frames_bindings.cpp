// The Python face of INSTREAM's frames.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>

#include "frames.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using Buffer = nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::object look(Framing& framing, const Buffer& buffer) {
    const Taken taken = take_frames({buffer.data(), buffer.size()}, framing);
    return nb::make_tuple(taken.begin, taken.end, taken.length, taken.rest);
}

void skip(Framing& framing, uint32_t length) {
    if (length > framing.left) throw std::invalid_argument("length: no more is left of the frame");
    framing.left -= length;
}

}  // namespace

void bind_frames(nb::module_& m) {
    nb::class_<Framing>(m, "Framing")
        .def(nb::init<>())
        .def_ro("left", &Framing::left)
        .def_ro("announced", &Framing::announced)
        .def("skip", &skip, nb::arg("length"))
        .def("look", &look, nb::arg("buffer"));
}
