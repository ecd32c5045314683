#include "dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace tutela {

namespace baseline { extern const Kernels kernels; }
#ifdef TUTELA_X86_64
namespace avx2 { extern const Kernels kernels; }
namespace avx512 { extern const Kernels kernels; }
#endif

namespace {

std::vector<Level> detect() {
    std::vector<Level> found{{"baseline", &baseline::kernels}};
#ifdef TUTELA_X86_64
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
        __builtin_cpu_supports("lzcnt") && __builtin_cpu_supports("popcnt")) {
        found.push_back({"avx2", &avx2::kernels});
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512bitalg")) {
            found.push_back({"avx512", &avx512::kernels});
        }
    }
#endif
    return found;
}

const Level* find(std::string_view name) {
    for (const Level& candidate : levels()) {
        if (name == candidate.name) return &candidate;
    }
    throw std::invalid_argument("this processor has no SIMD level '" + std::string(name) + "'");
}

std::atomic<const Level*> selected{nullptr};

}  // namespace

const std::vector<Level>& levels() {
    static const std::vector<Level> found = detect();
    return found;
}

const Level& level() {
    const Level* current = selected.load(std::memory_order_acquire);
    if (current == nullptr) {
        const char* wanted = std::getenv("TUTELA_SIMD");
        current = wanted != nullptr && *wanted != '\0' ? find(wanted) : &levels().back();
        selected.store(current, std::memory_order_release);
    }
    return *current;
}

void select_level(std::string_view name) { selected.store(find(name), std::memory_order_release); }

}  // namespace tutela
