"""Signed and enveloped messages, S/MIME (RFC 5652, RFC 8551): what is signed is looked at, what is enveloped held."""

from collections.abc import Iterator

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.parts import InnerFile, Part, encrypted
from tutela.content.media.content import Content

_ENVELOPED = frozenset({b"\x03", b"\x06"})
"""The last number of the object identifiers of enveloped and of encrypted data."""
_IDENTIFIER = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
_OCTETS = 0x04
_CONSTRUCTED = 0x20
_DEEPEST = 12
_FEWEST = 64


class Cms:
    """The content that a signature covers, where it is in the file; a detached signature has none."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        at = bytes(data[:64]).find(_IDENTIFIER)
        if bytes(data[at + len(_IDENTIFIER) :][:1]) in _ENVELOPED:
            raise encrypted()
        yield from carve(data, budget, begin=1)
        signed = bytearray()
        for octets in _octets(data, 0):
            budget.check_time()
            signed += octets
        if len(signed) >= _FEWEST:
            budget.spend_bytes(len(signed))
            yield InnerFile("signed", bytes(signed), speculative=True)


def _octets(data: memoryview, depth: int) -> Iterator[memoryview]:
    """Every octet string in a structure in BER (ITU-T X.690), in order: content that comes in pieces is whole again."""
    at = 0
    while at + 2 <= len(data) and depth <= _DEEPEST:
        tag, length = data[at], data[at + 1]
        begin = at + 2
        if length == 0x80:  # until its end is marked: what is in it is gone through here
            at = begin
            continue
        if length & 0x80:
            begin += length & 0x7F
            length = int.from_bytes(data[at + 2 : begin])
        body = data[begin : begin + length]
        at = begin + length
        if tag == _OCTETS and len(body) >= _FEWEST:
            yield body
        elif tag & _CONSTRUCTED:
            yield from _octets(body, depth + 1)
