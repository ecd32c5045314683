"""Views: altered copies that a plain hash misses match, each by a view that says where; unrelated pictures do not."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.generic_pictures import draw_generic
from tests.support.effort import effort
from tests.support.pictures import draw_scene, file_of, photos
from tests.support.stores import new_home
from tutela import _native
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.signals.pdq import PDQ
from tutela.content.views.finder import SURE, find_frames, reduced
from tutela.content.views.listed import EDGES
from tutela.content.views.thresholds import able_quality, need
from tutela.content.views.view import TURNS, WHOLE, rectangle
from tutela.content.views.view_set import ViewSet
from tutela.deployment.composition import compose_deployment
from tutela.lists.banks.model import Action, BankKind, EntryState, EntryValue, NewEntry, Policy
from tutela.lists.banks.values import picture_entries
from tutela.screening.decision import Decision
from tutela.screening.evaluation.attacks.base import Scene
from tutela.screening.evaluation.attacks.catalogue import ATTACKS, encoded, opened
from tutela.screening.verdict import Verdict

KNOWN = photos()[2]
OTHERS = (photos()[0], photos()[1], photos()[3], draw_scene(5), draw_scene(6))


def samples(picture: Image.Image, views: ViewSet, mode: Mode = Mode.FAST):
    return PDQ.compute(OpenedContent(file_of(picture, "JPEG", quality=90), mode, Limits(views=views)))


def attacked(name: str, strength: float, picture: Image.Image = KNOWN, seed: int = 1) -> bytes:
    attack = ATTACKS[name]
    scene = Scene(picture, OTHERS, random.Random(f"{name}/{strength}/{seed}"))
    return encoded(attack.apply(scene, strength), attack.encoding(strength))


def distance(a: bytes, b: bytes) -> int:
    return PDQ.distance(bytes(a), bytes(b))


@pytest.fixture(scope="module")
def banks(tmp_path_factory):
    """A deployment that lists the known picture's plain hash in one bank and its further views too in another."""
    with compose_deployment(tmp_path_factory.mktemp("views"), decoders=1) as deployment:
        policy = Policy(Action.BLOCK)
        exact = samples(KNOWN, ViewSet.PLAIN, Mode.EXACT)
        listed = samples(KNOWN, ViewSet.LISTED, Mode.EXACT)
        deployment.banks.create("plain", policy=policy, actor="test")
        deployment.banks.add("plain", picture_entries(exact), actor="test")
        deployment.banks.create("views", policy=policy, actor="test")
        deployment.banks.add("views", picture_entries(listed), actor="test")
        deployment.refresh()
        yield deployment


def by_bank(verdict: Verdict) -> dict[str, str]:
    return {match.bank: match.view for match in verdict.matches}


@pytest.mark.parametrize(
    ("attack", "strength", "family"),
    [
        ("turn", 1, "mirrored"),
        ("turn", 90, "turned-270"),
        ("border", 20, "piece"),
        ("letterbox", 0.5625, "piece"),
        ("blurred-fill", 0.5625, "piece"),
        ("screenshot", 80, "piece"),
        ("meme", 25, None),
        ("collage", 3, None),
        ("rotate-grown", 10, "deskewed"),
        ("photographed-screen", 6, "deskewed"),
    ],
)
def test_a_copy_that_plain_misses_matches_a_bank_of_plain_hashes(banks, attack, strength, family):
    content = attacked(attack, strength)
    plain = banks.screener.screen(content, views=ViewSet.PLAIN)
    assert "plain" not in by_bank(plain)
    verdict = banks.screener.screen(content)
    assert verdict.decision is Decision.BLOCK
    view = by_bank(verdict)["plain"]
    assert family is None or view.startswith(family)


@pytest.mark.parametrize(
    ("attack", "strength"),
    [
        ("crop-placed", 20),
        ("crop-placed", 40),
        ("crop-one-side", 30),
        ("sticker", 20),
        ("smiley", 30),
        ("rotate-cropped", 5),
    ],
)
def test_a_crop_or_an_overlay_matches_a_bank_that_lists_further_views(banks, attack, strength):
    matched = by_bank(banks.screener.screen(attacked(attack, strength)))
    assert "plain" not in matched
    assert matched["views"] in ("anchored", "edge", "whole")


def test_the_view_that_matched_says_where_in_the_picture_it_lies(banks):
    page = Image.new("RGB", (900, 1200), "white")
    page.paste(KNOWN.resize((600, 400)), (150, 500))
    match = next(match for match in banks.screener.screen(file_of(page, "PNG")).matches if match.bank == "plain")
    assert match.view == "piece"
    region = match.region
    assert region is not None
    found = (region.left, region.top, region.right, region.bottom)
    assert found == pytest.approx((150 / 900, 500 / 1200, 750 / 900, 900 / 1200), abs=0.01)


def test_a_verdict_lists_the_plain_hash_and_those_views_that_matched(banks):
    verdict = banks.screener.screen(attacked("screenshot", 80))
    views = [item.view for item in verdict.hashes if item.signal == "pdq"]
    assert views[0] == "whole"
    assert set(views[1:]) == {match.view for match in verdict.matches}


def test_unrelated_pictures_do_not_match(banks):
    for picture in (*OTHERS, *(draw_scene(seed) for seed in range(100, 110))):
        assert banks.screener.screen(file_of(picture, "JPEG")).decision is Decision.ALLOW


def test_the_view_set_is_the_deployments_or_the_calls(tmp_path):
    with compose_deployment(new_home(tmp_path), decoders=1, limits=Limits(views=ViewSet.PLAIN)) as deployment:
        policy = Policy(Action.BLOCK)
        deployment.banks.create("known", policy=policy, actor="test")
        deployment.banks.add("known", picture_entries(samples(KNOWN, ViewSet.PLAIN, Mode.EXACT)), actor="test")
        deployment.refresh()
        mirrored = attacked("turn", 1)
        assert deployment.screener.screen(mirrored).decision is Decision.ALLOW
        assert deployment.screener.screen(mirrored, views=ViewSet.STANDARD).decision is Decision.BLOCK


def test_standard_asks_all_that_plain_asks_and_thorough_all_that_standard_asks():
    for picture in (KNOWN, *OTHERS):
        asked = {views: {s.value for s in samples(picture, views)} for views in ViewSet}
        assert asked[ViewSet.PLAIN] <= asked[ViewSet.STANDARD]
        whole = [s for s in samples(picture, ViewSet.STANDARD) if s.region is None]
        assert {s.value for s in whole} <= asked[ViewSet.THOROUGH]


def test_an_entry_with_views_is_one_entry_and_withdrawn_as_one(tmp_path):
    with compose_deployment(new_home(tmp_path), decoders=1) as deployment:
        deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="test")
        entries = picture_entries(samples(KNOWN, ViewSet.LISTED, Mode.EXACT))
        assert len(entries) == 1 and len(entries[0].values) > 50
        (entry_id,) = deployment.banks.add("known", entries, actor="test").entry_ids
        deployment.refresh()
        crop = attacked("crop-placed", 20)
        (match,) = deployment.screener.screen(crop).matches
        assert (match.entry_id, match.view) == (entry_id, "whole")  # of the upload, which is a listed piece
        deployment.banks.set_state(entry_id, EntryState.WITHDRAWN, reason="test", actor="test")
        deployment.refresh()
        assert deployment.screener.screen(crop).decision is Decision.ALLOW


def test_an_allow_list_lists_no_further_views(tmp_path):
    """Or a piece of an allowed picture would let through what surrounds it."""
    with compose_deployment(new_home(tmp_path), decoders=1) as deployment:
        deployment.banks.create("fine", kind=BankKind.ALLOW, actor="test")
        entries = picture_entries(samples(KNOWN, ViewSet.LISTED, Mode.EXACT))
        (entry_id,) = deployment.banks.add("fine", entries, actor="test", reason="test").entry_ids
        assert deployment.banks.values(entry_id) == []


def test_an_allowed_picture_does_not_hide_another_one_beside_it(tmp_path):
    """The page as a whole is allowed; the known picture in it still matches by its own view."""
    page = Image.new("RGB", (900, 1200), "white")
    page.paste(KNOWN.resize((600, 400)), (150, 500))
    content = file_of(page, "PNG")
    with compose_deployment(new_home(tmp_path), decoders=1) as deployment:
        deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="test")
        deployment.banks.add("known", picture_entries(samples(KNOWN, ViewSet.PLAIN, Mode.EXACT)), actor="test")
        deployment.banks.create("fine", kind=BankKind.ALLOW, actor="test")
        whole = next(item for item in deployment.screener.screen(content).hashes if item.signal == "pdq")
        deployment.banks.add("fine", [NewEntry("pdq", bytes.fromhex(whole.value))], actor="test", reason="test")
        deployment.refresh()
        assert deployment.screener.screen(content).decision is Decision.BLOCK


def lattices() -> dict[str, Image.Image]:
    """Pictures of little but lines: pages, grids, codes, empty app pages."""
    source = np.random.default_rng(3)
    found = {}
    for i in range(6):
        cells = source.integers(0, 2, (25 + i, 25 + i)).astype(np.uint8) * 255
        found[f"code {i}"] = Image.fromarray(cells).resize((400, 400), Image.Resampling.NEAREST)
        grid = np.full((400, 400), 255, np.uint8)
        grid[:: 20 + 3 * i] = grid[:, :: 20 + 3 * i] = 0
        found[f"grid {i}"] = Image.fromarray(grid)
    return found


def test_a_grid_of_lines_is_not_looked_up_turned():
    for name, picture in lattices().items():
        if name.startswith("grid"):
            turned = [s for s in samples(picture.convert("RGB"), ViewSet.STANDARD) if s.view in TURNS[1:]]
            assert len(turned) == 7 and not any(s.quality for s in turned)


def test_the_shapes_that_slides_share_are_no_match(tmp_path):
    """A point and a bar beside it have much detail, and are the same view in every slide that has them."""
    listed, asked = ([draw_generic("slide", seed) for seed in range(first, first + 6)] for first in (0, 100))
    bank = [s for picture in listed for s in samples(picture, ViewSet.LISTED) if s.view == "anchored"]
    near = 0
    with compose_deployment(new_home(tmp_path), decoders=1) as deployment:
        deployment.banks.create("slides", policy=Policy(Action.BLOCK), actor="test")
        values = tuple(EntryValue.of(view) for view in bank)
        whole = samples(KNOWN, ViewSet.PLAIN)[0].value
        deployment.banks.add("slides", [NewEntry("pdq", whole, values=values)], actor="test")
        deployment.refresh()
        for picture in asked:
            views = [s for s in samples(picture, ViewSet.STANDARD) if s.view.startswith("anchored")]
            near += any(
                distance(a.value, b.value) <= 27
                for a in views
                for b in bank
                if min(a.quality, b.quality) >= need(a.view).quality
            )
            assert not deployment.screener.screen(file_of(picture, "PNG")).matches
    assert near >= 3


def filled_fields(luma: np.ndarray) -> int:
    return int(_native.Canvas(luma).hashes(WHOLE[None], np.ones(1, np.uint8))[2][0])


def test_fields_and_quality_are_those_that_a_slow_count_gives():
    source = np.random.default_rng(4)
    for spread in (1, 3, 8, 60):
        small = (120 + source.integers(-spread, spread + 1, (64, 64)) * (source.random((64, 64)) < 0.02)).astype(
            np.uint8
        )
        steps = np.abs(np.diff(small.astype(int), axis=1)), np.abs(np.diff(small.astype(int), axis=0))
        shown = np.zeros((64, 64), bool)
        shown[:, :63] |= steps[0] >= 4
        shown[:63] |= steps[1] >= 4
        assert filled_fields(small) == shown.reshape(8, 8, 8, 8).any(axis=(1, 3)).sum()
        detail = sum((step * 100 // 255).sum() for step in steps)
        assert _native.pdq(small)[1] == min(detail // 90, 100)


def test_a_field_is_filled_where_neighbours_in_it_differ():
    ground = np.full((256, 256), 120, np.uint8)
    assert filled_fields(ground) == 0
    ground[64:96, 32:64] = 200
    assert 1 <= filled_fields(ground) <= 4
    assert filled_fields(grey(KNOWN, (256, 256))) > 48


def test_a_window_that_is_mostly_plain_ground_is_too_poor_to_match_alone():
    assert able_quality("anchored", 100, 36) == 100
    assert able_quality("anchored", 100, 35) == need("anchored").quality - 1
    assert able_quality("anchored", 40, 0) == 40
    assert able_quality("piece", 100, 0) == 100


def on_white(picture: Image.Image) -> Image.Image:
    """A disc of a picture on white ground, a little off the middle."""
    page, disc = Image.new("RGB", (400, 400), "white"), Image.new("L", (260, 300), 0)
    ImageDraw.Draw(disc).ellipse((0, 0, 259, 299), fill=255)
    page.paste(picture.resize((260, 300)), (40, 70), disc)
    return page


def test_a_picture_on_white_is_found_between_others_on_white():
    known, *others = (on_white(picture) for picture in (KNOWN, *OTHERS[:3]))
    listed = samples(known, ViewSet.LISTED)
    trimmed = [sample for sample in listed if sample.view == "trimmed"]

    def nearest(row: tuple[Image.Image, ...]) -> tuple[int, int]:
        page = Image.new("RGB", (1200, 400), "white")
        for i, picture in enumerate(row):
            page.paste(picture, (400 * i, 0))
        pieces = [sample for sample in samples(page, ViewSet.STANDARD) if sample.view == "piece"]
        whole = [sample for sample in listed if sample.view in ("whole", "inset")]

        def least(wanted) -> int:
            return min(distance(a.value, b.value) for a in pieces for b in wanted)

        return least(trimmed), least(whole)

    without_ground, as_it_is = nearest((others[0], known, others[1]))
    assert without_ground <= need("trimmed").ceiling < as_it_is
    assert min(nearest(tuple(others))) > 31


def test_a_view_of_few_pixels_has_no_quality():
    luma = grey(KNOWN, (400, 300))
    corners = np.stack([rectangle(0.1, 0.1, 0.1 + side / 400, 0.9) for side in (20, 31, 33, 200)])
    _, qualities = _native.pdq_views(luma, corners)
    assert not qualities[:2].any() and (qualities[2:] > 50).all()


def test_lattices_do_not_match_each_other():
    pictures = lattices()
    looked_up = {name: samples(picture.convert("RGB"), ViewSet.STANDARD) for name, picture in pictures.items()}
    for name, found in looked_up.items():
        for other, listed in looked_up.items():
            if name.split()[0] == other.split()[0] == "code" and name != other:
                whole = listed[0].value
                near = [
                    s
                    for s in found
                    if (s.quality or 0) >= 50 and distance(s.value, whole) <= (need(s.view).ceiling or 31)
                ]
                assert not near, (name, other, near[0].view)


@settings(max_examples=effort(20, 200), deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1), st.sampled_from(["noise", "flat", "steps"]))
def test_any_picture_has_views_that_lie_in_it(height, width, seed, kind):
    source = np.random.default_rng(seed)
    luma = {
        "noise": source.integers(0, 256, (height, width)),
        "flat": np.full((height, width), seed % 256),
        "steps": (np.arange(height)[:, None] // 7 * 40 + np.arange(width) // 9 * 30) % 256,
    }[kind].astype(np.uint8)
    for views in (ViewSet.STANDARD, ViewSet.THOROUGH, ViewSet.LISTED):
        for frame in find_frames(reduced(luma), views):
            hashes, qualities, filled = frame.canvas.hashes(frame.views.corners, frame.views.turns)
            assert len(filled) == len(qualities) and (filled <= 64).all()
            assert len(qualities) == len(frame.views.families) == len(frame.views.corners)
            assert hashes.shape == (np.bitwise_count(frame.views.turns).sum(), 32)
            assert np.isfinite(frame.views.corners).all()


def test_the_view_of_the_whole_hashes_as_the_whole_does():
    for picture in (KNOWN, *OTHERS):
        luma = np.ascontiguousarray(np.asarray(picture.convert("L")))
        hashes, _ = _native.pdq_views(luma, WHOLE[None], 1)
        # PDQ's windows begin at whole pixels, up to one off the middle; a view's parts do not.
        assert distance(hashes[0], _native.pdq(luma)[0]) <= 20


def test_an_upright_view_hashes_as_the_same_piece_cut_out_does():
    luma = np.ascontiguousarray(np.asarray(KNOWN.convert("L")))
    height, width = luma.shape
    left, top, right, bottom = 40, 30, 440, 350
    corners = rectangle(left / width, top / height, right / width, bottom / height)
    hashes, _ = _native.pdq_views(luma, corners[None])
    cut = np.ascontiguousarray(luma[top:bottom, left:right])
    assert distance(hashes[0], _native.pdq(cut)[0]) <= 20


def test_a_turned_view_hashes_as_the_turned_picture_does():
    turns = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270,
             Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.TRANSPOSE,
             Image.Transpose.TRANSVERSE)  # fmt: skip
    grey = KNOWN.convert("L")
    hashes, _ = _native.pdq_views(np.ascontiguousarray(np.asarray(grey)), WHOLE[None], 1)
    for turn, value in zip(turns, hashes, strict=True):
        turned = grey if turn is None else grey.transpose(turn)
        straight, _ = _native.pdq_views(np.ascontiguousarray(np.asarray(turned)), WHOLE[None])
        assert distance(value, straight[0]) <= 4


@pytest.mark.parametrize(
    "corners",
    [
        np.zeros((4, 2)),
        np.full((4, 2), np.nan),
        np.full((4, 2), np.inf),
        np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]]),
        np.array([[0, 0], [100, 0], [100, 1], [0, 1.0]]),
        np.array([[0, 0], [1e-9, 0], [1e-9, 1e-9], [0, 1e-9]]),
    ],
)
def test_what_is_no_view_hashes_to_nothing(corners):
    hashes, qualities = _native.pdq_views(np.ascontiguousarray(np.asarray(KNOWN.convert("L"))), corners[None])
    assert bytes(hashes[0]) == bytes(32)
    assert qualities[0] == 0


def test_the_native_core_refuses_what_is_no_picture():
    with pytest.raises(ValueError, match="empty"):
        _native.pdq_views(np.zeros((0, 4), np.uint8), WHOLE[None])
    with pytest.raises(ValueError, match="more views"):
        _native.pdq_views(np.zeros((8, 8), np.uint8), WHOLE[None], 2)
    with pytest.raises(ValueError, match="empty"):
        _native.Canvas(np.zeros((4, 0), np.uint8))
    canvas = _native.Canvas(np.zeros((80, 80), np.uint8))
    for bounds, window in (((0.0, 0.0, 1.0, 1.1), 0.36), ((0.5, 0.0, 0.5, 1.0), 0.36), ((0.0, 0.0, 1.0, 1.0), 0.0)):
        with pytest.raises(ValueError, match=r"bounds|window"):
            canvas.windows(bounds, 8, window, 1.0)
    for scale in (0.0, 0.2, 1.5, float("nan")):
        with pytest.raises(ValueError, match="scale"):
            canvas.windows((0.0, 0.0, 1.0, 1.0), 8, 0.36, scale)


def boxes(luma: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Left, top, right, bottom in pixels of the pictures found inside."""
    corners, _, _ = _native.Canvas(luma).pictures(10, 28)
    height, width = luma.shape
    sides = corners[:, (0, 2)].reshape(-1, 4) * (width, height, width, height)
    return [tuple(box) for box in sides.round().astype(int).tolist()]


def is_found(luma: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    """Whether a box was found as nearly as PDQ needs it, to 2 % of its sides."""
    tolerance = (0.02 * (box[2] - box[0]), 0.02 * (box[3] - box[1]))
    return any(
        all(abs(a - b) <= tolerance[side % 2] for side, (a, b) in enumerate(zip(found, box, strict=True)))
        for found in boxes(luma)
    )


def grey(picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(picture.convert("L").resize(size)))


@pytest.mark.parametrize("spread", [5, 12, 30])
def test_a_picture_within_noise_is_found(spread):
    noise = np.random.default_rng(spread).normal(120, spread, (300, 400))
    noise[40:270, 60:350] = grey(KNOWN, (290, 230))
    assert is_found(noise.clip(0, 255).astype(np.uint8), (60, 40, 350, 270))


@pytest.mark.parametrize("picture", [*OTHERS, KNOWN])
def test_a_picture_upon_a_blurred_copy_of_itself_is_found(picture):
    page = (
        picture.convert("L").resize((300, 500)).filter(ImageFilter.GaussianBlur(12)).point(lambda value: value * 4 // 5)
    )
    page.paste(picture.convert("L").resize((300, 200)), (0, 150))
    assert is_found(np.ascontiguousarray(np.asarray(page)), (0, 150, 300, 350))


def test_pictures_that_touch_are_found():
    page = np.zeros((320, 420), np.uint8)
    cells = [(0, 0, 120, 130), (120, 0, 290, 130), (290, 0, 420, 130), (0, 130, 120, 320), (120, 130, 290, 320)]
    for picture, (left, top, right, bottom) in zip((*OTHERS, KNOWN), [*cells, (290, 130, 420, 320)], strict=True):
        page[top:bottom, left:right] = grey(picture, (right - left, bottom - top))
    assert all(is_found(page, cell) for cell in cells)


def test_a_photo_has_no_pictures_inside_that_cost_a_closer_look():
    for picture in (KNOWN, *OTHERS[:3]):
        _, scores, _ = _native.Canvas(grey(picture, (400, 300))).pictures(10, 28)
        assert (scores < SURE).all()


def tilted_page(corners: np.ndarray, light: float = 0) -> np.ndarray:
    """400 x 300 of plain ground, as much lighter to the right as told, with a textured quadrilateral upon it."""
    ys, xs = np.mgrid[0:300, 0:400] + 0.5
    inside = np.ones((300, 400), bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= (bx - ax) * (ys - ay) - (by - ay) * (xs - ax) > 0
    texture = np.random.default_rng(1).integers(0, 120, (300, 400))
    return np.where(inside, texture, 180 + light * xs / 400).astype(np.uint8)


def upright_corners(width: float, height: float) -> np.ndarray:
    return (np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) - 0.5) * (width, height) + (200, 150)


@pytest.mark.parametrize("degrees", [-30, -10, -1.5, 1.5, 5, 20, 44])
@pytest.mark.parametrize("light", [0, 30])
def test_a_tilted_picture_on_plain_ground_is_found_where_it_lies(degrees, light):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = (upright_corners(240, 160) - (200, 150)) @ turn + (200, 150)
    found = _native.Canvas(tilted_page(corners, light)).tilted() * (400, 300)
    assert len(found) >= 1
    assert np.abs(found[0] - corners).max() < 5


def test_a_picture_seen_aslant_is_found_as_a_quadrilateral():
    corners = np.array([[60.0, 40], [330, 70], [300, 260], [90, 230]])
    found = _native.Canvas(tilted_page(corners)).tilted() * (400, 300)
    assert np.abs(found[-1] - corners).max() < 5


def test_a_quadrilateral_is_cut_out_as_pillow_does_it():
    luma = grey(KNOWN, (400, 300))
    for corners in (
        np.array([[60.0, 40], [330, 70], [300, 260], [90, 230]]),
        np.array([[-20.0, 10], [390, -30], [410, 280], [5, 310]]),
    ):
        (width, _), (height, _) = (
            sorted((np.hypot(*(corners[a] - corners[b])), np.hypot(*(corners[c] - corners[d]))), reverse=True)
            for a, b, c, d in ((1, 0, 2, 3), (3, 0, 2, 1))
        )
        size = int(width), int(height)
        quadrilateral = corners[[0, 3, 2, 1]].ravel().tolist()
        expected = Image.fromarray(luma).transform(size, Image.Transform.QUAD, quadrilateral, Image.Resampling.BILINEAR)
        cut = _native.Canvas(luma).cut_out(corners / (400, 300), 48)
        views = np.stack([WHOLE, *EDGES])
        for found, wanted in zip(
            cut.hashes(views, np.ones(len(views), np.uint8)),
            _native.Canvas(np.asarray(expected)).hashes(views, np.ones(len(views), np.uint8)),
            strict=True,
        ):
            assert np.array_equal(found, wanted)


def test_what_is_too_small_too_large_or_nowhere_is_not_cut_out():
    canvas = _native.Canvas(grey(KNOWN, (400, 300)))
    assert canvas.cut_out(rectangle(0, 0, 47.9 / 400, 1), 48) is None
    assert canvas.cut_out(rectangle(0, 0, 48 / 400, 1), 48) is not None
    assert canvas.cut_out(rectangle(0, 0, 1, 1), 0) is not None
    assert canvas.cut_out(rectangle(0, 0, 0, 0), 0) is None
    assert canvas.cut_out(rectangle(-3, 0, 3, 1), 48) is None
    for place in (float("nan"), float("inf"), 1e300):
        assert canvas.cut_out(rectangle(place, 0, 1, 1), 48) is None


def test_what_is_upright_or_lies_on_no_plain_ground_is_not_tilted():
    upright = tilted_page(upright_corners(240, 160))
    noise = np.random.default_rng(2).integers(0, 256, (300, 400)).astype(np.uint8)
    aslant = tilted_page(np.array([[60.0, 40], [330, 70], [300, 260], [90, 230]]))
    two_plain_corners = aslant.copy()
    two_plain_corners[:, 390:] = noise[:, 390:]
    different_ground = aslant.copy()
    different_ground[:150, :20], different_ground[150:, 380:] = 60, 120
    for page in (upright, noise, np.full((300, 400), 90, np.uint8), two_plain_corners, different_ground):
        assert len(_native.Canvas(page).tilted()) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (2, 2), (31, 900), (32, 32), (33, 47), (3000, 33)])
@pytest.mark.parametrize("kind", ["black", "noise", "corner"])
def test_a_picture_of_any_size_is_looked_through(shape, kind):
    luma = np.zeros(shape, np.uint8)
    if kind == "noise":
        luma = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    elif kind == "corner":
        luma[shape[0] // 2 :, shape[1] // 2 :] = 255
    canvas = _native.Canvas(luma)
    families, corners = canvas.views(10, 28, 8, 0.36, 4, 0.5, EDGES)
    assert len(canvas.tilted()) <= 2
    assert len(families) == len(corners) >= len(EDGES)
    assert np.isfinite(corners).all()
    _, qualities, _ = canvas.hashes(corners, np.ones(len(corners), np.uint8))
    assert (qualities <= 100).all()


@pytest.mark.parametrize(("sure", "inner"), [(0.9, 4), (0.5, 2), (0.0, 0), (2.0, 4)])
@pytest.mark.parametrize(
    ("attack", "strength"), [("collage", 6), ("rotate-grown", 10), ("screenshot", 80), ("comic", 2)]
)
def test_what_is_looked_up_inside_is_what_each_search_finds(attack, strength, sure, inner):
    page = opened(attacked(attack, strength))
    canvas = _native.Canvas(grey(page, page.size))
    families, corners = canvas.views(10, 28, 8, 0.36, inner, sure, EDGES)
    tilted = canvas.tilted()
    upright, scores, pieces = canvas.pictures(10, 28)
    expected = [(0, tilted), (1, upright[:pieces]), (2, upright[pieces:])]
    within = [WHOLE, *upright[scores >= np.float32(sure)][: max(0, inner - len(tilted))]]
    for frame in within:
        left, top, right, bottom = bounds = (*frame[0].tolist(), *frame[2].tolist())
        expected += [(3, EDGES * (right - left, bottom - top) + (left, top)), (4, canvas.windows(bounds, 8, 0.36, 1.0))]
    assert families.tolist() == [family for family, found in expected for _ in found]
    assert np.array_equal(corners, np.concatenate([found for _, found in expected]))


def test_what_is_no_window_is_refused():
    canvas = _native.Canvas(np.zeros((80, 80), np.uint8))
    for window in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match="window"):
            canvas.views(10, 28, 8, window, 4, 0.9, EDGES)


def test_every_simd_level_finds_the_same():
    pages = [
        opened(attacked(name, strength))
        for name, strength in (("collage", 6), ("border-noisy", 10), ("comic", 2), ("rotate-grown", 10))
    ]
    lumas = [grey(page, page.size) for page in pages]
    used = _native.simd()
    answers = []
    for level in _native.simd_levels():
        _native.select_simd(level)
        canvases = [_native.Canvas(luma) for luma in lumas]
        found = [canvas.views(10, 28, 8, 0.36, 4, 0.9, EDGES) for canvas in canvases]
        hashes = [
            canvas.hashes(corners, np.ones(len(corners), np.uint8))
            for canvas, (_, corners) in zip(canvases, found, strict=True)
        ]
        answers.append([[part.tobytes() for part in parts] for parts in (*found, *hashes)])
    _native.select_simd(used)
    assert all(answer == answers[0] for answer in answers)


def test_a_landmark_is_found_where_it_lies():
    luma = np.full((80, 100), 40, np.uint8)
    ys, xs = np.mgrid[0:80, 0:100]
    luma[(xs - 63) ** 2 + (ys - 27) ** 2 <= 9] = 220
    window = _native.Canvas(luma).windows((0.0, 0.0, 1.0, 1.0), 1, 0.36, 1.0)[0]
    assert window.mean(axis=0) * (100, 80) == pytest.approx((63.5, 27.5), abs=0.4)
