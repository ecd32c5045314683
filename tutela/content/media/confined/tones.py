"""What a file says of its colours beside a profile: PNG's gAMA, cHRM, sRGB and cICP, the colr boxes of AVIF and HEIC,
the header of a BMP; and the profiles of any format. Each is a `Tone`: one way in which a viewer may show the numbers.

W3C PNG (third edition) 11.3.2, ITU-T H.273, ISO/IEC 14496-12 12.1.5, BITMAPV5HEADER.
"""

import itertools
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela.content.media.confined import icc
from tutela.content.media.confined.endings import boxes, jpeg_segments
from tutela.content.media.sniff import MediaType

Curve = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Numbers of the file, 0 to 1, to light."""
_MOST = 8
"""So many ways to show one file's numbers are looked at; of files that offer more, that is told."""
_MOST_SAID = 64
Said = TypeVar("Said")
_ICC = b"ICC_PROFILE\0"
_MAX_PROFILE = 4 * 1024 * 1024
_ONCE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"acTL"})
_COLR = re.compile(b"colr")


@dataclass(frozen=True, slots=True)
class Tone:
    """One way to show a picture's numbers."""

    name: str
    """Of the way, for people; empty for the numbers as they are."""
    transform: icc.Transform | None = None
    deep: "Callable[[npt.NDArray[np.uint16]], npt.NDArray[np.uint8]] | None" = field(default=None, compare=False)
    """The same from sixteen bits; None where that is the same as from eight, or is not known."""

    @property
    def is_steep(self) -> bool:
        """Whether eight bits are too few for what it shows of a deeper picture."""
        return self.transform is not None and icc.is_steep(self.transform)


AS_STORED = Tone("")


def tones(image: Image.Image, data: memoryview, media_type: MediaType) -> tuple[list[Tone], str]:
    """(every way in which a viewer may show the picture's numbers, what most show first; what was passed over of them,
    as a sentence). `AS_STORED` is one of them; a file that says nothing, or nothing that matters, has that one only.
    """
    mode = "CMYK" if image.mode == "CMYK" else "RGB"
    own = image.info.get("icc_profile")
    there = itertools.chain([own] if isinstance(own, bytes) else [], _profiles(data, media_type))
    profiled, too_many = _first(_profiled(_distinct(there), mode))
    said, too_much = _first(_said(data, media_type)) if mode != "CMYK" else ([], False)
    passed_over = f"it says in more than {_MOST} ways how its colours are meant" if too_many or too_much else ""
    if media_type is MediaType.PNG and (twice := _said_twice(data)):
        passed_over = f"it has two chunks {twice}, and viewers differ in which of them they take"
    if not profiled and not said:
        return [AS_STORED], passed_over
    return [*profiled, *said, Tone("without its colour profile")], passed_over


class _TooManyError(Exception):
    """More is said than is gone through, or it is longer."""


def _distinct(said: Iterable[Said]) -> Iterator[Said]:
    """Each once. Raises _TooManyError: to find that a statement changes nothing takes time, too."""
    seen: set[Said] = set()
    for one in said:
        if one not in seen:
            if len(seen) == _MOST_SAID:
                raise _TooManyError
            seen.add(one)
            yield one


def _first(tones: Iterator[Tone]) -> tuple[list[Tone], bool]:
    """(as many as are looked at, whether there are more)."""
    found: list[Tone] = []
    try:
        for tone in tones:
            if len(found) == _MOST:
                return found, True
            found.append(tone)
    except _TooManyError:
        return found, True
    return found, False


def _profiled(profiles: Iterable[bytes], mode: str) -> Iterator[Tone]:
    for number, profile in enumerate(profiles):
        for mended, transform in enumerate(icc.transforms(profile, mode)):
            more = f" {number + 1}" if number else ""
            yield Tone(f"with its colour profile{more}{', mended' if mended else ''}", transform)


def _profiles(data: memoryview, media_type: MediaType) -> Iterator[bytes]:
    """Those that another viewer may take."""
    match media_type:
        case MediaType.JPEG:
            yield from _of_jpeg(data)
        case MediaType.PNG:
            for kind, chunk in png_chunks(data):
                if kind == b"iCCP":
                    _, _, packed = bytes(chunk).partition(b"\0")
                    stream = zlib.decompressobj()
                    try:
                        profile = stream.decompress(packed[1:], _MAX_PROFILE)
                    except zlib.error:
                        continue
                    if stream.unconsumed_tail:
                        raise _TooManyError
                    yield profile
        case MediaType.WEBP:
            for kind, chunk in riff_chunks(data):
                if kind == b"ICCP":
                    yield bytes(chunk)
        case MediaType.AVIF | MediaType.HEIC:
            for kind, box in _colour_boxes(data):
                if kind in (b"prof", b"rICC"):
                    yield bytes(box)
        case MediaType.BMP if bytes(data[14:18]) == b"\x7c\0\0\0" and bytes(data[70:74]) == b"DEBM":
            at, length = struct.unpack_from("<II", data, 14 + 112)
            yield bytes(data[14 + at : 14 + at + length])
        case _:
            return


def _of_jpeg(data: memoryview) -> Iterator[bytes]:
    """The profile in its pieces, by their numbers and as they stand (ICC.1, B.4): viewers differ about pieces that come
    twice, are counted wrong or stand behind the frame's header."""
    pieces = [
        (segment[len(_ICC)], bytes(segment[len(_ICC) + 2 :]))
        for marker, segment in jpeg_segments(data)
        if marker == 0xE2 and len(segment) > len(_ICC) + 2 and segment[: len(_ICC)] == _ICC
    ]
    if not pieces:
        return
    for order in (pieces, pieces[::-1]):  # of those with one number the last, then the first
        yield b"".join(piece for _, piece in sorted(dict(order).items()))
    yield b"".join(piece for _, piece in pieces)
    if len(pieces) > 1:
        yield from (piece for _, piece in pieces if piece[36:40] == b"acsp")


def _said(data: memoryview, media_type: MediaType) -> Iterator[Tone]:
    match media_type:
        case MediaType.PNG:
            yield from _of_png(data)
        case MediaType.AVIF | MediaType.HEIC:
            codes = (bytes(box[:4]) for kind, box in _colour_boxes(data) if kind == b"nclx" and len(box) >= 6)
            for code in _distinct(codes):
                yield from _coded(*struct.unpack(">HH", code))
        case MediaType.BMP if int.from_bytes(data[14:18], "little") >= 108 and not any(data[70:74]):
            numbers = [number / 2**30 for number in struct.unpack_from("<9i", data, 14 + 60)]
            gammas = [number / 65536 for number in struct.unpack_from("<3I", data, 14 + 96)]
            if gammas[0] > 0:
                yield from _curved("by its gamma", _power(gammas[0]), _endpoints(numbers))
        case _:
            return


def _of_png(data: memoryview) -> Iterator[Tone]:
    """Of chunks that come more than once, viewers take the first that they understand, and whose checksum is right."""
    chunks = [(kind, bytes(chunk)) for kind, chunk in png_chunks(data) if kind in (b"gAMA", b"cHRM", b"cICP")]
    for code in _distinct(chunk[:2] for kind, chunk in chunks if kind == b"cICP" and len(chunk) >= 2):
        yield from _coded(*code)
    gammas = {
        int.from_bytes(chunk): None for kind, chunk in chunks if kind == b"gAMA" and len(chunk) == 4 and any(chunk)
    }
    points = {chunk: None for kind, chunk in chunks if kind == b"cHRM" and len(chunk) == 32}
    curves = [*(_power(100_000 / gamma) for gamma in gammas), None]
    primaries = [None, *(tuple(n / 100_000 for n in struct.unpack(">8I", chunk)) for chunk in points)]
    for curve, of in _distinct(itertools.product(curves, primaries)):
        yield from _curved(_named(curve, of), curve, of)


def _said_twice(data: memoryview) -> str:
    """The kind of a chunk that comes once in a PNG, and twice in this; nothing where there is none."""
    seen: set[bytes] = set()
    for kind, _ in png_chunks(data):
        if kind == b"IEND":
            break
        if kind in _ONCE and kind in seen:
            return kind.decode()
        seen.add(kind)
    return ""


def _named(curve: Curve | None, primaries: tuple[float, ...] | None) -> str:
    return "by its " + " and ".join(["gamma"] * (curve is not None) + ["primaries"] * (primaries is not None))


def _coded(primaries: int, transfer: int) -> Iterator[Tone]:
    """Of H.273's numbers."""
    yield from _curved("by its colour code", _TRANSFERS.get(transfer), _PRIMARIES.get(primaries))
    if transfer == _PQ:
        yield from _curved("by its colour code, brought down", _brought_down, _PRIMARIES.get(primaries))


def _curved(name: str, curve: Curve | None, primaries: tuple[float, ...] | None) -> Iterator[Tone]:
    """The tone of a curve and of primaries, where it matters."""
    table = None if curve is None else _table(curve, 256)
    if table is not None and np.abs(table.astype(int) - np.arange(256)).max() <= icc.MATERIAL:
        table = None
    recoloured = icc.transforms(icc.of_primaries(primaries), "RGB") if primaries else []
    if table is None and not recoloured:
        return
    steps = [*([_looked_up(table)] if table is not None else []), *recoloured[:1]]

    def transform(image: Image.Image) -> Image.Image:
        for step in steps:
            image = step(image)
        return image

    def deep(values: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
        assert curve is not None
        return _table(curve, 65_536)[values]

    yield Tone(name, transform, deep if table is not None else None)


def _looked_up(table: npt.NDArray[np.uint8]) -> icc.Transform:
    numbers = table.tolist()
    return lambda image: image.point(numbers * len(image.getbands()))


def _table(curve: Curve, length: int) -> npt.NDArray[np.uint8]:
    """Numbers of the file to those of sRGB."""
    light = np.clip(curve(np.linspace(0.0, 1.0, length)), 0.0, 1.0)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    table: npt.NDArray[np.uint8] = np.round(255 * encoded).astype(np.uint8)
    return table


def _power(exponent: float) -> Curve:
    return lambda values: values ** min(exponent, 1e4)


def _bt709(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(values < 0.081, values / 4.5, ((values + 0.099) / 1.099) ** (1 / 0.45))


def _srgb(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _pq(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """SMPTE ST 2084, with 203 cd/m² as white (ITU-R BT.2408)."""
    power = values ** (32 / 2523)
    light = (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (8192 / 1305)
    return light * (10_000 / 203)


def _brought_down(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """PQ as Chromium shows it where a screen has no such light: its greys, read off a ramp."""
    return _srgb(np.interp(values, np.arange(13) / 15.9375, np.array(_BROUGHT_DOWN) / 255))


def _hlg(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """ITU-R BT.2100."""
    high = (np.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12
    scene = np.where(values <= 0.5, values**2 / 3, high)
    return scene**1.2 * (1000 / 203)


_PQ = 16
_BROUGHT_DOWN = (0, 1, 5, 15, 30, 48, 70, 98, 132, 175, 213, 237, 255)
_TRANSFERS: dict[int, Curve] = {
    **dict.fromkeys((1, 6, 14, 15), _bt709),
    4: _power(2.2),
    5: _power(2.8),
    8: _power(1.0),
    13: _srgb,
    _PQ: _pq,
    17: _power(2.6),
    18: _hlg,
}
_D65 = (0.3127, 0.3290)
_PRIMARIES: dict[int, tuple[float, ...]] = {
    1: (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}


def _endpoints(xyz: list[float]) -> tuple[float, ...] | None:
    """Chromaticities of a bitmap's red, green and blue; its white is their sum."""
    colours = np.array(xyz).reshape(3, 3)
    points = np.concatenate([colours.sum(axis=0)[None], colours])
    sums = points.sum(axis=1)
    if (np.abs(sums) < 1e-6).any():
        return None
    return tuple((points[:, :2] / sums[:, None]).ravel().tolist())


def png_chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """(type, content) of every chunk of a PNG."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield bytes(data[at + 4 : at + 8]), data[at + 8 : at + 8 + length]
        at += 12 + length


def riff_chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """(type, content) of every chunk of a RIFF file's first level."""
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        yield bytes(data[at : at + 4]), data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _colour_boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """(type, content) of the boxes that say how colours are meant, wherever they lie."""
    for kind, box in boxes(data):
        if kind == b"mdat":  # the pictures themselves
            continue
        for found in _COLR.finditer(box):
            at = found.start()
            if at < 4:
                continue
            (length,) = struct.unpack_from(">I", box, at - 4)
            if _MAX_PROFILE < length <= len(box) - at + 4:
                raise _TooManyError
            if 12 <= length <= _MAX_PROFILE:
                yield bytes(box[at + 4 : at + 8]), box[at + 8 : at - 4 + length]
