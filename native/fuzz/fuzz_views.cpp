// Any bytes as a picture and as the corners of a view in it, and as what looks for views: never out of bounds, and
// nothing found outside of the picture.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "pdq.hpp"
#include "finding.hpp"
#include "landmarks.hpp"
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

void look(Canvas& canvas, const Corners& corners) {
    if (!canvas.viewable(corners)) return;
    const Picture64 small = canvas.view(corners);
    for (const float value : small) {
        if (!(value >= -1.0f && value <= 256.0f)) std::abort();
    }
    const int detail = quality(small);
    if (detail < 0 || detail > 100) std::abort();
    const int filled = filled_fields(small);
    if (filled < 0 || filled > 64) std::abort();
    const double rank = variety(hash_of(frequencies(small)));
    if (!(rank >= 1.0 && rank <= 16.0)) std::abort();
}

void check(const Box& box, const Luma& luma) {
    if (box.left >= box.right || box.top >= box.bottom || box.right > luma.width || box.bottom > luma.height) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    Source source(data, size);
    const size_t height = source.byte() % 160 + 1, width = source.byte() % 160 + 1;
    const double window = (source.byte() + 1) / 256.0;
    const double scale = smallest_scale + (1 - smallest_scale) * source.byte() / 255.0;
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

    Canvas canvas(luma.data(), height, width);
    look(canvas, {{{0, 0}, {1, 0}, {1, 1}, {0, 1}}});
    for (const Corners& corners : views) look(canvas, corners);
    for (const Found& found : pictures_inside(canvas.luma(), 10, 20)) check(found.box, canvas.luma());
    for (const Corners& corners : tilted(canvas.luma())) {
        for (const auto& [x, y] : corners) {
            if (!(std::abs(x - 0.5) < 1 && std::abs(y - 0.5) < 1)) std::abort();
        }
        look(canvas, corners);
    }
    for (const Corners& corners : views) {
        const Cutting cutting = cut_out(canvas.luma(), corners, 1);
        if (cutting.pixels.size() != cutting.height * cutting.width) std::abort();
    }
    const Budget budget{10, 20, 8, window, 4, 0.5f};
    for (const View& view : views_inside(canvas, budget, views)) look(canvas, view.corners);
    const Box box{width / 4, height / 4, width, height};
    for (const Point& place : landmarks(canvas.sums(), box, 12, window, scale)) {
        if (!(place.x >= static_cast<float>(box.left) && place.x <= static_cast<float>(box.right))) std::abort();
        if (!(place.y >= static_cast<float>(box.top) && place.y <= static_cast<float>(box.bottom))) std::abort();
    }
    return 0;
}
