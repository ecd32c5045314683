"""RAR, CAB and ISO 9660, read by the system's libarchive where there is one."""

import ctypes
from collections.abc import Iterator
from typing import Protocol

from tutela.content.media.confined.accounting import rest
from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.parts import Part, Unread, encrypted, file_over, read_part, unreadable
from tutela.content.media.content import Content, Shortcoming
from tutela.content.media.sniff import MediaType
from tutela.content.media.system_libarchive import load
from tutela.errors import UnscreenableError

_PASSWORD = ("passphrase", "password", "encrypt")

_SIGNATURE = 8
_VOLUME = 32_768
_ONE_OF_SEVERAL = "this is one volume of an archive in several: what goes on in the others cannot be looked at"


def prepare() -> None:
    """Load the library, while files may still be opened, and make the memory in which its callbacks are code."""
    if load() is not None:
        _callbacks.append(ctypes.CFUNCTYPE(None)(lambda: None))


_callbacks: list[object] = []
"""One that stays: the memory for many is made with the first, and given back with the last."""


class Libarchive:
    """Members, one at a time."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        libarchive = load()
        if libarchive is None:
            raise UnscreenableError(
                Shortcoming.UNSUPPORTED_TYPE,
                "{media_type} needs tutela[archives] and the system's libarchive",
                media_type=content.media_type,
            )
        with libarchive.stream_reader(file_over(memoryview(content.data)), block_size=64 * 1024) as archive:
            try:
                for entry in archive:
                    budget.check_time()
                    if not entry.isreg:
                        continue
                    if libarchive.ffi.libarchive.archive_entry_is_encrypted(ctypes.c_void_p(entry._entry_p)):
                        yield Unread(entry.pathname, encrypted())
                    else:
                        yield from _read(entry, budget)
            except libarchive.ArchiveError as error:
                explained = _explained(error)
                if explained.reason == Shortcoming.ENCRYPTED or not _is_volume(content):
                    raise explained from error
        data = memoryview(content.data)
        yield from rest(data, [(0, _end(content))], "trailing data", budget)
        yield from carve(data[_SIGNATURE:], budget)  # comments, recovery records, files that no directory names
        if _is_volume(content):
            raise UnscreenableError(Shortcoming.PARTLY_SCREENED, _ONE_OF_SEVERAL)


def _end(content: Content) -> int:
    """Where the archive ends by its own structure; the end of the content where it does not say."""
    data = memoryview(content.data)
    match content.media_type:
        case MediaType.CAB if len(data) >= 12:
            return int.from_bytes(data[8:12], "little")
        case MediaType.ISO if len(data) >= _VOLUME + 84:
            return int.from_bytes(data[_VOLUME + 80 : _VOLUME + 84], "little") * 2048
        case MediaType.RAR if bytes(data[:8]) == b"Rar!\x1a\x07\x01\x00":
            return _rar5_end(data)
        case MediaType.RAR:
            return _rar4_end(data)
        case _:
            return len(data)


def _rar4_end(data: memoryview) -> int:
    """Behind the last block that can be followed."""
    at = 7
    while at + 7 <= len(data):
        kind, flags = data[at + 2], int.from_bytes(data[at + 3 : at + 5], "little")
        length = int.from_bytes(data[at + 5 : at + 7], "little")
        if length < 7:
            break
        if flags & 0x8000 or kind == 0x74:
            length += int.from_bytes(data[at + 7 : at + 11], "little")
        at += length
        if kind == 0x7B:
            break
    return min(at, len(data))


def _rar5_end(data: memoryview) -> int:
    at = 8
    while at + 7 <= len(data):
        size, begin = _number(data, at + 4)
        kind, after = _number(data, begin)
        flags, after = _number(data, after)
        if flags & 1:
            _, after = _number(data, after)
        packed = _number(data, after)[0] if flags & 2 else 0
        if size == 0:
            break
        at = begin + size + packed
        if kind == 5:
            break
    return min(at, len(data))


def _number(data: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = shift = 0
    while at < len(data) and shift < 64:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            break
    return value, at


def _is_volume(content: Content) -> bool:
    """Whether an archive goes on in other files. The library says nothing of a member that began in an earlier one.

    Sources: the RAR 5.0 archive format and the technical note of RAR 4, on the main archive header; [MS-CAB], 2.1.
    """
    data = content.data
    match content.media_type:
        case MediaType.RAR if bytes(data[:8]) == b"Rar!\x1a\x07\x01\x00":
            return _rar5_flags(bytes(data[12:64])) & 1 == 1
        case MediaType.RAR:
            return bytes(data[9:10]) == b"\x73" and data[10] & 1 == 1
        case MediaType.CAB:
            return len(data) > 31 and data[30] & 3 != 0
        case _:
            return False


def _rar5_flags(head: bytes) -> int:
    """The archive flags in a main header, whose first field is its size; 0 where it is none."""
    numbers: list[int] = []
    at = 0
    while len(numbers) < 6 and at < len(head):
        value = shift = 0
        while at < len(head):
            value |= (head[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if not head[at - 1] & 0x80:
                break
        numbers.append(value)
    _, kind, flags, *fields = [*numbers, 0, 0, 0]
    return fields[(flags & 1) + (flags >> 1 & 1)] if kind == 1 else 0


class ArchiveEntry(Protocol):
    """What is used of an entry of the library's."""

    pathname: str

    def get_blocks(self) -> Iterator[bytes]:
        """The entry's bytes."""


def _read(entry: ArchiveEntry, budget: Budget) -> Iterator[Part]:
    return read_part(entry.pathname, "the member", _blocks(entry, budget), budget.limits.max_bytes)


def _blocks(entry: ArchiveEntry, budget: Budget) -> Iterator[bytes]:
    try:
        for block in entry.get_blocks():
            budget.spend_bytes(len(block))
            yield block
    except BudgetSpentError:
        raise
    except Exception as error:
        raise _explained(error) from error


def _explained(error: Exception) -> UnscreenableError:
    if any(word in str(error).lower() for word in _PASSWORD):
        return encrypted()
    return unreadable("the archive", error)
