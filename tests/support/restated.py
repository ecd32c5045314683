"""Pictures that say of themselves what is not so, or several things: a browser takes one of it.

PNGs with statements about colour and transparency, sound and unsound, in every place; bitmaps with odd headers.
"""

import random
import struct
import zlib

import numpy as np
from PIL import Image

from tests.support import hostile_pictures as hostile
from tests.support.drawn_kinds import SIZE, Kind
from tests.support.pictures import file_of, photos

Statement = tuple[bytes, bytes]
"""Kind of a chunk, and content."""
_MOST = 14
"""Statements in one picture: more than are looked at."""


def restated(seed: int) -> Kind:
    """The picture of a number: its pixels are another picture than what some of its statements make of them."""
    rng = random.Random(seed)
    first, second = (picture.resize(SIZE) for picture in rng.sample(photos(), 2))
    model = rng.choice(("P", "L", "RGB", "squeezed"))
    pieces = _pieces(file_of(_picture(model, first, second), "PNG"))
    said = [rng.choice(_statements(model)) for _ in range(rng.choice((1, 2, 2, 3, 5, _MOST)))]
    words = [model]
    for kind, content in said:
        sound = rng.random() < 0.6
        # Before everything, before the pixels, after them.
        at = rng.choice(
            (1, *(next(n for n, piece in enumerate(pieces) if piece[4:8] == b"IDAT"),) * 4, len(pieces) - 1)
        )
        pieces.insert(at, hostile.png_chunk(kind, content, sound=sound))
        words.append(f"{kind.decode()} {content[:4].hex()}{'' if sound else ' unsound'} at {at}")
    return Kind(", ".join(words), "image/png", b"".join(pieces))


def _pieces(data: bytes) -> list[bytes]:
    pieces, at = [data[:8]], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        pieces.append(data[at : at + 12 + length])
        at += 12 + length
    return pieces


def _picture(model: str, first: Image.Image, second: Image.Image) -> Image.Image:
    dots = np.asarray(first.convert("1")).astype(np.uint8)
    other = np.asarray(second.convert("L")) // 64
    match model:
        case "P":
            picture = Image.fromarray((other * 2 + dots).astype(np.uint8), "P")
            picture.putpalette([30 + 25 * (number // 2) for number in range(8) for _ in "rgb"] + [9] * 744)
            return picture
        case "squeezed":
            return hostile.squeezed(first.convert("RGB"), second.convert("RGB"), 0.02)
    grey = Image.fromarray(np.where(dots == 1, 1, other * 50 + 40).astype(np.uint8))
    return grey.convert(model)


def _statements(model: str) -> list[Statement]:
    gammas = [(b"gAMA", struct.pack(">I", gamma)) for gamma in (0, 2_000, 30_000, 45_455, 100_000)]
    gammas += [(b"gAMA", bytes(5))]
    curves = (lambda x: x**45, hostile.inverse, lambda x: x**2.2)
    profiles = [(b"iCCP", b"i\0\0" + zlib.compress(hostile.profile(curve))) for curve in curves] + [
        (b"iCCP", b"i\0\0x")
    ]
    others = [(b"sRGB", b"\0"), (b"cICP", bytes([9, 16, 0, 1])), (b"cICP", bytes([1, 13, 0, 1]))]
    points = (
        (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
        (31270, 32900, 34000, 33000, 30000, 34500, 30000, 31000),
    )
    others += [(b"cHRM", struct.pack(">8I", *each)) for each in points] + [(b"cHRM", bytes(32))]
    keys = {
        "P": [bytes([255, 0] * 4), bytes([255] * 8), bytes([0, 255] * 4), b"", bytes(300)],
        "L": [b"\0\1", b"\0\xff", b"\1\1", b"\0"],
    }.get(model, [b"\0\1" * 3, b"\0\xff" * 3, b"\0\1"])
    return [*gammas, *profiles, *others, *[(b"tRNS", key) for key in keys] * 3]


_FIELDS = {
    "size of the file": (2, "I", (0, 54, 100)),
    "begin": (10, "I", (0, 14, 26, 54, 58, 100, 1_074, 1_078, 1_118, 2_102)),
    "length of the header": (14, "I", (12, 16, 40, 52, 56, 64, 108, 124)),
    "width": (18, "i", (80, 99, 159, 161, -160)),
    "height": (22, "i", (-120, 60, 119, 127)),
    "planes": (26, "H", (0, 2)),
    "bits": (28, "H", (0, 1, 2, 4, 8, 16, 24, 32)),
    "compression": (30, "I", (0, 1, 2, 3, 4, 5, 6)),
    "size of the pixels": (34, "I", (0, 1)),
    "colours": (46, "I", (0, 1, 2, 16, 100, 200, 255, 256, 257, 300, 1_024)),
    "important": (50, "I", (1, 256)),
}
"""What a BITMAPINFOHEADER says: where, as what, and what it may be made to say."""


def restated_bitmap(seed: int) -> Kind:
    """The bitmap of a number, of whose header a field or two say something else."""
    rng = random.Random(seed)
    mode = rng.choice(("L", "RGB", "P", "1", "RGBA"))
    picture = rng.choice(photos()).resize(SIZE).convert("RGB")
    data = bytearray(file_of(picture.quantize(200) if mode == "P" else picture.convert(mode), "BMP"))
    words = [mode]
    for _ in range(rng.choice((1, 1, 2))):
        field = rng.choice(list(_FIELDS))
        at, form, values = _FIELDS[field]
        value = rng.choice(values)
        struct.pack_into("<" + form, data, at, value)
        words.append(f"{field} {value}")
    return Kind(", ".join(words), "image/bmp", bytes(data) + bytes(rng.choice((0, 0, 4, 1_024))))
