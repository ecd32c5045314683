// Any bytes as a list of hashes and a query: the segment that is built from them finds exactly what reading all finds.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "segment.hpp"

using namespace tutela;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < hash_bytes + 1) return 0;
    const uint8_t* query = data;
    const uint32_t radius = data[hash_bytes];
    // The list, repeated with small changes until it is long enough for bucket tables now and then.
    std::vector<uint8_t> hashes;
    const size_t rows = std::max<size_t>((size - hash_bytes - 1) / hash_bytes, 1) * (radius % 64 == 7 ? 600 : 3);
    for (size_t i = 0; i < rows * hash_bytes; ++i) {
        hashes.push_back(static_cast<uint8_t>(data[i % size] ^ (i / size * 37) ^ (i % 11 == 0 ? i >> 5 : 0)));
    }
    std::vector<uint64_t> keys(rows);
    for (size_t i = 0; i < rows; ++i) keys[i] = 1000 + i;

    const std::string path = "/tmp/tutela-fuzz-" + std::to_string(::getpid()) + ".segment";
    ::unlink(path.c_str());
    build_segment(path, hashes.data(), keys.data(), rows);
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> read{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    ::unlink(path.c_str());
    auto* bytes = static_cast<uint8_t*>(std::aligned_alloc(64, (read.size() + 63) / 64 * 64));
    std::copy(read.begin(), read.end(), bytes);

    std::vector<Hit> hits;
    Segment(bytes, read.size()).search(query, radius, hits);
    std::vector<RowHit> expected;
    scan_rows(hashes.data(), rows, query, radius, expected);
    std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) { return a.key < b.key; });
    if (hits.size() != expected.size()) std::abort();
    for (size_t i = 0; i < hits.size(); ++i) {
        if (hits[i].key != keys[expected[i].row] || hits[i].distance != expected[i].distance) std::abort();
    }
    std::free(bytes);
    return 0;
}
