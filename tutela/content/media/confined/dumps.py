"""Bytes as programs print them, line by line: uuencode, and the dumps of xxd, hexdump and od (POSIX.1-2017)."""

import binascii
import contextlib
import re
from collections.abc import Callable, Iterator

_UU = re.compile(rb"^begin(?:-base64)? [0-7]{3,8} ([^\r\n]{1,200})\r?\n", re.MULTILINE)
_UU_END = re.compile(rb"^(?:end|====)[ \t]*\r?$", re.MULTILINE)
_HEXADECIMAL = re.compile(
    rb"^(?:0[xX])?([0-9a-fA-F]{4,16}+):?[ \t]{1,8}+((?:(?:[0-9a-fA-F]{2}){1,8}+(?:[ \t]{1,8}+|(?=\r?$))){2,64}+)",
    re.MULTILINE,
)
"""A line of xxd, `hexdump -C`, `od -tx1` and the like: where it begins, its bytes; their letters follow."""
_WORDS = re.compile(rb"^([0-7]{7,16})((?:[ \t]{1,3}[0-7]{6}){1,16})[ \t]*\r?$", re.MULTILINE)
"""What od prints unless it is told otherwise: numbers of two bytes."""
_BYTES = re.compile(rb"^([0-7]{7,16})((?: [ !-~]{3}){1,16})[ \t]*\r?$", re.MULTILINE)
"""`od -b` and `od -c`."""
_RECORDS = re.compile(
    rb"^(?::[0-9a-f]{6}00|S1[0-9a-f]{6}|S2[0-9a-f]{8}|S3[0-9a-f]{10})((?:[0-9a-f]{2}){1,255})[0-9a-f]{2}[ \t]*\r?$",
    re.MULTILINE | re.IGNORECASE,
)
"""Lines of Intel HEX and of Motorola's S-records: a place before the bytes, a checksum behind them."""
_SECOND_OCTAL = b"0000020"
_ESCAPES = {b"\\0": 0, b"\\a": 7, b"\\b": 8, b"\\t": 9, b"\\n": 10, b"\\v": 11, b"\\f": 12, b"\\r": 13, b"": 32}
_LETTERS = 400
"""So many letters at most lie between the bytes of two lines."""
_MOST_REPEATED = 64 * 1024
_BASES = (16, 8, 10)

Line = tuple[bytes, bytes]
"""Where it begins, in digits; its bytes, and perhaps some more that are letters like digits."""


def uuencoded(text: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, lines) of every file: up to its end, whatever stands between."""
    at = 0
    while found := _UU.search(text, at):
        end = _UU_END.search(text, found.end())
        at = end.end() if end else len(text)
        yield found[1].decode("utf-8", "replace").strip(), text[found.end() : end.start() if end else at]


def from_uu(lines: bytes) -> bytes:
    """The bytes. Lines that are none, and further beginnings, are passed over, as decoders do."""
    come = bytearray()
    for line in lines.splitlines():
        if not line.strip() or _UU.match(line + b"\n"):
            continue
        try:
            come += binascii.a2b_uu(line)
        except binascii.Error:  # as decoders do: the length says how much of the line counts
            count = ((line[0] - 32) & 63) * 4 + 5
            with contextlib.suppress(binascii.Error):
                come += binascii.a2b_uu(line[: count // 3])
    return bytes(come)


def dumped(text: bytes) -> Iterator[bytes]:
    """The bytes of each dump in the text, in either order where they are printed two by two."""
    for data, is_paired in _joined(text, _HEXADECIMAL, _from_hexadecimal):
        yield data
        if is_paired:
            swapped = bytearray(data)
            swapped[: len(data) // 2 * 2 : 2], swapped[1::2] = data[1::2], data[: len(data) // 2 * 2 : 2]
            yield bytes(swapped)
    if records := _RECORDS.findall(text):
        yield binascii.unhexlify(b"".join(records))
    if _SECOND_OCTAL in text:
        for pattern, read in ((_WORDS, _from_words), (_BYTES, _from_octal)):
            for data, _ in _joined(text, pattern, read):
                yield data


def _joined(text: bytes, pattern: re.Pattern[bytes], read: Callable[[bytes], bytes]) -> Iterator[tuple[bytes, bool]]:
    """(bytes, whether the first line has them two by two) of each dump: as many of each line as the place of the next
    one says. Lines like the one before are left out."""
    come = bytearray()
    place, waiting, base, count, end = b"", b"", 0, 0, 0
    is_paired = False
    for line in pattern.finditer(text):
        if waiting and line.start() - end > _LETTERS:
            yield bytes(come + waiting[: count or None]), is_paired
            come.clear()
            waiting, base = b"", 0
        if waiting:
            base = base or _base(place, line[1], len(waiting))
            count = _between(place, line[1], base) if base else 0
            come += waiting[: count if 0 < count <= len(waiting) else None]
            if len(waiting) < count <= _MOST_REPEATED:
                come += waiting * (count // len(waiting) - 1)
                count = len(waiting)
        else:
            is_paired = len(line[2].split(None, 1)[0]) == _TWO_BYTES
        place, waiting, end = line[1], read(line[2]), line.end()
    if waiting:
        yield bytes(come + waiting[: count or None]), is_paired


_TWO_BYTES = 4


def _base(place: bytes, following: bytes, most: int) -> int:
    """In what base places are written, by how many bytes lie between two; 0 where that makes no sense in any."""
    fitting = {base: count for base in _BASES if 0 < (count := _between(place, following, base)) <= most}
    return max(fitting, key=lambda base: fitting[base] == most, default=0)


def _between(place: bytes, following: bytes, base: int) -> int:
    try:
        return int(following, base) - int(place, base)
    except ValueError:
        return 0


def _from_hexadecimal(shown: bytes) -> bytes:
    return binascii.unhexlify(re.sub(rb"\s", b"", shown))


def _from_words(shown: bytes) -> bytes:
    return b"".join((int(word, 8) & 0xFFFF).to_bytes(2, "little") for word in shown.split())


def _from_octal(shown: bytes) -> bytes:
    """By columns: a number, an escape, or the letter itself."""
    come = bytearray()
    for at in range(0, len(shown), 4):
        letter = shown[at + 1 : at + 4].strip()
        if len(letter) == 3 and not letter.strip(b"01234567"):
            come.append(int(letter, 8) & 0xFF)
        else:
            come.append(_ESCAPES.get(letter, letter[0] if letter else 32))
    return bytes(come)
