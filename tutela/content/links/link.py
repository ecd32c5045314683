"""One link in one form, and what is looked up for it.

The form is that of Safe Browsing ("URLs and Hashing": https://developers.google.com/safe-browsing/reference), without
scheme, user, port and fragment. Text is read as browsers do (WHATWG URL); where other parsers would see another link,
as with backslashes or several @, both are looked up.
"""

from dataclasses import dataclass

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


def parse_link(text: str) -> Link | None:
    """The link that a text is, as a browser reads it; None where it names no host."""
    encoded = text.encode("utf-8", "surrogatepass")
    parsed = _native.parse_link(encoded)
    if isinstance(parsed, bytes):
        parsed = _native.parse_link(encoded, mapped_host=ascii_host(parsed.decode("utf-8", "replace")).encode())
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


def link_samples(text: str, part: str = "") -> tuple[Sample, ...]:
    """The samples of a link, which lies in `part` of the content. Empty where the text is no link."""
    found = lookups(text)
    if found is None:
        return ()
    return tuple(
        Sample(signal, joined[at : at + _WIDTH], part=part)
        for signal, joined in zip(LINK_TYPES, found, strict=True)
        for at in range(0, len(joined), _WIDTH)
    )


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
