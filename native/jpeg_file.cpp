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
bool is_ordinary(uint8_t symbol, bool is_dc) {
    const int run = symbol >> 4, size = symbol & 15;
    return is_dc ? symbol <= 11 : size <= 10 && (size > 0 || run == 0 || run == 15);
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
            segment.require(is_ordinary(symbol, is_dc));
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

// The bits of the scan, which must end with the file's end marker.
bool read_bits(std::span<const uint8_t> rest, JpegFile& file) {
    const size_t units = file.units_across() * file.units_down();
    const size_t interval = file.restart_interval == 0 ? units : file.restart_interval;
    const size_t stretches = (units + interval - 1) / interval;
    if (rest.size() > JpegFile::most_bytes) return false;
    file.bits = std::make_unique_for_overwrite<uint8_t[]>(rest.size() + JpegFile::padding);
    uint8_t* to = file.bits.get();
    const uint8_t *from = rest.data(), *const end = from + rest.size();
    while (true) {
        const auto* mark = static_cast<const uint8_t*>(std::memchr(from, 0xFF, static_cast<size_t>(end - from)));
        if (mark == nullptr || mark + 1 == end) return false;
        const auto plain = static_cast<size_t>(mark - from) + (mark[1] == 0);  // with the byte 0xFF where it is one
        std::memcpy(to, from, plain);
        to += plain;
        from = mark + 2;
        if (mark[1] == 0) continue;
        const bool is_last = file.ends.size() + 1 == stretches;
        if (mark[1] != (is_last ? 0xD9 : 0xD0 + file.ends.size() % 8)) return false;
        file.ends.push_back(static_cast<size_t>(to - file.bits.get()));
        if (is_last) break;
    }
    std::memset(to, 0, JpegFile::padding);
    return true;
}

bool has_prefix(std::span<const uint8_t> data, const char* prefix, size_t length) {
    return data.size() >= length && std::memcmp(data.data(), prefix, length) == 0;
}

}  // namespace

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
            case 0xC0: ordinary = ordinary && read_frame(segment, file); break;
            case 0xC4: ordinary = ordinary && read_huffman(segment, file); break;
            case 0xDB: ordinary = ordinary && read_quantisation(segment, file); break;
            case 0xDD:
                file.restart_interval = segment.word();
                ordinary = ordinary && !segment.failed() && segment.done();
                break;
            case 0xDA:
                if (!ordinary || !read_scan_header(segment, file) || !read_bits(reader.rest(), file)) return std::nullopt;
                return file;
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
