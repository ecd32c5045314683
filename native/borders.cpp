// Borders that are not blank: noise, and a blurred copy of the picture around it.
#include <algorithm>
#include <cmath>

#include "finding.hpp"

namespace tutela {
namespace {

constexpr size_t sampled = 4;    // lines by which a border's noise is known; the outermost may be cut off and says nothing

// Whiteness of noise, and the variance under which it is none.
constexpr float noisy = 0.5f;
constexpr float min_noise = 8.0f;

// In a blurred border lines hardly differ from those before, up to the first line of the picture itself.
constexpr float sudden = 3.0f, least_jump = 4.0f, usual_jump = 0.75f;
constexpr size_t ringing = 5;    // lines before it that an encoder has spoilt
constexpr float blurred = 0.6f;  // of the picture's usual step, at most, along each line of the border

// The lines from one end on: those of the border come first.
class FromEnd {
   public:
    FromEnd(const std::vector<Line>& lines, bool from_last) : lines_(lines), from_last_(from_last) {}

    size_t size() const { return lines_.size(); }
    const Line& operator[](size_t i) const { return lines_[from_last_ ? lines_.size() - 1 - i : i]; }

    // How line i differs from the one farther out.
    float jump(size_t i) const { return from_last_ ? lines_[lines_.size() - i].jump : lines_[i].jump; }

   private:
    const std::vector<Line>& lines_;
    bool from_last_;
};

float median(std::vector<float> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

// Lines of noise at this end; none where it is no noise, or all are.
size_t noise(const FromEnd& lines) {
    std::vector<float> means, variances, whitenesses;
    for (size_t i = 1; i <= sampled; ++i) {
        means.push_back(lines[i].mean);
        variances.push_back(lines[i].variance);
        whitenesses.push_back(lines[i].whiteness);
    }
    const float mean = median(means), variance = median(variances), whiteness = median(whitenesses);
    if (whiteness < noisy || variance < min_noise) return 0;
    const auto fits = [&](const Line& line) {
        return std::abs(line.mean - mean) < 0.5f * std::sqrt(variance) && std::abs(line.variance - variance) < 0.45f * variance &&
               line.whiteness > 0.7f * whiteness;
    };
    for (size_t i = 1; i < lines.size(); ++i) {
        if (!fits(lines[i])) return i > sampled / 2 ? i : 0;
    }
    return 0;
}

// Lines of blur at this end; `usual` is the picture's usual step along a line.
size_t blur(const FromEnd& lines, float usual) {
    float most = usual_jump;
    const size_t middle = lines.size() - static_cast<size_t>(least_bordered_side * static_cast<double>(lines.size()));
    for (size_t i = 2; i < middle; ++i) {
        if (lines[i - 1].step > blurred * usual) return 0;
        if (i <= ringing + sampled) continue;
        most = std::max(most, lines.jump(i - ringing));
        if (lines.jump(i) < std::max(sudden * most, least_jump)) continue;
        size_t best = i;
        for (size_t next = i + 1; next < std::min(i + 3, middle); ++next) {
            if (lines.jump(next) > lines.jump(best)) best = next;
        }
        return best;
    }
    return 0;
}

struct Ends {
    size_t first, last;  // border lines at both ends
    bool is_guess = false;

    // Both have none, or both have some.
    bool agree() const { return (first > 0) == (last > 0); }
};

// As found, and as if the border were as wide at both ends.
std::vector<Ends> guesses(const Ends& found, size_t length) {
    std::vector<Ends> all{found};
    const size_t most = std::max(found.first, found.last), least = std::min(found.first, found.last);
    if (most - least > 2 && 2 * most < length) all.push_back({most, most, true});
    return all;
}

// `between_rows` are the profiles of the columns between two rows.
template <typename BorderLines, typename Between>
void add_bordered(const Luma& luma, const Profiles& whole, BorderLines border_lines, Between between_rows,
                  std::vector<Rectangle>& found) {
    const auto ends = [&](const std::vector<Line>& lines) {
        const Ends both{border_lines(FromEnd(lines, false)), border_lines(FromEnd(lines, true))};
        return both.first + both.last < lines.size() ? both : Ends{0, 0};
    };
    const auto wide_enough = [](size_t part, size_t of) {
        return static_cast<double>(part) >= least_bordered_side * static_cast<double>(of);
    };
    for (const Ends& rows : guesses(ends(whole.rows), luma.height)) {
        const Box between{0, rows.first, luma.width, luma.height - rows.last};
        if (!wide_enough(between.height(), luma.height) || between.height() < least_pixels) continue;
        const bool all = rows.first + rows.last == 0;
        for (const Ends& columns : guesses(ends(all ? whole.columns : between_rows(between)), luma.width)) {
            if (all && columns.first + columns.last == 0) continue;
            const Box box{columns.first, between.top, luma.width - columns.last, between.bottom};
            if (!wide_enough(box.width(), luma.width)) continue;
            const bool is_sure = rows.agree() && columns.agree() && !rows.is_guess && !columns.is_guess;
            found.push_back({box, is_sure ? certain : guessed});
        }
    }
}

float usual_step(const std::vector<Line>& lines) {
    std::vector<float> steps;
    for (const Line& line : lines) steps.push_back(line.step);
    const auto place = static_cast<std::ptrdiff_t>(steps.size() * 9 / 10);
    std::nth_element(steps.begin(), steps.begin() + place, steps.end());
    return steps[static_cast<size_t>(place)];
}

}  // namespace

std::vector<Rectangle> bordered(const Luma& luma, const Profiles& whole) {
    std::vector<Rectangle> found;
    const float usual = std::max(usual_step(whole.rows), usual_step(whole.columns));
    // Between the rows, smooth ground of the picture's own would be taken for blur.
    add_bordered(luma, whole, [&](const FromEnd& lines) { return blur(lines, usual); },
                 [&](const Box&) { return whole.columns; }, found);
    add_bordered(luma, whole, noise, [&](const Box& between) { return profiles(luma, between).columns; }, found);
    return found;
}

}  // namespace tutela
