// Pieces: pictures apart on plain ground, found by an X-Y cut along blank lines.
#include <algorithm>
#include <utility>

#include "finding.hpp"

namespace tutela {
namespace {

// A line is blank whose pixels vary so much at most about a straight slope of brightness, of 255 steps, squared.
constexpr float blank_variance = 10.0f;
constexpr int max_depth = 4;

bool is_blank(const Line& line) { return line.unevenness < blank_variance; }

using Stretch = std::pair<size_t, size_t>;

// From the first to the last line that is not blank; nothing where all are.
Stretch busy(const std::vector<Line>& lines) {
    size_t begin = 0, end = lines.size();
    while (begin < end && is_blank(lines[begin])) ++begin;
    while (end > begin && is_blank(lines[end - 1])) --end;
    return {begin, end};
}

// The stretches of lines that are not blank.
std::vector<Stretch> stretches(const std::vector<Line>& lines) {
    std::vector<Stretch> found;
    for (size_t i = 0; i < lines.size(); ++i) {
        if (is_blank(lines[i])) continue;
        if (i == 0 || is_blank(lines[i - 1])) found.emplace_back(i, i);
        found.back().second = i + 1;
    }
    return found;
}

struct Cutter {
    const Luma& luma;
    double least_width, least_height;
    std::vector<Box> found;

    void cut(const Box& box, const Profiles& of_box, int depth) {
        const auto [top, bottom] = busy(of_box.rows);
        if (top == bottom) return;
        Box inner{box.left, box.top + top, box.right, box.top + bottom};
        const std::vector<Line> columns = inner == box ? of_box.columns : profiles(luma, inner).columns;
        const auto [left, right] = busy(columns);
        inner = {box.left + left, inner.top, box.left + right, inner.bottom};
        if (static_cast<double>(inner.width()) < least_width || static_cast<double>(inner.height()) < least_height) return;
        found.push_back(inner);
        if (depth == 0) return;
        const Profiles of_inner = inner == box ? of_box : profiles(luma, inner);
        const std::vector<Stretch> rows = stretches(of_inner.rows), across = stretches(of_inner.columns);
        if (rows.size() > 1) {
            for (const auto& [begin, end] : rows) {
                go_on({inner.left, inner.top + begin, inner.right, inner.top + end}, depth);
            }
        } else if (across.size() > 1) {
            for (const auto& [begin, end] : across) {
                go_on({inner.left + begin, inner.top, inner.left + end, inner.bottom}, depth);
            }
        }
    }

    void go_on(const Box& part, int depth) {
        if (static_cast<double>(part.width()) < least_width || static_cast<double>(part.height()) < least_height) return;
        cut(part, profiles(luma, part), depth - 1);
    }
};

}  // namespace

std::vector<Rectangle> pieces(const Luma& luma, const Profiles& whole, size_t limit) {
    if (std::none_of(whole.rows.begin(), whole.rows.end(), is_blank) &&
        std::none_of(whole.columns.begin(), whole.columns.end(), is_blank)) {
        return {};
    }
    const Box all{0, 0, luma.width, luma.height};
    Cutter cutter{luma, least_side * static_cast<double>(luma.width), least_side * static_cast<double>(luma.height), {}};
    cutter.cut(all, whole, max_depth);
    std::vector<Rectangle> found;
    for (const Box& box : cutter.found) {
        const int blank_sides = (box.left > 0) + (box.top > 0) + (box.right < all.right) + (box.bottom < all.bottom);
        const bool is_alone = cutter.found.size() == 1;
        const auto alike = [&](const Rectangle& other) { return other.box == box; };
        if (box == all || std::any_of(found.begin(), found.end(), alike)) continue;
        found.push_back({box, is_alone && blank_sides == 1 ? guessed : certain});
    }
    std::stable_sort(found.begin(), found.end(), [](const Rectangle& a, const Rectangle& b) {
        return a.box.width() * a.box.height() > b.box.width() * b.box.height();
    });
    if (found.size() > limit) found.resize(limit);
    return found;
}

}  // namespace tutela
