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

// What came of a look into a buffer: bytes of content, which stand at its beginning; bytes that are done with; and of
// the end, which stays where it came from, the bytes that are not.
struct Taken {
    size_t content = 0, length = 0, rest = 0;
};

// Take what is there. Content is moved together to the buffer's beginning.
Taken take_frames(std::span<uint8_t> buffer, Framing& framing);

// What came of a socket: bytes that waited in the kernel, none where the peer has ended; bytes of content in the room;
// and of the stream's end, which stays in the kernel, the bytes.
struct Received {
    size_t there = 0, content = 0, rest = 0;
    int error = 0;  // of recv(2)
};

// Take what waits in a socket that does not block, in few calls. The last bytes of a stream are never taken. In a
// session the next command may stand behind them: there nothing is taken that was not looked at. Beyond the content
// nothing is left of it in the room.
Received receive_frames(int socket, std::span<uint8_t> room, Framing& framing, bool in_session);

}  // namespace tutela
