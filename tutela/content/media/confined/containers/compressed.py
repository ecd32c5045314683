"""One compressed stream: gzip (RFC 1952), bzip2, xz, Zstandard (RFC 8878). A TAR inside is gone through as it comes."""

import bz2
import gzip
import io
import lzma
from collections.abc import Iterator
from typing import IO

from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.containers.base import Counted, Part, Stream, blocks_of, file_over, read_part
from tutela.content.media.confined.containers.tar import parts_of_stream
from tutela.content.media.content import Content, Shortcoming
from tutela.content.media.sniff import MediaType, sniff
from tutela.errors import UnscreenableError

_MAX_WINDOW = 128 * 1024 * 1024
_HEAD = 1024


class Compressed:
    """The one file inside, or the members of the TAR that it is."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        with io.BufferedReader(Counted(_unpacked(content), budget), 64 * 1024) as stream:
            if _is_tar(stream):
                yield from parts_of_stream(stream, budget)
            else:
                yield from read_part("content", "the stream", blocks_of(stream), budget.limits.max_bytes)


def _is_tar(stream: "io.BufferedReader[Counted]") -> bool:
    try:
        return sniff(stream.peek(_HEAD)[:_HEAD]) is MediaType.TAR
    except BudgetSpentError:
        raise
    except Exception:  # it is said where the stream is read
        return False


def _unpacked(content: Content) -> Stream:
    file = file_over(memoryview(content.data))
    match content.media_type:
        case MediaType.GZIP:
            return gzip.open(file)
        case MediaType.BZIP2:
            return bz2.open(file)
        case MediaType.XZ:
            return lzma.open(file)
        case _:
            return _zstandard(file)


def _zstandard(file: IO[bytes]) -> Stream:
    try:
        import zstandard
    except ImportError:
        raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "Zstandard needs the extra tutela[archives]") from None
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    return decompressor.stream_reader(file, read_across_frames=True)
