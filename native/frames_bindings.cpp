// The Python face of INSTREAM's frames.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cerrno>

#include "frames.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

using Buffer = nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::object look(Framing& framing, const Buffer& buffer) {
    const Taken taken = take_frames({buffer.data(), buffer.size()}, framing);
    return nb::make_tuple(taken.content, taken.length, taken.rest);
}

nb::object receive(Framing& framing, int socket, const Buffer& room, bool in_session) {
    const Received received = receive_frames(socket, {room.data(), room.size()}, framing, in_session);
    if (received.error != 0) {
        errno = received.error;
        PyErr_SetFromErrno(PyExc_OSError);
        throw nb::python_error();
    }
    return nb::make_tuple(received.there, received.content, received.rest);
}

}  // namespace

void bind_frames(nb::module_& m) {
    nb::class_<Framing>(m, "Framing")
        .def(nb::init<>())
        .def_ro("left", &Framing::left)
        .def_ro("announced", &Framing::announced)
        .def("look", &look, nb::arg("buffer"))
        .def("receive", &receive, nb::arg("socket"), nb::arg("room"), nb::arg("in_session"));
}
