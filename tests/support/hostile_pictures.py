"""Files that one viewer shows as one picture and another as another: by profiles, tones, alpha, colours, structure."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from tests.support.pictures import draw_scene, file_of

Curve = Callable[[float], float]


def inverse(value: float) -> float:
    """Light where the number is small."""
    return float((1 - value) ** 2.2)


def profile(
    curve: Curve,
    space: bytes = b"RGB ",
    *,
    version: int = 0x02400000,
    kind: bytes = b"mntr",
    more: int = 0,
    twice: bool = False,
    tags: int = 0,
) -> bytes:
    """An ICC profile of sRGB's colours with a curve of its own; or an odd one: its length too long, a tag that comes
    twice, more tags than some viewers read."""
    numbers = [round(65535 * min(max(curve(i / 255), 0), 1)) for i in range(256)]
    trc = b"curv\0\0\0\0" + struct.pack(">I256H", 256, *numbers)
    entries = [
        (b"desc", b"desc\0\0\0\0" + struct.pack(">I", 2) + b"i\0" + bytes(78)),
        (b"cprt", b"text\0\0\0\0x\0"),
        (b"wtpt", _xyz(0.9642, 1, 0.8249)),
    ]
    if space == b"GRAY":
        entries.append((b"kTRC", trc))
    else:
        columns = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7142))
        entries += [(b"%cXYZ" % c, _xyz(*column)) for c, column in zip(b"rgb", columns, strict=True)]
        entries += [(b"%cTRC" % c, trc) for c in b"rgb"]
    if twice:
        entries.append((b"rTRC", b"curv\0\0\0\0" + bytes(4)))
    entries += [(b"x%03d" % number, b"text\0\0\0\0x\0") for number in range(tags)]
    at = 132 + 12 * len(entries)
    table, body = struct.pack(">I", len(entries)), b""
    for key, value in entries:
        table += key + struct.pack(">II", at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body) + more, b"lcms", version, kind, space, b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acspMSFT" + bytes(24)
    return (head + _fixed(0.9642, 1, 0.8249)).ljust(128, b"\0") + table + body


def _fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def _xyz(*numbers: float) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*numbers)


def negative(picture: Image.Image) -> Image.Image:
    """Dark and light changed over."""
    return Image.fromarray(255 - np.asarray(picture))


def two_faced(on_black: Image.Image, on_white: Image.Image) -> Image.Image:
    """Grey with alpha: one picture on a black page, another on a white one."""
    dark = np.asarray(on_black.convert("L"), float) * 0.5
    light = 255 - (255 - np.asarray(on_white.convert("L"), float)) * 0.5
    alpha = np.clip(255 - light + dark, 1, 255)
    return Image.fromarray(np.dstack([np.clip(dark / alpha * 255, 0, 255), alpha]).astype(np.uint8))


def seen_through(picture: Image.Image) -> Image.Image:
    """White everywhere, with the picture as its alpha."""
    white = Image.new("RGB", picture.size, "white")
    white.putalpha(picture.convert("L"))
    return white


def in_the_colours_alone(picture: Image.Image, **options: object) -> bytes:
    """A JPEG whose luma is black, with the picture in its two colours."""
    numbers = np.asarray(picture.convert("L"), float) / 255 * 127 + 128
    chroma = Image.fromarray(numbers.astype(np.uint8))
    planes = Image.merge("YCbCr", [Image.new("L", picture.size, 0), chroma, chroma])
    return file_of(planes, "JPEG", **{"quality": 92, "subsampling": 0, **options})


def png_chunks_before_pixels(picture: Image.Image, *chunks: tuple[bytes, bytes], **options: object) -> bytes:
    """A PNG with chunks of one's own."""
    info = PngImagePlugin.PngInfo()
    for kind, content in chunks:
        info.add(kind, content)
    return file_of(picture, "PNG", pnginfo=info, **options)


def squeezed(shown: Image.Image, decoy: Image.Image, gamma: float) -> Image.Image:
    """Dots of one picture squeezed into the highlights, for those who apply the gamma, between those of another."""
    pixels = np.round(np.asarray(decoy, float) * 0.72)
    dots = np.round(255 * (np.asarray(shown, float) / 255) ** (2.2 * gamma))
    pixels[::2, ::2] = dots[::2, ::2]
    return Image.fromarray(pixels.astype(np.uint8))


def png_of_sixteen_bits(values: npt.NDArray[np.uint16], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of grey, grey and alpha, RGB or RGBA with sixteen bits a sample."""
    height, width, channels = values.shape
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def png_chunk(kind: bytes, content: bytes, *, sound: bool = True) -> bytes:
    """A chunk of a PNG, with its checksum or with another."""
    return (
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content) ^ (not sound))
    )


def with_a_chunk_broken(png: bytes, kind: bytes) -> bytes:
    """The PNG with a wrong checksum of one of its chunks."""
    at = png.index(kind)
    (length,) = struct.unpack_from(">I", png, at - 4)
    end = at + 4 + length
    return png[:end] + bytes([png[end] ^ 0xFF]) + png[end + 1 :]


def waves(shown: Image.Image, decoy: Image.Image, **options: object) -> bytes:
    """A JPEG of eight by eight pixels for each of two grey pictures: a block's mean is the decoy's, and a wave in it
    leaves 0-255. Once that is cut off, the mean is the other's.

    No encoder writes such waves: they are encoded at a sixteenth, and the steps of quantisation multiplied afterwards.
    """
    steep, share = 16, 1 / 8  # one column of eight is far out, the others make up for it
    wanted = np.asarray(shown.convert("L"), float) * 0.5 + 64
    mean = np.asarray(decoy.convert("L"), float) * 0.25 + 96
    darker = wanted < mean
    rest = np.where(darker, (wanted - share * 255) / (1 - share), wanted / (1 - share)) - mean
    blocks = np.repeat(rest[:, :, None], 8, axis=2)
    blocks[:, :, 0] = -7 * rest
    pixels = np.round(mean[:, :, None] + blocks / steep).clip(0, 255).astype(np.uint8)
    lines = np.repeat(pixels.reshape(len(mean), -1), 8, axis=0)
    data = bytearray(file_of(Image.fromarray(lines), "JPEG", qtables=[[1] * 64], **options))
    table = data.index(b"\xff\xdb") + 5
    data[table + 1 : table + 64] = bytes([steep]) * 63
    return bytes(data)


def gif_without_end(frames: int) -> bytes:
    """A GIF of very many frames, each a pixel on a large screen."""
    start = file_of(draw_scene(1, (400, 300)).quantize(16), "GIF")
    pixel = b"\x2c\x01\x00\x01\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00"
    return start[:-1] + pixel * frames + b";"


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")
