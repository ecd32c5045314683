"""What a document of markup is, by the first element in it, however much stands before that."""

import re

_BEFORE = re.compile(
    rb"\s+|\xef\xbb\xbf|<\?.*?(?:\?>|>)|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>", re.DOTALL | re.IGNORECASE
)
"""White space, a byte order mark, a processing instruction, a comment, a document type with what it declares."""
_ELEMENT = re.compile(rb"<(?:[A-Za-z_\x80-\xff][\w.\x80-\xff-]*:)?([A-Za-z][\w.-]*)")
_HTML = frozenset(
    b"html head body script iframe h1 div font table a style title b br p center span img meta link "
    b"section main form ul ol pre canvas".split()
)
"""Elements that a browser takes for the beginning of a page (WHATWG MIME Sniffing, 7.1), and others that begin one."""


def root_of(text: bytes) -> str | None:
    """The local name of the first element, in small letters; None where the text does not begin with markup."""
    at = 0
    while at < len(text) and (before := _BEFORE.match(text, at)):
        at = before.end()
    element = _ELEMENT.match(text, at)
    return element[1].decode("ascii").lower() if element else None


def is_html(root: str | None) -> bool:
    """Whether a browser shows a document as a page that begins with such an element."""
    return root is not None and root.encode() in _HTML
