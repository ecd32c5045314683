#include "jpeg_walk.hpp"

#include <algorithm>
#include <memory>

#include "jpeg_bits.hpp"
#include "jpeg_tables.hpp"

namespace tutela {
namespace {

// What some bits tell of a block: how many of them belong to whole codes and the values behind those (bits 0 to 5), how
// many positions these fill (8 to 13), and one of two marks.
constexpr unsigned untold = 64 << 8;       // not even one code: it is longer than a look
constexpr unsigned block_ends = 128 << 8;  // the last code says that only zeros are left

constexpr unsigned looks = 3;           // between two refills
constexpr unsigned reach = 56 / looks;  // so many bits may a look skip, for all of them to be good

constexpr size_t worth_two = 100'000;  // bits: from here on a second walker pays

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
    const Differences differences{dc};
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

// To make those of the usual tables takes longer than to walk through a small photo.
struct Walk::Usual {
    explicit Usual(const TablePair& tables)
        : tables(tables), strides(std::make_shared<const Strides>(tables.dc, tables.ac)) {}

    TablePair tables;
    std::shared_ptr<const Strides> strides;
};

const std::array<Walk::Usual, 2> Walk::usual_{Usual(usual_tables()[0]), Usual(usual_tables()[1])};

std::shared_ptr<const Walk::Strides> Walk::strides_of(const HuffmanTable& dc, const HuffmanTable& ac) {
    for (const Usual& usual : usual_) {
        if (dc == usual.tables.dc && ac == usual.tables.ac) return usual.strides;
    }
    return std::make_shared<const Strides>(dc, ac);
}

Walk::Walk(const JpegFile& file) : data_(file.bits.get()) {
    for (const JpegComponent& component : file.components) {
        auto& strides = strides_[component.dc][component.ac];
        if (!strides) strides = strides_of(*file.dc[component.dc], *file.ac[component.ac]);
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

const Codes& Walk::dc(const JpegComponent& component) const { return strides_[component.dc][component.ac]->dc; }
const Codes& Walk::ac(const JpegComponent& component) const { return strides_[component.dc][component.ac]->ac; }

const Differences& Walk::differences(const JpegComponent& component) const {
    return strides_[component.dc][component.ac]->differences;
}

// Where a look leads depends on the one before, and bits are random: the time goes into waiting for tables, and into
// branches that are guessed wrong. So a look takes many values, and the end of a block is no branch.
struct Walk::Walker {
    Walker(const Walk& walk, uint32_t* start, size_t number)
        : bits(walk.data_, *start),
          step(&walk.steps_[number % walk.blocks_]),
          table(step->strides->first.data()),
          start(start) {}

    [[gnu::always_inline]] void look_on() {
        const unsigned stride = table[bits.peek(look)];
        const unsigned reached = position + (stride >> 8);
        // From 64 on, the block may have ended within the stride, without a code that says so.
        if ((reached & 64) != 0) [[unlikely]] {
            *this = read_on(*this);
            return;
        }
        bits.skip(stride % 64);
        const unsigned ends = stride >= block_ends;
        start[1] = static_cast<uint32_t>(bits.at());
        start += ends;
        position = reached & (ends - 1);
        const Stride *inside = opaque(step->inside), *behind = opaque(step->behind);
        const Step* next = opaque(step->next);
        table = ends ? behind : inside;
        step = ends ? next : step;
    }

    [[gnu::always_inline]] void walk() {
        bits.refill();
#pragma GCC unroll 3
        for (unsigned i = 0; i < looks; ++i) look_on();
    }

    // To the start of a block; false where a block is broken or goes beyond `end`.
    static bool walk_to(Walker walker, const uint32_t* last, size_t end) {
        while (walker.start < last) {
            if (walker.broken || walker.bits.at() > end) return false;
            walker.walk();  // what it may find beyond the last block, broken or not, says nothing
        }
        return *last <= end;
    }

    // A single code. By value, so that a walker can stay in registers.
    [[gnu::noinline]] static Walker read_on(Walker walker) {
        walker.bits.refill();
        const bool is_dc = walker.position == 0;
        const Code code = (is_dc ? walker.step->strides->dc : walker.step->strides->ac).next(walker.bits);
        walker.broken = is_dc ? code.length == 0 : !fits(code, walker.position);
        if (walker.broken) return walker;
        walker.bits.skip(code.bits);
        walker.bits.refill();
        walker.position += is_dc ? 1 : code.run + 1;
        walker.table = walker.step->inside;
        if (walker.position < 64) return walker;
        *++walker.start = static_cast<uint32_t>(walker.bits.at());
        walker.position = 0;
        walker.table = walker.step->behind;
        walker.step = walker.step->next;
        return walker;
    }

    Bits bits;
    const Step* step;
    const Stride* table;
    uint32_t* start;  // of the block it is in
    unsigned position = 0;
    bool broken = false;
};

bool Walk::find_starts(uint32_t* starts, size_t count, size_t end) const {
    if (end - starts[0] >= worth_two) return find_by_two(starts, count, end);
    return Walker::walk_to(Walker(*this, starts, 0), starts + count, end);
}

// Codes of this kind synchronise: whoever begins to read anywhere soon comes upon the start of a block. So a second
// walker begins in the middle, and while one waits for its tables, the other goes on. Once the first comes upon a start
// that the second knew as the same block of a unit, it knows all that follow. Should it never, it walks the whole way
// itself.
bool Walk::find_by_two(uint32_t* starts, size_t count, size_t end) const {
    // Not filled with zeros, which would take longer than looking at all colours.
    const auto places = std::make_unique_for_overwrite<uint32_t[]>(count + 1 + margin);
    uint32_t* const known = places.get();
    const uint32_t *const last = starts + count, *const last_known = known + count;
    const size_t middle = starts[0] + (end - starts[0]) / 2;
    known[0] = static_cast<uint32_t>(middle);
    Walker first(*this, starts, 0), second(*this, known, 0);
    const auto at_end = [end](const Walker& walker) { return *walker.start + 8 > end; };
    while (first.bits.at() < middle && first.start < last && !at_end(second) && second.start < last_known) {
        first.bits.refill();
        second.bits.refill();
#pragma GCC unroll 3
        for (unsigned i = 0; i < looks; ++i) {
            first.look_on();
            second.look_on();
        }
        if (first.broken) [[unlikely]]
            break;
        if (second.broken) [[unlikely]] {
            if (at_end(second)) break;
            known[0] = static_cast<uint32_t>(second.bits.at() + 1);
            second = Walker(*this, known, 0);
        }
    }
    while (!at_end(second) && second.start < last_known && !second.broken) second.walk();
    const uint32_t* same = known;
    while (first.start < last) {
        if (first.broken || first.bits.at() > end) return false;
        first.walk();
        while (same < second.start && *same < *first.start) ++same;
        const auto ours = static_cast<size_t>(first.start - starts), theirs = static_cast<size_t>(same - known);
        if (*same != *first.start || ours % blocks_ != theirs % blocks_ || ours >= count) continue;
        const size_t more = std::min(static_cast<size_t>(second.start - same), count - ours);
        std::copy_n(same + 1, more, first.start + 1);
        return Walker::walk_to(Walker(*this, first.start + more, ours + more), last, end);
    }
    return *last <= end;
}

}  // namespace tutela
