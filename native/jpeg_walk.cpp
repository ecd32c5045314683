#include "jpeg_walk.hpp"

#include "jpeg_bits.hpp"

namespace tutela {
namespace {

// What some bits tell of a block: how many of them belong to whole codes and the values behind those (bits 0 to 5), how many
// positions these fill (8 to 13), and one of two marks.
constexpr unsigned untold = 64 << 8;       // not even one code: it is longer than a look
constexpr unsigned block_ends = 128 << 8;  // the last code says that only zeros are left

constexpr unsigned looks = 3;           // between two refills
constexpr unsigned reach = 56 / looks;  // so many bits may a look skip, for all of them to be good

// Whether a code may stand at a position of a block.
bool fits(const Code& code, unsigned position) {
    if (code.length == 0) return false;
    if (code.run == Code::rest) return true;
    return position + code.run < (code.size == 0 ? 63 : 64);  // zeros without a value have one behind them
}

// Keeps the compiler from knowing what a pointer is, so that it chooses between two of them without a branch.
template <typename T>
const T* opaque(const T* pointer) {
    asm("" : "+r"(pointer));
    return pointer;
}

}  // namespace

struct Walk::Strides {
    Strides(const HuffmanTable& dc_table, const HuffmanTable& ac_table) : dc(dc_table), ac(ac_table) {
        for (size_t bits = 0; bits < first.size(); ++bits) {
            const Code code = dc.at(bits);
            first[bits] = code.length == 0 || code.bits > reach ? untold : stride(bits, code.bits, 1);
            inside[bits] = stride(bits, 0, 0);
        }
    }

    const Codes dc, ac;
    std::array<Stride, 1 << look> first, inside;  // at the start of a block; behind

   private:
    // Of these bits, of which some are used already.
    Stride stride(size_t bits, unsigned used, unsigned positions) const {
        while (used < look) {
            const Code code = ac.at((bits << used) % inside.size());
            if (code.length == 0 || used + code.length > look || used + code.bits > reach) break;
            if (code.run == Code::rest) return static_cast<Stride>(block_ends | positions << 8 | (used + code.bits));
            if (positions + code.run + 1 >= 64) break;
            positions += code.run + 1;
            used += code.bits;
        }
        return static_cast<Stride>(used == 0 ? untold : positions << 8 | used);
    }
};

Walk::Walk(const JpegFile& file) : data_(file.bits.get()) {
    for (const JpegComponent& component : file.components) {
        auto& strides = strides_[component.dc][component.ac];
        if (!strides) strides = std::make_unique<const Strides>(*file.dc[component.dc], *file.ac[component.ac]);
        const size_t end = blocks_ + size_t{component.across} * component.down;
        while (blocks_ < end) steps_[blocks_++].strides = strides.get();
    }
    for (size_t block = 0; block < blocks_; ++block) {
        Step& step = steps_[block];
        step.next = &steps_[(block + 1) % blocks_];
        step.inside = step.strides->inside.data();
        step.behind = step.next->strides->first.data();
    }
}

Walk::~Walk() = default;

// Where a look leads depends on the one before, and bits are random: the time goes into waiting for tables, and into
// branches that are guessed wrong. So a look takes many values, and the end of a block is no branch.
bool Walk::find_starts(size_t* starts, size_t count, size_t end) const {
    const Step* step = steps_.data();
    const Stride* table = step->strides->first.data();
    Bits bits(data_, starts[0]);
    size_t found = 0;
    unsigned position = 0;
    while (found < count) {
        bits.refill();
        if (bits.at() > end) return false;
        bool told = true;
#pragma GCC unroll 3
        for (unsigned i = 0; i < looks; ++i) {
            const unsigned stride = table[bits.peek(look)];
            const unsigned reached = position + (stride >> 8);
            // From 64 on, the block may have ended within the stride, without a code that says so.
            told = (reached & 64) == 0;
            if (!told) [[unlikely]] break;
            bits.skip(stride % 64);
            const unsigned ends = stride >= block_ends;
            starts[found + 1] = bits.at();
            found += ends;
            position = reached & (ends - 1);
            const Stride *inside = opaque(step->inside), *behind = opaque(step->behind);
            const Step* next = opaque(step->next);
            table = ends ? behind : inside;
            step = ends ? next : step;
        }
        if (told || found >= count) continue;
        bits.refill();
        const bool is_dc = position == 0;
        const Code code = (is_dc ? step->strides->dc : step->strides->ac).next(bits);
        if (is_dc ? code.length == 0 : !fits(code, position)) return false;
        bits.skip(code.bits);
        position += is_dc ? 1 : code.run + 1;
        table = step->inside;
        if (position < 64) continue;
        starts[++found] = bits.at();
        position = 0;
        table = step->behind;
        step = step->next;
    }
    return starts[count] <= end;
}

}  // namespace tutela
