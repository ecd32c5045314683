// Any bytes as a link: read without leaving them, to a form that reads as itself; any bytes as words: likewise.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "urls.hpp"
#include "words.hpp"

using namespace tutela;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    for (const Reading reading : {Reading::browser, Reading::strict}) {
        Link link, again;
        if (parse_link(text, reading, {}, link) != Parsed::link) continue;
        const std::string page = link.host + link.path + (link.has_query ? "?" + link.query : "");
        if (lookups(link).pages.empty() || page.size() > max_link_bytes) continue;
        if (parse_link(page, reading, {}, again) != Parsed::link) std::abort();
        if (again.host != link.host || again.path != link.path || again.query != link.query) std::abort();
    }
    // A folding that doubles each letter, and drops every third.
    static const Folding folding = [] {
        std::vector<uint32_t> begins, letters;
        for (uint32_t c = 0; c < 0x400; ++c) {
            begins.push_back(uint32_t(letters.size()));
            if (c % 3) letters.insert(letters.end(), {c, c});
        }
        begins.push_back(uint32_t(letters.size()));
        return Folding(std::move(begins), std::move(letters));
    }();
    static const std::vector<uint8_t> built = [] {
        const std::string terms[] = {"aabb", "*bb*", "dd ee", "eeeeee"};
        std::vector<uint8_t> values;
        std::vector<uint64_t> keys;
        for (const std::string& term : terms) {
            std::string padded = term;
            padded.resize(Patterns::width);
            values.insert(values.end(), padded.begin(), padded.end());
            keys.push_back(keys.size());
        }
        return Patterns::build(values, keys);
    }();
    const Patterns patterns(built);
    for (const WordHit& hit : patterns.find(text, folding))
        if (hit.row >= patterns.size() || hit.begin > hit.end) std::abort();
    // Any bytes as a file of patterns: refused, or searched without ever leaving them.
    try {
        const Patterns any(std::span<const uint8_t>(data, size));
        any.find("some text", folding);
    } catch (const CorruptPatterns&) {
    }
    return 0;
}
