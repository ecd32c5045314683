#include "literals.hpp"

#include <algorithm>
#include <bitset>
#include <cstring>

namespace tutela {
namespace {

size_t pair_at(const void* bytes) {
    const auto* two = static_cast<const uint8_t*>(bytes);
    return two[0] | size_t{two[1]} << 8;
}

}  // namespace

std::vector<std::pair<size_t, size_t>> find_literals(std::span<const uint8_t> data,
                                                     std::span<const std::string_view> literals, size_t most) {
    std::bitset<1 << 16> begins;  // by their first two bytes
    for (const std::string_view literal : literals) begins[pair_at(literal.data())] = true;
    std::vector<std::pair<size_t, size_t>> found;
    const bool alike = !literals.empty() && std::ranges::all_of(literals, [&](std::string_view literal) {
        return literal[0] == literals[0][0];
    });
    for (size_t at = 0; at + 1 < data.size(); ++at) {
        if (alike) {  // the C library looks at many bytes at once
            const void* next = std::memchr(&data[at], literals[0][0], data.size() - 1 - at);
            if (next == nullptr) break;
            at = static_cast<size_t>(static_cast<const uint8_t*>(next) - data.data());
        }
        if (!begins[pair_at(&data[at])]) [[likely]]
            continue;
        for (size_t number = 0; number < literals.size(); ++number) {
            const std::string_view literal = literals[number];
            if (literal.size() <= data.size() - at && std::memcmp(&data[at], literal.data(), literal.size()) == 0) {
                found.emplace_back(at, number);
                if (found.size() == most) return found;
            }
        }
    }
    return found;
}

}  // namespace tutela
