// Where any of some short literals stands in data: how files begin, in bytes of which nothing else is known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace tutela {

// (place, number of the literal) in order, overlapping ones too, the first `most`. Literals have two bytes at least.
std::vector<std::pair<size_t, size_t>> find_literals(std::span<const uint8_t> data,
                                                     std::span<const std::string_view> literals,
                                                     size_t most = SIZE_MAX);

}  // namespace tutela
