// Where the blocks of a JPEG's scan start. The way there goes past their values, several at a time, and sees only that
// they may stand there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "jpeg_bits.hpp"
#include "jpeg_file.hpp"

namespace tutela {

class Walk {
   public:
    explicit Walk(const JpegFile& file);
    ~Walk();
    Walk(const Walk&) = delete;
    Walk& operator=(const Walk&) = delete;

    // How many blocks a unit of the scan has.
    size_t blocks() const { return blocks_; }

    // The codes of a component's blocks.
    const Codes& dc(const JpegComponent& component) const;
    const Codes& ac(const JpegComponent& component) const;

    // The differences of the means of a component's blocks.
    const Differences& differences(const JpegComponent& component) const;

    // In bits, where each of the next `count` blocks starts, and where the last of them ends. The first starts at
    // starts[0] and begins a unit. Up to `margin` more places are overwritten. False where a block is broken or goes
    // beyond `end`.
    bool find_starts(uint32_t* starts, size_t count, size_t end) const;
    static constexpr size_t margin = 3;

    // A block has two codes at least.
    static constexpr size_t least_bits = 2;

   private:
    struct Strides;
    struct Usual;
    struct Walker;
    using Stride = uint16_t;
    // A block of a unit.
    struct Step {
        const Strides* strides;
        const Stride* inside;  // the table behind its first look
        const Stride* behind;  // the table of the first look into the next block
        const Step* next;
    };

    static std::shared_ptr<const Strides> strides_of(const HuffmanTable& dc, const HuffmanTable& ac);
    // Made before any file is seen: that they are in memory says nothing of one.
    static const std::array<Usual, 2> usual_;

    // Two walkers at once: the second begins somewhere in the middle.
    bool find_by_two(uint32_t* starts, size_t count, size_t end) const;

    const uint8_t* data_;
    size_t blocks_ = 0;
    std::array<std::array<std::shared_ptr<const Strides>, 4>, 4> strides_;  // by the file's tables: DC, AC
    std::array<Step, 10> steps_{};
};

}  // namespace tutela
