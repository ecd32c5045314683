// PDQ: the 256-bit perceptual hash of a picture, by "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing
// Algorithm" (Facebook, 2019), computed as 64x64 = R * luma * C^T with banded tent weights, then two small products.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tutela {

// Byte 0 holds bits 255..248, so that the bytes in hexadecimal are the published text form.
using Hash = std::array<uint8_t, 32>;
using Picture64 = std::array<float, 64 * 64>;
using Frequencies = std::array<float, 16 * 16>;

// Rows of height x width pixels, each of `channels` values: 1 (luma) or, for bytes, 3 (RGB). A decoder may have brought
// a picture of source_height x source_width down to `eighths` eighths, each pixel the mean of those it covers.
template <typename T>
struct Pixels {
    const T* data;
    size_t height;
    size_t width;
    size_t channels;
    size_t source_height;
    size_t source_width;
    size_t eighths;
};

// The eight views of a picture that one DCT gives, in the reference implementation's order.
enum Dihedral : size_t {
    original,
    rotate90,   // a quarter turn counter-clockwise
    rotate180,
    rotate270,  // a quarter turn clockwise
    flip_x,     // upside down
    flip_y,     // mirrored left to right
    flip_plus1,   // transposed
    flip_minus1,  // transposed over the other diagonal
    dihedral_count
};

// Pictures with a side under this many pixels hash to zero at quality 0, as in the reference.
constexpr size_t min_side = 5;

// The picture brought down to 64x64 by PDQ's two box passes and decimation. Throws std::invalid_argument when empty.
Picture64 downsample(const Pixels<uint8_t>& pixels);
Picture64 downsample(const Pixels<float>& pixels);

// The same of the picture as it is, mirrored, upside down, and turned by half: what PDQ would have made of each. PDQ's
// grid begins at whole pixels, so that turning afterwards comes to something else.
using Mirrorings = std::array<Picture64, 4>;
Mirrorings downsample_mirrored(const Pixels<uint8_t>& pixels);
Mirrorings downsample_mirrored(const Pixels<float>& pixels);

// 0..100: how much detail the 64x64 picture has.
int quality(const Picture64& picture);

Frequencies frequencies(const Picture64& picture);
Frequencies turned(const Frequencies& original, Dihedral view);
Hash hash_of(const Frequencies& frequencies);

// How many-sided what a hash shows is: 1 where there is one shape, 8 for chance. The rows of the 16x16 frequencies repeat
// each other, or each other's opposite, where the picture is nearly a product of what it is across and what it is down;
// so they do in every picture of such shapes. It is the rank of the matrix of signs, counted as the participation ratio
// of its singular values, (sum of squares)^2 / sum of fourth powers. A turn changes it little.
double variety(const Hash& hash);

// The hashes that the eight turned pictures themselves have.
std::array<Hash, dihedral_count> hashes_of(const Mirrorings& pictures);

}  // namespace tutela
