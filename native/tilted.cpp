// A tilted picture on plain ground; see finding.hpp.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>

#include "finding.hpp"

namespace tutela {
namespace {

constexpr double ground_spread = 5.0;    // standard deviation, of 255 steps, up to which a corner is plain ground
constexpr double max_difference = 40.0;  // steps of brightness between the ground's corners: light falls off
constexpr double rounding = 2.0;         // steps that a quick look at the corners may be off what half the size shows
constexpr float stands_out = 20.0f;      // steps of brightness from the ground that make a pixel part of the picture
constexpr double min_tilt = 0.6;         // degrees; what is straighter is found otherwise
constexpr double max_tilt = 46.0;
constexpr double same_direction = 5.0;   // degrees between the sides of a hull that belong to one side of the picture
constexpr double min_sides = 0.5;        // length of the sides at right angles to each other, of the frame's width and height
constexpr double on_frame = 2.0;         // pixels from the frame up to which a side is the frame's
constexpr double least_crossing = 0.2;   // sine of the angle at which sides meet in a corner

struct Place {
    double x, y;
    auto operator<=>(const Place&) const = default;
};

struct Side {
    Place begin, end;

    double across() const { return end.x - begin.x; }
    double down() const { return end.y - begin.y; }
    double length() const { return std::hypot(across(), down()); }
    double direction() const { return std::atan2(down(), across()) * (180 / std::numbers::pi); }
};

// In [0, length).
double folded(double value, double length) {
    const double rest = std::fmod(value, length);
    return rest < 0 ? rest + length : rest;
}

// Degrees from the nearest axis, in [-45, 45).
double off_axis(double degrees) { return folded(degrees + 45, 90) - 45; }

double turn(const Side& a, const Side& b) {
    const double difference = folded(std::abs(a.direction() - b.direction()), 360);
    return std::min(difference, 360 - difference);
}

// Half the size, each pixel the mean of those under it: most of what is looked for needs no more.
std::vector<uint8_t> halved(const Luma& luma, size_t height, size_t width) {
    std::vector<uint8_t> out(height * width);
    for (size_t y = 0; y < height; ++y) {
        const uint8_t* top = luma.row(2 * y);
        const uint8_t* bottom = 2 * y + 1 < luma.height ? top + luma.width : top;
        uint8_t* row = out.data() + y * width;
        for (size_t x = 0; x < luma.width / 2; ++x) {
            row[x] = static_cast<uint8_t>((top[2 * x] + top[2 * x + 1] + bottom[2 * x] + bottom[2 * x + 1] + 2) / 4);
        }
        const size_t last = luma.width - 1;
        if (luma.width % 2 == 1) row[width - 1] = static_cast<uint8_t>((top[last] + bottom[last] + 1) / 2);
    }
    return out;
}

// The mean of 2 x 2 values that differ little, all as sums of `pixels` of them; none where they differ more.
std::optional<double> plain_mean(const std::array<double, 4>& values, double pixels, double spread) {
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / 4;
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    return std::sqrt(squares / 4) / pixels <= spread ? std::optional(mean / pixels) : std::nullopt;
}

// Brightness of the ground in the corners, from the left top one on, where it is plain.
using Ground = std::array<std::optional<double>, 4>;

bool is_ground(const Ground& corners, double difference) {
    double least = 255, most = 0;
    size_t known = 0;
    for (const auto& corner : corners) {
        if (!corner) continue;
        ++known;
        least = std::min(least, *corner), most = std::max(most, *corner);
    }
    return known >= 3 && most - least <= difference;
}

// Four values each of the corners of `side` x `side` blocks of a picture, by a function of the place.
template <typename Value>
Ground ground_of(size_t height, size_t width, size_t block, double spread, const Value& value) {
    const size_t right = width - 2 * block, bottom = height - 2 * block;
    const auto corner = [&](size_t x, size_t y) {
        return plain_mean({value(x, y), value(x + block, y), value(x, y + block), value(x + block, y + block)},
                          static_cast<double>(block * block), spread);
    };
    return {corner(0, 0), corner(right, 0), corner(right, bottom), corner(0, bottom)};
}

// Whether at least three corners look plain and alike, by a few pixels each: most photos are done with here.
bool may_have_ground(const Luma& luma) {
    const auto block = [&](size_t x, size_t y) {
        const uint8_t *top = luma.row(y) + x, *bottom = top + luma.width;
        return static_cast<double>(top[0] + top[1] + bottom[0] + bottom[1]);
    };
    return is_ground(ground_of(luma.height, luma.width, 2, ground_spread + rounding, block), max_difference + rounding);
}

// What stands out of the ground, whose brightness is known everywhere by its corners. A lone pixel is a speck of the
// encoder's: for each row, the first and the last column where 2 x 2 stand out; none where none do.
struct Extent {
    size_t row, first, last;
};

std::vector<Extent> extents(const std::vector<uint8_t>& small, size_t height, size_t width, const Ground& ground) {
    double usual = 0, known = 0;
    for (const auto& corner : ground) {
        if (corner) usual += *corner, ++known;
    }
    usual /= known;
    const double left_top = ground[0].value_or(usual), right_top = ground[1].value_or(usual);
    const double right_bottom = ground[2].value_or(usual), left_bottom = ground[3].value_or(usual);
    const auto along = [](size_t i, size_t length) {
        return static_cast<float>(static_cast<double>(i) / static_cast<double>(std::max<size_t>(length, 2) - 1));
    };
    std::vector<float> top(width), rise(width);
    for (size_t x = 0; x < width; ++x) {
        const float share = along(x, width);
        top[x] = static_cast<float>(left_top) + static_cast<float>(right_top - left_top) * share;
        rise[x] = static_cast<float>(left_bottom) + static_cast<float>(right_bottom - left_bottom) * share - top[x];
    }
    std::vector<uint8_t> above(width), here(width), solid(width);
    std::vector<Extent> found;
    for (size_t y = 0; y < height; ++y) {
        const float share = along(y, height);
        const uint8_t* row = small.data() + y * width;
        for (size_t x = 0; x < width; ++x) {
            here[x] = std::abs(static_cast<float>(row[x]) - (top[x] + rise[x] * share)) > stands_out ? 1 : 0;
        }
        if (y > 0) {
            for (size_t x = 0; x + 1 < width; ++x) solid[x] = above[x] & above[x + 1] & here[x] & here[x + 1];
            const auto first = std::find(solid.begin(), solid.end() - 1, 1);
            if (first != solid.end() - 1) {
                const auto last = std::find(solid.rbegin() + 1, solid.rend(), 1);
                found.push_back({y - 1, static_cast<size_t>(first - solid.begin()), static_cast<size_t>(solid.rend() - last - 1)});
            }
        }
        std::swap(above, here);
    }
    return found;
}

// The points from one end to the other that the hull turns at.
template <typename Iterator>
void add_chain(Iterator begin, Iterator end, std::vector<Place>& hull) {
    const size_t first = hull.size();
    for (; begin != end; ++begin) {
        while (hull.size() >= first + 2) {
            const Place &a = hull[hull.size() - 2], &b = hull.back();
            if ((b.x - a.x) * (begin->y - a.y) - (b.y - a.y) * (begin->x - a.x) > 0) break;
            hull.pop_back();
        }
        hull.push_back(*begin);
    }
    hull.pop_back();
}

// The convex hull, counter-clockwise as seen with y downwards (Andrew, "Another efficient algorithm for convex hulls in two
// dimensions", 1979).
std::vector<Place> hull_of(const std::vector<Extent>& rows) {
    std::vector<Place> points, hull;
    // Only ends that lie outside of the line between their neighbours can be the hull's.
    const auto is_outermost = [&](size_t i, const auto& end) {
        if (i == 0 || i + 1 == rows.size()) return true;
        const double before = end(rows[i - 1]), after = end(rows[i + 1]);
        const auto height = [&](size_t from, size_t to) { return static_cast<double>(rows[to].row - rows[from].row); };
        return (end(rows[i]) - before) * height(i - 1, i + 1) < (after - before) * height(i - 1, i);
    };
    const auto left = [](const Extent& row) { return static_cast<double>(row.first); };
    const auto right = [](const Extent& row) { return -static_cast<double>(row.last + 2); };
    for (size_t i = 0; i < rows.size(); ++i) {
        const auto y = static_cast<double>(rows[i].row);
        if (is_outermost(i, left)) points.insert(points.end(), {{left(rows[i]), y}, {left(rows[i]), y + 2}});
        if (is_outermost(i, right)) points.insert(points.end(), {{-right(rows[i]), y}, {-right(rows[i]), y + 2}});
    }
    if (points.empty()) return hull;
    std::sort(points.begin(), points.end());
    points.erase(std::unique(points.begin(), points.end()), points.end());
    add_chain(points.begin(), points.end(), hull);
    add_chain(points.rbegin(), points.rend(), hull);
    return hull;
}

// The hull's sides that are not the frame's, joined where they go on in one direction.
std::vector<Side> sides_of(const std::vector<Place>& hull, double height, double width) {
    std::vector<Side> sides;
    const auto goes_on = [](const Side& a, const Side& b) { return a.end == b.begin && turn(a, b) < same_direction; };
    for (size_t i = 0; i < hull.size(); ++i) {
        const Side side{hull[i], hull[(i + 1) % hull.size()]};
        const auto both_at = [](double a, double b, double place) {
            return std::abs(a - place) <= on_frame && std::abs(b - place) <= on_frame;
        };
        if (both_at(side.begin.x, side.end.x, 0) || both_at(side.begin.x, side.end.x, width) ||
            both_at(side.begin.y, side.end.y, 0) || both_at(side.begin.y, side.end.y, height)) {
            continue;
        }
        if (!sides.empty() && goes_on(sides.back(), side)) {
            sides.back().end = side.end;
        } else {
            sides.push_back(side);
        }
    }
    if (sides.size() > 1 && goes_on(sides.back(), sides.front())) {
        sides.front().begin = sides.back().begin;
        sides.pop_back();
    }
    return sides;
}

// The tilt, about -45 to 45 degrees, that most of the sides' length has in common at right angles, and that length.
std::pair<double, double> tilt_of(const std::vector<Side>& sides) {
    const auto near = [&](size_t i, size_t j) {
        const double difference = off_axis(off_axis(sides[j].direction()) - off_axis(sides[i].direction()));
        return std::pair(std::abs(difference) < same_direction / 2, difference);
    };
    size_t best = 0;
    double most = -1;
    for (size_t i = 0; i < sides.size(); ++i) {
        double length = 0;
        for (size_t j = 0; j < sides.size(); ++j) length += near(i, j).first ? sides[j].length() : 0;
        if (length > most) best = i, most = length;
    }
    double weights = 0, weighted = 0;
    for (size_t j = 0; j < sides.size(); ++j) {
        const auto [counts, difference] = near(best, j);
        const double weight = counts ? sides[j].length() * sides[j].length() : 0;
        weights += weight, weighted += weight * difference;
    }
    return {off_axis(sides[best].direction()) + weighted / weights, most};
}

using Quadrilateral = std::array<Place, 4>;

// The smallest rectangle of a tilt around the hull.
Quadrilateral box_at(const std::vector<Place>& hull, double tilt) {
    const double angle = tilt * (std::numbers::pi / 180), cosine = std::cos(angle), sine = std::sin(angle);
    double left = INFINITY, right = -INFINITY, top = INFINITY, bottom = -INFINITY;
    for (const Place& place : hull) {
        const double u = place.x * cosine + place.y * sine, v = place.y * cosine - place.x * sine;
        left = std::min(left, u), right = std::max(right, u), top = std::min(top, v), bottom = std::max(bottom, v);
    }
    const auto corner = [&](double u, double v) { return Place{u * cosine - v * sine, u * sine + v * cosine}; };
    return {corner(left, top), corner(right, top), corner(right, bottom), corner(left, bottom)};
}

std::optional<Place> meeting(const Side& a, const Side& b) {
    const double cross = a.across() * b.down() - a.down() * b.across();
    if (std::abs(cross) < least_crossing * a.length() * b.length()) return std::nullopt;
    const double x = b.begin.x - a.begin.x, y = b.begin.y - a.begin.y, share = (x * b.down() - y * b.across()) / cross;
    return Place{a.begin.x + a.across() * share, a.begin.y + a.down() * share};
}

// Where the four longest sides meet, from the left top corner on; none where they do not make a quadrilateral, or one that
// is as good as upright, which is found otherwise.
std::optional<Quadrilateral> quadrilateral(const std::vector<Side>& sides) {
    if (sides.size() < 4) return std::nullopt;
    std::vector<size_t> longest(sides.size());
    std::iota(longest.begin(), longest.end(), size_t{0});
    std::stable_sort(longest.begin(), longest.end(), [&](size_t a, size_t b) { return sides[a].length() > sides[b].length(); });
    std::sort(longest.begin(), longest.begin() + 4);
    Quadrilateral corners;
    for (size_t i = 0; i < 4; ++i) {
        const auto corner = meeting(sides[longest[(i + 3) % 4]], sides[longest[i]]);
        if (!corner) return std::nullopt;
        corners[i] = *corner;
    }
    const auto sum = [](const Place& place) { return place.x + place.y; };
    const auto first = std::min_element(corners.begin(), corners.end(), [&](auto& a, auto& b) { return sum(a) < sum(b); });
    std::rotate(corners.begin(), first, corners.end());
    for (size_t i = 0; i < 4; ++i) {
        if (std::abs(off_axis(Side{corners[(i + 3) % 4], corners[i]}.direction())) >= min_tilt) return corners;
    }
    return std::nullopt;
}

}  // namespace

std::vector<Corners> tilted(const Luma& luma) {
    std::vector<Corners> found;
    if (std::min(luma.width, luma.height) < least_pixels || !may_have_ground(luma)) return found;
    const size_t height = (luma.height + 1) / 2, width = (luma.width + 1) / 2;
    const std::vector<uint8_t> small = halved(luma, height, width);
    const Ground ground = ground_of(height, width, 1, ground_spread,
                                     [&](size_t x, size_t y) { return static_cast<double>(small[y * width + x]); });
    if (!is_ground(ground, max_difference)) return found;
    const std::vector<Place> hull = hull_of(extents(small, height, width, ground));
    if (hull.size() < 4) return found;
    const auto across = static_cast<double>(width), down = static_cast<double>(height);
    const std::vector<Side> sides = sides_of(hull, down, across);
    if (sides.empty()) return found;
    const auto [tilt, length] = tilt_of(sides);
    if (length < min_sides * (across + down)) return found;
    const auto add = [&](const Quadrilateral& places) {
        Corners corners;
        for (size_t i = 0; i < 4; ++i) corners[i] = {places[i].x / across, places[i].y / down};
        const auto is_far = [](const auto& corner) { return !(std::abs(corner[0] - 0.5) < 1 && std::abs(corner[1] - 0.5) < 1); };
        if (std::none_of(corners.begin(), corners.end(), is_far)) found.push_back(corners);
    };
    if (std::abs(tilt) >= min_tilt && std::abs(tilt) <= max_tilt) add(box_at(hull, tilt));
    if (const auto corners = quadrilateral(sides)) add(*corners);
    return found;
}

}  // namespace tutela
