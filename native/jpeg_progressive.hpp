// The luma of an ordinary progressive JPEG, brought down to some eighths of its size.
//
// Its scans tell the values of all blocks piece by piece, and where one stands depends on those that are known. Only the
// few that the small picture needs are kept, of each block which are not zero, and the means of the colours; of some
// units, chosen by the seed, everything: by these it is judged whether the luma is what viewers show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "jpeg.hpp"
#include "jpeg_file.hpp"

namespace tutela {

// At 1 to 4 eighths; nothing in the cases of `jpeg_luma`.
std::optional<DecodedLuma> progressive_luma(const JpegFile& file, size_t eighths, std::optional<uint64_t> seed);

}  // namespace tutela
