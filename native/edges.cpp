#include "edges.hpp"

#include <algorithm>

#include "view_kernels.hpp"

namespace tutela {

Edges::Edges(size_t length, size_t positions, bool by_block)
    : length_(length), positions_(positions), blocks_(length / edge_block),
      block_stride_(by_block ? positions : 1), position_stride_(by_block ? 1 : blocks_ + 1),
      sums_((blocks_ + 1) * positions, 0) {}

Edges Edges::vertical(const Luma& luma) {
    Edges edges(luma.height, luma.width + 1, true);
    const ViewKernels& kernels = view_kernels();
    std::vector<uint16_t> sums(luma.width), steps(luma.width + 1, 0), strengths(luma.width + 1, 0);
    for (size_t block = 0; block < edges.blocks_; ++block) {
        kernels.sum_rows(luma.row(edge_block * block), luma.width, sums.data());
        kernels.differences(sums.data() + 1, sums.data(), luma.width - 1, steps.data() + 1);
        kernels.strengths(steps.data(), steps.data() + 1, steps.data() + 2, luma.width - 1, strengths.data() + 1);
        const uint32_t* before = edges.sums_.data() + block * edges.positions_;
        kernels.add(before, strengths.data(), edges.positions_, edges.sums_.data() + (block + 1) * edges.positions_);
    }
    edges.take_totals();
    return edges;
}

Edges Edges::horizontal(const Luma& luma) {
    Edges edges(luma.width, luma.height + 1, false);
    const ViewKernels& kernels = view_kernels();
    const size_t blocks = edges.blocks_;
    std::vector<uint16_t> sums(luma.height * blocks), steps((luma.height + 1) * blocks, 0), strengths(blocks);
    for (size_t y = 0; y < luma.height; ++y) kernels.sum_neighbours(luma.row(y), blocks, sums.data() + y * blocks);
    kernels.differences(sums.data() + blocks, sums.data(), (luma.height - 1) * blocks, steps.data() + blocks);
    for (size_t y = 1; y < luma.height; ++y) {
        const uint16_t* at = steps.data() + y * blocks;
        kernels.strengths(at - blocks, at, at + blocks, blocks, strengths.data());
        uint32_t* out = edges.sums_.data() + y * (blocks + 1);
        uint32_t sum = 0;
        for (size_t block = 0; block < blocks; ++block) out[block + 1] = sum += strengths[block];
    }
    edges.take_totals();
    return edges;
}

void Edges::take_totals() {
    totals_.resize(positions_);
    for (size_t i = 0; i < positions_; ++i) {
        totals_[i] = static_cast<float>(sums_[index(blocks_, i)]) / static_cast<float>(full_edge * blocks_);
    }
}

float Edges::support(size_t position, size_t begin, size_t end) const {
    const size_t first = std::min(begin / edge_block, blocks_ - 1);
    const size_t last = std::max(std::min((end + edge_block - 1) / edge_block, blocks_), first + 1);
    const uint32_t sum = sums_[index(last, position)] - sums_[index(first, position)];
    return static_cast<float>(sum) / static_cast<float>(full_edge * (last - first));
}

}  // namespace tutela
