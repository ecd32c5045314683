"""Segments of streams in the folder where a media server writes them: which of them are whose, and what a cut removes.

Where a server's names can be read in one way only, that decides; elsewhere what a stream's own play lists name, and of
the streams that are known the one with the longest name that fits. What is still unclear is removed: a gap of seconds
in another stream is the smaller harm, since what was written before the moment stays.
"""

import contextlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import normpath
from urllib.parse import unquote, urlsplit

from tutela.screening.streams.model import Channel

_LISTS = frozenset({".m3u8", ".mpd"})
_SEGMENTS = _LISTS | {".ts", ".m4s", ".m4v", ".m4a", ".mp4", ".cmfv", ".cmfa", ".webm", ".aac", ".vtt", ".part"}
_URI = re.compile(r'URI="([^"]*)"')
_MOST_OF_A_LIST = 1 << 20
_MARGIN_S = 0.5
"""Clocks of files are coarse."""
_UNUSABLE = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class SegmentFolder:
    """The folder of one media server. Streams of an application are in it, or in a folder of it that is called so."""

    path: Path
    piece: re.Pattern[str] | None = None
    """What alone a piece is called, behind NAME- or in a folder NAME; None where a server may name them otherwise."""

    def purge(self, channel: Channel, since: float, others: Collection[Channel] = ()) -> int:
        """Remove a stream's segments that were written to after that moment (seconds since the epoch), and its play
        lists; how many files. `others` are streams that are known: what is theirs stays.

        A segment is written until its last frame came, so that none with a later frame is left; those that are older
        hold only what was cleared.
        """
        removed = 0
        for path in self._files_of(channel, others):
            try:
                if self._is_list_of(channel, path) or path.stat().st_mtime > since - _MARGIN_S:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue
        return removed

    def _files_of(self, channel: Channel, others: Collection[Channel]) -> set[Path]:
        found = set[Path]()
        for base in _bases(channel):
            found.update(self._beside(base))
            found.update(self._inside(base))
        theirs = {base for other in others if other != channel for base in _bases(other)}
        owned = {path for path in found if self._is_owned(path, channel, theirs)}
        return {path for path in owned | self._listed(channel) if path.suffix in _SEGMENTS}

    def _beside(self, base: str) -> Iterator[Path]:
        """Files that lie where NAME.m3u8 would, and are called after NAME."""
        place, name = (self.path / base).parent, PurePosixPath(base).name
        if place.is_dir():
            yield from (path for path in place.iterdir() if path.name.startswith(name) and path.is_file())

    def _inside(self, base: str) -> Iterator[Path]:
        own = self.path / base
        if own.is_dir():
            yield from (path for path in own.rglob("*") if path.is_file())

    def _is_owned(self, path: Path, channel: Channel, theirs: Collection[str]) -> bool:
        stem = path.relative_to(self.path).with_suffix("").as_posix()
        ours = _bases(channel)
        if self.piece is not None:
            return any(self._is_named_so(stem, path.suffix in _LISTS, base) for base in ours)
        owner = max(
            (base for base in {*ours, *theirs} if stem == base or stem.startswith(tuple(f"{base}{c}" for c in "/-_."))),
            key=lambda base: (stem != base or path.suffix in _LISTS, len(base)),
            default=None,
        )
        return owner in ours

    def _is_named_so(self, stem: str, is_list: bool, base: str) -> bool:
        assert self.piece is not None
        if is_list:
            return stem in (base, f"{base}/index")
        return stem.startswith((f"{base}-", f"{base}/")) and bool(self.piece.fullmatch(stem, len(base) + 1))

    def _is_list_of(self, channel: Channel, path: Path) -> bool:
        stem = path.relative_to(self.path).with_suffix("").as_posix()
        return path.suffix in _LISTS and any(stem == base or stem.startswith(f"{base}/") for base in _bases(channel))

    def _listed(self, channel: Channel) -> set[Path]:
        """The stream's play lists that are there, with what they name, and what those name."""
        found = set[Path]()
        unread = [self.path / f"{base}.m3u8" for base in _bases(channel)]
        unread += [path for base in _bases(channel) for path in (self.path / base).glob("*.m3u8")]
        while unread:
            path = unread.pop()
            if path in found or not path.is_file():
                continue
            found.add(path)
            if path.suffix == ".m3u8":
                with contextlib.suppress(FileNotFoundError), path.open("rb") as source:
                    text = source.read(_MOST_OF_A_LIST).decode("utf-8", "replace")
                    unread += [file for uri in _named(text) if (file := self._file_at(path, uri)) is not None]
        return found

    def _file_at(self, play_list: Path, uri: str) -> Path | None:
        """The file that an address in a play list means: beside that, or where the folder is served from."""
        asked = unquote(urlsplit(uri).path)
        here = play_list.parent.relative_to(self.path).as_posix()
        parts = [part for part in asked.split("/") if part not in _UNUSABLE]
        beside = [] if asked.startswith("/") else [normpath(f"{here}/{asked}")]
        for place in (*beside, *("/".join(parts[n:]) for n in range(len(parts)))):
            if not place.startswith(("/", "..")) and "\0" not in place and (self.path / place).is_file():
                return self.path / place
        return None


def _bases(channel: Channel) -> frozenset[str]:
    """What a stream's files are called after, as paths; none, where its name would lead out of the folder."""
    places = (channel.name, f"{channel.app}/{channel.name}" if channel.app else channel.name)
    return frozenset(place for place in places if not _UNUSABLE & {*place.split("/")} and "\0" not in place)


def _named(play_list: str) -> Iterator[str]:
    """The addresses in a play list (RFC 8216)."""
    for line in play_list.splitlines():
        if line.startswith("#"):
            yield from _URI.findall(line)
        elif line.strip():
            yield line.strip()
