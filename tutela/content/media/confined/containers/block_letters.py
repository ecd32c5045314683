"""Letters that are blocks, dots and circles: of many of them a picture is put together, however they are written."""

import html.entities
import re

from tutela._native import block_letters, find_literals

MANY = 400
"""Letters of which a picture can be put together."""
_RANGES = (
    *((0x2580, 0x259F), (0x25A0, 0x25FF), (0x26AA, 0x26AB), (0x2801, 0x28FF), (0x2B1B, 0x2B1C), (0x1F534, 0x1F535)),
    *((0x1F7E0, 0x1F7EB), (0x1FB00, 0x1FBAF)),
)
_LETTER = re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in _RANGES) + "]")
_NUMBERS = frozenset(number for first, last in _RANGES for number in range(first, last + 1))
_NAMES = sorted({name.rstrip(";") for name, letter in html.entities.html5.items() if _LETTER.fullmatch(letter)})
_NAMED = re.compile(rb"&(?:" + "|".join(_NAMES).encode() + rb");")
_NUMBERED = re.compile(rb"&#0{0,9}(\d{4,6})|(?:&#x|\\(?:u\{?)?)0{0,9}([0-9a-f]{4,5})", re.IGNORECASE)
"""As HTML, CSS, JavaScript, JSON and C write them."""
_BY_NUMBER = [b"&#"]
_OF_RTF = re.compile(rb"\\u(\d{4,5})")
_HALVES = re.compile(rb"\\ud83d\\udd3[45]|\\ud83d\\udfe[0-9ab]|\\ud83e\\udf[0-9ab]", re.IGNORECASE)


def are_many(text: bytes) -> bool:
    """Whether a text draws with them."""
    count = 0 if text.isascii() else len(_LETTER.findall(text.decode("utf-8", "ignore")))
    if has_references := b"&" in text:
        count += len(_NAMED.findall(text))
    if b"\\" in text or (has_references and find_literals(text, _BY_NUMBER, most=1)):
        count += sum(_is_one(found) for found in _NUMBERED.finditer(text))
        count += sum(int(number) in _NUMBERS for number in _OF_RTF.findall(text)) + len(_HALVES.findall(text))
    return count >= MANY


def are_many_in_bytes(data: bytes | memoryview) -> bool:
    """Whether bytes that are no text draw with them, for whoever takes them for one."""
    return block_letters(data) >= MANY


def _is_one(found: re.Match[bytes]) -> bool:
    return (int(found[1]) if found[1] else int(found[2], 16)) in _NUMBERS
