#include "jpeg_file.hpp"

#include <algorithm>
#include <cstring>

namespace tutela {
namespace {

// Reads big-endian numbers; once it ran over the end, or was told of something unusual, it stays failed.
class Reader {
   public:
    explicit Reader(std::span<const uint8_t> data) : data_(data) {}

    uint8_t byte() { return at_ < data_.size() ? data_[at_++] : (fail(), uint8_t{0}); }
    size_t word() {
        const size_t high = byte();
        return high << 8 | byte();
    }
    Reader segment() {
        const size_t length = word();
        if (length < 2 || length - 2 > data_.size() - at_) {
            fail();
            return Reader({});
        }
        at_ += length - 2;
        return Reader(data_.subspan(at_ - (length - 2), length - 2));
    }
    std::span<const uint8_t> rest() const { return data_.subspan(at_); }
    bool done() const { return at_ == data_.size(); }
    bool failed() const { return failed_; }
    void fail() {
        failed_ = true;
        at_ = data_.size();
    }
    void require(bool ordinary) {
        if (!ordinary) fail();
    }

   private:
    std::span<const uint8_t> data_;
    size_t at_ = 0;
    bool failed_ = false;
};

bool read_quantisation(Reader segment, JpegFile& file) {
    while (!segment.done()) {
        const uint8_t head = segment.byte();
        segment.require(head < 4);  // eight bits a value
        std::array<uint16_t, 64> table;
        for (uint16_t& value : table) value = segment.byte();
        segment.require(std::ranges::count(table, 0) == 0);
        if (segment.failed()) return false;
        file.quantisation[head] = table;
    }
    return true;
}

// A value of more bits than eight-bit pictures can have is unusual, and so is a run of zeros with no value behind it.
// In a progressive file such a run tells of how many blocks nothing more is told.
bool is_ordinary(uint8_t symbol, bool is_dc, bool progressive) {
    const int run = symbol >> 4, size = symbol & 15;
    return is_dc ? symbol <= 11 : size <= 10 && (size > 0 || run == 0 || run == 15 || progressive);
}

bool read_huffman(Reader segment, JpegFile& file) {
    while (!segment.done()) {
        const uint8_t head = segment.byte();
        const bool is_dc = head >> 4 == 0;
        segment.require(head >> 4 < 2 && (head & 15) < 4);
        HuffmanTable table;
        size_t total = 0, next_code = 0;
        for (size_t bits = 1; bits <= 16; ++bits) {
            total += table.counts[bits - 1] = segment.byte();
            next_code = 2 * next_code + table.counts[bits - 1];
            segment.require(next_code < size_t{1} << bits);  // no code is all ones
        }
        segment.require(total > 0 && total <= 256);
        if (segment.failed()) return false;
        table.symbols.resize(total);
        for (uint8_t& symbol : table.symbols) {
            symbol = segment.byte();
            segment.require(is_ordinary(symbol, is_dc, file.progressive));
        }
        if (segment.failed()) return false;
        (is_dc ? file.dc : file.ac)[head & 15] = std::move(table);
    }
    return true;
}

bool read_frame(Reader segment, JpegFile& file) {
    segment.require(file.components.empty() && segment.byte() == 8);
    file.height = segment.word();
    file.width = segment.word();
    const size_t count = segment.byte();
    segment.require(file.width > 0 && file.height > 0 && (count == 1 || count == 3));
    for (size_t number = 0; number < count && !segment.failed(); ++number) {
        JpegComponent component{};
        component.id = segment.byte();
        const uint8_t sampling = segment.byte();
        component.across = sampling >> 4;
        component.down = sampling & 15;
        component.quantisation = segment.byte();
        segment.require(component.across >= 1 && component.across <= 4 && component.down >= 1 && component.down <= 4);
        segment.require(component.quantisation < 4);
        // Other numbers than these may stand for red, green and blue.
        segment.require(count == 1 || component.id == number + 1);
        if (count == 1) component.across = component.down = 1;  // a scan of one component has one block a unit
        file.components.push_back(component);
    }
    if (segment.failed() || !segment.done()) return false;
    const JpegComponent& luma = file.components.front();
    size_t blocks = 0;
    for (const JpegComponent& component : file.components) {
        blocks += size_t{component.across} * component.down;
        if (luma.across % component.across != 0 || luma.down % component.down != 0) return false;
    }
    return blocks <= 10;
}

bool read_scan_header(Reader segment, JpegFile& file) {
    segment.require(!file.components.empty() && segment.byte() == file.components.size());
    for (JpegComponent& component : file.components) {
        segment.require(segment.byte() == component.id);
        const uint8_t tables = segment.byte();
        component.dc = tables >> 4;
        component.ac = tables & 15;
        segment.require(component.dc < 4 && component.ac < 4);
        if (segment.failed()) return false;
        if (!file.dc[component.dc] || !file.ac[component.ac] || !file.quantisation[component.quantisation]) return false;
    }
    return segment.byte() == 0 && segment.byte() == 63 && segment.byte() == 0 && segment.done();
}

// The bits of a scan in so many stretches; what is left begins with the marker behind them. False where the restarts
// are not those that belong there.
bool read_bits(std::span<const uint8_t>& rest, size_t stretches, std::vector<size_t>& ends, JpegFile& file,
               uint8_t*& to) {
    const uint8_t *from = rest.data(), *const end = from + rest.size();
    while (true) {
        const auto* mark = static_cast<const uint8_t*>(std::memchr(from, 0xFF, static_cast<size_t>(end - from)));
        if (mark == nullptr || mark + 1 == end) return false;
        const auto plain = static_cast<size_t>(mark - from) + (mark[1] == 0);  // with the byte 0xFF where it is one
        std::memcpy(to, from, plain);
        to += plain;
        from = mark + 2;
        if (mark[1] == 0) continue;
        const bool is_last = ends.size() + 1 == stretches, restarts = mark[1] >= 0xD0 && mark[1] <= 0xD7;
        if (restarts == is_last || (restarts && mark[1] != 0xD0 + ends.size() % 8)) return false;
        ends.push_back(static_cast<size_t>(to - file.bits.get()));
        if (!is_last) continue;
        rest = {mark, end};
        return true;
    }
}

size_t stretches_of(size_t blocks, size_t interval) { return interval == 0 ? 1 : (blocks + interval - 1) / interval; }

// Room for the bits of all scans.
bool make_room(std::span<const uint8_t> rest, JpegFile& file) {
    if (rest.size() > JpegFile::most_bytes) return false;
    file.bits = std::make_unique_for_overwrite<uint8_t[]>(rest.size() + JpegFile::padding);
    return true;
}

// The bits of the only scan, which must end with the file's end marker.
bool read_only_scan(std::span<const uint8_t> rest, JpegFile& file) {
    if (!make_room(rest, file)) return false;
    uint8_t* to = file.bits.get();
    const size_t units = file.units_across() * file.units_down();
    if (!read_bits(rest, stretches_of(units, file.restart_interval), file.ends, file, to)) return false;
    std::memset(to, 0, JpegFile::padding);
    return rest[1] == 0xD9;
}

// What the scans up to now have told of each value of each component: how many of its bits are left; -1 for all.
using Left = std::array<std::array<int, 64>, 3>;

bool read_progressive_header(Reader segment, JpegFile& file, Left& left) {
    const size_t count = segment.byte();
    segment.require(!file.components.empty() && (count == 1 || count == file.components.size()));
    JpegScan scan{};
    scan.restart_interval = file.restart_interval;
    std::array<uint8_t, 3> tables{};
    for (size_t number = 0; number < count && !segment.failed(); ++number) {
        const uint8_t id = segment.byte();
        const auto found = std::ranges::find(file.components, id, &JpegComponent::id);
        segment.require(found != file.components.end() && (count == 1 || id == file.components[number].id));
        if (segment.failed()) return false;
        scan.components.push_back(static_cast<size_t>(found - file.components.begin()));
        tables[number] = segment.byte();
        if (!file.quantisation[found->quantisation]) return false;
    }
    scan.first = segment.byte();
    scan.last = segment.byte();
    const uint8_t bits = segment.byte();
    scan.low = bits & 15;
    scan.adds_bits = bits >> 4 != 0;
    segment.require(segment.done() && scan.first <= scan.last && scan.last <= 63 && scan.low <= 10);
    segment.require(scan.adds_bits ? bits >> 4 == static_cast<int>(scan.low) + 1 : true);
    segment.require(scan.has_means() ? scan.last == 0 : count == 1);
    if (segment.failed()) return false;
    for (const size_t component : scan.components) {
        if (!scan.has_means() && left[component][0] < 0) return false;
        for (unsigned position = scan.first; position <= scan.last; ++position) {
            int& bits_left = left[component][position];
            if (bits_left != (scan.adds_bits ? static_cast<int>(scan.low) + 1 : -1)) return false;
            bits_left = static_cast<int>(scan.low);
        }
    }
    for (size_t number = 0; number < count && !(scan.has_means() && scan.adds_bits); ++number) {
        const size_t table = scan.has_means() ? tables[number] >> 4 : tables[number] & 15;
        if (table >= 4) return false;
        const auto& chosen = scan.has_means() ? file.dc[table] : file.ac[table];
        if (!chosen) return false;
        // No value of more bits than eight-bit pictures can have.
        const unsigned most = scan.has_means() ? 14 : scan.adds_bits ? scan.low + 1 : 10;
        if (std::ranges::any_of(chosen->symbols, [&](uint8_t symbol) { return (symbol & 15) + scan.low > most; })) {
            return false;
        }
        scan.tables.push_back(*chosen);
    }
    file.scans.push_back(std::move(scan));
    return true;
}

// The bits of the scan whose header was read last.
bool read_scan(std::span<const uint8_t>& rest, JpegFile& file, uint8_t*& to) {
    JpegScan& scan = file.scans.back();
    const JpegComponent& component = file.components[scan.components.front()];
    const size_t units = scan.components.size() > 1 ? file.units_across() * file.units_down()
                                                    : file.blocks_across(component) * file.blocks_down(component);
    scan.begin = static_cast<size_t>(to - file.bits.get());
    if (!read_bits(rest, stretches_of(units, scan.restart_interval), scan.ends, file, to)) return false;
    // A mean has one bit at least: a small file has not many blocks.
    return !scan.has_means() || (scan.ends.back() - scan.begin) * 8 >= units;
}

bool has_prefix(std::span<const uint8_t> data, const char* prefix, size_t length) {
    return data.size() >= length && std::memcmp(data.data(), prefix, length) == 0;
}

}  // namespace

size_t JpegFile::blocks_across(const JpegComponent& component) const {
    const size_t whole = size_t{8} * components[0].across;
    return (width * component.across + whole - 1) / whole;
}
size_t JpegFile::blocks_down(const JpegComponent& component) const {
    const size_t whole = size_t{8} * components[0].down;
    return (height * component.down + whole - 1) / whole;
}
size_t JpegFile::units_across() const { return (width + 8 * components[0].across - 1) / (8 * components[0].across); }
size_t JpegFile::units_down() const { return (height + 8 * components[0].down - 1) / (8 * components[0].down); }

size_t next_marker(std::span<const uint8_t> file, size_t from) {
    while (from + 1 < file.size()) {
        const void* found = std::memchr(file.data() + from, 0xFF, file.size() - 1 - from);
        if (found == nullptr) break;
        from = static_cast<size_t>(static_cast<const uint8_t*>(found) - file.data());
        const uint8_t next = file[from + 1];
        if (next != 0x00 && next != 0xFF && (next < 0xD0 || next > 0xD7)) return from;
        from += next == 0xFF ? 1 : 2;
    }
    return file.size();
}

namespace {

// From the first scan on: tables and scans up to the end marker, by which every bit of every value must be told.
bool read_scans(Reader reader, Reader header, JpegFile& file) {
    Left left;
    for (auto& values : left) values.fill(-1);
    if (!make_room(reader.rest(), file)) return false;
    uint8_t* to = file.bits.get();
    while (true) {
        std::span<const uint8_t> rest = reader.rest();
        if (!read_progressive_header(header, file, left) || !read_scan(rest, file, to)) return false;
        reader = Reader(rest);
        for (bool at_scan = false; !at_scan;) {
            if (reader.byte() != 0xFF) return false;
            const uint8_t marker = reader.byte();
            if (marker == 0xD9) {
                std::memset(to, 0, JpegFile::padding);
                const auto told = [](const auto& values) { return std::ranges::count(values, 0) == 64; };
                return std::all_of(left.begin(), left.begin() + file.components.size(), told);
            }
            Reader segment = reader.segment();
            if (reader.failed()) return false;
            switch (marker) {
                case 0xC4:
                    if (!read_huffman(segment, file)) return false;
                    break;
                case 0xDD:
                    file.restart_interval = segment.word();
                    if (segment.failed() || !segment.done()) return false;
                    break;
                case 0xDA:
                    header = segment;
                    at_scan = true;
                    break;
                default: return false;
            }
        }
    }
}

}  // namespace

std::optional<JpegFile> read_jpeg(std::span<const uint8_t> data) {
    Reader reader(data);
    JpegFile file;
    if (reader.word() != 0xFFD8) return std::nullopt;
    while (!reader.failed()) {
        if (reader.byte() != 0xFF) return std::nullopt;
        uint8_t marker = reader.byte();
        while (marker == 0xFF) marker = reader.byte();
        Reader segment = reader.segment();
        bool ordinary = !reader.failed();
        switch (marker) {
            case 0xC0:
            case 0xC2:
                file.progressive = marker == 0xC2;
                ordinary = ordinary && read_frame(segment, file);
                break;
            case 0xC4: ordinary = ordinary && read_huffman(segment, file); break;
            case 0xDB: ordinary = ordinary && read_quantisation(segment, file); break;
            case 0xDD:
                file.restart_interval = segment.word();
                ordinary = ordinary && !segment.failed() && segment.done();
                break;
            case 0xDA:
                ordinary = ordinary && (file.progressive ? read_scans(reader, segment, file)
                                                         : read_scan_header(segment, file) &&
                                                               read_only_scan(reader.rest(), file));
                return ordinary ? std::optional(std::move(file)) : std::nullopt;
            case 0xE0:  // a later version of JFIF could mean anything
                ordinary = ordinary && (!has_prefix(segment.rest(), "JFIF\0", 5) || has_prefix(segment.rest(), "JFIF\0\1", 6));
                break;
            case 0xEE:  // Adobe says here which colours the components are; 1 is luma and two colours
                ordinary = ordinary && (!has_prefix(segment.rest(), "Adobe", 5) ||
                                        (segment.rest().size() >= 12 && segment.rest()[11] == 1));
                break;
            default: ordinary = ordinary && ((marker > 0xE0 && marker <= 0xEF) || marker == 0xFE); break;
        }
        if (!ordinary) return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace tutela
