"""ICC profiles, read as strictly as one viewer does and as leniently as another: bytes to transforms of a picture.

LCMS and the library of browsers refuse different profiles: version 5, a wrong length, a tag that comes twice, a hundred
tags, another class. What one of them applies, the other ignores. So a profile is applied as it is and, where that is
another transform, mended: the same curves and colours under an ordinary header (ICC.1:2022).
"""

import io
import struct
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

MATERIAL = 6.0
"""What moves no colour's luma by more than this many of 255 steps is not worth applying."""
Transform = Callable[[Image.Image], Image.Image]
"""A picture in the profile's colours to RGB or grey."""

_HEADER = struct.Struct(">I4sI4s4s4s12s4s")
_LENGTH = 128
_COLOURS = (b"A2B0", b"A2B1", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"wtpt", b"chad")
_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def transforms(profile: bytes, mode: str) -> list[Transform]:
    """What viewers may make of a picture of a mode that carries a profile; none where it changes next to nothing."""
    mended = _mended(profile)
    found = [_material(one, mode) for one in (profile, mended) if one]
    return [transform for transform in dict.fromkeys(found) if transform is not None]


def is_steep(transform: Transform) -> bool:
    """Whether it makes much of one step of 255: a deeper picture may then show what its eight bits do not."""
    ramp = np.asarray(transform(_RAMP.convert("RGB")).convert("L"), np.int16)
    return bool(np.abs(np.diff(ramp[0])).max() > 4 * MATERIAL)


def of_primaries(primaries: tuple[float, ...]) -> bytes:
    """A profile with sRGB's curve and white, red, green and blue at these chromaticities: x and y of each."""
    columns = _to_d50(primaries)
    if columns is None:
        return b""
    curve = b"para\0\0\0\0\0\3\0\0" + b"".join(_fixed(n) for n in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
    tags = [(b"wtpt", _xyz(_D50)), *((b"%cXYZ" % c, _xyz(columns[:, i])) for i, c in enumerate(b"rgb"))]
    return _assembled([*tags, *((b"%cTRC" % c, curve) for c in b"rgb")], b"RGB ", b"XYZ ", 4)


@lru_cache(maxsize=256)
def _material(profile: bytes, mode: str) -> Transform | None:
    """The transform to sRGB; None where the profile cannot be read or is next to sRGB."""
    space = _MODES.get(profile[16:20])
    try:
        if space is None or (space == "CMYK") != (mode == "CMYK"):
            return None
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), space, "RGB"
        )
        apply = _of_grey(transform) if space == "L" else _of_colours(transform, space)
        return apply if space == "CMYK" or _moves(apply) else None
    except _ERRORS:
        return None


def _of_colours(transform: ImageCms.ImageCmsTransform, space: str) -> Transform:
    def apply(image: Image.Image) -> Image.Image:
        own = image if image.mode == space else image.convert(space)
        return ImageCms.applyTransform(own, transform) or own

    return apply


def _of_grey(transform: ImageCms.ImageCmsTransform) -> Transform:
    """A curve, which some viewers apply to the channels of a coloured picture too."""
    table = np.asarray((ImageCms.applyTransform(_RAMP, transform) or _RAMP).convert("L"))[0].tolist()
    return lambda image: image.point(table * len(image.getbands()))


def _moves(apply: Transform) -> bool:
    before, after = (np.asarray(picture.convert("L"), np.int16) for picture in (_GRID, apply(_GRID)))
    return bool(np.abs(before - after).max() > MATERIAL)


def _grid() -> Image.Image:
    """Colours in steps through the cube, and every grey and every value of each channel."""
    steps = np.linspace(0, 255, 33).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    ramp = np.arange(256, dtype=np.uint8)
    ramps = np.zeros((4, 256, 3), np.uint8)
    ramps[0] = ramp[:, None]
    for channel in range(3):
        ramps[channel + 1, :, channel] = ramp
    return Image.fromarray(np.concatenate([cube, ramps.reshape(-1, 3)])[None])


_RAMP = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
_GRID = _grid()


@lru_cache(maxsize=256)
def _mended(profile: bytes) -> bytes | None:
    """The profile's curves and colours under an ordinary header; None where there are none."""
    if len(profile) < _LENGTH + 4 or profile[36:40] != b"acsp":
        return None
    space, pcs, major = profile[16:20], profile[20:24], profile[8]
    (count,) = struct.unpack_from(">I", profile, _LENGTH)
    tags: dict[bytes, bytes] = {}
    entries = profile[_LENGTH + 4 :]
    for key, begin, length in struct.iter_unpack(">4sII", entries[: 12 * min(count, len(entries) // 12)]):
        if key in _COLOURS and key not in tags and begin + length <= len(profile):
            tags[key] = profile[begin : begin + length]
    if space not in _MODES or not tags:
        return None
    tags.setdefault(b"wtpt", _xyz(_D50))
    return _assembled(list(tags.items()), space, pcs if pcs == b"Lab " else b"XYZ ", 2 if major < 4 else 4)


def _assembled(tags: list[tuple[bytes, bytes]], space: bytes, pcs: bytes, major: int) -> bytes:
    text = b"text\0\0\0\0-\0" if major < 4 else b"mluc\0\0\0\0\0\0\0\1\0\0\0\x0cenUS\0\0\0\2\0\0\0\x1c\0-"
    description = b"desc\0\0\0\0\0\0\0\2-\0" + bytes(78) if major < 4 else text
    tags = [(b"desc", description), (b"cprt", text), *tags]
    at = _LENGTH + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for key, value in tags:
        table += struct.pack(">4sII", key, at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    version = 0x02400000 if major < 4 else 0x04300000
    head = _HEADER.pack(at + len(body), bytes(4), version, b"mntr", space, pcs, bytes(12), b"acsp")
    return (head + bytes(28) + b"".join(_fixed(number) for number in _D50)).ljust(_LENGTH, b"\0") + table + body


_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _to_d50(primaries: tuple[float, ...]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None":
    """Red, green and blue as columns of X, Y and Z, white adapted to D50; None where they are no colours."""
    points = np.array(primaries, np.float64).reshape(4, 2)
    if not points[:, 1].all():
        return None
    try:
        xyz = np.stack([points[:, 0] / points[:, 1], np.ones(4), (1 - points.sum(axis=1)) / points[:, 1]])
        white, columns = xyz[:, 0], xyz[:, 1:]
        columns = columns * np.linalg.solve(columns, white)
        adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
        adapted = adapt @ columns
    except np.linalg.LinAlgError:
        return None
    return adapted if np.isfinite(adapted).all() and np.abs(adapted).max() < 8 else None


def _xyz(numbers: "np.ndarray[tuple[int, ...], np.dtype[np.float64]] | tuple[float, ...]") -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(float(number)) for number in numbers)


def _fixed(number: float) -> bytes:
    return struct.pack(">i", round(number * 65536))
