"""The manifest of one signal type's directory: which segment is served, of which store, up to which change.

It is replaced whole. A segment that is not named by it is a leftover of a build that was killed.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import xxhash

from tutela.content.signals.base import SignalType
from tutela.errors import IndexCorruptError
from tutela.lists.index.segments import PrefixSegment, Segment, open_segment

FORMAT = 2
_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is served, and how to tell that it is whole and of the lists as they are."""

    store: str
    """Identity of the store that the keys belong to."""
    signal: str
    sequence: int
    """The last list change that is in the segment."""
    count: int
    file: str
    bytes: int
    checksum: str
    """XXH3-128 of the file, in hexadecimal."""
    mark: str
    """A name that the store knows unless it went back to before the build."""
    previous_mark: str | None
    """The mark of the segment before, which some process may still serve."""
    format: int = FORMAT


def read_manifest(directory: Path) -> Manifest | None:
    """The manifest, or None where there is none. Raises IndexCorruptError for one that cannot be read."""
    path = directory / _NAME
    try:
        document = json.loads(path.read_bytes())
        manifest = Manifest(**document)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError) as error:
        raise IndexCorruptError("{path} is not a manifest: {error}", path=path, error=error) from error
    if manifest.format != FORMAT or Path(manifest.file).name != manifest.file:
        raise IndexCorruptError(
            "{path} is of format {format}, this version reads {format_2}",
            path=path,
            format=manifest.format,
            format_2=FORMAT,
        )
    return manifest


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest whole and durably."""
    temporary = directory / f"{_NAME}.{os.getpid()}.new"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(asdict(manifest), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(directory / _NAME)
    sync_directory(directory)


def manifest_stamp(directory: Path) -> tuple[int, int] | None:
    """Changes whenever the manifest is replaced."""
    try:
        status = (directory / _NAME).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_ino, status.st_mtime_ns


def open_verified(directory: Path, manifest: Manifest, signal_type: SignalType) -> Segment:
    """The manifest's segment, after its checksum was compared. Raises IndexCorruptError when it is torn or missing."""
    path = directory / manifest.file
    try:
        segment = open_segment(path, signal_type)
    except OSError as error:
        raise IndexCorruptError("{path} cannot be opened: {error}", path=path, error=error) from error
    if checksum(segment) != manifest.checksum or len(segment) != manifest.count:
        raise IndexCorruptError("{path} is not the file that was built: its checksum differs", path=path)
    if isinstance(segment, PrefixSegment):
        segment.forget_tail()
    return segment


def checksum(segment: Segment) -> str:
    """The checksum of the segment's file."""
    return xxhash.xxh3_128_hexdigest(segment.file_bytes())


def sync_directory(directory: Path) -> None:
    """Make renames in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
