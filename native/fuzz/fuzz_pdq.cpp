// Any bytes as a picture of any shape, luma, RGB or float, reduced or not: never out of bounds, hashes consistent.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "pdq.hpp"

using namespace tutela;

namespace {

template <typename T>
void hash(const std::vector<T>& values, size_t height, size_t width, size_t channels, size_t source_height,
          size_t source_width, size_t eighths) {
    try {
        const Picture64 small =
            downsample(Pixels<T>{values.data(), height, width, channels, source_height, source_width, eighths});
        const int detail = quality(small);
        if (detail < 0 || detail > 100) std::abort();
        const Frequencies straight = frequencies(small);
        if (hash_of(turned(straight, original)) != hash_of(straight)) std::abort();
        if (turned(turned(straight, rotate90), rotate270) != straight) std::abort();
    } catch (const std::invalid_argument&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 6) return 0;
    const size_t source_height = data[0] * (data[2] % 8 + 1), source_width = data[1] * (data[3] % 8 + 1);
    const size_t eighths = data[4] % 10, channels = data[5] % 2 ? 3 : 1;
    const size_t height = (source_height * eighths + 7) / 8, width = (source_width * eighths + 7) / 8;
    if (height * width > 1 << 20) return 0;
    std::vector<uint8_t> bytes(height * width * channels);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = data[6 + (size > 6 ? i % (size - 6) : 0)];
    if (size > 6) hash(bytes, height, width, channels, source_height, source_width, eighths);
    std::vector<float> floats(height * width);
    for (size_t i = 0; i < floats.size() && size > 6; ++i) floats[i] = static_cast<float>(data[6 + i % (size - 6)]) - 100;
    hash(floats, height, width, 1, source_height, source_width, eighths);
    hash(floats, height, width, 1, height, width, 8);
    return 0;
}
