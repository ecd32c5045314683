"""The text of Outlook's messages, RTF in a compression of its own: LZFu ([MS-OXRTFCP])."""

import struct

_HEAD = struct.Struct("<IIII")
_COMPRESSED, _STORED = 0x75465A4C, 0x414C454D
_WINDOW = 4096
_FIRST = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0"
    b"\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
"""What the window begins with (2.1.2.1)."""
_MOST = 64 * 1024 * 1024


def unpacked_rich_text(data: bytes) -> bytes | None:
    """The RTF; None where it does not come out as long as it is said to be."""
    if len(data) < _HEAD.size:
        return None
    packed, length, kind, _ = _HEAD.unpack_from(data)
    if kind == _STORED:
        return data[_HEAD.size : _HEAD.size + length]
    if kind != _COMPRESSED or length > _MOST:
        return None
    come = bytearray(_FIRST)
    wanted, at, end = len(_FIRST) + length, _HEAD.size, min(len(data), packed + 4)
    while at < end and len(come) < wanted:
        control = data[at]
        at += 1
        for bit in range(8):
            if at >= end or len(come) >= wanted:
                break
            if not control >> bit & 1:
                come.append(data[at])
                at += 1
                continue
            if at + 2 > end:
                return None
            word = int.from_bytes(data[at : at + 2])
            at += 2
            place, count = word >> 4, (word & 15) + 2
            back = (len(come) - place) % _WINDOW
            if back == 0:  # the end is told by its own place
                at = end
                break
            if back > len(come):
                return None
            for _ in range(count):
                come.append(come[-back])
    rtf = bytes(come[len(_FIRST) : wanted])
    return rtf if len(rtf) == length else None
