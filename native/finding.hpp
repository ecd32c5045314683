// Pictures inside a picture: within borders, apart on plain ground, laid over or beside each other.
#pragma once

#include <span>
#include <vector>

#include "edges.hpp"
#include "luma.hpp"
#include "profiles.hpp"
#include "views.hpp"

namespace tutela {

// Nothing is looked for in a picture with a side of fewer pixels.
constexpr size_t least_pixels = 32;
// A found picture's side is at least this share of the whole's.
constexpr double least_side = 0.12;
// What lies in a border has at least this share of each side.
constexpr double least_bordered_side = 0.2;

struct Rectangle {
    Box box;
    float score;  // 0-1, or a little more: how sure it is
};

// Pictures apart on plain ground, the larger first: a page is cut along blank rows, its pieces along blank columns, and so
// on (Nagy, Seth, "Hierarchical representation of optically scanned documents", 1984). What is left of the whole
// without blank sides is the first piece, and a guess where but one side was blank: that may be sky. `whole` are the
// profiles of all of it.
std::vector<Rectangle> pieces(const Luma& luma, const Profiles& whole, size_t limit);

// How sure a guess is, and what no guess is.
constexpr float guessed = 0.5f, certain = 1.0f;

// What lies within a border of noise or of a blurred copy: as found, and as if it were as wide at both ends.
std::vector<Rectangle> bordered(const Luma& luma, const Profiles& whole);

// What lines from side to side cut a picture into, again and again, and the cells of even grids; some more than once.
// The lines go to `columns` and `rows`.
std::vector<Box> panels(const Edges& vertical, const Edges& horizontal, std::vector<size_t>& columns, std::vector<size_t>& rows);

// Boxes whose four sides are edges or the frame of the whole, likeliest first.
std::vector<Rectangle> rectangles(const Luma& luma, size_t limit);

// Whether the sides of both lie as good as in the same places.
bool same(const Box& a, const Box& b);

enum class Family : uint8_t { deskewed, piece, rectangle, edge, anchored };

struct Found {
    Family family;
    Box box;
    float score;
};

// All of them, likeliest first, none twice; none in a picture that is too small.
std::vector<Found> pictures_inside(const Luma& luma, size_t most_pieces, size_t most_rectangles);

// A tilted picture on plain ground, rotated with filled corners or a screen that was photographed: as a rectangle and, where
// its sides are not at right angles, as a quadrilateral. The ground is what the picture's own corners show. The hull of all
// else has four long sides, whatever lies within; they are the tilted picture's, be it whole or cut off by the frame.
std::vector<Corners> tilted(const Luma& luma);

// Square windows around the strongest landmarks of a box that lie within it; see landmarks().
std::vector<Corners> windows(const Canvas& canvas, const Box& box, size_t limit, double window, double scale);

// How much is looked for in a picture.
struct Budget {
    size_t pieces, rectangles;
    size_t landmarks;  // of the whole and of each picture inside that is looked into
    double window;     // side of what is looked up around a landmark; see landmarks()
    size_t inner;      // pictures inside that are looked into for what a crop or an overlay left of them, tilted ones too
    float sure;        // score of an upright one that is
};

struct View {
    Family family;
    Corners corners;
};

// All that is to be looked up inside of a picture, by family and likeliest first: the tilted ones, pieces and rectangles,
// then `edges` and windows of the whole, and the same of each upright picture inside that is sure.
std::vector<View> views_inside(const Canvas& canvas, const Budget& budget, std::span<const Corners> edges);

}  // namespace tutela
