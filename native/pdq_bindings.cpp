#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_pdq(nb::module_&) {}
