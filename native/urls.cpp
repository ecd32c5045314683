#include "urls.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace tutela {
namespace {

constexpr int max_unescapes = 1024;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c | 32) : c; }

int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
    return -1;
}

// Percent-escapes are undone until none is left.
void unescape(std::string& text) {
    for (int round = 0; round < max_unescapes && text.find('%') != text.npos; ++round) {
        size_t to = 0;
        bool changed = false;
        for (size_t from = 0; from < text.size();) {
            if (text[from] == '%' && from + 2 < text.size()) {
                const int high = hex_digit(text[from + 1]), low = hex_digit(text[from + 2]);
                if (high >= 0 && low >= 0) {
                    text[to++] = char(high << 4 | low);
                    from += 3;
                    changed = true;
                    continue;
                }
            }
            text[to++] = text[from++];
        }
        text.resize(to);
        if (!changed) return;
    }
}

// `also` are those that would end the part if they stood there unescaped.
void escape(std::string& text, std::string_view also) {
    const auto needs_escape = [also](char c) {
        const auto byte = uint8_t(c);
        return byte <= 0x20 || byte >= 0x7f || c == '#' || c == '%' || also.find(c) != also.npos;
    };
    const auto many = std::ranges::count_if(text, needs_escape);
    if (many == 0) return;
    std::string escaped;
    escaped.reserve(text.size() + 2 * many);
    for (const char c : text) {
        if (needs_escape(c)) {
            escaped += '%';
            escaped += "0123456789ABCDEF"[uint8_t(c) >> 4];
            escaped += "0123456789ABCDEF"[uint8_t(c) & 15];
        } else {
            escaped += c;
        }
    }
    text = std::move(escaped);
}

// Empty steps and `.` go, `..` takes the step before along. RFC 3986, 5.2.4, with double slashes as one.
void resolve(std::string& path) {
    std::string resolved = "/";
    const size_t size = path.size();
    for (size_t begin = 0; begin < size;) {
        size_t end = path.find('/', begin);
        if (end == path.npos) end = size;
        const std::string_view step(path.data() + begin, end - begin);
        const bool last = end == size;
        if (step == "..") {
            if (resolved.size() > 1) resolved.resize(resolved.rfind('/', resolved.size() - 2) + 1);
        } else if (!step.empty() && step != ".") {
            resolved += step;
            if (!last) resolved += '/';
        }
        begin = end + 1;
    }
    path = std::move(resolved);
}

// A number of an IPv4 address: decimal, octal with a 0 before, hexadecimal with 0x. inet_aton(3), WHATWG "IPv4 parser".
std::optional<uint64_t> address_number(std::string_view text) {
    int base = 10;
    if (text.size() >= 2 && text[0] == '0' && (text[1] | 32) == 'x') base = 16, text.remove_prefix(2);
    else if (text.size() >= 2 && text[0] == '0') base = 8, text.remove_prefix(1);
    if (text.empty()) return base == 16 ? std::optional<uint64_t>(0) : std::nullopt;
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::string dotted(uint32_t address) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        text += std::to_string(address >> shift & 255);
        if (shift) text += '.';
    }
    return text;
}

std::optional<uint32_t> ipv4(std::string_view host) {
    // inet_aton takes what stands behind a space for a comment.
    if (const size_t space = host.find(' '); space != host.npos && host.size() <= 15) host = host.substr(0, space);
    std::array<uint64_t, 4> parts;
    int count = 0;
    for (size_t begin = 0; begin <= host.size();) {
        size_t end = host.find('.', begin);
        if (end == host.npos) end = host.size();
        if (count == 4) return std::nullopt;
        const auto number = address_number(host.substr(begin, end - begin));
        if (!number) return std::nullopt;
        parts[count++] = *number;
        begin = end + 1;
    }
    uint64_t address = 0;
    for (int i = 0; i + 1 < count; ++i) {
        if (parts[i] > 255) return std::nullopt;
        address = address << 8 | parts[i];
    }
    const int left = 8 * (5 - count);
    if (count == 0 || parts[count - 1] >> left) return std::nullopt;
    return uint32_t(address << left | parts[count - 1]);
}

// The text between brackets of an IPv6 address (RFC 4291, 2.2). Without a zone.
std::optional<std::array<uint16_t, 8>> ipv6(std::string_view text) {
    text = text.substr(0, text.find('%'));
    std::array<uint16_t, 8> pieces{};
    int count = 0, gap = -1;
    size_t at = 0;
    if (text.starts_with("::")) gap = 0, at = 2;
    while (at < text.size()) {
        if (count == 8) return std::nullopt;
        size_t end = text.find(':', at);
        if (end == text.npos) end = text.size();
        const std::string_view piece = text.substr(at, end - at);
        if (piece.find('.') != piece.npos) {
            const auto address = ipv4(piece);
            if (!address || count > 6 || end != text.size()) return std::nullopt;
            pieces[count++] = uint16_t(*address >> 16);
            pieces[count++] = uint16_t(*address);
            at = end;
            break;
        }
        if (piece.empty()) {
            if (gap >= 0) return std::nullopt;
            gap = count;
            at = end + 1;
            continue;
        }
        if (piece.size() > 4) return std::nullopt;
        unsigned number = 0;
        for (const char c : piece) {
            if (hex_digit(c) < 0) return std::nullopt;
            number = number << 4 | unsigned(hex_digit(c));
        }
        pieces[count++] = uint16_t(number);
        if (end + 1 == text.size()) return std::nullopt;  // a single colon at the end
        at = end + 1;
    }
    if (text.size() >= 2 && text.ends_with("::") && gap < 0) gap = count;
    if (gap < 0) return count == 8 ? std::optional(pieces) : std::nullopt;
    if (count == 8) return std::nullopt;
    std::array<uint16_t, 8> whole{};
    std::copy_n(pieces.begin(), gap, whole.begin());
    std::copy(pieces.begin() + gap, pieces.begin() + count, whole.end() - (count - gap));
    return whole;
}

// RFC 5952, 4; an address that stands for one of IPv4 (mapped, or NAT64's well-known prefix) is that one.
std::string shortest(const std::array<uint16_t, 8>& pieces) {
    const auto zeros = [&](int from, int to) {
        return std::all_of(pieces.begin() + from, pieces.begin() + to, [](uint16_t p) { return p == 0; });
    };
    const bool mapped = zeros(0, 5) && pieces[5] == 0xffff;
    const bool translated = pieces[0] == 0x64 && pieces[1] == 0xff9b && zeros(2, 6);
    if (mapped || translated) return dotted(uint32_t(pieces[6]) << 16 | pieces[7]);
    int begin = -1, length = 1;
    for (int i = 0; i < 8;) {
        int j = i;
        while (j < 8 && pieces[j] == 0) ++j;
        if (j - i > length) begin = i, length = j - i;
        i = j + 1;
    }
    std::string text = "[";
    for (int i = 0; i < 8; ++i) {
        if (i == begin) {
            text += "::";
            i += length - 1;
            continue;
        }
        if (text.back() != ':' && text.back() != '[') text += ':';
        std::array<char, 4> digits;
        const auto end = std::to_chars(digits.data(), digits.data() + 4, pieces[i], 16).ptr;
        text.append(digits.data(), end);
    }
    return text + "]";
}

bool is_utf8(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
        const auto byte = uint8_t(text[i]);
        const int more = byte < 0x80 ? 0 : byte >= 0xc2 && byte < 0xe0 ? 1 : (byte & 0xf0) == 0xe0 ? 2
                         : byte >= 0xf0 && byte < 0xf5                 ? 3
                                                                       : -1;
        if (more < 0 || i + more >= text.size()) return false;
        for (int j = 1; j <= more; ++j)
            if ((uint8_t(text[i + j]) & 0xc0) != 0x80) return false;
        i += more + 1;
    }
    return true;
}

// Behind the scheme and its slashes, or none where the text names no host. RFC 3986, 3.1; WHATWG "scheme state".
std::optional<std::string_view> behind_scheme(std::string_view text) {
    const auto slashes = [](std::string_view rest) {
        const size_t at = rest.find_first_not_of("/\\");
        return at == rest.npos ? std::string_view() : rest.substr(at);
    };
    size_t end = 0;
    while (end < text.size() && (is_letter(text[end]) || is_digit(text[end]) || text[end] == '+' || text[end] == '-' ||
                                 text[end] == '.'))
        ++end;
    if (end == 0 || end == text.size() || text[end] != ':' || !is_letter(text[0])) return slashes(text);
    std::string scheme(text.substr(0, end));
    std::ranges::transform(scheme, scheme.begin(), lower);
    const std::string_view rest = text.substr(end + 1);
    for (const char* special : {"http", "https", "ws", "wss", "ftp", "hxxp", "hxxps"})
        if (scheme == special) return slashes(rest);
    if (rest.starts_with("//")) return rest.substr(2);
    const bool is_port = !rest.empty() && is_digit(rest[0]) && scheme.find('.') != scheme.npos;
    if (is_port || (rest.empty() && scheme.find('.') != scheme.npos)) return text;  // example.org:8080/page
    return std::nullopt;
}

void tidy_dots(std::string& host) {
    std::string tidy;
    for (const char c : host)
        if (c != '.' || (!tidy.empty() && tidy.back() != '.')) tidy += c;
    if (!tidy.empty() && tidy.back() == '.') tidy.pop_back();
    host = std::move(tidy);
}

}  // namespace

bool may_be_read_twice(std::string_view text) {
    return text.find('\\') != text.npos || std::ranges::count(text, '@') > 1;
}

Parsed parse_link(std::string_view text, Reading reading, std::string_view mapped_host, Link& link) {
    link = {};
    if (text.size() > max_link_bytes) return Parsed::nothing;
    const auto is_space = [](char c) { return uint8_t(c) <= 0x20; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    std::string kept;
    if (text.find_first_of("\t\r\n") != text.npos) {
        std::ranges::copy_if(text, std::back_inserter(kept), [](char c) { return c != '\t' && c != '\r' && c != '\n'; });
        text = kept;
    }
    text = text.substr(0, text.find('#'));
    const auto rest = behind_scheme(text);
    if (!rest) return Parsed::nothing;
    const bool as_browser = reading == Reading::browser;
    const size_t end = std::min(rest->find_first_of(as_browser ? "/\\?" : "/?"), rest->size());
    std::string_view authority = rest->substr(0, end);
    if (const size_t at = as_browser ? authority.rfind('@') : authority.find('@'); at != authority.npos)
        authority.remove_prefix(at + 1);
    authority = authority.substr(0, authority.find('@'));
    const size_t query_at = rest->find('?', end);
    link.path = rest->substr(end, query_at == rest->npos ? rest->npos : query_at - end);
    link.has_query = query_at != rest->npos;
    if (link.has_query) link.query = rest->substr(query_at + 1);

    if (authority.starts_with('[')) {
        const size_t close = authority.find(']');
        if (close == authority.npos) return Parsed::nothing;
        const auto pieces = ipv6(authority.substr(1, close - 1));
        if (!pieces) return Parsed::nothing;
        link.host = shortest(*pieces);
        link.is_address = true;
    } else {
        link.host = authority.substr(0, authority.find(':'));
        unescape(link.host);
        if (!mapped_host.empty()) link.host = mapped_host;
        const bool ascii = std::ranges::all_of(link.host, [](char c) { return uint8_t(c) < 0x80; });
        if (!ascii && mapped_host.empty() && is_utf8(link.host)) return Parsed::beyond_ascii;
        std::ranges::transform(link.host, link.host.begin(), lower);
        tidy_dots(link.host);
        if (const auto address = ipv4(link.host)) {
            link.host = dotted(*address);
            link.is_address = true;
        }
        escape(link.host, "/\\?@:[]");
    }
    if (link.host.empty()) return Parsed::nothing;

    unescape(link.path);
    if (as_browser) std::ranges::replace(link.path, '\\', '/');
    resolve(link.path);
    escape(link.path, "?");
    unescape(link.query);
    escape(link.query, {});
    return Parsed::link;
}

Lookups lookups(const Link& link) {
    Lookups found;
    const std::string page = link.host + link.path;
    if (link.has_query) found.pages.push_back(sha256(page + "?" + link.query));
    found.pages.push_back(sha256(page));

    int folders = 0;
    for (size_t at = link.host.size(); at != page.npos && folders < max_folders; at = page.find('/', at + 1), ++folders)
        found.folders.push_back(sha256(std::string_view(page).substr(0, at + 1)));

    if (link.is_address) {
        found.domains.push_back(sha256(link.host));
    } else {
        // The host itself, and what its last five labels end in, but for the last label alone.
        std::string_view host = link.host;
        found.domains.push_back(sha256(host));
        std::vector<size_t> dots;
        for (size_t at = host.rfind('.'); at != host.npos && int(dots.size()) < max_domains;
             at = at ? host.rfind('.', at - 1) : host.npos)
            dots.push_back(at);
        for (size_t i = 1; i < dots.size(); ++i) found.domains.push_back(sha256(host.substr(dots[i] + 1)));
    }
    return found;
}

}  // namespace tutela
