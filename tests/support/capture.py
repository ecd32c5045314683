"""What passes over the loopback interface is captured, as tcpdump does it, and put together again by its sender's port.

It takes the right to open packet sockets; without it there is nothing to be captured.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Collection, Iterator

_EVERY_PROTOCOL = 3
_OUTGOING = 4
"""Over loopback every packet is seen twice: as it leaves, and as it comes."""
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_SO_RCVBUFFORCE = 33
_ROOM = 256 * 1024 * 1024
_LONGEST = 128 * 1024
_FLAGS_BEGIN = 0x02

Flow = tuple[int, int]
"""The ports of one direction: the sender's and the receiver's."""


class Capture:
    """What was said over TCP (RFC 9293) by senders at some ports."""

    def __init__(self, is_wanted: Callable[[int], bool]) -> None:
        """Raises PermissionError where packets may not be captured."""
        self._is_wanted = is_wanted
        self._flows: list[tuple[int, list[tuple[int, bytes]]]] = []
        """Of each connection its sender's port, and its parts by their sequence numbers; the first is its begin."""
        self._latest: dict[Flow, list[tuple[int, bytes]]] = {}
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERY_PROTOCOL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
        self._socket.bind(("lo", _EVERY_PROTOCOL))
        self._socket.settimeout(0.2)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Capture no more, once what came is taken; how many packets were lost."""
        self._ends.set()
        self._thread.join()
        _, lost = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        self._socket.close()
        return int(lost)

    def said(self) -> Iterator[tuple[int, bytes]]:
        """Each direction of each connection: its sender's port, and its bytes in their order."""
        for port, parts in self._flows:
            first, whole = parts[0][0], bytearray()
            for at, data in sorted(((number - first) % 2**32, data) for number, data in parts):
                whole[at : at + len(data)] = data
            yield port, bytes(whole)

    def _take(self) -> None:
        while True:
            try:
                packet, where = self._socket.recvfrom(_LONGEST)
            except TimeoutError:
                if self._ends.is_set():
                    return
                continue
            if where[2] == _OUTGOING:
                with contextlib.suppress(struct.error, IndexError):
                    self._keep(packet)

    def _keep(self, packet: bytes) -> None:
        match packet[0] >> 4:
            case 4:
                protocol, begins, ends = packet[9], (packet[0] & 15) * 4, struct.unpack_from(">H", packet, 2)[0]
            case 6:
                protocol, begins, ends = packet[6], 40, struct.unpack_from(">H", packet, 4)[0] + 40
            case _:
                return
        sender, receiver, number = struct.unpack_from(">HHI", packet, begins)
        if protocol != socket.IPPROTO_TCP or not self._is_wanted(sender):
            return
        flow, flags = (sender, receiver), packet[begins + 13]
        if flags & _FLAGS_BEGIN:
            parts = self._latest[flow] = [((number + 1) % 2**32, b"")]
            self._flows.append((sender, parts))
        elif (data := packet[begins + (packet[begins + 12] >> 4) * 4 : ends or len(packet)]) and flow in self._latest:
            self._latest[flow].append((number, data))


@contextlib.contextmanager
def captured(ports: Collection[int]) -> Iterator[Capture | None]:
    """A capture of what is said at ports, which may come to be known while it runs; None where it is not allowed."""
    try:
        capture = Capture(lambda port: port in ports)
    except PermissionError:
        yield None
        return
    try:
        yield capture
    finally:
        assert not capture.stop(), "packets were lost: the capture shows nothing"
