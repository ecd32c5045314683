// tutela._native: the Python face of the kernels. Each kernel registers itself; no policy lives here.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_confinement(nb::module_& m);
void bind_digests(nb::module_& m);
void bind_frames(nb::module_& m);
void bind_jpeg(nb::module_& m);
void bind_letters(nb::module_& m);
void bind_links(nb::module_& m);
void bind_pdq(nb::module_& m);
void bind_risk(nb::module_& m);
void bind_segment(nb::module_& m);
void bind_talk(nb::module_& m);
void bind_views(nb::module_& m);
void bind_words(nb::module_& m);

NB_MODULE(_native, m) {
    nb::set_leak_warnings(false);  // a process that ends with something open says nothing of it
    m.doc() = "Tutela's native core: digests, luma from JPEG, PDQ from luma, exact Hamming range search; confinement.";
    bind_confinement(m);
    bind_digests(m);
    bind_frames(m);
    bind_jpeg(m);
    bind_letters(m);
    bind_links(m);
    bind_pdq(m);
    bind_risk(m);
    bind_segment(m);
    bind_talk(m);
    bind_views(m);
    bind_words(m);
}
