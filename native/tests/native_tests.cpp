// Both kernels without Python, for the sanitizers: every level gives the same hashes, distances and hits; a search in
// a segment with bucket tables finds what reading all finds. Writes a segment to the path that is given, as a seed.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "dispatch.hpp"
#include "pdq.hpp"
#include "segment.hpp"

using namespace tutela;

namespace {

void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "failed: %s\n", what);
        std::exit(1);
    }
}

void levels_agree_on_pictures() {
    std::mt19937 random(1);
    for (const auto& [height, width, channels] :
         {std::tuple<size_t, size_t, size_t>{64, 64, 1}, {5, 7, 1}, {97, 1, 1}, {333, 517, 3}, {130, 4099, 1}, {1, 1, 3}}) {
        std::vector<uint8_t> pixels(height * width * channels);
        for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>((i * i / 97 + random() % 64) & 255);
        std::vector<Hash> hashes;
        for (const Level& candidate : levels()) {
            select_level(candidate.name);
            hashes.push_back(hash_of(
                frequencies(downsample(Pixels<uint8_t>{pixels.data(), height, width, channels, height, width, 8}))));
        }
        for (const Hash& hash : hashes) require(hash == hashes[0], "every level hashes alike");
    }
}

void searches_find_what_reading_all_finds(const char* seed_path) {
    std::mt19937_64 random(2);
    const size_t rows = 20000;
    std::vector<uint8_t> hashes(rows * hash_bytes);
    for (uint8_t& byte : hashes) byte = static_cast<uint8_t>(random());
    for (size_t i = 0; i < 500; ++i) std::memcpy(&hashes[(9000 + i) * hash_bytes], &hashes[9000 * hash_bytes], hash_bytes);
    std::vector<uint64_t> keys(rows);
    for (size_t i = 0; i < rows; ++i) keys[i] = i;
    ::unlink(seed_path);
    build_segment(seed_path, hashes.data(), keys.data(), rows);
    std::ifstream file(seed_path, std::ios::binary);
    const std::vector<char> read{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    auto* bytes = static_cast<uint8_t*>(std::aligned_alloc(64, (read.size() + 63) / 64 * 64));
    std::copy(read.begin(), read.end(), bytes);
    {
        const Segment segment(bytes, read.size());
        auto search_some = [&](uint64_t seed) {
            std::mt19937_64 mine(seed);
            for (int round = 0; round < 60; ++round) {
                uint8_t query[hash_bytes];
                std::memcpy(query, &hashes[mine() % rows * hash_bytes], hash_bytes);
                const uint32_t radius = mine() % 65;
                for (uint32_t flips = mine() % (radius + 2); flips > 0; --flips) query[mine() % 32] ^= 1u << (mine() % 8);
                std::vector<Hit> hits;
                segment.search(query, radius, hits);
                std::vector<RowHit> expected;
                scan_rows(hashes.data(), rows, query, radius, expected);
                std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) { return a.key < b.key; });
                require(hits.size() == expected.size(), "as many hits as reading all gives");
                for (size_t i = 0; i < hits.size(); ++i) {
                    require(hits[i].key == expected[i].row && hits[i].distance == expected[i].distance, "the same hits");
                }
            }
        };
        for (const Level& candidate : levels()) {
            select_level(candidate.name);
            std::thread other(search_some, 3);
            search_some(4);
            other.join();
        }
    }
    std::free(bytes);
}

}  // namespace

int main(int argc, char** argv) {
    require(argc == 2, "usage: native_tests SEGMENT");
    levels_agree_on_pictures();
    searches_find_what_reading_all_finds(argv[1]);
    std::puts("ok");
}
