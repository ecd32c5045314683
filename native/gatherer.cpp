#include "gatherer.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace tutela {

namespace {

constexpr Clock::duration SHORTEST = std::chrono::milliseconds(1);
// Where so much was there at once, frames are long, and to wait longer saves nothing.
constexpr size_t MUCH = 96 * 1024;
constexpr Clock::duration SHORTEST_OF_MUCH = std::chrono::microseconds(200);
// So many times as long as a look took, for each body that is gathered, it is left alone: then all of them together
// have a quarter of a core, however they are cut up. Frames of a byte take a hundred times as long as frames of a
// kilobyte.
constexpr int TIMES = 3;
// A sender may be busy for a moment; of one that sends nothing the event loop hears when it goes on.
constexpr int MOST_EMPTY_LOOKS = 3;
constexpr size_t AT_ONCE = 256 * 1024;
constexpr size_t MOST_UNCOUNTED = 16 * 1024 * 1024;

}  // namespace

class Gatherer::Turn {
   public:
    explicit Turn(Gatherer& gatherer) {
        const std::lock_guard first(gatherer.next_);
        lock_ = std::unique_lock(gatherer.mutex_);
    }
    std::unique_lock<std::mutex>& lock() { return lock_; }

   private:
    std::unique_lock<std::mutex> lock_;
};

Gatherer::~Gatherer() {
    {
        const Turn turn(*this);
        ending_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Gatherer::add(int socket, Gathered body, size_t there, Clock::duration took) {
    bool sooner = false;
    {
        const Turn turn(*this);
        Body& added = bodies_[socket];
        added.gathered = std::move(body);
        rest(socket, added, there, took);
        sooner = due_.begin()->second == socket;
        if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    }
    if (sooner) changed_.notify_all();
}

std::vector<Pending> Gatherer::take() {
    const Turn turn(*this);
    return std::exchange(pending_, {});
}

size_t Gatherer::count(int socket) {
    const Turn turn(*this);
    const auto body = bodies_.find(socket);
    if (body == bodies_.end()) return 0;
    const size_t counted = std::exchange(body->second.uncounted, 0);
    body->second.gathered.room = body->second.gathered.room.subspan(counted);
    uncounted_ -= counted;
    return counted;
}

size_t Gatherer::remove(int socket) {
    const Turn turn(*this);
    if (const auto body = bodies_.find(socket); body != bodies_.end()) {
        due_.erase({body->second.due, socket});
        return forget(body, {}).received.content;
    }
    const auto is_it = [socket](const Pending& each) { return each.socket == socket; };
    const auto found = std::find_if(pending_.begin(), pending_.end(), is_it);
    if (found == pending_.end()) return 0;
    const size_t content = found->received.content;
    pending_.erase(found);
    return content;
}

void Gatherer::run() {
    while (true) {
        Turn turn(*this);
        if (ending_) return;
        if (due_.empty()) {
            changed_.wait(turn.lock());
        } else if (const Clock::time_point due = due_.begin()->first; due > Clock::now()) {
            changed_.wait_until(turn.lock(), due);
        } else {
            look_at_first();
        }
    }
}

void Gatherer::rest(int socket, Body& body, size_t there, Clock::duration took) {
    const Clock::duration shortest = there < MUCH ? SHORTEST : SHORTEST_OF_MUCH;
    body.due = Clock::now() + std::max(shortest, took * (TIMES * static_cast<int>(bodies_.size())));
    due_.emplace(body.due, socket);
}

void Gatherer::look_at_first() {
    const auto first = bodies_.find(due_.begin()->second);
    due_.erase(due_.begin());
    const Clock::time_point began = Clock::now();
    Received received;
    if (look(first->first, first->second, received)) {
        rest(first->first, first->second, received.there, Clock::now() - began);
    } else {
        report(forget(first, received));
    }
}

// Whether it may be left alone again.
bool Gatherer::look(int socket, Body& body, Received& received) {
    const Gathered& gathered = body.gathered;
    received.there = 1;
    if (gathered.room.empty()) return false;
    const std::span<uint8_t> left = gathered.room.subspan(body.uncounted);
    received =
        receive_frames(socket, left.first(std::min(left.size(), AT_ONCE)), *gathered.framing, gathered.in_session);
    if (received.error == EAGAIN && ++body.empty_looks < MOST_EMPTY_LOOKS) return true;
    body.empty_looks = 0;
    body.uncounted += received.content;
    uncounted_ += received.content;
    return received.error == 0 && received.there > 0 && received.rest == 0 && uncounted_ <= MOST_UNCOUNTED &&
           body.uncounted < gathered.room.size() && gathered.framing->announced <= gathered.most;
}

Pending Gatherer::forget(Bodies::iterator body, const Received& received) {
    Pending pending{body->first, received, std::move(body->second.gathered)};
    pending.received.content = body->second.uncounted;
    uncounted_ -= body->second.uncounted;
    bodies_.erase(body);
    return pending;
}

void Gatherer::report(Pending pending) {
    pending_.push_back(std::move(pending));
    if (pending_.size() == 1) send(alarm_, "", 1, MSG_DONTWAIT);
}

}  // namespace tutela
