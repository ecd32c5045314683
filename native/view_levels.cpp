// The loops of view_kernels.cpp for each instruction-set level, and which of them this processor gets.
#include <string_view>

#include "dispatch.hpp"
#include "view_kernels.hpp"

namespace tutela {

namespace baseline { extern const ViewKernels view_kernels; }
#ifdef TUTELA_X86_64
namespace avx2 { extern const ViewKernels view_kernels; }
namespace avx512 { extern const ViewKernels view_kernels; }
#endif

const ViewKernels& view_kernels() {
#ifdef TUTELA_X86_64
    const std::string_view name = level().name;
    if (name == "avx512") return avx512::view_kernels;
    if (name == "avx2") return avx2::view_kernels;
#endif
    return baseline::view_kernels;
}

}  // namespace tutela
