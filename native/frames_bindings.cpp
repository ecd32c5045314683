// The Python face of INSTREAM's frames.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>

#include <cerrno>

#include "frames.hpp"
#include "gatherer.hpp"

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

void add(Gatherer& gatherer, int socket, std::shared_ptr<Framing> framing, const Buffer& room, bool in_session,
         uint64_t most, size_t there, double took_s) {
    const auto took = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(took_s));
    const std::span<uint8_t> bytes{room.data(), room.size()};
    gatherer.add(socket, {std::move(framing), bytes, in_session, most, std::make_shared<Buffer>(room)}, there, took);
}

nb::list take(Gatherer& gatherer) {
    nb::list taken;
    for (const Pending& each : gatherer.take()) {
        const Received& received = each.received;
        taken.append(nb::make_tuple(each.socket, received.there, received.content, received.rest, received.error));
    }
    return taken;
}

}  // namespace

void bind_frames(nb::module_& m) {
    nb::class_<Framing>(m, "Framing")
        .def(nb::init<>())
        .def_ro("left", &Framing::left)
        .def_ro("announced", &Framing::announced)
        .def("look", &look, nb::arg("buffer"))
        .def("receive", &receive, nb::arg("socket"), nb::arg("room"), nb::arg("in_session"));
    nb::class_<Gatherer>(m, "Gatherer")
        .def(nb::init<int>(), nb::arg("alarm"))
        .def("add", &add, nb::arg("socket"), nb::arg("framing"), nb::arg("room"), nb::arg("in_session"),
             nb::arg("most"), nb::arg("there"), nb::arg("took_s"))
        .def("take", &take)
        .def("count", &Gatherer::count, nb::arg("socket"))
        .def("remove", &Gatherer::remove, nb::arg("socket"));
}
