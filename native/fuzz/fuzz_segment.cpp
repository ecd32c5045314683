// Any bytes as a segment file: refused, or searched without ever leaving them.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "segment.hpp"

using namespace tutela;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    // A copy of exactly this size, aligned as a mapping is, so that a read beyond it is seen.
    auto* bytes = static_cast<uint8_t*>(std::aligned_alloc(64, (size + 63) / 64 * 64 + 64));
    if (size > 0) std::memcpy(bytes, data, size);
    try {
        const Segment segment(bytes, size);
        std::vector<Hit> hits;
        uint8_t query[hash_bytes] = {};
        for (uint32_t radius : {0u, 31u, 64u}) {
            if (segment.count() > 0) std::memcpy(query, segment.hash(segment.count() / 2), hash_bytes);
            segment.search(query, radius, hits);
        }
        if (segment.count() > 0) (void)segment.key(segment.count() - 1);
    } catch (const CorruptSegment&) {
    }
    std::free(bytes);
    return 0;
}
