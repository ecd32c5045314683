"""Links: found in text in all their disguises, brought to one form, and looked up as pages, folders and domains.

Flow: text → `finder.find_links` → `link.lookups` → samples of the signal types `url`, `url-tree` and `domain`. The
parsing and the digests are native (`native/urls.cpp`); hosts beyond ASCII are mapped here (UTS 46).
"""

from tutela.content.links.finder import FoundLink, find_links
from tutela.content.links.link import Link, link_samples, link_values, parse_link

__all__ = [
    "FoundLink",
    "Link",
    "confusables",
    "find_links",
    "finder",
    "link",
    "link_samples",
    "link_values",
    "parse_link",
    "query_keys",
]
