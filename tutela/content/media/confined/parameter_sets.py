"""Whether a broadcast recording shows anything: H.264 and H.265 are decoded only with their parameter sets.

A recording that was switched on between two key frames and off before the second has none, and no player shows a
frame of it. Runs in isolated workers.
"""

import re
from collections import defaultdict

from av.container import InputContainer

from tutela.content.media.confined.accounting import MAX_UNKNOWN

_NEEDING = frozenset({"h264", "hevc"})
_UNIT = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)
_SETS = frozenset({7, 15})
"""Of H.264: sequence parameter sets, and their subsets (ITU-T H.264, table 7-1)."""
_SET_265 = 33
"""Of H.265 (ITU-T H.265, table 7-1)."""
_PACKET, _SYNC = 188, 0x47
_STUFFING = b"\xff"


def shows_nothing(container: InputContainer, data: bytes | memoryview) -> bool:
    """Whether all that a transport stream carries is H.264 or H.265 without parameter sets, sound, and small tables
    (ISO/IEC 13818-1, 2.4.3)."""
    if any(stream.type not in ("video", "audio") for stream in container.streams):
        return False
    for film in container.streams.video:
        context = film.codec_context
        if context is None or context.name not in _NEEDING or context.width or context.extradata:
            return False
    carried: dict[int, list[bytes]] = defaultdict(list)
    packets = _packets(bytes(data))
    for packet in packets:
        carried[int.from_bytes(packet[1:3]) & 0x1FFF].append(packet)
    for stream in container.streams:
        payload = b"".join(map(_payload, carried.pop(stream.id, ())))
        if stream.type == "video" and any(_may_be_set(unit[1][0]) for unit in _UNIT.finditer(payload)):
            return False
    tables = {packet[4:].rstrip(_STUFFING) for others in carried.values() for packet in others}
    return bool(packets) and sum(map(len, tables)) + len(data) - _PACKET * len(packets) <= MAX_UNKNOWN


def _packets(data: bytes) -> list[bytes]:
    """Whole packets, from the first that another follows; none where one of them does not begin as such."""
    begins = (at for at in range(min(_PACKET, len(data))) if data[at] == _SYNC and data[at + _PACKET :][:1] == b"G")
    packets = [data[at : at + _PACKET] for at in range(next(begins, len(data)), len(data) - _PACKET + 1, _PACKET)]
    return packets if all(packet[0] == _SYNC for packet in packets) else []


def _payload(packet: bytes) -> bytes:
    """What lies behind the header, and behind the adaptation field where there is one."""
    return packet[5 + packet[4] if packet[3] & 0x20 else 4 :] if packet[3] & 0x10 else b""


def _may_be_set(header: int) -> bool:
    """Whether a unit that begins with this byte is a parameter set of either standard, whatever a table calls it."""
    return header & 0x1F in _SETS or header >> 1 & 0x3F == _SET_265
