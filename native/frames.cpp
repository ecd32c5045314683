#include "frames.hpp"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tutela {

namespace {

constexpr size_t KEPT = 4;  // as long as a stream's end
constexpr size_t WORTH_TAKING = 4 * 1024;
constexpr size_t WITHOUT_LOOKING = 64 * 1024;

void overwrite(std::span<uint8_t> bytes) {
    std::memset(bytes.data(), 0, bytes.size());
    asm volatile("" : : "r"(bytes.data()) : "memory");
}

// Throw away what a look has shown.
void drop(int socket, size_t length) {
    std::array<uint8_t, 16 * 1024> thrown;
    while (length > 0) {
        const ssize_t count = recv(socket, thrown.data(), std::min(length, thrown.size()), MSG_DONTWAIT);
        if (count <= 0) break;
        length -= static_cast<size_t>(count);
    }
    overwrite(thrown);
}

void look(int socket, std::span<uint8_t> room, Framing& framing, Received& received) {
    const ssize_t count = recv(socket, room.data(), room.size(), MSG_PEEK | MSG_DONTWAIT);
    if (count < 0) received.error = errno;
    if (count <= 0) return;
    const std::span<uint8_t> seen = room.first(static_cast<size_t>(count));
    const Taken taken = take_frames(seen, framing);
    drop(socket, taken.length);
    overwrite(seen.subspan(taken.content));
    received.there = std::max(received.there, seen.size());
    received.content += taken.content;
    received.rest = taken.rest;
}

}  // namespace

Taken take_frames(std::span<uint8_t> buffer, Framing& framing) {
    Taken taken;
    size_t at = 0;
    while (at < buffer.size()) {
        if (framing.left > 0) {
            const size_t size = std::min<size_t>(framing.left, buffer.size() - at);
            if (taken.content != at) std::memmove(buffer.data() + taken.content, buffer.data() + at, size);
            taken.content += size;
            at += size;
            framing.left -= static_cast<uint32_t>(size);
            continue;
        }
        const size_t missing = framing.header.size() - framing.header_size;
        const size_t there = std::min(missing, buffer.size() - at);
        std::array<uint8_t, 4> header = framing.header;
        std::copy_n(buffer.data() + at, there, header.data() + framing.header_size);
        if (there < missing) {
            framing.header = header;
            framing.header_size += there;
            taken.length = buffer.size();
            return taken;
        }
        uint32_t length = 0;
        for (const uint8_t byte : header) length = length << 8 | byte;
        if (length == 0) {
            taken.length = at;
            taken.rest = missing;
            return taken;
        }
        framing.left = length;
        framing.header_size = 0;
        framing.announced += length;
        at += missing;
    }
    taken.length = at;
    return taken;
}

Received receive_frames(int socket, std::span<uint8_t> room, Framing& framing, bool in_session) {
    Received received;
    int waiting = 0;
    if (ioctl(socket, FIONREAD, &waiting) < 0) {
        received.error = errno;
        return received;
    }
    const size_t there = static_cast<size_t>(waiting);
    size_t wanted = framing.left >= WITHOUT_LOOKING ? std::min<size_t>(framing.left, there) : 0;
    if (!in_session && there >= WORTH_TAKING) wanted = std::max(wanted, there - KEPT);
    if (wanted == 0) {
        look(socket, room, framing, received);
        return received;
    }
    const ssize_t count = recv(socket, room.data(), std::min(wanted, room.size()), MSG_DONTWAIT);
    if (count < 0) received.error = errno;
    if (count <= 0) return received;
    const std::span<uint8_t> came = room.first(static_cast<size_t>(count));
    const Taken taken = take_frames(came, framing);
    overwrite(came.subspan(taken.content));
    received.there = there;
    received.content = taken.content;
    if (taken.rest > 0) {
        received.rest = KEPT;
    } else if (!in_session && framing.left == 0 && came.size() + KEPT == there) {
        // Most often what stayed is the end: whoever comes back for it pays for another turn of the loop.
        std::array<uint8_t, KEPT> header{};
        Received last;
        look(socket, std::span(header).first(KEPT - framing.header_size), framing, last);
        received.rest = last.rest;
    }
    return received;
}

}  // namespace tutela
