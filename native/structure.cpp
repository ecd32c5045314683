#include "structure.hpp"

#include <algorithm>
#include <cmath>

namespace tutela {
namespace {

// Adds the strength of each step between neighbours. A soft edge is spread over two or three of them and counts once,
// where it is steepest, with half of what lies beside it.
void add_strengths(const float* __restrict steps, size_t positions, const float* __restrict before, float* __restrict out) {
    out[0] = before[0];
    for (size_t x = 1; x + 1 < positions; ++x) {
        const float left = steps[x - 1], at = steps[x], right = steps[x + 1];
        const float strength = std::min((at + 0.5f * (left + right)) * (1.0f / full_step), 1.0f);
        out[x] = before[x] + (at >= std::max(left, right) ? strength : 0.0f);
    }
    out[positions - 1] = before[positions - 1];
}

// `line(block)` is a row of `length` means over a block of pixels along the edges.
template <typename Means>
LineSums line_sums(size_t extent, size_t length, Means means) {
    LineSums all{std::max<size_t>(1, extent / edge_block), length + 1, {}};
    all.sums.assign((all.blocks + 1) * all.positions, 0.0f);
    std::vector<float> line(length), steps(all.positions);
    for (size_t block = 0; block < all.blocks; ++block) {
        means(block, std::min(edge_block, extent), line);
        for (size_t x = 1; x < length; ++x) steps[x] = std::abs(line[x] - line[x - 1]);
        float* out = all.sums.data() + (block + 1) * all.positions;
        add_strengths(steps.data(), all.positions, out - all.positions, out);
    }
    return all;
}

// Two passes of a Gaussian, rows then columns, edges repeated.
std::vector<float> blurred(const std::vector<float>& values, size_t height, size_t width, float deviation) {
    const auto reach = static_cast<int64_t>(std::ceil(3.0f * deviation));
    std::vector<float> weights(static_cast<size_t>(2 * reach + 1));
    float sum = 0.0f;
    for (int64_t i = -reach; i <= reach; ++i) {
        const auto place = static_cast<float>(i);
        sum += weights[static_cast<size_t>(i + reach)] = std::exp(-place * place / (2.0f * deviation * deviation));
    }
    for (float& weight : weights) weight /= sum;

    const auto rows = static_cast<int64_t>(height), columns = static_cast<int64_t>(width);
    std::vector<float> down(values.size()), out(values.size());
    std::vector<float> padded(width + static_cast<size_t>(2 * reach));
    for (int64_t y = 0; y < rows; ++y) {
        float* to = down.data() + y * columns;
        for (int64_t i = -reach; i <= reach; ++i) {
            const float* from = values.data() + std::clamp<int64_t>(y + i, 0, rows - 1) * columns;
            const float weight = weights[static_cast<size_t>(i + reach)];
            for (int64_t x = 0; x < columns; ++x) to[x] += weight * from[x];
        }
        for (int64_t x = -reach; x < columns + reach; ++x) {
            padded[static_cast<size_t>(x + reach)] = to[std::clamp<int64_t>(x, 0, columns - 1)];
        }
        float* line = out.data() + y * columns;
        for (size_t i = 0; i < weights.size(); ++i) {
            for (int64_t x = 0; x < columns; ++x) line[x] += weights[i] * padded[static_cast<size_t>(x) + i];
        }
    }
    return out;
}

float top_of_parabola(float before, float at, float after) {
    const float bend = before - 2.0f * at + after;
    return std::abs(bend) < 1e-6f ? 0.0f : std::clamp(0.5f * (before - after) / bend, -0.5f, 0.5f);
}

}  // namespace

LineSums vertical_edges(const uint8_t* luma, size_t height, size_t width) {
    return line_sums(height, width, [&](size_t block, size_t count, std::vector<float>& line) {
        std::fill(line.begin(), line.end(), 0.0f);
        for (size_t i = 0; i < count; ++i) {
            const uint8_t* row = luma + (block * edge_block + i) * width;
            for (size_t x = 0; x < width; ++x) line[x] += static_cast<float>(row[x]);
        }
        for (float& value : line) value /= static_cast<float>(count);
    });
}

LineSums horizontal_edges(const uint8_t* luma, size_t height, size_t width) {
    // By the transposed picture's means: (blocks of columns) x height.
    const size_t blocks = std::max<size_t>(1, width / edge_block), count = std::min(edge_block, width);
    std::vector<float> means(blocks * height);
    for (size_t y = 0; y < height; ++y) {
        const uint8_t* row = luma + y * width;
        for (size_t block = 0; block < blocks; ++block) {
            float sum = 0.0f;
            for (size_t i = 0; i < count; ++i) sum += static_cast<float>(row[block * edge_block + i]);
            means[block * height + y] = sum / static_cast<float>(count);
        }
    }
    return line_sums(width, height, [&](size_t block, size_t, std::vector<float>& line) {
        std::copy_n(means.data() + block * height, height, line.data());
    });
}

std::vector<Blob> blobs(const uint8_t* luma, size_t height, size_t width, float fine, float coarse, size_t reach) {
    const std::vector<float> values(luma, luma + height * width);
    std::vector<float> response = blurred(values, height, width, fine);
    const std::vector<float> wide = blurred(values, height, width, coarse);
    for (size_t i = 0; i < response.size(); ++i) response[i] -= wide[i];

    std::vector<Blob> found;
    for (size_t y = 1; y + 1 < height; ++y) {
        for (size_t x = 1; x + 1 < width; ++x) {
            const float at = response[y * width + x], strength = std::abs(at);
            bool extreme = strength > 0.25f;
            for (size_t v = y > reach ? y - reach : 0; extreme && v <= std::min(height - 1, y + reach); ++v) {
                for (size_t u = x > reach ? x - reach : 0; u <= std::min(width - 1, x + reach); ++u) {
                    if (std::abs(response[v * width + u]) > strength) {
                        extreme = false;
                        break;
                    }
                }
            }
            if (!extreme) continue;
            const float* centre = response.data() + y * width + x;
            const float dx = top_of_parabola(centre[-1], at, centre[1]);
            const float dy = top_of_parabola(*(centre - width), at, centre[width]);
            found.push_back({static_cast<float>(x) + 0.5f + dx, static_cast<float>(y) + 0.5f + dy, strength});
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const Blob& a, const Blob& b) { return a.strength > b.strength; });
    return found;
}

}  // namespace tutela
