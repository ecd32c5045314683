// Any bytes, wherever they lie: never out of bounds, and the digests depend on nothing but the bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "digests.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto here = tutela::digests(std::span(data, size));
    std::vector<uint8_t> moved(size + 1);
    std::copy_n(data, size, moved.begin() + 1);
    const auto there = tutela::digests(std::span(moved).subspan(1));
    if (here.has_value() != there.has_value()) std::abort();
    if (here && (here->md5 != there->md5 || here->sha1 != there->sha1 || here->sha256 != there->sha256)) std::abort();
    return 0;
}
