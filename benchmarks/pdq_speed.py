"""A file's bytes to its PDQ hash: ours in the default (fast) mode, the `threatexchange` package, the bare decode."""

import time
from collections.abc import Callable, Iterator

import simplejpeg
from threatexchange.signal_type.pdq.pdq_hasher import pdq_from_bytes

from benchmarks.pictures import SIZES, file_of, mosaic
from benchmarks.report import Scale, Table, duration, in_turns, ratio
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.confined.readings import MIN_SIDE
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.signals.pdq import PDQ
from tutela.content.views.view_set import ViewSet

_LIMITS = Limits(views=ViewSet.PLAIN)  # one hash, as the peer makes
_FORMATS: dict[str, tuple[str, dict[str, object]]] = {
    "JPEG": ("JPEG", {"quality": 85}),
    "JPEG, progressive": ("JPEG", {"quality": 85, "progressive": True}),
    "PNG": ("PNG", {"compress_level": 6}),
    "WebP": ("WEBP", {"quality": 85}),
}


def run(scale: Scale) -> Iterator[Table]:
    """One table: formats by sizes."""
    table = Table(
        "File to PDQ hash, one core",
        ("file", "size", "threatexchange", "ours", "ratio", "exact mode", "ratio", "bare scaled decode", "ours / bare"),
        "Processor time. Bare scaled decode: simplejpeg to grey, scaled in the decoder as ours is, and nothing else.",
    )
    rounds = {Scale.TINY: 1, Scale.USUAL: 7, Scale.FULL: 25}[scale]
    for size_name in ("0.3 MP",) if scale is Scale.TINY else ("1 MP", "12 MP"):
        for name, (form, options) in _FORMATS.items():
            data = file_of(mosaic(SIZES[size_name]), form, **options)
            functions: list[Callable[[], object]] = [
                lambda data=data: pdq_from_bytes(data),
                lambda data=data: PDQ.compute(OpenedContent(data, Mode.FAST, _LIMITS)),
                lambda data=data: PDQ.compute(OpenedContent(data, Mode.EXACT, _LIMITS)),
            ]
            if form == "JPEG":
                functions.append(lambda data=data: bare_decode(data))
            peer, ours, exact, *bare = in_turns(functions, rounds, time.process_time)
            bare_cells = (duration(bare[0]), f"{ours / bare[0]:.2f}") if bare else ("", "")
            table.add(
                f"{name}, {len(data) / 1e6:.1f} MB",
                size_name,
                duration(peer),
                duration(ours),
                ratio(peer, ours),
                duration(exact),
                ratio(peer, exact),
                *bare_cells,
            )
    yield table


def bare_decode(data: bytes) -> object:
    """Only the decoder's work."""
    return simplejpeg.decode_jpeg(
        data, "GRAY", fastdct=True, fastupsample=True, min_height=MIN_SIDE, min_width=MIN_SIDE
    )
