"""Media: the type by content, every format and mode to what a viewer shows, limits before pixels, damage said."""

import io
import struct
from functools import cache

import numpy as np
import pdqhash
import pytest
from PIL import Image, ImageCms

from tests.support.hostile_pictures import png_claiming
from tests.support.pictures import FORMATS, draw_scene, every_format, file_of, photos
from tutela import _native
from tutela.content.media.confined import jpeg
from tutela.content.media.confined.decode import decode_picture
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.media.sniff import MediaType, sniff
from tutela.content.signals.pdq import PDQ
from tutela.errors import UnscreenableError

TYPES = {
    "jpeg": MediaType.JPEG,
    "png": MediaType.PNG,
    "gif": MediaType.GIF,
    "webp": MediaType.WEBP,
    "bmp": MediaType.BMP,
    "tiff": MediaType.TIFF,
    "avif": MediaType.AVIF,
    "heic": MediaType.HEIC,
}


def decode(data: bytes, mode: Mode = Mode.FAST, **limits):
    return decode_picture(data, sniff(data), mode, Limits(**limits))


def rgb_of(data: bytes) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@cache
def written() -> dict[str, bytes]:
    """One photo in every format."""
    return every_format(photos()[0].resize((400, 300)))


@pytest.mark.parametrize("name", FORMATS)
def test_the_type_is_known_by_content(name):
    assert sniff(written()[name]) is TYPES[name.partition("-")[0]]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", None),
        (b"hello, world", None),
        (b"\x00" * 600, None),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isom", MediaType.MP4),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00avifmif1", MediaType.AVIF),
        (b"%PDF-1.7", MediaType.PDF),
        (b"PK\x03\x04", MediaType.ZIP),
        (b'<?xml version="1.0"?><svg/>', MediaType.SVG),
        (b"  <!DOCTYPE HTML>", MediaType.HTML),
        (b"RIFF\x00\x00\x00\x00AVI ", MediaType.AVI),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b" \xff\xd8\xff", None),
    ],
)
def test_other_types_are_named_or_unknown(head, expected):
    assert sniff(head) is expected


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_decoded_to_what_a_viewer_shows(name, mode):
    picture = decode(written()[name], mode)
    assert (picture.width, picture.height) == (400, 300)
    assert not picture.damaged
    value, quality = _native.pdq(picture.pixels, picture.source)
    original = np.ascontiguousarray(np.asarray(photos()[0].resize((400, 300))))
    assert quality >= 50
    assert PDQ.distance(value, _native.pdq(original)[0]) <= 16


@pytest.mark.parametrize("name", [name for name in FORMATS if "16" not in name and "float" not in name])
def test_exact_mode_hashes_as_the_reference_does_on_the_full_decode(name):
    picture = decode(written()[name], Mode.EXACT)
    bits, _ = pdqhash.compute(rgb_of(written()[name]))
    expected = np.packbits(bits.astype(np.uint8)).tobytes()
    assert PDQ.distance(_native.pdq(picture.pixels)[0], expected) <= 2


@pytest.mark.parametrize("size", [(200, 150), (640, 480), (1155, 866), (2000, 1500)])
def test_fast_mode_stays_close_to_exact_mode(size):
    for picture in (*photos(), draw_scene(2)):
        data = file_of(picture.resize(size, Image.Resampling.LANCZOS), "JPEG", quality=85)
        fast, exact = decode(data), decode(data, Mode.EXACT)
        value, quality = _native.pdq(fast.pixels, fast.source)
        expected, _ = _native.pdq(exact.pixels, exact.source)
        assert quality >= 50
        assert PDQ.distance(value, expected) <= 10


def test_transparent_pixels_are_shown_on_white():
    hidden = photos()[0].resize((128, 128)).convert("RGBA")
    hidden.putalpha(0)
    assert decode(file_of(hidden, "PNG")).pixels.min() == 255
    palette = Image.new("P", (64, 64), 0)
    palette.putpalette([10, 20, 30] * 256)
    assert decode(file_of(palette, "PNG", transparency=0)).pixels.min() == 255


def swapped_profile() -> bytes:
    """A colour profile whose primaries are far from sRGB's: it shows something else than the raw numbers say."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for tag, numbers in ((b"rXYZ", (0.05, 0.02, 0.7)), (b"bXYZ", (0.6, 0.9, 0.05))):
        entry = profile.index(tag, 128)
        offset = struct.unpack_from(">I", profile, entry + 4)[0]
        struct.pack_into(">3i", profile, offset + 8, *(round(number * 65536) for number in numbers))
    return bytes(profile)


def test_a_profile_that_shows_something_else_is_applied_and_a_common_one_is_not():
    colours = Image.new("RGB", (64, 64), (0, 0, 255))
    plain = int(decode(file_of(colours, "JPEG", quality=95)).pixels.mean())
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert int(decode(file_of(colours, "JPEG", quality=95, icc_profile=srgb)).pixels.mean()) == plain
    for mode in Mode:
        shown = decode(file_of(colours, "JPEG", quality=95, icc_profile=swapped_profile()), mode)
        assert shown.pixels.mean() > plain + 60
    broken = decode(file_of(colours, "JPEG", quality=95, icc_profile=b"no profile"))
    assert int(broken.pixels.mean()) == plain


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_orientation_is_reported_where_the_file_says_it(form):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(file_of(photos()[0].resize((96, 64)), form, exif=exif)).orientation == 6
    assert decode(file_of(photos()[0].resize((96, 64)), form)).orientation == 1


def test_a_tiff_that_its_decoder_turns_is_not_turned_twice_and_a_heic_ignores_exif():
    """The HEIF standard turns pictures by its own boxes only, which the decoder applies."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = photos()[0].resize((96, 64))
    for form, expected in (("TIFF", stored.rotate(-90, expand=True)), ("HEIF", stored)):
        shown = decode(file_of(stored, form, exif=exif, quality=90)).displayed()[0]
        luma = np.asarray(expected.convert("L"))
        assert shown.shape == luma.shape
        assert np.abs(shown.astype(int) - luma).mean() < 6


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_impossible_orientation_counts_as_none(value):
    exif = Image.Exif()
    exif[0x0112] = value
    assert decode(file_of(photos()[0].resize((96, 64)), "JPEG", exif=exif)).orientation == 1


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"comment": b"words"}, {"quality": 98, "subsampling": 0}, {"dpi": (72, 72)}]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_that_says_nothing_of_itself_is_decoded_as_one_that_is_opened_with_pillow(mode, options):
    """A segment that no viewer knows has it opened."""
    saturated = Image.new("RGB", (640, 480), (0, 0, 255))
    for picture in (draw_scene(5, (640, 480)), photos()[1].resize((641, 333)), saturated):
        data = file_of(picture.convert(mode), "JPEG", **options)
        opened = data[:2] + b"\xff\xe7\x00\x05abc" + data[2:]
        assert (jpeg.size_of_bare(memoryview(data)), jpeg.size_of_bare(memoryview(opened))) == (picture.size, None)
        bare, whole = decode(data), decode(opened)
        assert np.array_equal(bare.pixels, whole.pixels)
        assert [name for name, _ in bare.readings] == [name for name, _ in whole.readings]
        assert (bare.width, bare.height, bare.eighths) == (whole.width, whole.height, whole.eighths)
        assert (bare.orientation, bare.damaged, bare.frames) == (1, whole.damaged, 1)


@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xED, 0xEE])
def test_what_turns_a_jpeg_or_gives_it_other_colours_is_not_passed_over(marker):
    """Wherever it stands before the first scan, also behind the frame's header."""
    data = file_of(draw_scene(5, (320, 240)), "JPEG")
    for at in (2, data.index(b"\xff\xc0"), data.index(b"\xff\xda")):
        said = data[:at] + bytes((0xFF, marker, 0, 4)) + b"ab" + data[at:]
        assert jpeg.size_of_bare(memoryview(said)) is None


def test_frames_and_pages_are_counted():
    frames = [draw_scene(seed, (64, 48)) for seed in range(3)]
    for form in ("GIF", "WEBP", "PNG", "TIFF"):
        assert decode(file_of(frames[0], form, save_all=True, append_images=frames[1:])).frames == 3
    assert decode(file_of(frames[0], "GIF")).frames == 1


@pytest.mark.parametrize("name", ["jpeg", "jpeg-progressive", "png", "gif", "webp", "bmp", "tiff"])
def test_a_file_that_is_cut_short_is_damaged_or_unreadable_but_never_whole(name):
    data = written()[name]
    for share in (0.2, 0.5, 0.8, 0.97):
        try:
            picture = decode(data[: int(len(data) * share)])
        except UnscreenableError as error:
            assert error.reason in ("unreadable", "empty", "unknown-type")
        else:
            assert picture.damaged


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"words", "unknown-type"),
        (b"%PDF-1.7 words", "unsupported-type"),
        (b"\xff\xd8\xff", "unreadable"),
        (b"\x89PNG\r\n\x1a\n", "unreadable"),
        (b"GIF89a", "unreadable"),
    ],
)
def test_what_holds_no_picture_says_why(data, reason):
    for mode in Mode:
        with pytest.raises(UnscreenableError) as caught:
            decode(data, mode)
        assert caught.value.reason == reason


def test_limits_are_checked_before_pixels_are_made():
    with pytest.raises(UnscreenableError) as caught:
        decode(png_claiming(65_535, 65_535))
    assert caught.value.reason == "too-many-pixels"
    with pytest.raises(UnscreenableError) as caught:
        decode(written()["jpeg"], max_pixels=400 * 300 - 1)
    assert caught.value.reason == "too-many-pixels"
    with pytest.raises(UnscreenableError) as caught:
        decode(written()["jpeg"], max_bytes=1000)
    assert caught.value.reason == "too-many-bytes"


def test_content_is_decoded_once_and_only_on_demand():
    content = OpenedContent(written()["png"], Mode.FAST, Limits())
    assert "picture" not in vars(content)
    assert content.picture is content.picture


def test_every_mode_of_the_shared_pictures_hashes_as_the_original(shared_media):
    folder = shared_media / "misc-images" / "modes"
    original = decode((folder / "original.jpg").read_bytes(), Mode.EXACT)
    expected, _ = _native.pdq(original.pixels)
    for path in sorted(folder.iterdir()):
        if path.suffix == ".md":
            continue
        for mode in Mode:
            picture = decode(path.read_bytes(), mode)
            value, _ = _native.pdq(picture.pixels, picture.source)
            assert PDQ.distance(value, expected) <= 31, (path.name, mode)
