"""What a receiver and its watcher tell each other through their socket: messages of a JSON head and bytes.

The receiver parses what strangers send. Whatever it says is bounded in size and checked for its form before it counts.
"""

import json
import select
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutela.errors import TutelaError
from tutela.screening.streams.model import Codec, Look, Packet, ScreenedFrames

MAX_HEAD_BYTES = 512 * 1024
MAX_BODY_BYTES = 96 * 1024 * 1024
_SIZES = struct.Struct("<II")
_ONE_READ = 256 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    kind: str
    fields: Mapping[str, Any]
    body: bytes = b""


class WireLine:
    """One end of the socket. One thread reads it; writing is for the caller to order."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._unread = bytearray()

    def send(self, kind: str, fields: Mapping[str, Any] | None = None, body: bytes = b"") -> None:
        """Send a message. Raises OSError when the other end is gone."""
        head = json.dumps({"kind": kind, **(fields or {})}).encode()
        self._connection.sendall(_SIZES.pack(len(head), len(body)) + head + body)

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next message; None where none came in time. Raises EOFError at the end, ValueError for a wrong form.

        Without a time it changes nothing of the socket, which a receiver that has confined itself may not.
        """
        message = self._whole()
        while message is None:
            try:
                if timeout_s is not None and not select.select([self._connection], [], [], timeout_s)[0]:
                    return None
                part = self._connection.recv(_ONE_READ)
            except OSError:
                raise EOFError from None
            if not part:
                raise EOFError
            self._unread += part
            message = self._whole()
        return message

    def close(self) -> None:
        """Let go of the socket."""
        self._connection.close()

    def _whole(self) -> Message | None:
        if len(self._unread) < _SIZES.size:
            return None
        head_bytes, body_bytes = _SIZES.unpack_from(self._unread)
        if head_bytes > MAX_HEAD_BYTES or body_bytes > MAX_BODY_BYTES:
            raise ValueError("a message is too long")
        end = _SIZES.size + head_bytes + body_bytes
        if len(self._unread) < end:
            return None
        head = json.loads(bytes(self._unread[_SIZES.size : _SIZES.size + head_bytes]))
        body = bytes(self._unread[_SIZES.size + head_bytes : end])
        del self._unread[:end]
        if not isinstance(head, dict):
            raise ValueError("a message has no head")
        return Message(str(head.pop("kind", "")), head, body)


def packet_fields(look: Look) -> list[list[Any]]:
    """What is said of each packet of a look, in order; the bytes travel beside it."""
    return [[packet.seconds, len(packet.data), packet.key, packet.disposable] for packet in look.packets]


def send_look(line: WireLine, look: Look, handed_at: float | None = None) -> None:
    """Send a look that was whole at that moment of the system's monotonic clock."""
    fields = {
        "frames": look.frames.value,
        "packets": packet_fields(look),
        "due": list(look.due),
        "fresh": look.fresh,
        "track": look.track,
        "handed_at": handed_at,
    }
    line.send("look", fields, b"".join(packet.data for packet in look.packets))


def read_look(message: Message) -> Look:
    """The look in a message. Raises TutelaError where it is not of its form."""
    try:
        at, packets = 0, []
        for seconds, size, key, disposable in message.fields["packets"]:
            packets.append(Packet(float(seconds), message.body[at : at + size], bool(key), bool(disposable)))
            at += size
        due = tuple(float(seconds) for seconds in message.fields["due"])
        frames, fresh = ScreenedFrames(message.fields["frames"]), bool(message.fields["fresh"])
        handed_at = message.fields.get("handed_at")
        handed_at = None if handed_at is None else float(handed_at)
        return Look(frames, tuple(packets), due, fresh, int(message.fields["track"]), handed_at)
    except (KeyError, TypeError, ValueError) as error:
        raise TutelaError("a receiver's message is not a look: {error!r}", error=error) from error


def codec_fields(codec: Codec) -> dict[str, Any]:
    """A codec as JSON carries it."""
    return {
        "name": codec.name,
        "extradata": codec.extradata.hex(),
        "width": codec.width,
        "height": codec.height,
    }


def read_codec(fields: Any) -> Codec:
    """The codec of such a document. Raises TutelaError where it is not of its form."""
    try:
        width, height = int(fields["width"]), int(fields["height"])
        return Codec(str(fields["name"]), bytes.fromhex(fields["extradata"]), width, height)
    except (KeyError, TypeError, ValueError) as error:
        raise TutelaError("a receiver's message names no codec: {error!r}", error=error) from error
