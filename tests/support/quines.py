"""Archives that contain themselves, made from scratch: what unpacks them never comes to an end.

DEFLATE is read as a language of two words of five bytes each: `literal`, which writes the bytes that follow it, and
`repeat`, which writes once more what was written last. How a program in it writes itself, with a given head before and
tail after it, is explained by Russ Cox, "Zip Files All The Way Down" (2010). The checksum that head and tail carry is
of the very file that it lies in; it is found by solving for its 32 bits, since a CRC is linear.
"""

import struct
import zlib
from collections.abc import Callable

WORD = 5
_LENGTHS = [(3 + i, 0) for i in range(8)] + [
    (3 + (4 + step << extra), extra) for extra in range(1, 6) for step in range(4)
]
"""(smallest length, extra bits) of DEFLATE's length codes from 257 on (RFC 1951, section 3.2.5)."""
_DISTANCES = [(1 + i, 0) for i in range(4)] + [
    (1 + (2 + step << extra), extra) for extra in range(1, 14) for step in (0, 1)
]


class _Bits:
    """DEFLATE's order of bits: numbers from their lowest bit on, Huffman codes from their highest."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def number(self, value: int, count: int) -> None:
        self.bits += [value >> i & 1 for i in range(count)]

    def code(self, value: int, count: int) -> None:
        self.bits += [value >> i & 1 for i in reversed(range(count))]

    def match(self, length: int, distance: int) -> None:
        """A repetition, in the fixed codes; none of 115 bytes or more."""
        symbol = max(i for i, (least, _) in enumerate(_LENGTHS) if least <= length)
        self.code(symbol + 1, 7)
        self.number(length - _LENGTHS[symbol][0], _LENGTHS[symbol][1])
        symbol = max(i for i, (least, _) in enumerate(_DISTANCES) if least <= distance)
        self.code(symbol, 5)
        self.number(distance - _DISTANCES[symbol][0], _DISTANCES[symbol][1])

    def block(self, lengths: list[int], distance: int, *, final: bool = False) -> None:
        """A block in the fixed codes that repeats pieces of these lengths."""
        self.number(final, 1)
        self.number(1, 2)
        for length in lengths:
            self.match(length, distance)
        self.code(0, 7)

    def bytes(self) -> bytes:
        bits = self.bits + [0] * (-len(self.bits) % 8)
        return bytes(sum(bit << i for i, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))


def literal(count: int) -> bytes:
    """The word that writes the next bytes: the head of a stored block."""
    return b"\0" + struct.pack("<HH", count, count ^ 0xFFFF)


def repeat(count: int) -> bytes:
    """The word that writes the last bytes once more. Only some counts fit into the five bytes of a word."""
    bits = _Bits()
    if count <= 20:
        bits.block([count // 2, count - count // 2], count)
    else:
        bits.block([count], count)
        bits.block([], 0)
    word = bits.bytes()
    assert len(word) == WORD, f"{count} bytes cannot be repeated in a word"
    assert len(bits.bits) == 8 * WORD
    return word


def _end(tail: int) -> bytes:
    """The last block: it writes itself and the tail, which were just written, once more. Longer than a word."""
    for size in range(1, 64):
        count = size + tail
        pieces = [count // 2, count - count // 2]
        bits = _Bits()
        bits.block(pieces, count, final=True)
        if len(bits.bytes()) == size:
            return bits.bytes()
    raise AssertionError("no last block of a fitting length")


def program(head: bytes, tail: bytes) -> bytes:
    """The compressed stream that writes the head, itself and the tail."""
    first, again, end = literal(len(head) + WORD), repeat(len(head) + WORD), _end(len(tail))
    one, four, back = literal(WORD), literal(4 * WORD), repeat(4 * WORD)
    nothing, last = literal(0), literal(len(end) + len(tail))
    words = [first, head, first, again, one, again, one, one, four, again, one, one, four, back, four, back, four, back]
    words += [four, back, four, back, nothing, nothing, last, back, nothing, nothing, last, end, tail, end]
    return b"".join(words)


def _self_checked(make: Callable[[int], bytes]) -> bytes:
    """The file that carries its own CRC-32: `make` puts one into it, always at the same places."""
    plain = zlib.crc32(make(0))
    columns = [zlib.crc32(make(1 << bit)) ^ plain ^ 1 << bit for bit in range(32)]
    checksum = _solve(columns, plain)
    assert zlib.crc32(make(checksum)) == checksum
    return make(checksum)


def _solve(columns: list[int], wanted: int) -> int:
    """Which of the columns add up to the wanted bits, as a number with a bit for each."""
    rows: list[tuple[int, int]] = []
    for bit, column in enumerate(columns):
        chosen = 1 << bit
        for value, combination in rows:
            if column ^ value < column:
                column, chosen = column ^ value, chosen ^ combination
        if column:
            rows.append((column, chosen))
            rows.sort(reverse=True)
    answer = 0
    for value, combination in rows:
        if wanted ^ value < wanted:
            wanted, answer = wanted ^ value, answer ^ combination
    assert wanted == 0, "no checksum fits"
    return answer


def gzip_quine() -> bytes:
    """A gzip file whose content is the file."""
    head = b"\x1f\x8b\x08\x08" + bytes(4) + b"\x00\xff" + b"self\0"
    length = 0

    def make(checksum: int) -> bytes:
        tail = struct.pack("<II", checksum, length)
        return head + program(head, tail) + tail

    length = len(make(0))
    return _self_checked(make)


def zip_quine(name: bytes = b"self.zip") -> bytes:
    """A ZIP archive whose only member is the archive."""
    sizes = (0, 0)
    filler = struct.pack("<HH", 0xCAFE, 26 - len(name)) + bytes(26 - len(name))  # the head repeats in one word

    def make(checksum: int) -> bytes:
        common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, checksum, *sizes, len(name), len(filler))
        head = b"PK\x03\x04" + common + name + filler
        place = struct.pack("<HHHII", 0, 0, 0, 0, 0)
        entry = b"PK\x01\x02" + struct.pack("<H", 20) + common[:-2] + struct.pack("<H", 0) + place + name
        begin = len(head) + sizes[0]
        end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), begin, 0)
        return head + program(head, entry + end) + entry + end

    whole = len(make(0))
    compressed = whole - (30 + len(name) + len(filler)) - (46 + len(name) + 22)
    sizes = (compressed, whole)
    return _self_checked(make)
