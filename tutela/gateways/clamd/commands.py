"""clamd's commands as bytes (clamd(8)): what was asked, and in which form the answer ends."""

from dataclasses import dataclass
from enum import StrEnum

MAX_COMMAND = 4104
"""More bytes without an end are no command, as real clamd has it."""


class Command(StrEnum):
    """What can be asked."""

    PING = "PING"
    VERSION = "VERSION"
    VERSION_COMMANDS = "VERSIONCOMMANDS"
    STATS = "STATS"
    RELOAD = "RELOAD"
    SELF_CHECK = "SELFCHECK"
    SHUTDOWN = "SHUTDOWN"
    QUIT = "QUIT"
    SESSION = "IDSESSION"
    END = "END"
    STREAM = "INSTREAM"
    DESCRIPTOR = "FILDES"
    SCAN = "SCAN"
    CONTINUED_SCAN = "CONTSCAN"
    MULTIPLE_SCAN = "MULTISCAN"
    ALL_MATCHES_SCAN = "ALLMATCHSCAN"


BY_PATH = frozenset({Command.SCAN, Command.CONTINUED_SCAN, Command.MULTIPLE_SCAN, Command.ALL_MATCHES_SCAN})
IN_SESSION = frozenset(
    {
        Command.SCAN,
        Command.STREAM,
        Command.DESCRIPTOR,
        Command.PING,
        Command.VERSION,
        Command.VERSION_COMMANDS,
        Command.STATS,
        Command.END,
    }
)
_BARE = frozenset(
    {
        Command.PING,
        Command.VERSION,
        Command.RELOAD,
        Command.SCAN,
        Command.CONTINUED_SCAN,
        Command.MULTIPLE_SCAN,
        Command.DESCRIPTOR,
        Command.SHUTDOWN,
        Command.QUIT,
    }
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One command as it came."""

    command: Command | None
    """None where it is not known, or not so."""
    argument: bytes
    """A path; empty for commands that take none."""
    end: bytes
    """What the answer ends with."""
    length: int
    """Bytes that it took."""
    bare: bool


def parse(data: bytes) -> Asked | None:
    """The first command in what came so far; None where its end is not there yet."""
    if data[:1] not in (b"n", b"z"):
        line = data.split(b"\n", 1)[0].rstrip(b"\r\x00")
        command, argument = _meaning(line)
        known = command if command in _BARE else None
        return Asked(known, argument, b"\n", len(data), bare=True)
    end = b"\n" if data[:1] == b"n" else b"\x00"
    at = data.find(end)
    if at < 0:
        return None
    line = data[1:at]
    if end == b"\n":
        line = line.removesuffix(b"\r")
    command, argument = _meaning(line)
    return Asked(command, argument, end, at + 1, bare=False)


def _meaning(line: bytes) -> tuple[Command | None, bytes]:
    word = line.split(maxsplit=1)[:1] if line[:1].isupper() else []
    try:
        command = Command(word[0].decode("ascii")) if word else None
    except (ValueError, UnicodeDecodeError):
        return None, b""
    if command is None:
        return None, b""
    rest = line[len(word[0]) :]
    if command in BY_PATH:
        return (command, rest[1:]) if rest else (None, b"")
    return (None, b"") if rest else (command, b"")
