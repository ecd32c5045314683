"""Pictures that text carries as text: `data:` addresses (RFC 2397) in HTML, SVG and CSS, plain base64, RTF."""

import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.containers.base import InnerFile, Part
from tutela.content.media.confined.plain import as_utf8
from tutela.content.media.content import Content

_ADDRESS = re.compile(rb"""data:(image/|video/|application/)[^,"'<>\s]{0,200}?(;base64)?,([^"'<>)]+)""", re.IGNORECASE)
_BASE64 = re.compile(
    rb"(?<![A-Za-z0-9+/])(?:/9j/|iVBORw0KGgo|R0lGOD[dl]h|UklGR|AAAA.[Gm]Z0e[X-Z]|UEsDB|JVBERi|N3q8rycc|UmFyIR)"
    rb"(?:[A-Za-z0-9+/_-]|\s|%2[BFbf]|&#1[03];|\\[nr/]){100,}",
)
"""Base64 of how files of the common types begin."""
_HEXADECIMAL = re.compile(rb"(?:ffd8ff|89504e470d0a1a0a|47494638)(?:[0-9a-f]|\s){200,}", re.IGNORECASE)
"""Hexadecimal of the same: how RTF carries pictures."""
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


class Text:
    """Whatever is encoded in the text."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        text = as_utf8(content.data)
        number, until = 0, 0
        for found in _found(text):
            if found.start() < until:
                continue
            until = found.end()
            data = _decoded(found)
            if not data:
                continue
            budget.spend_bytes(len(data))
            number += 1
            yield InnerFile(f"embedded {number}", data, speculative=found.re is not _ADDRESS)


def _found(text: bytes) -> Iterator[re.Match[bytes]]:
    """Addresses and runs of base64 and hexadecimal, in order."""
    found = [*_ADDRESS.finditer(text), *_BASE64.finditer(text), *_HEXADECIMAL.finditer(text)]
    yield from sorted(found, key=lambda match: match.start())


def _decoded(found: re.Match[bytes]) -> bytes:
    if found.re is _BASE64:
        return from_base64(found.group())
    if found.re is _HEXADECIMAL:
        digits = b"".join(found.group().split())
        return binascii.unhexlify(digits[: len(digits) // 2 * 2])
    _, base64, data = found.groups()
    return from_base64(unquote_to_bytes(data)) if base64 else unquote_to_bytes(data)


def from_base64(text: bytes) -> bytes:
    """The bytes that base64 stands for, as far as they go; whatever stands between its letters is passed over."""
    text = text.replace(b"-", b"+").replace(b"_", b"/").replace(b"%2B", b"+").replace(b"%2F", b"/")
    text = re.sub(rb"&#1[03];|\\[nr]", b"", text)
    letters = _NOT_BASE64.sub(b"", text)
    letters = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
