// INSTREAM's frames (clamd(8)): a length of four bytes, big-endian, then so many bytes; a length of zero ends. Clients
// send them small, a thousand for a megabyte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tutela {

// How far a stream is: what is left of its frame, and what came of the next length.
struct Framing {
    uint32_t left = 0;
    std::array<uint8_t, 4> header{};
    size_t header_size = 0;
    uint64_t announced = 0;  // bytes of content that the lengths speak of
};

// What came of a look into a buffer: content from `begin` to `end`, in one piece; bytes that are done with; and of the
// end, which stays where it came from, the bytes that are not.
struct Taken {
    size_t begin = 0, end = 0, length = 0, rest = 0;
};

// Take what is there. Content of several frames is moved together within the buffer.
Taken take_frames(std::span<uint8_t> buffer, Framing& framing);

}  // namespace tutela
