// The luma of an ordinary JPEG, brought down to some eighths of its size while it is decoded.
//
// Screening needs a small grey picture of a large file, and nearly all of the time goes into the file's bits. What is not
// wanted - colours, and frequencies that the small picture cannot show - is only skipped here, several values at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tutela {

struct DecodedLuma {
    std::vector<uint8_t> pixels;  // rows of height x width
    size_t height;
    size_t width;
};

// The luma at the fewest eighths that leave the short side min_side pixels, or at its own size. Nothing where the file
// is neither baseline nor a whole progressive one, or its bits are not from the first to the last as T.81 says: that is for another decoder to judge. With a
// seed, nothing either where viewers show other greys than the luma's: see ShownLuma.
std::optional<DecodedLuma> jpeg_luma(std::span<const uint8_t> file, size_t min_side, std::optional<uint64_t> seed = {});

}  // namespace tutela
