"""One link in one form, and what is looked up for it.

The form is that of Safe Browsing ("URLs and Hashing": https://developers.google.com/safe-browsing/reference), without
scheme, user, port and fragment. Text is read as browsers do (WHATWG URL); where other parsers would see another link,
as with backslashes or several @, both are looked up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import idna

from tutela import _native
from tutela.content.signals.base import Sample

URL = "url"
"""A page, with its query where it has one."""
URL_TREE = "url-tree"
"""A folder of one host, and all below it."""
DOMAIN = "domain"
"""A host name, and all below it."""

LINK_TYPES = (URL, URL_TREE, DOMAIN)
"""The signal types of links."""
_WIDTH = 32

QueryKeys = tuple[str, ...]
"""Names of a query's parameters, each once and in order."""
KEYS_MARK = " keys="
"""Between a page's text and the names of the parameters that count there."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link in its one form."""

    host: str
    """Lower-case ASCII; an address as `192.0.2.1` or `[2001:db8::1]`."""
    path: str
    """Begins with `/`; dots resolved, percent-escapes undone but where a URL cannot do without."""
    query: str | None
    """What stands behind the first `?`; None where there is no `?`."""
    is_address: bool

    @property
    def page(self) -> str:
        """The text whose SHA-256 stands for the page: `example.org/a?b`."""
        return f"{self.host}{self.path}" + (f"?{self.query}" if self.query is not None else "")

    def pages_by(self, sets: Sequence[QueryKeys]) -> Iterator[str]:
        """The text of the page for each of these sets of names that its query has whole: `example.org/a?b=1 keys=b`.

        Of a parameter that stands there several times, the first and the last count: servers take one or the other.
        """
        if not sets or self.query is None:
            return
        found: dict[str, list[str]] = {}
        for parameter in self.query.split("&"):
            found.setdefault(parameter.partition("=")[0], []).append(parameter)
        for keys in sets:
            if all(name in found for name in keys):
                for chosen in product(*(dict.fromkeys((found[name][0], found[name][-1])) for name in keys)):
                    yield with_keys(f"{self.host}{self.path}?{'&'.join(chosen)}", keys)


def with_keys(text: str, keys: QueryKeys) -> str:
    """A page's text, or its digest, with the names of the parameters that count."""
    return f"{text}{KEYS_MARK}{','.join(keys)}" if keys else text


def parse_link(text: str, *, as_browser: bool = True) -> Link | None:
    """The link that a text is, as a browser reads it, or as older parsers do; None where it names no host."""
    encoded = text.encode("utf-8", "surrogatepass")
    parsed = _native.parse_link(encoded, as_browser)
    if isinstance(parsed, bytes):
        mapped = ascii_host(parsed.decode("utf-8", "replace")).encode()
        parsed = _native.parse_link(encoded, as_browser, mapped)
    if parsed is None or isinstance(parsed, bytes):
        return None
    return Link(*parsed)


def lookups(text: str) -> tuple[bytes, bytes, bytes] | None:
    """The digests to look up for a link: of pages, of folders and of domains, 32 bytes each, joined; None for no link.

    A page is asked for with and without its query, a folder as every folder above the page, a domain as every domain
    above the host. Where two parsers differ, those of both.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    found = _native.look_up_link(encoded)
    if isinstance(found, bytes):
        found = _native.look_up_link(encoded, ascii_host(found.decode("utf-8", "replace")).encode())
    return None if isinstance(found, bytes) else found


def link_values(text: str, keys: Sequence[QueryKeys] = ()) -> Iterator[tuple[str, list[bytes]]]:
    """For each type of links, the digests to look up for one. Nothing where the text is no link.

    `keys` are the sets of query parameters that lists use: `Banks.query_keys`.
    """
    for signal, joined in zip(LINK_TYPES, lookups(text) or (), strict=False):
        values = [joined[at : at + _WIDTH] for at in range(0, len(joined), _WIDTH)]
        yield signal, values + _by_keys(text, keys) if signal == URL else values


def link_samples(text: str, part: str = "", keys: Sequence[QueryKeys] = ()) -> tuple[Sample, ...]:
    """The samples of a link, which lies in `part` of the content. Empty where the text is no link.

    `keys` are the sets of query parameters that lists use: `Banks.query_keys`.
    """
    return tuple(Sample(signal, value, part=part) for signal, values in link_values(text, keys) for value in values)


def _by_keys(text: str, keys: Sequence[QueryKeys]) -> list[bytes]:
    """The digests of a link's page by the parameters that count, in either reading."""
    if not keys:
        return []
    links = [parse_link(text), parse_link(text, as_browser=False)]
    pages = dict.fromkeys(page for link in links if link is not None for page in link.pages_by(keys))
    return [_native.sha256(page.encode()) for page in pages]


def ascii_host(host: str) -> str:
    """A host in letters of any script as DNS has it: mapped by UTS 46, each label in Punycode (RFC 3492).

    What the standard does not allow, such as emoji, is mapped as far as it goes: browsers look it up too.
    """
    try:
        mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
    except idna.IDNAError:
        mapped = host.casefold()
    return ".".join(_label(label) for label in mapped.split("."))


def _label(label: str) -> str:
    if label.isascii():
        return label
    return "xn--" + label.encode("punycode", "surrogatepass").decode("ascii")
