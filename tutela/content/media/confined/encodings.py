"""Bytes that text carries as letters: base64, hexadecimal, numbers, uuencode, yEnc, base85, escapes.

Long runs are decoded whatever they begin with; what comes of them is sniffed, so that a run of letters that stands for
nothing costs nothing. RFC 4648; POSIX.1-2017, uuencode; yEnc draft 1.3.
"""

import base64
import binascii
import contextlib
import html
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from urllib.parse import unquote_to_bytes

from tutela._native import base64_groups, base64_runs, find_literals, has_row, tight_runs
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import WINDOW, carve, literals_between
from tutela.content.media.confined.dumps import dumped, from_uu, uuencoded
from tutela.content.media.confined.paired import paired
from tutela.content.media.content import Shortcoming
from tutela.content.media.plain import is_text
from tutela.content.media.sniff import sniff
from tutela.errors import UnscreenableError

_HEAD = 160 * 1024
"""Letters that stand for more than any type is told by, but for markup and Targa."""
_TAIL = 1024
_TARGA_END = b"TRUEVISION-XFILE."
_BEFORE_MARKUP = b"\xef\xbb\xbf\xff\xfe\0\t\n\x0c\r "
_FEWEST = 192
"""Bytes that a run stands for at least."""
_HEXADECIMAL = re.compile(rb"(?<![0-9a-fA-F])(?:(?:0[xX]|\\x|%|\\')?[0-9a-fA-F]{2}[\s,;:]{0,4}+){192,}+")
_NUMBERS = re.compile(
    rb"(?<![-\w])(?:(?:0[xX][0-9a-fA-F]{1,2}+|-?\d{1,3}+)[\s,;]{1,40}+){192,}+(?:0[xX][0-9a-fA-F]{1,2}|-?\d{1,3})?"
)
"""Signed ones too, as some languages have bytes."""
_NUMBER = re.compile(rb"0[xX]([0-9a-fA-F]{1,2})|(-?\d+)")
_APART = re.compile(
    rb"(?:<(?<=[A-Za-z0-9+/]{40}<)/?\w{1,40}[^<>]{0,100}>\s{0,40}(?:<\w{1,40}[^<>]{0,100}>\s{0,40}){0,3}"
    rb"|[\"'](?<=[A-Za-z0-9+/]{40}[\"'])\s{0,40}\.\s{0,40}[\"'])(?=[A-Za-z0-9+/=])"
)
"""What stands between lines of base64 in elements, and in strings that a program joins by points."""
_BITS = re.compile(rb"(?<![01])(?:[01]{8}[\s,]{0,2}+){192,}+")
_KEYED = re.compile(rb"\"\d{1,9}\"\s{0,8}:\s{0,8}(?=-?\d{1,3}[\s,}])")
"""Before each number of a list that was written with its places."""
_OCTAL = re.compile(rb"(?:\\[0-3]?[0-7]{1,2}){192,}")
_BASE32 = re.compile(rb"(?<![A-Z2-7])(?:[A-Z2-7]{16,}+[\r\n]{0,2}+)++[A-Z2-7=]{0,16}", re.IGNORECASE)
_FEWEST_BASE32 = 320
_FEWEST_BASE85 = 480
_BETWEEN_BASE85 = b"\"',\\"
"""What neither RFC 1924's base85 nor ZeroMQ's has."""
_APART_BY_SPACES = bytes.maketrans(_BETWEEN_BASE85, b"    ")
_Z85 = bytes.maketrans(
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#",
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~",
)
_BEGINNING = [b"begin"]
_YENC = re.compile(rb"^=ybegin [^\r\n]*?name=([^\r\n]{1,200})\r?\n(?:=ypart[^\r\n]*\r?\n)?", re.MULTILINE)
_YENC_END = re.compile(rb"\r?\n=yend")
_BASE85 = re.compile(rb"<~([!-uz\s]{240,}?)~>")
_BETWEEN = re.compile(rb"&#(?:1[03]|x[aAdD]);|%0[aAdD]|\\[nrt]|\"\s*\+\s*\"|'\s*\+\s*'")
_BEGIN_BETWEEN = b"&%\\\"'"
_NOT_BASE64 = bytes(n for n in range(256) if not (chr(n).isalnum() and n < 128) and n not in b"+/_-")
_IN_STANDARD_BASE64 = bytes.maketrans(b"-_", b"+/")
_BOUNDARY = b"-=\r\n"
"""What ends a body in base64, and begins the next part of a mail."""
_DEFLATE_PROOF, _BLOCK = 512, 4096
_MOST_INFLATED = 64 * 1024 * 1024
ZLIB = [b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"]
ANY_ZLIB = [
    bytes([8 | window << 4, level << 6 | -(256 * (8 | window << 4) + (level << 6)) % 31])
    for window in range(8)
    for level in range(4)
]
"""How a stream begins; with a small window, too, as writers of PNG choose it for short texts (RFC 1950, 2.2)."""
_MIXED = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|u00([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{2})\}|([nrtfbav0\\'\"/]))")
_SINGLE = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"f": b"\f", b"b": b"\b", b"a": b"\a", b"v": b"\v", b"0": b"\0"}
_MANY_ESCAPES = 96
_QUOTED = re.compile(rb"=(?:[0-9a-fA-F]{2}|[\r\n])")
"""What stands for another byte, or for none, in quoted-printable."""
_QUOTED_BEGINNINGS = [b"=" + bytes([letter]) for letter in b"0123456789abcdefABCDEF\r\n"]
_NUMBERED = re.compile(rb"^[ \t]{0,8}\d{1,8}[:.)|]?[ \t]{1,8}(?=[A-Za-z0-9+/]{40})", re.MULTILINE)
"""Before each line of a listing."""
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(/))")
_CSS_ESCAPE = re.compile(rb"\\([0-9a-fA-F]{1,6})[ \t\r\n\f]?")
_ADDRESS = re.compile(
    rb"""data:(?:([^,"'<>\s]{0,200}?)|(\s{0,16}(?:application|audio|font|image|text|video)/[^,]{0,4000}?))"""
    rb"""(;\s*base64\s*)?,\s*([^"'<>)]+)""",
    re.IGNORECASE,
)
_QUOTES = {b'"', b"'"}
_SCHEME = re.compile(rb":(?<=[dD][aA][tT][aA]:)")
"""Of every address; it is found by its colon."""
_PASSED_OVER = b"\t\r\n"
"""In addresses, wherever it stands (WHATWG URL, 4.4)."""
_PERCENT = re.compile(rb"%[0-9a-fA-F]{2}")
_LETTERS_IN_A_ROW = 16
"""So many letters of base64 stand in a row somewhere in every run of it."""
_LETTERS_AGAIN = 40
"""And so many where what a run stands for is a run again."""
_IN_BASE64 = bytes((chr(n).isalnum() and n < 128) or n in b"+/_-" for n in range(256))
_IN_BITS = bytes(n in b"01, \t\r\n" for n in range(256))
_IN_PERCENT = bytes((chr(n).isalnum() and n < 128) or n in b"+/_-=%\t\r\n" for n in range(256))
_IN_BASE32 = bytes((chr(n).isalpha() and n < 128) or n in b"234567\r\n" for n in range(256))
_IN_HEXADECIMAL = bytes(n in b"0123456789abcdefABCDEFxX\\%' \t\n\r\f\v,;:" for n in range(256))
_IN_NUMBERS = bytes(n in b"0123456789abcdefABCDEFxX-,; \t\n\r\f\v" for n in range(256))
_DIB_HEADERS = frozenset({40, 52, 56, 108, 124})


def readings_of(text: bytes) -> Iterator[bytes]:
    """The text as it stands, and as it is read where that is another: with entities or escapes resolved."""
    yield text
    if b"&" in text and (resolved := html.unescape(text.decode("latin-1")).encode("utf-8")) != text:
        yield resolved
    for between in (_NUMBERED, _APART) if has_row(text, _IN_BASE64, 40) else ():
        if (resolved := between.sub(b"", text)) != text:
            yield resolved
    for begin, end in base64_groups(text):
        yield text[begin:end].replace(b" ", b"")
    if b'"' in text and b'"1"' in text and (resolved := _KEYED.sub(b"", text)) != text:
        yield resolved
    if b"%" in text and _may_be_percent(text) and (resolved := unquote_to_bytes(text)) != text:
        yield resolved
    for escape in (_CSS_ESCAPE, _ESCAPE):
        if b"\\" in text and (resolved := escape.sub(_character, text)) != text:
            yield resolved


def _may_be_percent(text: bytes) -> bool:
    """Whether letters that are written by their numbers may be those of base64, or of markup."""
    return bool(_PERCENT.search(text)) and (b"%3C" in text or b"%3c" in text or has_row(text, _IN_PERCENT, _FEWEST))


def _character(escape: re.Match[bytes]) -> bytes:
    digits = next(group for group in escape.groups() if group)
    if digits == b"/":
        return digits
    code = int(digits, 16)
    return chr(code).encode("utf-8", "replace") if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else b""


def addresses_in(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(what it is said to be, bytes) of every `data:` address (RFC 2397). In quotes it may have the other ones."""
    text = text.translate(None, _PASSED_OVER) if b":" in text else b""
    covered = 0
    for found in _ADDRESS.finditer(text) if _SCHEME.search(text) else ():
        short, long, is_base64, data = found.groups()
        quote, behind = text[found.start() - 1 : found.start()], text[found.end() : found.end() + 1]
        if not is_base64 and {quote, behind} == _QUOTES and found.start() >= covered:
            end = text.find(quote, found.end())
            covered = end if end >= 0 else len(text)
            data = text[found.start(4) : covered]
        plain = unquote_to_bytes(data)
        if decoded := from_base64(plain) if is_base64 else plain:
            yield (long or short).strip().lower(), decoded


def files_in(text: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of everything that is put into letters with a beginning and an end."""
    has_beginning = bool(find_literals(text, _BEGINNING, most=1))
    for name, lines in uuencoded(text) if has_beginning and b"\n" in text else ():
        if data := from_uu(lines) or from_base64(lines):
            yield name, data
    for found, end in paired(text, _YENC.finditer(text), _YENC_END) if has_beginning and b"=ybegin " in text else ():
        yield found[1].decode("utf-8", "replace").strip(), _from_yenc(text[found.end() : end.start()])
    for found in _BASE85.finditer(text) if b"<" in text else ():
        with contextlib.suppress(ValueError):
            yield "base85", base64.a85decode(found[1])
    yield from _dumps_in(text, budget)
    for plain in _unescaped(text):
        for part in carve(memoryview(plain), budget):
            yield "escaped", bytes(part.data)


def _dumps_in(text: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Bytes as programs print them, and in rare alphabets, where they begin like a file of a known type."""
    if b"\n" in text and has_row(text, _IN_HEXADECIMAL, 20) and text.count(b"\n") >= _FEWEST // 16 - 1:
        for data in dumped(text):
            if len(data) >= _FEWEST and _is_worth_a_look(data, budget):
                yield "dump", data
    for found in _BITS.finditer(text) if has_row(text, _IN_BITS, 8 * _FEWEST) else ():
        digits = found.group().translate(None, b", \t\r\n")
        if _is_worth_a_look(data := int(digits, 2).to_bytes(len(digits) // 8), budget):
            yield "bits", data
    for found in _BASE32.finditer(text) if has_row(text, _IN_BASE32, _FEWEST) else ():
        letters = re.sub(rb"[\r\n=]", b"", found.group())
        if len(letters) < _FEWEST_BASE32:
            continue
        letters = letters[: len(letters) - (len(letters) % 8 in (1, 3, 6))]
        with contextlib.suppress(binascii.Error):
            data = base64.b32decode(letters + b"=" * (-len(letters) % 8), casefold=True)
            if _is_worth_a_look(data, budget):
                yield "base32", data
    for begin, end in tight_runs(text):  # base85 without marks, in any of its alphabets
        for data in _from_base85(text, begin, end):
            yield "base85", data


def _from_base85(text: bytes, begin: int, end: int) -> Iterator[bytes]:
    """What lines stand for in each of the alphabets in which they begin like a file of a known type."""
    if end - begin < _FEWEST_BASE85:
        return
    with contextlib.suppress(ValueError):
        if sniff(base64.a85decode(text[begin : begin + _FEWEST_BASE85])) is not None:
            yield base64.a85decode(text[begin:end])
    for run in _apart(text, begin, end):
        head = _joined(run[: 2 * _FEWEST_BASE85])[:_FEWEST_BASE85]
        for letters_of in (bytes, _from_z85) if len(head) == _FEWEST_BASE85 else ():
            with contextlib.suppress(ValueError):
                if sniff(base64.b85decode(letters_of(head))) is not None:
                    letters = letters_of(_joined(run))
                    yield base64.b85decode(letters[: len(letters) // 5 * 5])


def _apart(text: bytes, begin: int, end: int) -> Sequence[bytes | memoryview]:
    """The lines between quotes and commas; all of them, uncopied, where there are none, as in base64."""
    if all(text.find(letter, begin, end) < 0 for letter in _BETWEEN_BASE85):
        return (memoryview(text)[begin:end],)
    return text[begin:end].translate(_APART_BY_SPACES).split(b" ")


def _joined(lines: bytes | memoryview) -> bytes:
    return bytes(lines).translate(None, b"\r\n")


def _from_z85(run: bytes) -> bytes:
    return run.translate(_Z85)


def runs_in(text: bytes, budget: Budget, decoded: Collection[bytes] = ()) -> Iterator[bytes]:
    """What long runs of letters and numbers stand for, where it begins like a file of a known type, or has one in it.

    Not once more what `decoded`, texts in base64 that begin like such a file, stand for.
    """
    known: dict[int, list[bytes]] = defaultdict(list)  # by their length: to compare is cheaper than to hash
    for letters in decoded:
        known[_length(letters, 0, len(letters))].append(letters.rstrip(_BOUNDARY))
    # Of ordinary words the patterns, which look at each letter many times, find nothing; there are none of these rows.
    has_base64 = has_row(text, _IN_BASE64, _LETTERS_IN_A_ROW)
    has_digits = has_row(text, _IN_HEXADECIMAL, 2 * _FEWEST)
    has_numbers = has_row(text, _IN_NUMBERS, 2 * _FEWEST)
    for places, readings in (
        (base64_runs(text) if has_base64 else (), _from_each_letter),
        (_places(_HEXADECIMAL, text) if has_digits else (), partial(_from_each_word, _from_hexadecimal, budget)),
        (_places(_NUMBERS, text) if has_numbers else (), partial(_from_each_word, _from_numbers, budget)),
        (_places(_OCTAL, text) if has_digits else (), partial(_from_each_word, _from_octal, budget)),
    ):
        for begin, end in places:
            if any(text.startswith(letters, begin) for letters in known.get(_length(text, begin, end), ())):
                continue
            for read in readings(text[begin:end]):
                found = False
                for data in _in_run(read, budget):
                    found = True
                    yield data
                # A letter of base64 shifts all that follows, so that one reading says nothing about another.
                if found and readings is not _from_each_letter:
                    break


def _in_run(data: bytes, budget: Budget) -> Iterator[bytes]:
    """What the bytes of a run are, where they are a file or have one in them; what they unpack to, what is behind."""
    if len(data) < _FEWEST:
        return
    if (unpacked := _inflated(data)) is not None:
        come, behind = unpacked
        yield come
        if len(behind) >= _FEWEST:
            yield from packed_in(memoryview(behind), budget)
    if _is_worth_a_look(data, budget):
        yield data
    elif bitmap := bitmap_file(data):
        yield bitmap


def _length(text: bytes, begin: int, end: int) -> int:
    """Of a run without the boundary behind it."""
    while end > begin and text[end - 1] in _BOUNDARY:
        end -= 1
    return end - begin


def _places(pattern: re.Pattern[bytes], text: bytes) -> Iterator[tuple[int, int]]:
    return (found.span() for found in pattern.finditer(text))


def _may_be_a_file(run: bytes, decode: Callable[[bytes], bytes], budget: Budget) -> bool:
    """Whether a long run is worth decoding whole, which takes long where it is not base64: its head begins like a file
    or has one in it, or its end is one."""
    if len(run) <= 2 * _HEAD:
        return True
    head = decode(run[:_HEAD])
    if _inflated(head) is not None or head.lstrip(_BEFORE_MARKUP)[:1] == b"<":
        return True
    if _is_worth_a_look(head, budget) or bitmap_file(head) is not None:
        return True
    tail = run[-_TAIL:]
    return any(decode(tail[skipped:]).rstrip(b"\0").endswith(_TARGA_END) for skipped in range(4))


def _is_worth_a_look(data: bytes, budget: Budget) -> bool:
    """Whether bytes are a file of a known type, or have one in them: a key or a tag with a picture in it, letters that
    were put into letters once more."""
    if sniff(data) is not None or next(carve(memoryview(data), budget), None) is not None:
        return True
    return has_row(data, _IN_BASE64, _LETTERS_AGAIN) and is_text(data)


def _inflated(data: bytes) -> tuple[bytes, bytes] | None:
    """(what a stream of Deflate without a file around it unpacks to, what is behind it): parts of diagrams, tokens,
    objects of Git. None of anything else: a few bytes are Deflate by chance, a longer piece is not."""
    for bits in (zlib.MAX_WBITS, -zlib.MAX_WBITS) if sniff(data) is None else ():
        if _is_packed(data, bits):
            with contextlib.suppress(zlib.error):
                return _unpacked(data, bits)
    return None


def _is_packed(data: bytes | memoryview, bits: int) -> bool:
    """Whether enough comes out. A stream may begin with any number of blocks that are empty."""
    stream = zlib.decompressobj(bits)
    come = 0
    with contextlib.suppress(zlib.error):
        for at in range(0, len(data), _BLOCK):
            come += len(stream.decompress(data[at : at + _BLOCK], 2 * _DEFLATE_PROOF))
            if come >= _DEFLATE_PROOF or stream.eof:
                break
    return come >= _DEFLATE_PROOF


def _unpacked(data: bytes | memoryview, bits: int = zlib.MAX_WBITS) -> tuple[bytes, bytes]:
    """(all that comes of a stream, what is behind it). Raises zlib.error, and UnscreenableError where more would come
    than is looked at."""
    stream = zlib.decompressobj(bits)
    come = stream.decompress(data, _MOST_INFLATED)
    if stream.unconsumed_tail and stream.decompress(stream.unconsumed_tail, 1):
        raise UnscreenableError(Shortcoming.EXPANDS_TOO_FAR, "more is packed in it than is looked at")
    return come, stream.unused_data


def packed_in(data: memoryview, budget: Budget, beginnings: list[bytes] = ZLIB) -> Iterator[bytes]:
    """Files in streams of zlib, wherever one begins (RFC 1950): programs and data keep what they need so."""
    end = 0
    windows = (literals_between(data, beginnings, at, at + WINDOW) for at in range(0, len(data), WINDOW))
    for begin, _ in chain.from_iterable(windows):
        if begin < end:
            continue
        budget.check_time()
        with contextlib.suppress(zlib.error):
            if not _is_packed(data[begin:], zlib.MAX_WBITS):
                continue
            come, behind = _unpacked(data[begin:])
            end = len(data) - len(behind) if behind else begin
            if _is_worth_a_look(come, budget):
                yield come


def _unescaped(text: bytes) -> Iterator[bytes]:
    """The bytes that are written as letters and escapes, mixed: by Python, C and JSON; in quoted-printable;
    in an address."""
    if b"%" in text and sum(1 for _ in islice(_PERCENT.finditer(text), _MANY_ESCAPES)) == _MANY_ESCAPES:
        yield unquote_to_bytes(text.translate(None, _PASSED_OVER))
    if b"\\" in text and any(text.count(mark) >= _MANY_ESCAPES for mark in (b"\\x", b"\\u00", b"\\u{")):
        yield _MIXED.sub(_byte, text)
    may_be_quoted = len(find_literals(text, _QUOTED_BEGINNINGS, most=_MANY_ESCAPES)) == _MANY_ESCAPES
    if may_be_quoted and sum(1 for _ in islice(_QUOTED.finditer(text), _MANY_ESCAPES)) == _MANY_ESCAPES:
        yield binascii.a2b_qp(text)


def _byte(escape: re.Match[bytes]) -> bytes:
    if digits := escape[1] or escape[2] or escape[3]:
        return bytes([int(digits, 16)])
    return _SINGLE.get(escape[4], escape[4])


def _from_each_letter(run: bytes) -> Iterator[bytes]:
    """What base64 stands for where it begins with one of the first four letters: a letter before it shifts all of it.
    It is decoded once, and the bits are shifted by six: as a number, since NumPy keeps small arrays that were freed."""
    letters = _letters_of(run)
    read = binascii.a2b_base64(letters + b"A" * (-len(letters) % 4))
    number = int.from_bytes(read)
    for skipped in range(4):
        length = max(0, len(letters) - skipped) * 6 // 8
        behind = max(0, 8 * (len(read) - length) - 6 * skipped)
        yield (number >> behind).to_bytes(len(read))[len(read) - length :]


def _from_each_word(decode: Callable[[bytes], bytes], budget: Budget, run: bytes) -> Iterator[bytes]:
    """What a run stands for where it begins with one of its first words: the end of one before may look like it."""
    words = run[:64].split(None, 2)
    for begun in (run[run.index(word) :] for word in words):
        if _may_be_a_file(begun, decode, budget):
            yield decode(begun)


def from_base64(text: bytes) -> bytes:
    """The bytes that base64 stands for, as far as they go; whatever stands between its letters is passed over."""
    letters = _letters_of(text)
    letters = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _letters_of(text: bytes) -> bytes:
    if len(text.translate(None, _BEGIN_BETWEEN)) < len(text):
        text = _BETWEEN.sub(b"", text)
        for escaped, letter in ((b"%2B", b"+"), (b"%2b", b"+"), (b"%2F", b"/"), (b"%2f", b"/")):
            text = text.replace(escaped, letter)
    return text.translate(_IN_STANDARD_BASE64, _NOT_BASE64)


def _from_hexadecimal(text: bytes) -> bytes:
    digits = re.sub(rb"0[xX](?=[0-9a-fA-F]{2})|\\x|[^0-9a-fA-F]", b"", text)
    return binascii.unhexlify(digits[: len(digits) // 2 * 2])


def _from_numbers(text: bytes) -> bytes:
    numbers = (int(hexadecimal or decimal, 16 if hexadecimal else 10) for hexadecimal, decimal in _NUMBER.findall(text))
    return bytes(number % 256 for number in numbers if -128 <= number < 256)


def _from_octal(text: bytes) -> bytes:
    return bytes(number for number in (int(digits, 8) for digits in text.split(b"\\")[1:]) if number < 256)


def _from_yenc(lines: bytes) -> bytes:
    joined = lines.replace(b"\r\n", b"").replace(b"\n", b"").replace(b"\r", b"")
    plain = re.sub(rb"=(.)", lambda escape: bytes([(escape[1][0] - 64) % 256]), joined, flags=re.DOTALL)
    return bytes((value - 42) % 256 for value in plain)


def bitmap_file(data: bytes) -> bytes | None:
    """A Windows bitmap as RTF and metafiles carry it, without a file's header, as a file; None where it is none."""
    length = int.from_bytes(data[:4], "little")
    if length not in _DIB_HEADERS or data[12:14] != b"\x01\x00" or len(data) < length:
        return None
    bits = int.from_bytes(data[14:16], "little")
    if bits not in (1, 4, 8, 16, 24, 32):
        return None
    masks = 12 if length == 40 and int.from_bytes(data[16:20], "little") == 3 else 0
    colours = int.from_bytes(data[32:36], "little") or (1 << bits if bits <= 8 else 0)
    start = 14 + length + masks + 4 * min(colours, 256)
    return b"BM" + (14 + len(data)).to_bytes(4, "little") + bytes(4) + start.to_bytes(4, "little") + data
