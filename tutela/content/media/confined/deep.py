"""PNGs of sixteen bits a sample, where eight are too few: a steep tone shows what lies in the last bits, and a key
colour is compared with all of them. Pillow brings them down to eight; FFmpeg's decoder keeps them.
"""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela.content.media.confined.readings import Reading, readings
from tutela.content.media.confined.tones import AS_STORED, Tone, png_chunks
from tutela.content.media.content import Mode
from tutela.content.media.sniff import MediaType

_DEEPER = frozenset({MediaType.PNG, MediaType.TIFF, MediaType.AVIF, MediaType.HEIC, MediaType.JXL, MediaType.JPEG2000})
"""Formats whose pictures may have more than eight bits."""
_CHANNELS = {"gray16": 1, "ya16": 2, "rgb48": 3, "rgba64": 4}


def deep_readings(
    data: memoryview, media_type: MediaType, ways: Sequence[Tone], mode: Mode
) -> tuple[list[Reading], str]:
    """(readings that need more than eight bits, what could not be had of them as a sentence)."""
    steep = [way for way in ways if way.is_steep]
    keyed = media_type is MediaType.PNG and _is_deep_png(data) and _has_key(data)
    if mode is Mode.EXACT or not (steep or keyed) or not _is_deep(data, media_type):
        return [], ""
    values = _decoded(data) if media_type is MediaType.PNG else None
    if values is None or any(way.deep is None for way in steep):
        return [], "it has more than eight bits a sample, and a tone that shows the last of them"
    found: list[Reading] = []
    for way in [*steep, *([AS_STORED] if keyed else [])]:
        shown = readings(_as_image(values, way), [AS_STORED], mode)
        found += [Reading(", ".join(filter(None, ("in full depth", way.name, one.name))), one.pixels) for one in shown]
    return found, ""


def _as_image(values: npt.NDArray[np.uint16], way: Tone) -> Image.Image:
    """With the alpha, where there is one, untouched."""
    channels = values.shape[2]
    alpha = (values[..., -1:] >> 8).astype(np.uint8) if channels in (2, 4) else None
    colours = values[..., : channels - 1] if alpha is not None else values
    eight = (colours >> 8).astype(np.uint8) if way.deep is None else way.deep(colours)
    if eight.shape[2] == 1:
        eight = np.repeat(eight, 3, axis=2)
    return Image.fromarray(eight if alpha is None else np.concatenate([eight, alpha], axis=2))


def _decoded(data: memoryview) -> npt.NDArray[np.uint16] | None:
    """(height, width, channels), a key colour made into alpha; None where there is no decoder for it."""
    try:
        import av
    except ImportError:
        return None
    decoder = av.CodecContext.create("png", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    frame = next(iter([*decoder.decode(av.Packet(bytes(data))), *decoder.decode(None)]), None)
    if frame is None or not frame.format.name.endswith("be"):
        return None
    channels = _CHANNELS[frame.format.name.removesuffix("be")]
    plane = frame.planes[0]
    lines = np.frombuffer(bytes(plane), ">u2").reshape(frame.height, plane.line_size // 2)
    samples: npt.NDArray[np.uint16] = lines[:, : frame.width * channels].astype(np.uint16)
    return samples.reshape(frame.height, frame.width, channels)


def _is_deep(data: memoryview, media_type: MediaType) -> bool:
    if media_type is MediaType.PNG:
        return _is_deep_png(data)
    if media_type is MediaType.TIFF:
        image = Image.open(io.BytesIO(data), formats=["TIFF"])
        bits = getattr(image, "tag_v2", {}).get(258, (8,))
        return bool(max(bits) > 8)
    return media_type in _DEEPER and _says_more_than_eight(data, media_type)


def _says_more_than_eight(data: memoryview, media_type: MediaType) -> bool:
    """By the boxes that say how many bits a sample has; formats that say it elsewhere may have more."""
    head = bytes(data[: 1024 * 1024])
    at = head.find(b"pixi")
    if at < 0 or media_type not in (MediaType.AVIF, MediaType.HEIC):
        return True
    while at >= 0:
        channels = head[at + 8] if at + 8 < len(head) else 0
        if any(bits > 8 for bits in head[at + 9 : at + 9 + channels]):
            return True
        at = head.find(b"pixi", at + 4)
    return False


def _is_deep_png(data: memoryview) -> bool:
    return len(data) > 24 and data[24] == 16


def _has_key(data: memoryview) -> bool:
    return any(kind == b"tRNS" for kind, _ in png_chunks(data))
