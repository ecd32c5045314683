// Feeds a fuzz target without libFuzzer: seeded random inputs, and bit flips of the files that are named.
//   fuzz_x ROUNDS SEED [FILE...]
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
    const long rounds = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 1000;
    std::mt19937_64 random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
    std::vector<std::vector<uint8_t>> seeds;
    for (int i = 3; i < argc; ++i) {
        std::ifstream file(argv[i], std::ios::binary);
        seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    for (long round = 0; round < rounds; ++round) {
        std::vector<uint8_t> input;
        if (!seeds.empty()) {
            input = seeds[random() % seeds.size()];
            for (uint64_t flips = random() % 16; flips > 0 && !input.empty(); --flips) {
                // Half of the changes hit the header, where they do most harm.
                const size_t reach = random() % 2 ? input.size() : std::min<size_t>(input.size(), 256);
                input[random() % reach] = static_cast<uint8_t>(random());
            }
            if (random() % 4 == 0) input.resize(random() % (input.size() + 1));
        } else {
            input.resize(random() % 4096);
            for (uint8_t& byte : input) byte = static_cast<uint8_t>(random());
        }
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("%ld rounds\n", rounds);
}
