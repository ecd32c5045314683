// What is looked up of a picture, by all that finds something in it.
#include "finding.hpp"

#include <algorithm>
#include <cmath>

#include "landmarks.hpp"

namespace tutela {
namespace {

// Parts of a box in the picture that stay as they are when the rest of it is cut away or covered.
void add_remains(const Canvas& canvas, const Box& box, const Budget& budget, std::span<const Corners> edges, std::vector<View>& views) {
    const Corners frame = corners_of(canvas.luma(), static_cast<double>(box.left), static_cast<double>(box.top),
                                     static_cast<double>(box.right), static_cast<double>(box.bottom));
    for (const Corners& edge : edges) {
        View view{Family::edge, {}};
        for (size_t i = 0; i < 4; ++i) {
            for (size_t axis = 0; axis < 2; ++axis) {
                view.corners[i][axis] = edge[i][axis] * (frame[2][axis] - frame[0][axis]) + frame[0][axis];
            }
        }
        views.push_back(view);
    }
    for (const Corners& window : windows(canvas, box, budget.landmarks, budget.window, 1.0)) views.push_back({Family::anchored, window});
}

}  // namespace

std::vector<Corners> windows(const Canvas& canvas, const Box& box, size_t limit, double window, double scale) {
    const double half = window * scale * std::sqrt(static_cast<double>(box.width() * box.height())) / 2;
    std::vector<Corners> found;
    for (const Point& place : landmarks(canvas.sums(), box, limit, window, scale)) {
        const double x = place.x, y = place.y;
        found.push_back(corners_of(canvas.luma(), x - half, y - half, x + half, y + half));
    }
    return found;
}

std::vector<View> views_inside(const Canvas& canvas, const Budget& budget, std::span<const Corners> edges) {
    const Luma& luma = canvas.luma();
    std::vector<View> views;
    for (const Corners& corners : tilted(luma)) views.push_back({Family::deskewed, corners});
    size_t left = budget.inner - std::min(budget.inner, views.size());
    std::vector<Box> boxes{{0, 0, luma.width, luma.height}};
    for (const Found& found : pictures_inside(luma, budget.pieces, budget.rectangles)) {
        const Box& box = found.box;
        views.push_back({found.family, corners_of(luma, static_cast<double>(box.left), static_cast<double>(box.top),
                                                  static_cast<double>(box.right), static_cast<double>(box.bottom))});
        if (found.score >= budget.sure && left > 0) boxes.push_back(box), --left;
    }
    for (const Box& box : boxes) add_remains(canvas, box, budget, edges, views);
    return views;
}

}  // namespace tutela
