// MD5, SHA-1 and SHA-256 of the same bytes, in one pass.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace tutela {

struct Digests {
    std::array<uint8_t, 16> md5;
    std::array<uint8_t, 20> sha1;
    std::array<uint8_t, 32> sha256;
};

// The digests, or nothing where the processor has no instructions for SHA.
std::optional<Digests> digests(std::span<const uint8_t> data);

}  // namespace tutela
