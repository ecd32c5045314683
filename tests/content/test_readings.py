"""Readings: whatever a viewer may show of a picture is hashed, and what cannot be had is held."""

import random
import struct
import zlib
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from tests.support import hostile_pictures as hostile
from tests.support.effort import effort
from tests.support.lists import list_plainly
from tests.support.looked import looked, outcome
from tests.support.pictures import draw_scene, every_format, file_of, photos
from tutela.content.media.confined.decode import decode_picture
from tutela.content.media.confined.endings import end_of
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.content import Mode, Picture
from tutela.content.media.limits import Limits
from tutela.content.media.sniff import MediaType, sniff
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.screening.decision import Decision

KNOWN = photos()[0].resize((240, 180))
OTHER = photos()[2].resize((240, 180))
GREY = KNOWN.convert("L")
NEGATIVE = hostile.negative(KNOWN)
ORDINARY = {"plain": lambda x: x**2.2, "inverse": hostile.inverse}
ODD: dict[str, dict[str, Any]] = {
    "version 5": {"version": 0x05000000},
    "length too long": {"more": 100},
    "an abstract class": {"kind": b"abst"},
    "a tag twice": {"twice": True},
    "over 100 tags": {"tags": 150},
}


def srgb(value: float) -> float:
    """The curve of sRGB."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


FORMS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")


def decoded(data: bytes) -> Picture:
    return decode_picture(data, sniff(data), Mode.FAST, Limits())


def saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    lossy = {"quality": 90} if form in ("JPEG", "WEBP", "AVIF") else {}
    return file_of(picture, form, **{**lossy, **options})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("oddity", [*ODD, "none"])
def test_a_picture_is_found_with_and_without_its_profile(form: str, oddity: str) -> None:
    """The profile turns what it is applied to into its negative."""
    icc = hostile.profile(hostile.inverse, **ODD.get(oddity, {}))
    assert outcome(saved(KNOWN, form, icc_profile=icc)) == "block"
    assert outcome(saved(NEGATIVE, form, icc_profile=icc)) == "block"


def test_no_marker_hides_the_profile_of_a_jpeg() -> None:
    """Readers disagree which markers have a length, and whoever takes one for another passes over what follows."""
    whole = saved(NEGATIVE, "JPEG", icc_profile=hostile.profile(hostile.inverse))
    begin = whole.index(b"\xff\xe2")
    outcomes = set[str]()
    every = list(product(range(1, 256), (b"", b"\0\0", b"\0\1", b"\0\2")))
    for marker, behind in random.Random(1).sample(every, effort(len(every), len(every))):
        outcomes.add(outcome(whole[:begin] + bytes([0xFF, marker]) + behind + whole[begin:]))
    assert outcomes == {"block", "hold"}, "and none of them is allowed"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", ["L", "LA"])
@pytest.mark.parametrize("space", [b"GRAY", b"RGB "])
def test_a_grey_picture_is_found_with_and_without_a_profile(form: str, mode: str, space: bytes) -> None:
    if (form, mode) == ("JPEG", "LA"):
        pytest.skip("JPEG has no alpha")
    icc = hostile.profile(hostile.inverse, space)
    for shown in (GREY, NEGATIVE.convert("L")):
        assert outcome(saved(shown.convert(mode), form, icc_profile=icc)) == "block"


def test_a_profile_is_applied_where_it_is_wild_between_the_usual_numbers() -> None:
    """Nine steps through a curve would not see it."""
    icc = hostile.profile(lambda x: x**2.2 if round(x * 255) % 32 in (0, 31) else (1 - x) ** 2.2)
    assert decoded(saved(KNOWN, "PNG", icc_profile=icc)).readings


@pytest.mark.parametrize(
    ("mode", "icc"),
    [
        ("RGB", None),
        ("L", None),
        ("RGB", hostile.profile(srgb)),
        ("L", hostile.profile(srgb, b"GRAY")),
        ("RGBA", None),
        ("LA", None),
    ],
)
def test_a_picture_that_is_shown_in_one_way_has_one_reading(mode: str, icc: bytes | None) -> None:
    for form in ("PNG", "WEBP", "TIFF", "JPEG"):
        if form == "JPEG" and mode in ("RGBA", "LA"):
            continue
        picture = decoded(file_of(KNOWN.convert(mode), form, **({"icc_profile": icc} if icc else {})))
        assert picture.readings == ()


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF", "TIFF", "HEIF", "JXL", "TGA", "ICO", "JPEG2000"])
def test_what_is_seen_through_is_found_on_every_ground(form: str) -> None:
    if form == "JXL":
        pytest.importorskip("pillow_jxl")
    options = {"lossless": True} if form in ("WEBP", "JXL") else {"quality": 95} if form in ("AVIF", "HEIF") else {}
    mode = "RGBA" if form in ("AVIF", "HEIF", "WEBP", "ICO", "TGA", "JXL") else "LA"
    faces = hostile.two_faced(KNOWN, OTHER)
    assert outcome(file_of(faces.convert(mode), form, **options)) == "block"
    assert outcome(file_of(hostile.seen_through(KNOWN), form, **options)) == "block"
    if form == "ICO":
        return  # its encoder scales, and keeps no colours that are not seen
    hidden = KNOWN.convert("RGBA")
    hidden.putalpha(0)
    options |= {"exact": True} if form == "WEBP" else {}
    assert outcome(file_of(hidden, form, **options)) == "block"


def test_a_bitmap_whose_alpha_is_all_zero_is_shown_without_it() -> None:
    """As Windows shows it, and as browsers do not."""
    rows = np.asarray(KNOWN)[::-1]
    pixels = np.dstack([rows[..., ::-1], np.zeros(rows.shape[:2], np.uint8)]).tobytes()
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII4I", 108, *KNOWN.size, 1, 32, 3, len(pixels), 0, 0, 0, 0, *masks).ljust(108, b"\0")
    bitmap = b"BM" + struct.pack("<IHHI", 122 + len(pixels), 0, 0, 122) + info + pixels
    assert outcome(bitmap) == "block"


def halftone() -> np.ndarray:
    return np.asarray(KNOWN.convert("1")).astype(np.uint8)


@pytest.mark.parametrize(
    "kind", ["grey", "colours", "palette", "one bit", "grey of sixteen bits", "RGB of sixteen bits"]
)
def test_a_transparent_colour_is_transparent(kind: str) -> None:
    """The picture is a halftone of black and of a colour next to it, which is the transparent one."""
    dots = halftone()
    match kind:
        case "grey":
            data = file_of(Image.fromarray(dots), "PNG", transparency=1)
        case "colours":
            data = file_of(Image.fromarray(np.dstack([dots] * 3)), "PNG", transparency=(1, 1, 1))
        case "palette":
            picture = Image.fromarray(dots, "P")
            picture.putpalette([0, 0, 0, 1, 1, 1] + [9] * 762)
            data = file_of(picture, "PNG", transparency=1)
        case "one bit":
            data = file_of(KNOWN.convert("1"), "PNG", transparency=255)
        case "grey of sixteen bits":
            values = dots.astype(np.uint16)[..., None]
            data = hostile.png_of_sixteen_bits(values, (b"tRNS", struct.pack(">H", 1)))
        case _:
            values = np.dstack([dots.astype(np.uint16)] * 3)
            data = hostile.png_of_sixteen_bits(values, (b"tRNS", struct.pack(">3H", 1, 1, 1)))
    assert outcome(data) == "block"


def test_a_png_is_found_with_and_without_its_gamma() -> None:
    gamma = (b"gAMA", struct.pack(">I", 2000))
    for shown, decoy in ((KNOWN, OTHER), (OTHER, KNOWN)):
        picture = hostile.squeezed(shown.resize((320, 240)), decoy.resize((320, 240)), 0.02)
        assert outcome(hostile.png_chunks_before_pixels(picture, gamma)) == "block"


def _before_pixels(picture: Image.Image, chunks: bytes) -> bytes:
    data = file_of(picture, "PNG")
    at = data.index(b"IDAT") - 4
    return data[:at] + chunks + data[at:]


def _decoys(count: int, kind: str) -> bytes:
    """Chunks whose checksums are wrong: browsers pass over them."""
    match kind:
        case "gammas":
            chunks = [(b"gAMA", struct.pack(">I", 30_000 + 1_000 * number)) for number in range(count)]
        case "gammas of next to nothing":
            chunks = [(b"gAMA", struct.pack(">I", 45_455 + number)) for number in range(count)]
        case "codes":
            chunks = [
                (b"cICP", bytes([9, 16, 0, 1])),
                *((b"cICP", bytes([1, number, 0, 1])) for number in range(count)),
            ]
        case _:
            curves = [lambda x, power=2 + number / 9: x**power for number in range(count)]
            chunks = [(b"iCCP", b"i\0\0" + zlib.compress(hostile.profile(curve))) for curve in curves]
    return b"".join(hostile.png_chunk(*one, sound=False) for one in chunks)


@pytest.mark.parametrize("kind", ["gammas", "gammas of next to nothing", "codes", "profiles"])
def test_what_a_png_says_behind_decoys_counts(kind: str) -> None:
    """Chromium shows the known picture, however many statements with wrong checksums stand before the true one."""
    picture = hostile.squeezed(KNOWN.resize((320, 240)), OTHER.resize((320, 240)), 0.02)
    gamma = hostile.png_chunk(b"gAMA", struct.pack(">I", 2000))
    for count, expected in ((2, {"block"}), (80, {"block", "hold"})):
        assert outcome(_before_pixels(picture, _decoys(count, kind) + gamma)) in expected, count


def test_primaries_of_a_png_count_behind_decoys() -> None:
    points = struct.pack(">8I", *(round(n * 100_000) for n in (0.3127, 0.329, 0.34, 0.33, 0.3, 0.345, 0.3, 0.31)))
    ordinary = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    decoys = hostile.png_chunk(b"cHRM", ordinary, sound=False) + hostile.png_chunk(b"cHRM", bytes(32))
    true = hostile.png_chunk(b"cHRM", points)
    alone, behind = (decoded(_before_pixels(KNOWN.convert("RGB"), chunks)).readings for chunks in (true, decoys + true))
    assert len(alone) > 0
    assert all(any(np.array_equal(one, other) for _, other in behind) for _, one in alone)


@pytest.mark.parametrize("sound", [True, False])
@pytest.mark.parametrize("depth", ["palette", "grey"])
def test_what_a_png_says_twice_of_its_transparency_is_held(depth: str, sound: bool) -> None:
    """Browsers take the first table, Pillow the last: without the first, this is another picture."""
    dots, other = halftone(), np.asarray(OTHER.resize((240, 180)).convert("L")) // 64
    if depth == "palette":
        picture = Image.fromarray((other * 2 + dots).astype(np.uint8), "P")
        picture.putpalette([30 + 25 * (number // 2) for number in range(8) for _ in "rgb"] + [9] * 744)
        first, second = (
            hostile.png_chunk(b"tRNS", bytes([255, 0] * 4)),
            hostile.png_chunk(b"tRNS", bytes([255] * 8), sound=sound),
        )
    else:
        picture = Image.fromarray(np.where(dots == 1, 1, other * 50 + 40).astype(np.uint8))
        first, second = b"\0\1", b"\0\xff"
    one, other_one = hostile.png_chunk(b"tRNS", first), hostile.png_chunk(b"tRNS", second, sound=sound)
    for chunks, is_held in ((one, False), (one + other_one, True), (other_one + one, True)):
        found, shortcomings = looked(_before_pixels(picture, chunks))
        assert (bool(found), bool(shortcomings)) == (True, is_held)


@pytest.mark.parametrize("tags", [0, 90, 110, 1_100, 5_000])
def test_a_profile_counts_however_many_tags_it_has(tags: int) -> None:
    """LCMS reads a hundred, the library of browsers all; those that matter stand last."""
    profile = hostile.profile(lambda x: x**45)
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * number) for number in range(count)]
    more = [(b"x%03d" % (number % 1_000), *entries[1][1:]) for number in range(tags)]
    table = b"".join(struct.pack(">4sII", key, at + 12 * tags, length) for key, at, length in (*more, *entries))
    head = struct.pack(">I", len(profile) + 12 * tags) + profile[4:128] + struct.pack(">I", count + tags)
    picture = hostile.squeezed(KNOWN.resize((320, 240)), OTHER.resize((320, 240)), 0.02)
    packed = b"i\0\0" + zlib.compress(head + table + profile[132 + 12 * count :])
    assert outcome(_before_pixels(picture, hostile.png_chunk(b"iCCP", packed))) == "block"


def test_what_a_gamma_shows_of_the_last_eight_of_sixteen_bits_is_found() -> None:
    """Every number's first eight bits are alike: in eight bits this is a white sheet."""
    shown = (np.asarray(KNOWN, float) / 255) ** (2.2 * 0.0002)
    values = np.round(65535 * shown).clip(65281, 65535).astype(np.uint16)
    assert (values >> 8 == 255).all()
    data = hostile.png_of_sixteen_bits(values, (b"gAMA", struct.pack(">I", 20)))
    assert outcome(data) == "block"


def test_a_steep_profile_on_sixteen_bits_is_held() -> None:
    values = np.full((180, 240, 3), 65300, np.uint16)
    icc = hostile.profile(lambda x: 0.0 if x < 0.98 else (x - 0.98) * 50)
    chunk = (b"iCCP", b"i\0\0" + zlib.compress(icc))
    assert outcome(hostile.png_of_sixteen_bits(values, chunk)) == "hold"


@pytest.mark.parametrize("code", [16, 18, 8])
def test_a_png_with_a_colour_code_is_looked_at_with_and_without_it(code: int) -> None:
    data = hostile.png_chunks_before_pixels(KNOWN, (b"cICP", bytes([9, code, 0, 1])))
    assert decoded(data).readings
    assert outcome(data) == "block"


def test_a_picture_in_the_colours_of_a_jpeg_alone_is_seen() -> None:
    """Its contrast is a third of the picture's: it is too poor to match, and near enough to be held."""
    for options in ({}, {"progressive": True}, {"subsampling": 2}, {"restart_marker_blocks": 5}):
        data = hostile.in_the_colours_alone(KNOWN.resize((960, 720)), **options)
        assert looked(data)[0][0][0] <= 12
        assert decoded(data).pixels.max() > 40


@pytest.mark.parametrize("progressive", [False, True])
def test_waves_that_leave_the_range_of_a_jpeg_are_seen_as_they_are_cut_off(progressive: bool) -> None:
    small = KNOWN.resize((272, 272)), OTHER.resize((272, 272))
    data = hostile.waves(*small, progressive=progressive)
    assert outcome(data) == "block"


def test_ordinary_jpegs_are_not_taken_for_such() -> None:
    from tutela.content.media.confined import jpeg

    for number, picture in enumerate((*photos(), draw_scene(1), draw_scene(2))):
        for quality in (30, 75, 95):
            data = file_of(picture.resize((1100, 1100)), "JPEG", quality=quality, subsampling=number % 3)
            assert jpeg.scaled_luma(data) is not None


def test_a_jpeg_that_does_not_say_what_its_components_are_is_read_in_both_ways() -> None:
    plain = file_of(KNOWN, "JPEG", quality=90)
    assert decoded(plain).readings == ()
    at = plain.index(b"\xff\xdb")
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    assert decoded(plain[:at] + adobe + plain[at:]).readings  # JFIF says the one, Adobe the other
    other = file_of(Image.merge("RGB", OTHER.convert("YCbCr").split()), "JPEG", keep_rgb=True, quality=95)
    jfif = plain[2 : 4 + int.from_bytes(plain[4:6])]
    assert plain[2:4] == b"\xff\xe0"
    assert outcome(other) == "allow"
    for shown in (KNOWN, Image.merge("RGB", KNOWN.convert("YCbCr").split())):
        data = file_of(shown, "JPEG", keep_rgb=True, quality=95, subsampling=0)
        assert outcome(data[:2] + jfif + data[2:]) == "block"


def test_the_negative_of_a_picture_is_a_view_of_it() -> None:
    assert looked(file_of(NEGATIVE, "PNG"), views=Limits().views)[0][0][0] <= 4


CUT = file_of(photos()[0].resize((480, 360)), "JPEG", quality=90)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_jpeg_with_stray_bytes_that_is_then_cut_is_damaged(share: float) -> None:
    """libjpeg warns of the stray bytes first, and of the cut only afterwards."""
    at = CUT.index(b"\xff\xdb")
    for end in (b"", b"\xff\xd9"):
        cut = CUT[:at] + b"\x12\x34" + CUT[at : int(len(CUT) * share)] + end
        assert decoded(cut).damaged
    assert not decoded(CUT[:at] + b"\x12\x34" + CUT[at:]).damaged


def test_a_jpeg_without_its_end_is_whole_and_one_cut_before_it_is_not() -> None:
    for data in (
        CUT,
        file_of(KNOWN, "JPEG", progressive=True),
        file_of(GREY, "JPEG"),
        file_of(KNOWN.convert("CMYK"), "JPEG"),
    ):
        assert data.endswith(b"\xff\xd9")
        assert not decoded(data[:-2]).damaged
        assert decoded(data[: len(data) * 3 // 4]).damaged
    profiled = saved(KNOWN, "JPEG", icc_profile=hostile.profile(hostile.inverse))
    assert not decoded(profiled[:-2]).damaged
    assert decoded(profiled[: len(profiled) * 3 // 4] + b"\xff\xd9").damaged


def test_a_png_with_a_wrong_checksum_of_what_it_can_do_without_is_decoded() -> None:
    data = hostile.png_chunks_before_pixels(KNOWN, (b"tEXt", b"k\0v"), (b"sRGB", b"\0"))
    for kind in (b"tEXt", b"sRGB"):
        assert outcome(hostile.with_a_chunk_broken(data, kind)) == "block"


@pytest.mark.slow
def test_photos_of_200_megapixels_are_brought_down_while_they_are_decoded() -> None:
    assert outcome(file_of(Image.new("L", (16_320, 12_240), 90), "JPEG")) == "allow"
    assert outcome(file_of(Image.new("L", (16_320, 12_240), 90), "PNG")) == "hold"


@pytest.mark.parametrize("form", ["JXL", "JPEG2000", "ICO", "PPM", "TGA", "QOI"])
def test_more_formats_are_decoded(form: str) -> None:
    if form == "JXL":
        pytest.importorskip("pillow_jxl")
    assert outcome(file_of(KNOWN, form)) == "block"
    assert outcome(file_of(OTHER, form)) == "allow"


def gif_blocks_after_the_first_frame(data: bytes) -> int:
    from tutela.content.media.confined.endings import gif_blocks

    return next(end for introducer, _, end in gif_blocks(memoryview(data)) if introducer == 0x2C)


@pytest.mark.parametrize("stray", [b"\0", b"junk", b"\xff" * 9])
def test_what_follows_stray_bytes_in_a_gif_is_looked_at(stray: bytes) -> None:
    data = file_of(OTHER, "GIF", save_all=True, append_images=[KNOWN], duration=300)
    at = gif_blocks_after_the_first_frame(data)
    assert outcome(data[:at] + stray + data[at:]) == "block"


@pytest.mark.parametrize("primary", [0, 1])
def test_every_picture_of_a_heic_is_looked_at_whichever_is_primary(primary: int) -> None:
    pillow_heif.register_heif_opener()
    for first, second in ((KNOWN, OTHER), (OTHER, KNOWN)):
        data = file_of(first, "HEIF", save_all=True, append_images=[second], primary_index=primary, quality=90)
        assert outcome(data) == "block"
        assert outcome(hidden_items(data)) == "block"


def hidden_items(data: bytes) -> bytes:
    """The file with every item but the primary one hidden."""
    copy, at = bytearray(data), data.find(b"infe")
    primary = int.from_bytes(data[data.index(b"pitm") + 8 :][:2])
    while at >= 0:
        if int.from_bytes(data[at + 8 : at + 10]) != primary:
            copy[at + 7] |= 1
        at = data.find(b"infe", at + 1)
    return bytes(copy)


def test_a_second_file_behind_a_heic_or_avif_is_another_file() -> None:
    for form in ("AVIF", "HEIF"):
        data = file_of(OTHER, form, quality=80)
        assert outcome(data + file_of(KNOWN, form, quality=80)) == "block"
        assert end_of(memoryview(data + data), MediaType.AVIF) == len(data)


def test_sub_directories_of_a_tiff_are_looked_at() -> None:
    small, large = file_of(OTHER.resize((60, 45)), "TIFF"), file_of(KNOWN, "TIFF")
    assert outcome(tiff_with_sub_directory(small, large)) == "block"


@pytest.mark.parametrize("entry", ["a place of pixels twice", "more entries than are read", "sub-directories nowhere"])
def test_a_tiff_of_which_a_directory_is_not_clear_is_held(entry: str) -> None:
    """libtiff takes the first of two, others the last; a reader that stops early comes to no sub-directory."""
    data = file_of(OTHER, "TIFF")
    (page,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, page)
    entries = [data[page + 2 + 12 * n : page + 14 + 12 * n] for n in range(count)]
    more = {
        "a place of pixels twice": [next(one for one in entries if one.startswith(struct.pack("<H", 273)))],
        "more entries than are read": [struct.pack("<HHII", 40_000 + n, 3, 1, 0) for n in range(4_100)],
        "sub-directories nowhere": [struct.pack("<HHII", 330, 4, 9, 2**31)],
    }[entry]
    at = len(data) + len(data) % 2
    directory = struct.pack("<H", count + len(more)) + b"".join([*entries, *more]) + bytes(4)
    assert outcome(data) == "allow"
    assert outcome(data[:4] + struct.pack("<I", at) + data[8:].ljust(at - 8, b"\0") + directory) == "hold"


def tiff_with_sub_directory(first: bytes, second: bytes) -> bytes:
    """A TIFF with another one as the sub-directory of its page: all offsets of the other moved on."""
    base = len(first) + len(first) % 2
    data = bytearray(first.ljust(base, b"\0") + second)
    (other,) = struct.unpack_from("<I", second, 4)
    (count,) = struct.unpack_from("<H", second, other)
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8}
    for entry in range(other + 2, other + 2 + 12 * count, 12):
        tag, kind, number, value = struct.unpack_from("<HHII", second, entry)
        if (tag == 273 and number == 1) or sizes[kind] * number > 4:
            struct.pack_into("<I", data, base + entry + 8, value + base)
        if tag == 273 and number > 1:
            for i in range(number):
                struct.pack_into(
                    "<I", data, base + value + 4 * i, struct.unpack_from("<I", second, value + 4 * i)[0] + base
                )
    (page,) = struct.unpack_from("<I", first, 4)
    (entries,) = struct.unpack_from("<H", first, page)
    moved = bytearray(first[page + 2 : page + 2 + 12 * entries]) + struct.pack("<HHII", 330, 4, 1, base + other)
    at = len(data) + len(data) % 2
    data = data.ljust(at, b"\0") + struct.pack("<H", entries + 1) + moved + bytes(4)
    struct.pack_into("<I", data, 4, at)
    return bytes(data)


def apng(*pictures: Image.Image) -> bytes:
    return file_of(pictures[0], "PNG", save_all=True, append_images=list(pictures[1:]), duration=400)


def test_an_animation_whose_frames_are_counted_in_two_ways_is_held() -> None:
    data = apng(OTHER, draw_scene(3, OTHER.size))
    assert outcome(data) == "allow"
    at = data.index(b"acTL") - 4
    twice = data[: at + 20] + data[at : at + 20] + data[at + 20 :]
    assert outcome(twice) == "hold"
    fewer = data[:at] + hostile.png_chunk(b"acTL", struct.pack(">II", 1, 0)) + data[at + 20 :]
    assert outcome(fewer) == "hold"


def test_frames_that_show_something_new_are_looked_at_closely_and_others_plainly() -> None:
    from tutela.content.media.confined.budget import Budget
    from tutela.content.media.confined.containers.frames import Frames
    from tutela.content.media.confined.parts import InnerPicture

    still = [OTHER.copy() for _ in range(6)]
    for number, frame in enumerate(still):
        frame.putpixel((number, 0), (255, 0, 0))
    data = file_of(still[0], "PNG", save_all=True, append_images=[*still[1:], KNOWN, still[2]], duration=100)
    content = OpenedContent(data, Mode.FAST, Limits())
    parts = [part for part in Frames().parts(content, Budget(Limits(), len(data))) if isinstance(part, InnerPicture)]
    assert {part.name for part in parts if not part.alike} == {"frame 7"}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with compose_deployment(tmp_path_factory.mktemp("readings") / "home", decoders=1) as deployment:
        list_plainly(deployment, file_of(KNOWN, "PNG"))
        yield deployment


def test_a_match_says_which_reading_it_is(known: Deployment) -> None:
    verdict = known.screener.screen(file_of(hostile.two_faced(KNOWN, OTHER), "PNG"))
    assert verdict.decision is Decision.BLOCK
    assert {match.part for match in verdict.matches if match.view == "whole"} == {"on black", "on dark grey"}
    verdict = known.screener.screen(
        saved(NEGATIVE, "PNG", icc_profile=hostile.profile(hostile.inverse, version=0x05000000))
    )
    assert verdict.decision is Decision.BLOCK


def test_a_picture_too_poor_to_match_is_held_where_an_entry_is_very_near(known: Deployment) -> None:
    faint = Image.fromarray((np.asarray(KNOWN, float) * 0.1 + 110).astype(np.uint8))
    verdict = known.screener.screen(file_of(faint, "PNG"))
    assert verdict.decision is Decision.HOLD
    (match,) = verdict.matches
    assert match.distance <= match.threshold == 10
    assert 20 <= (match.quality or 0) < 50
    other = Image.fromarray((np.asarray(OTHER, float) * 0.1 + 110).astype(np.uint8))
    assert known.screener.screen(file_of(other, "PNG")).decision is Decision.ALLOW


def test_every_format_still_is_what_it_was(known: Deployment) -> None:
    for name, data in every_format(photos()[1].resize((240, 180))).items():
        assert known.screener.screen(data).decision is Decision.ALLOW, name
