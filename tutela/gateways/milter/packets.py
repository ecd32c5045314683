"""The milter protocol as bytes: what a mail server tells a filter, and what it is told (Sendmail's mfdef.h, version 6).

No I/O. A packet is a length of four bytes, big-endian, then a letter that says what it is, then its data.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag, StrEnum

from tutela.errors import InputError

LENGTH = struct.Struct(">I")
MAX_PACKET = 1024 * 1024
"""Servers send bodies in packets of 64 KiB, and what they say else is shorter."""
_OPTIONS = struct.Struct(">III")
_VERSION = 6
_OLDEST = 2


class PacketError(InputError, OSError):
    """A server says something that is not in the protocol: the connection is closed, and the mail comes again."""

    code = "packet"


class MilterCommand(StrEnum):
    """What a server says."""

    OPTIONS = "O"
    MACROS = "D"
    CONNECT = "C"
    HELO = "H"
    MAIL = "M"
    RECIPIENT = "R"
    DATA = "T"
    HEADER = "L"
    END_OF_HEADERS = "N"
    BODY = "B"
    END = "E"
    UNKNOWN = "U"
    ABORT = "A"
    QUIT = "Q"
    NEXT = "K"
    """Quit, but the connection stays for the next client."""


class MilterAction(IntFlag):
    """What a filter may do."""

    NOTHING = 0
    QUARANTINE = 0x20


class MilterStep(IntFlag):
    """What a server need not do for a filter, or does for it."""

    NOTHING = 0
    NO_UNKNOWN = 0x100
    SILENT_HEADER = 0x80
    SILENT_CONNECT = 0x1000
    SILENT_HELO = 0x2000
    SILENT_MAIL = 0x4000
    SILENT_RECIPIENT = 0x8000
    SILENT_DATA = 0x10000
    SILENT_UNKNOWN = 0x20000
    SILENT_END_OF_HEADERS = 0x40000
    SILENT_BODY = 0x80000
    LEADING_SPACE = 0x100000
    """Headers come with the space behind their colon, as they were."""


_WANTED = MilterStep(0x1FF180)
_SILENT = {
    MilterCommand.CONNECT: MilterStep.SILENT_CONNECT,
    MilterCommand.HELO: MilterStep.SILENT_HELO,
    MilterCommand.MAIL: MilterStep.SILENT_MAIL,
    MilterCommand.RECIPIENT: MilterStep.SILENT_RECIPIENT,
    MilterCommand.DATA: MilterStep.SILENT_DATA,
    MilterCommand.UNKNOWN: MilterStep.SILENT_UNKNOWN,
    MilterCommand.HEADER: MilterStep.SILENT_HEADER,
    MilterCommand.END_OF_HEADERS: MilterStep.SILENT_END_OF_HEADERS,
    MilterCommand.BODY: MilterStep.SILENT_BODY,
}


@dataclass(frozen=True, slots=True)
class MilterTerms:
    """What server and filter agreed on."""

    actions: MilterAction = MilterAction.NOTHING
    steps: MilterStep = MilterStep.NOTHING

    def is_answered(self, command: MilterCommand) -> bool:
        """Whether the server waits for an answer to that."""
        silent = _SILENT.get(command)
        return silent is not None and silent not in self.steps

    @classmethod
    def agreed(cls, data: bytes) -> "tuple[MilterTerms, bytes]":
        """The terms that a server's offer comes to, and the answer to it. Raises PacketError."""
        if len(data) < _OPTIONS.size:
            raise PacketError("an offer of options is too short")
        version, actions, steps = _OPTIONS.unpack_from(data)
        if version < _OLDEST:
            raise PacketError("version {version} of the protocol is too old", version=version)
        terms = cls(MilterAction(actions & MilterAction.QUARANTINE), MilterStep(steps & _WANTED))
        return terms, packet("O", _OPTIONS.pack(min(version, _VERSION), terms.actions, terms.steps))


CONTINUE, TEMPORARY_FAILURE = b"\0\0\0\1c", b"\0\0\0\1t"


def packet(letter: str, data: bytes = b"") -> bytes:
    """A packet."""
    return LENGTH.pack(1 + len(data)) + letter.encode() + data


def refusal(code: int, extended: str, text: str) -> bytes:
    """An answer of SMTP (RFC 5321, 4.2; RFC 3463)."""
    return packet("y", f"{code} {extended} {text}".encode("ascii") + b"\0")


def quarantine(reason: str) -> bytes:
    """The mail is accepted and kept by the server until somebody lets it go."""
    return packet("q", reason.encode("ascii") + b"\0") + CONTINUE


def macros(data: bytes) -> Mapping[str, str]:
    """What a server says of a client, by name: `i`, `auth_authen`, … without braces."""
    names_and_values = data[1:].split(b"\0")
    pairs = zip(names_and_values[::2], names_and_values[1::2], strict=False)
    return {name.decode("latin-1").strip("{}"): value.decode("utf-8", "replace") for name, value in pairs if name}


def client_address(data: bytes) -> str:
    """The address in a CONNECT; empty where the server has none."""
    _, _, rest = data.partition(b"\0")
    family, address = rest[:1], rest[3:].split(b"\0")[0]
    return address.decode("latin-1").removeprefix("IPv6:") if family in (b"4", b"6") else ""


def header_line(data: bytes, *, has_space: bool) -> bytes:
    """A header as it stands in a mail. Raises PacketError."""
    parts = data.split(b"\0")
    if len(parts) != 3 or parts[2]:
        raise PacketError("a header is a name and a value")
    value = parts[1].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return parts[0] + (b":" if has_space else b": ") + value + b"\r\n"
