// Which instruction-set level this processor gets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels.hpp"

namespace tutela {

struct Level {
    const char* name;
    const Kernels* kernels;
};

// The levels that this processor can run, slowest first. Never empty.
const std::vector<Level>& levels();

// The level in use: the fastest, or the one named by the environment variable TUTELA_SIMD when first asked.
const Level& level();

// Use another level from here on. Throws std::invalid_argument for one that this processor cannot run.
void select_level(std::string_view name);

inline const Kernels& kernels() { return *level().kernels; }

}  // namespace tutela
