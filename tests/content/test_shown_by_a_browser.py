"""What Chromium shows of a picture is among its readings, or the file is held, however the file says how it is meant.

Disagreements that remain are listed in docs/rooms/readings.md.
"""

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.browser import open_browser
from tests.support.drawn_kinds import Kind, kind_of
from tests.support.effort import effort
from tests.support.looked import hashes_of
from tests.support.restated import restated, restated_bitmap
from tutela import _native
from tutela.content.media.confined.decode import decode_picture
from tutela.content.media.content import Mode, Picture
from tutela.content.media.limits import Limits
from tutela.content.media.sniff import sniff
from tutela.content.signals.pdq import PDQ
from tutela.errors import UnscreenableError

CELL, ACROSS, DOWN = 170, 7, 5
GROUNDS = ("#ffffff", "#000000", "#313338")
REMAINING = {758: "PQ on BT.2020 in colours", 2061: "PQ on BT.2020 in colours"}
"""Pictures that are still shown otherwise than any reading has them; docs/rooms/readings.md says so."""
LEAST_QUALITY = 50
"""Of what is shown: what is poorer is no match on either side."""
Shown = list[Image.Image]
"""One picture a ground."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How near the nearest reading comes to what is shown on the worst ground; None where it is held or blank."""

    kind: Kind
    distance: int | None


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """One page of a browser for all pictures."""
    with open_browser() as browser:
        yield browser.new_page(viewport={"width": CELL * ACROSS, "height": CELL * DOWN})


def shown_by(page: Any, kinds: list[Kind]) -> list[Shown | None]:
    """What the browser shows of each; None where it shows nothing."""
    cells = "".join(
        f'<img style="position:absolute;left:{i % ACROSS * CELL}px;top:{i // ACROSS * CELL}px" '
        f'src="data:{kind.media_type};base64,{base64.b64encode(kind.data).decode()}">'
        for i, kind in enumerate(kinds)
    )
    page.set_content(f"<body style='margin:0'>{cells}</body>")
    sizes = page.evaluate(
        """async () => {
            await Promise.all([...document.images].map(one => one.decode().catch(() => 0)));
            return [...document.images].map(one => [one.naturalWidth, one.naturalHeight]);
        }"""
    )
    sheets = []
    for ground in GROUNDS:
        page.evaluate("ground => { document.body.style.background = ground }", ground)
        sheets.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    found: list[Shown | None] = []
    for i, (width, height) in enumerate(sizes):
        left, top = i % ACROSS * CELL, i // ACROSS * CELL
        box = (left, top, left + width, top + height)
        found.append([sheet.crop(box) for sheet in sheets] if width else None)
    return found


def hash_of(image: Image.Image) -> tuple[bytes, int]:
    value, quality = _native.pdq(np.ascontiguousarray(np.asarray(image.convert("L"))))
    return value, quality


def readings_of(data: bytes) -> list[bytes] | None:
    """The hashes of every reading as displayed and as stored; None where the file is held."""
    try:
        picture = decode_picture(data, sniff(data), Mode.FAST, Limits())
    except UnscreenableError:
        return None
    if picture.damaged or picture.unread:
        return None
    ways = [picture.pixels, *(pixels for _, pixels in picture.readings)]
    others = [Picture(way, picture.width, picture.height, picture.eighths, picture.orientation) for way in ways]
    turned = [_native.pdq(*other.displayed())[0] for other in others]
    return turned if picture.orientation == 1 else [*turned, *(_native.pdq(way, picture.source)[0] for way in ways)]


def compared(kind: Kind, shown: Shown | None) -> Compared:
    ours = readings_of(kind.data)
    theirs = [hash_of(image) for image in shown or []]
    wanted = [value for value, quality in theirs if quality >= LEAST_QUALITY]
    if ours is None or not wanted:
        return Compared(kind, None)
    return Compared(kind, max(min(PDQ.distance(own, value) for own in ours) for value in wanted))


def compared_with_all(kind: Kind, shown: Shown | None) -> Compared:
    """The same with everything that is looked at of a file, and turned in any way."""
    theirs = [_native.pdq_turned(np.ascontiguousarray(np.asarray(image.convert("L")))) for image in shown or []]
    wanted = [[int.from_bytes(value) for value in values] for values, quality, _ in theirs if quality >= LEAST_QUALITY]
    ours, shortcomings = hashes_of(kind.data)
    if shortcomings or not wanted or not shown or shown[0].width > CELL or shown[0].height > CELL:
        return Compared(kind, None)
    nearest = (min((own ^ value).bit_count() for own, _ in ours for value in values) for values in wanted)
    return Compared(kind, max(nearest))


Compare = Callable[[Kind, Shown | None], Compared]


def all_compared(
    page: Any, kind: Callable[[int], Kind], count: int, least: float, compare: Compare = compared
) -> list[Compared]:
    """The pictures of so many numbers; fewer than such a share of them counted would show nothing."""
    each = ACROSS * DOWN
    results: list[Compared] = []
    for first in range(0, count, each):
        kinds = [kind(seed) for seed in range(first, first + each)]
        results += map(compare, kinds, shown_by(page, kinds))
    assert sum(one.distance is not None for one in results) > len(results) * least
    return results


def apart(results: list[Compared]) -> dict[int, str]:
    far = ((seed, one) for seed, one in enumerate(results) if (one.distance or 0) > PDQ.default_threshold)
    return {seed: f"{one.distance}: {one.kind.name}" for seed, one in far}


def test_what_a_browser_shows_is_among_the_readings(page: Any) -> None:
    found = apart(all_compared(page, kind_of, effort(210, 2100), least=0.7))
    assert {seed: one for seed, one in found.items() if seed not in REMAINING} == {}


def test_what_a_browser_takes_of_many_statements_is_among_the_readings(page: Any) -> None:
    """Of 1,015, sixteen were apart where the first eight statements counted, and the last of the tables."""
    assert apart(all_compared(page, restated, effort(140, 1015), least=0.2)) == {}


def test_what_a_browser_makes_of_an_odd_bitmap_is_looked_at(page: Any) -> None:
    found = apart(all_compared(page, restated_bitmap, effort(140, 1400), 0.3, compared_with_all))
    assert found == {}
