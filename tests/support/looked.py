"""What is looked at in one piece of content, without a bank: how near each of its hashes comes to a known picture."""

from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from tests.support.pictures import photos
from tutela import _native
from tutela.content.media.limits import Limits
from tutela.content.views.view_set import ViewSet
from tutela.screening.inspection import examine

KNOWN = photos()[0].resize((240, 180))
"""The picture that stands for a known one."""
OTHER = photos()[1].resize((240, 180))
NEAR = 24
"""Bits of 256 within which a hash is the known picture's, with some room below the threshold of 31."""


def pdq_of(picture: Image.Image) -> int:
    """The PDQ hash of a picture, as a number."""
    (value, *_), _, _ = _native.pdq_turned(np.ascontiguousarray(np.asarray(picture.convert("L"))))
    return int.from_bytes(value)


def hashes_of(data: bytes, views: ViewSet = ViewSet.PLAIN, **limits: Any) -> tuple[list[tuple[int, str]], list[str]]:
    """(PDQ hash as a number, part) of everything that is looked at, and the reason codes of what was not seen."""
    chosen = asdict(Limits(views=views, **{"timeout_s": 60.0, **limits}))
    samples: list[Any] = []
    stream = examine(memoryview(data), {"mode": "fast", "limits": chosen})
    while True:
        try:
            samples += next(stream)["samples"]
        except StopIteration as end:
            samples += end.value["samples"]
            shortcomings = [str(code) for code, _ in end.value["shortcomings"]]
            break
    return [(int(value, 16), part) for signal, value, _, _, _, part, _ in samples if signal == "pdq"], shortcomings


def looked(
    data: bytes, views: ViewSet = ViewSet.PLAIN, known: Image.Image = KNOWN, **limits: Any
) -> tuple[list[tuple[int, str]], list[str]]:
    """(distance to the known picture, part) of every hash, nearest first, and the reason codes of what was not seen."""
    wanted = pdq_of(known)
    hashes, shortcomings = hashes_of(data, views, **limits)
    return sorted(((value ^ wanted).bit_count(), part) for value, part in hashes), shortcomings


def outcome(data: bytes, views: ViewSet = ViewSet.PLAIN, **limits: Any) -> str:
    """`block` where the known picture is found, `hold` where something was not seen, else `allow`."""
    found, shortcomings = looked(data, views, **limits)
    if found and found[0][0] <= NEAR:
        return "block"
    return "hold" if shortcomings else "allow"
