"""Letters that stand for bytes, taken apart by what their readers pass over: blanks, comments, lists, groups.

A reader of XML joins what stands around a comment, one of JSON or notebooks the strings of a list, one of contacts the
lines that were folded, one of RTF the digits around a group; decoders of base64 and hexadecimal pass over blanks,
wherever they stand. RFC 4648, 3.3; XML 1.0, 2.5 to 2.7; RFC 6350, 3.2; RTF 1.9.1; RFC 1741 (BinHex 4.0).
"""

import binascii
import contextlib
import json
import re
import zlib
from collections.abc import Callable, Iterator

from tutela._native import has_row
from tutela.content.media.confined.paired import paired
from tutela.content.media.content import Shortcoming
from tutela.content.media.sniff import sniff
from tutela.errors import UnscreenableError

_ASIDE = ((re.compile(rb"<!--"), re.compile(rb"-->")), (re.compile(rb"<\?"), re.compile(rb"\?>")))
"""Comments and what is meant for programs."""
_ANY_ASIDE = re.compile(rb"<[!?]|\]\]>")
_BLANKS_BEFORE = 64
_LETTERS = frozenset(bytes([n]) for n in range(128) if chr(n).isalnum() or chr(n) in "+/=_-")
"""What a file in letters has before it is interrupted."""
_FEWEST_JOINTS = 64
"""Strings in a list of which a file may be made; a shorter list has long strings, which are found in it."""
_SHORTEST_PAGE = 1_024
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*+[{\[\"](?!\\rtf)")
_STRING = rb'"((?:[^"\\]|\\(?:.|\Z))*+)(?:"|\Z)'
_LIST = re.compile(_STRING + rb"(?:\s*+,\s*+" + _STRING + rb")*+", re.DOTALL)
"""Strings with commas between them, or one alone. It fails nowhere, so that nothing is read twice."""
_IN_QUOTES = re.compile(_STRING, re.DOTALL)
_MARKUP = re.compile(rb"<|\\u003c", re.IGNORECASE)
_BLANK_ESCAPE = re.compile(rb"\\[nrt]")
_SHORTEST_RUN = 1_024
_SPACED = re.compile(rb"[A-Za-z0-9+/=_\-\s]{1024,}+")
_IN_SPACED = bytes((chr(n).isalnum() and n < 128) or n in b"+/=_-\t\n\v\f\r " for n in range(256))
_DIGITS = [b"%d" % digit for digit in range(10)]
"""Words have none, files in letters always."""
_SHORT_ROW = re.compile(rb"(?<!\S)\S{1,15}\s+\S")
"""Rows that are longer are found one by one."""
_FIRST_WORDS = 8
"""So many words may stand before a file that begins in the same run."""
_HEAD_LETTERS, _BLANKS_AMONG, _PROOF = 384, 16, 64
"""What a file's type is told by, with blanks among them; bytes that come of packed ones."""
_BLANKS = b" \t\r\n\v\f"
_STANDARD = bytes.maketrans(b"-_", b"+/")
_RICH_TEXT = b"{\\rtf"
_PICTURE = re.compile(rb"\\pict\b")
_GROUP = re.compile(rb"\{[^{}]*\}")
_CONTROL = re.compile(rb"\\[a-zA-Z]+-?\d* ?|\\[^a-zA-Z]|[^0-9a-fA-F]")
_MOST_GROUPS = 16
"""In each other, within a picture."""
_HQX = re.compile(rb"(?:\A|[\r\n]):([!-,\-0-9@A-NP-VXYZ\[`a-fh-mpqr\s]{128,}+)(?::|\Z)")
_HQX_LETTERS = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
_HQX_AS_BASE64 = bytes.maketrans(_HQX_LETTERS, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_MARK = b"\x90"
"""Before how often a byte is there, or before a zero where it stands for itself."""
_MOST_UNPACKED = 64 * 1024 * 1024


def joined(text: bytes) -> Iterator[bytes]:
    """Parts of the text as their readers join them."""
    if b'"' in text and (text.count(b'",') >= _FEWEST_JOINTS or _JSON.match(text)):
        for found in _LIST.finditer(text):
            if found.end() - found.start() < _SHORTEST_PAGE:
                continue
            strings = _IN_QUOTES.findall(found.group())
            if len(strings) > _FEWEST_JOINTS or _MARKUP.search(found.group()):
                yield _unescaped(b'"%b"' % b"".join(strings))
    if text.startswith(_RICH_TEXT):
        yield from _digits_of_pictures(text)


def without_asides(text: bytes) -> bytes:
    """The text without comments, instructions and the marks of sections, where one stands behind a letter."""
    if b"<" not in text or not any(_is_within(text, aside.start()) for aside in _ANY_ASIDE.finditer(text)):
        return text
    for opening, closing in _ASIDE:
        kept, at = [], 0
        for begin, end in paired(text, opening.finditer(text), closing):
            kept.append(text[at : begin.start()])
            at = end.end()
        text = b"".join((*kept, text[at:])) if at else text
    return text.replace(b"<![CDATA[", b"").replace(b"]]>", b"")


def _is_within(text: bytes, at: int) -> bool:
    before = text[max(0, at - _BLANKS_BEFORE) : at]
    return bool(before) and (before.rstrip()[-1:] or b"A") in _LETTERS


def files_through_blanks(text: bytes) -> Iterator[bytes]:
    """Files in base64 or hexadecimal with blanks, or escapes of some, wherever they like, and in BinHex."""
    if b"\\" in text and len(_BLANK_ESCAPE.findall(text)) >= _FEWEST_JOINTS:
        text = _BLANK_ESCAPE.sub(b" ", text)
    may_be_there = has_row(text, _IN_SPACED, _SHORTEST_RUN) and any(digit in text for digit in _DIGITS)
    for found in _SPACED.finditer(text) if may_be_there else ():
        run = found.group()
        if _SHORT_ROW.search(run) is None:
            continue
        head = run[: 2 * _BLANKS_AMONG * _HEAD_LETTERS]
        for word in head.split(None, _FIRST_WORDS)[:_FIRST_WORDS]:
            begin = head.index(word)
            if reads := [read for read in (_base64, _hexadecimal) if _begins_a_file(head[begin:], read)]:
                yield reads[0](run[begin:])
                break
    for found in _HQX.finditer(text) if b":" in text else ():
        with contextlib.suppress(ValueError, IndexError):
            yield _from_binhex(found[1])


def _begins_a_file(run: bytes, read: Callable[[bytes], bytes]) -> bool:
    head = read(run[: _BLANKS_AMONG * _HEAD_LETTERS].translate(None, _BLANKS)[:_HEAD_LETTERS])
    with contextlib.suppress(zlib.error):
        return sniff(head) is not None or len(zlib.decompressobj().decompress(head, _PROOF)) == _PROOF
    return False


def _base64(run: bytes) -> bytes:
    letters = run.translate(_STANDARD, _BLANKS + b"=")
    return binascii.a2b_base64(letters[: len(letters) // 4 * 4])


def _hexadecimal(run: bytes) -> bytes:
    digits = run.translate(None, _BLANKS)
    with contextlib.suppress(ValueError):
        return bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    return b""


def _unescaped(text: bytes) -> bytes:
    with contextlib.suppress(ValueError):
        return str(json.loads(text, strict=False)).encode("utf-8", "surrogatepass")
    return text


def _digits_of_pictures(text: bytes) -> Iterator[bytes]:
    """The digits of each picture of RTF, without the words and groups that stand among them."""
    at = 0
    for found in _PICTURE.finditer(text):
        if found.start() < at:
            continue
        at = _group_end(text, found.end())
        group = text[found.end() : at]
        for _ in range(_MOST_GROUPS):
            if (smaller := _GROUP.sub(b"", group)) == group:
                break
            group = smaller
        yield _CONTROL.sub(b"", group)


def _group_end(text: bytes, at: int) -> int:
    """Where the group ends that is open at a place."""
    depth = 1
    for brace in re.compile(rb"[{}]").finditer(text, at):
        depth += 1 if brace.group() == b"{" else -1
        if depth == 0:
            return brace.start()
    return len(text)


def _from_binhex(letters: bytes) -> bytes:
    """The data fork. Raises ValueError, IndexError, and UnscreenableError where more comes out than is looked at."""
    plain = letters.translate(_HQX_AS_BASE64, b" \t\r\n")
    packed = binascii.a2b_base64(plain + b"A" * (-len(plain) % 4))
    read, at = bytearray(), 0
    while (mark := packed.find(_MARK, at)) >= 0:
        read += packed[at:mark]
        count = packed[mark + 1]
        read += read[-1:] * (count - 1) if count else _MARK
        at = mark + 2
        if len(read) > _MOST_UNPACKED:
            raise UnscreenableError(Shortcoming.EXPANDS_TOO_FAR, "more is packed in it than is looked at")
    read += packed[at:]
    begin = read[0] + 20  # after the name: a zero, type, creator, flags, the length of the data, that of the resources
    length = int.from_bytes(read[begin - 8 : begin - 4])
    return bytes(read[begin + 2 : begin + 2 + length])
