// SHA-256 of short texts (FIPS 180-4): canonical links and folded words, not uploads, whose digests `digests` makes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tutela {

using Sha256Value = std::array<uint8_t, 32>;

Sha256Value sha256(std::string_view text);

}  // namespace tutela
