// Any bytes as a picture and as the corners of a view in it, and as what looks for views: never out of bounds, and
// nothing found outside of the picture.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "pdq.hpp"
#include "structure.hpp"
#include "views.hpp"

using namespace tutela;

namespace {

// The bytes one after the other, from the beginning again where they end.
class Source {
   public:
    Source(const uint8_t* data, size_t size) : data_(data), size_(size) {}

    uint8_t byte() { return data_[at_++ % size_]; }

    // Up to 0.6 on either side of a number, mostly; else any number there is, infinite ones and none at all too.
    double near(double number, bool anywhere) {
        if (!anywhere) return number + byte() / 212.0 - 0.6;
        uint64_t bits = 0;
        for (int i = 0; i < 8; ++i) bits = bits << 8 | byte();
        double value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }

   private:
    const uint8_t* data_;
    size_t size_, at_ = 0;
};

void look(const Pyramid& pyramid, const Corners& corners) {
    if (!viewable(pyramid, corners)) return;
    const Picture64 small = view_of(pyramid, corners);
    for (const float value : small) {
        if (!(value >= -1.0f && value <= 256.0f)) std::abort();
    }
    const int detail = quality(small);
    if (detail < 0 || detail > 100) std::abort();
    hash_of(frequencies(small));
}

void check(const LineSums& lines) {
    if (lines.sums.size() != (lines.blocks + 1) * lines.positions) std::abort();
    for (const float sum : lines.sums) {
        if (!(sum >= 0.0f && std::isfinite(sum))) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    Source source(data, size);
    const size_t height = source.byte() % 160 + 1, width = source.byte() % 160 + 1;
    const float fine = static_cast<float>(source.byte() + 1) / 8, coarse = static_cast<float>(source.byte() + 1) / 8;
    const size_t reach = source.byte() % 24;
    std::vector<Corners> views(4);
    for (Corners& corners : views) {
        const bool anywhere = source.byte() % 4 == 0;
        corners = {{{0, 0}, {1, 0}, {1, 1}, {0, 1}}};
        for (auto& corner : corners) {
            for (double& number : corner) number = source.near(number, anywhere);
        }
    }
    std::vector<uint8_t> luma(height * width);
    for (uint8_t& pixel : luma) pixel = source.byte();

    const Pyramid pyramid(luma.data(), height, width);
    look(pyramid, {{{0, 0}, {1, 0}, {1, 1}, {0, 1}}});
    for (const Corners& corners : views) look(pyramid, corners);
    check(vertical_edges(luma.data(), height, width));
    check(horizontal_edges(luma.data(), height, width));
    for (const Blob& blob : blobs(luma.data(), height, width, std::min(fine, 63.0f), std::min(coarse, 63.0f), reach)) {
        if (!(blob.x >= 0 && blob.x <= static_cast<float>(width))) std::abort();
        if (!(blob.y >= 0 && blob.y <= static_cast<float>(height))) std::abort();
    }
    return 0;
}
