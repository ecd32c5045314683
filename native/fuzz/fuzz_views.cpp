// Any bytes as a picture with any corners in it: never out of bounds, whatever is found lies in the picture.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "structure.hpp"
#include "views.hpp"

using namespace tutela;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 40) return 0;
    const size_t height = data[0] % 200 + 1, width = data[1] % 200 + 1;
    std::vector<uint8_t> luma(height * width);
    for (size_t i = 0; i < luma.size(); ++i) luma[i] = data[i % size];
    const Pyramid pyramid(luma.data(), height, width);

    // Corners near the picture's own, or eight arbitrary numbers.
    Corners corners{{{0, 0}, {1, 0}, {1, 1}, {0, 1}}};
    if (data[2] % 2) {
        for (size_t i = 0; i < 8; ++i) corners[i / 2][i % 2] += (static_cast<double>(data[3 + i]) - 128) / 60;
    } else {
        float number;
        for (size_t i = 0; i < 8; ++i) {
            std::memcpy(&number, data + 3 + 4 * i, sizeof number);
            corners[i / 2][i % 2] = static_cast<double>(number);
        }
    }
    if (viewable(pyramid, corners)) {
        const Picture64 small = view_of(pyramid, corners);
        for (const float value : small) {
            if (!(value >= -0.5f && value <= 255.5f)) std::abort();
        }
        const int detail = quality(small);
        if (detail < 0 || detail > 100) std::abort();
        says_something(frequencies(small));
    }

    for (const LineSums& lines : {vertical_edges(luma.data(), height, width), horizontal_edges(luma.data(), height, width)}) {
        for (size_t i = 0; i < lines.positions; ++i) {
            const float total = lines.sums[lines.blocks * lines.positions + i];
            if (!(total >= 0.0f && total <= static_cast<float>(lines.blocks))) std::abort();
        }
    }
    const float fine = 0.5f + static_cast<float>(data[35] % 40) / 10;
    for (const Blob& blob : blobs(luma.data(), height, width, fine, 1.6f * fine, data[36] % 8)) {
        if (!(blob.x >= 0 && blob.x <= static_cast<float>(width) && blob.y >= 0 && blob.y <= static_cast<float>(height))) {
            std::abort();
        }
    }
    return 0;
}
