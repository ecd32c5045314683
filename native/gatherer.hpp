// Bodies that come in small frames: whoever is woken for each pays more for that than for its bytes. A thread of its
// own takes what came a thousand times a second at most, for all of them, until somebody has to decide about one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "frames.hpp"

namespace tutela {

using Clock = std::chrono::steady_clock;

// A body that is gathered: where its bytes go to.
struct Gathered {
    std::shared_ptr<Framing> framing;
    std::span<uint8_t> room;  // without any, somebody else takes what comes
    bool in_session = false;
    uint64_t most = 0;            // bytes of content; more must not be announced
    std::shared_ptr<void> owner;  // of the room
};

// A body about which somebody has to decide, by its socket, and what came of the last look. Its content is what came of
// all looks that nobody counted yet.
struct Pending {
    int socket = -1;
    Received received;
    Gathered body;
};

class Gatherer {
   public:
    // Whoever decides is woken by a byte at that socket, which does not block.
    explicit Gatherer(int alarm) : alarm_(alarm) {}
    Gatherer(const Gatherer&) = delete;
    Gatherer& operator=(const Gatherer&) = delete;
    ~Gatherer();

    // Gather a body, after a look at which so much was there, and that took so long. It is left alone first.
    void add(int socket, Gathered body, size_t there, Clock::duration took);

    // Those that are gathered no longer: their room is full, their end is there, nothing is, they are cut, or have
    // announced too much.
    std::vector<Pending> take();

    // Content that came and was not counted yet. From now on it counts as counted.
    size_t count(int socket);

    // The same, and the body is gathered no longer, whatever came of it.
    size_t remove(int socket);

   private:
    struct Body {
        Gathered gathered;
        size_t uncounted = 0;
        int empty_looks = 0;  // one after the other
        Clock::time_point due;
    };
    using Bodies = std::map<int, Body>;

    class Turn;  // of whoever wants the bodies: nobody waits longer than for one look

    void run();
    void rest(int socket, Body& body, size_t there, Clock::duration took);
    bool look(int socket, Body& body, Received& received);
    void look_at_first();
    Pending forget(Bodies::iterator body, const Received& received);
    void report(Pending pending);

    const int alarm_;
    std::mutex next_, mutex_;
    std::condition_variable changed_;
    Bodies bodies_;
    std::set<std::pair<Clock::time_point, int>> due_;
    std::vector<Pending> pending_;
    size_t uncounted_ = 0;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace tutela
