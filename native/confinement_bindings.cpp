// The Python face of confinement: what took effect is 0, everything else the error number that says why it did not.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "confinement.hpp"

namespace nb = nanobind;
using namespace tutela;

namespace {

int fork_for_parent_with_python() {
    PyOS_BeforeFork();
    const int child = fork_for_parent();
    if (child == 0) {
        PyOS_AfterFork_Child();
    } else {
        PyOS_AfterFork_Parent();
    }
    return child;
}

}  // namespace

void bind_confinement(nb::module_& m) {
    m.def("leave_namespaces", &leave_namespaces, nb::arg("flags"));
    m.def("empty_root", &empty_root);
    m.def("drop_capabilities", &drop_capabilities);
    m.def("forbid_new_privileges", &forbid_new_privileges);
    m.def("landlock_version", &landlock_version);
    m.def("restrict_files", &restrict_files);
    m.def("filter_system_calls", &filter_system_calls);
    m.def("allowed_system_calls", &allowed_system_calls);
    m.def("forbid_dumps", &forbid_dumps);
    m.def("end_with_parent", &end_with_parent);
    m.def("fork_for_parent", &fork_for_parent_with_python);
    m.def("end_on_alarm", &end_on_alarm);
}
