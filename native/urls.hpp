// Links in one form, so that one page is one value however it is written: the canonicalisation that Safe Browsing
// publishes ("URLs and Hashing"), read as browsers read links (WHATWG URL). Hosts beyond ASCII come mapped (UTS 46).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sha256.hpp"

namespace tutela {

// Where two parsers take the same text for two links, both are had.
enum class Reading : uint8_t {
    browser,  // a backslash is a slash, the host stands behind the last @
    strict,   // a backslash is a letter, the host stands behind the first @ (RFC 3986, older parsers)
};

struct Link {
    std::string host;  // lower-case ASCII; an address in its shortest usual form; bytes that are no letters as %XX
    std::string path;  // begins with a slash
    std::string query;
    bool has_query = false;
    bool is_address = false;
};

enum class Parsed : uint8_t {
    link,
    nothing,  // no link to a host
    beyond_ascii,  // `host` is UTF-8 that must be mapped to ASCII first, then given as `mapped_host`
};

// `mapped_host` stands for the host of the text where it is not empty.
Parsed parse_link(std::string_view text, Reading reading, std::string_view mapped_host, Link& link);

// Whether the two readings of a text may differ at all.
bool may_be_read_twice(std::string_view text);

// What is looked up for a link: the page with and without its query; every folder that it lies in; every domain.
struct Lookups {
    std::vector<Sha256Value> pages, folders, domains;
};
Lookups lookups(const Link& link);

constexpr size_t max_link_bytes = 16384;
constexpr int max_folders = 12;
constexpr int max_domains = 5;

}  // namespace tutela
