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
    std::vector<std::pair<size_t, size_t>> found;
    if (literals.empty() || data.size() < 2) return found;
    const bool alike = std::ranges::all_of(literals, [&](std::string_view one) { return one[0] == literals[0][0]; });
    // Of three bytes, one of the two pairs begins at an even place: only those are looked at.
    const bool by_twos = !alike && std::ranges::all_of(literals, [](std::string_view one) { return one.size() > 2; });
    std::bitset<1 << 16> begins, near;  // by the first two bytes; by these and the two after the first
    for (const std::string_view literal : literals) {
        begins[pair_at(literal.data())] = near[pair_at(literal.data())] = true;
        if (by_twos) near[pair_at(literal.data() + 1)] = true;
    }
    const size_t last = data.size() - 1;
    for (size_t at = 0; at < last; at += by_twos ? 2 : 1) {
        if (alike) {  // the C library looks at many bytes at once
            const void* next = std::memchr(&data[at], literals[0][0], last - at);
            if (next == nullptr) break;
            at = static_cast<size_t>(static_cast<const uint8_t*>(next) - data.data());
        }
        if (!near[pair_at(&data[at])]) [[likely]]
            continue;
        for (size_t place = by_twos && at > 0 ? at - 1 : at; place <= at; ++place) {
            if (!begins[pair_at(&data[place])]) continue;
            for (size_t number = 0; number < literals.size(); ++number) {
                const std::string_view literal = literals[number];
                if (literal.size() <= data.size() - place &&
                    std::memcmp(&data[place], literal.data(), literal.size()) == 0) {
                    found.emplace_back(place, number);
                    if (found.size() == most) return found;
                }
            }
        }
    }
    return found;
}

}  // namespace tutela
