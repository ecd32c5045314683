"""What people send every day is let through: a hold that means nothing keeps everybody waiting."""

import gzip
import io
import lzma
import os
import struct
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from tests.support.looked import KNOWN, OTHER, looked, outcome
from tests.support.pictures import file_of
from tutela.content.media.profile import Profile

# --- samples as they are: among so many bytes there is everything by chance


def photos() -> dict[str, Image.Image]:
    names = ("astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry", "retina", "brick", "grass", "page")
    return {name: Image.fromarray(getattr(skimage.data, name)()).convert("RGB") for name in names}


UNCOMPRESSED: dict[str, Callable[[Image.Image], bytes]] = {
    "BMP": lambda picture: file_of(picture, "BMP"),
    "BMP of 32 bits": lambda picture: file_of(picture.convert("RGBA"), "BMP"),
    "TIFF": lambda picture: file_of(picture, "TIFF"),
    "TIFF in grey": lambda picture: file_of(picture.convert("L"), "TIFF"),
    "TGA": lambda picture: file_of(picture, "TGA"),
    "PPM": lambda picture: file_of(picture, "PPM"),
    "PGM": lambda picture: file_of(picture.convert("L"), "PPM"),
    "PNG, stored": lambda picture: file_of(picture, "PNG", compress_level=0),
}  # fmt: skip


@pytest.mark.parametrize("form", UNCOMPRESSED)
def test_a_photo_that_is_not_compressed_passes(form: str) -> None:
    held = {}
    for name, picture in photos().items():
        for side in (400, 1_000):
            small = picture.resize((side, side * 3 // 4))
            if shortcomings := looked(UNCOMPRESSED[form](small), profile=Profile.FILES)[1]:
                held[name, side] = shortcomings
    assert held == {}


def test_a_sound_passes() -> None:
    rng = np.random.default_rng(5)
    sweep = np.cumsum(rng.normal(0, 900, 700_000)) % 30_000 - 15_000
    sound = (sweep + 9_000 * np.sin(np.arange(sweep.size) / 40)).astype("<i2").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", len(sound) + 36, b"WAVE", b"fmt ", 16, 1, 1, 44_100, 88_200, 2, 16)
    assert outcome(head + b"data" + struct.pack("<I", len(sound)) + sound, profile=Profile.FILES) == "allow"


def test_text_with_angle_brackets_passes() -> None:
    """To whoever looks for nothing else, documentation of Perl and a program have elements and colours."""
    said = b"=item C<#define>, see L<perlop/#abc> and B<italic> I<words>, or E<lt>#fade E<gt>\n\n" * 800
    assert outcome(said, profile=Profile.FILES) == "allow"
    code = b"std::vector<int> values; if (a <b) { map<string, Colour> c = table[#bada55]; } // #decade\n" * 800
    assert outcome(code, profile=Profile.FILES) == "allow"


# --- documents that are scanned


def page(number: int) -> Image.Image:
    """Lines of words, from afar."""
    shown = np.ones((877, 620), np.uint8)
    for line in range(30, 850, 16):
        words = np.random.default_rng((number, line)).random(54) < 0.8
        shown[line : line + 8, 40:580] = np.repeat(words, 10) & (np.arange(540) % 3 > 0)
    return Image.fromarray(shown * 255).convert("1")


PAGES = {
    "as they are": (lambda number: OTHER.rotate(number).convert("RGB"), {}),
    "LZW": (lambda number: OTHER.rotate(number).convert("RGB"), {"compression": "tiff_lzw"}),
    "Deflate": (lambda number: OTHER.rotate(number).convert("RGB"), {"compression": "tiff_adobe_deflate"}),
    "JPEG": (lambda number: OTHER.rotate(number).convert("RGB"), {"compression": "jpeg"}),
    "fax": (page, {"compression": "group4"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", PAGES)
def test_a_tiff_of_many_pages_passes(kind: str) -> None:
    """A header that was left before each page led to a file in the file, and from there to the next."""
    make, options = PAGES[kind]
    first, *others = map(make, range(24))
    file = file_of(first, "TIFF", save_all=True, append_images=others, **options)
    assert file.count(b"II*\0") == 24
    found, shortcomings = looked(file, profile=Profile.FILES)
    assert shortcomings == []
    assert {part.partition(" › ")[0] for _, part in found} >= {f"page {number}" for number in range(2, 25)}


def test_a_picture_is_found_where_a_header_between_two_pages_shows_it() -> None:
    """Its directory is a page of the file, where it shows another picture: what is cut out has other places."""
    width, height = KNOWN.size
    samples = [np.asarray(picture.convert("L")).tobytes() for picture in (OTHER, KNOWN)]
    begin = 8 + len(samples[0])  # where the header between the pages lies

    def directory(following: int) -> bytes:
        tags = (
            *((256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)),
            *((278, 4, height), (279, 4, len(samples[0]))),
        )
        fields = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
        return struct.pack("<H", len(tags)) + fields + struct.pack("<I", following)

    behind = begin + 8 + len(samples[1])
    file = b"II*\0" + struct.pack("<I", behind) + samples[0]
    file += b"II*\0" + struct.pack("<I", behind - begin) + samples[1] + directory(0)
    assert Image.open(io.BytesIO(file)).tobytes() == samples[0]
    assert Image.open(io.BytesIO(file[begin:])).tobytes() == samples[1]
    assert outcome(file) == "block"


# --- drawings as programs write them


@pytest.mark.parametrize("unit", ["", "px", "pt", "pc", "mm", "cm", "in", "em", "ex", "%"])
def test_a_drawing_passes_whatever_unit_its_size_is_in(unit: str) -> None:
    """Matplotlib and Graphviz write points, Inkscape and LibreOffice millimetres."""
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" width="21{unit}" height="29{unit}" viewBox="0 0 72 72">'
    assert outcome(f'{drawing}<path d="M0 0h40v30z" fill="red"/></svg>'.encode(), profile=Profile.FILES) == "allow"


def test_a_stylesheet_with_drawings_as_frameworks_have_it_passes() -> None:
    """Within quotes, such an address has the other ones."""
    drawing = "%3csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3e%3cpath d='m2 5 6 6 6-6'/%3e%3c/svg%3e"
    sheet = f'.select {{background: url("data:image/svg+xml,{drawing}")}}\n.other {{color: red}}\n'.encode() * 3
    assert outcome(sheet, profile=Profile.FILES) == "allow"


# --- archives as programs write them


def folder(place: Path) -> Path:
    """With a hard link, a symbolic one, a long name, one that is not ASCII, a time with fractions."""
    made = place / "folder"
    deep = made.joinpath(*["a-folder-with-a-long-name" * 3] * 3)
    deep.mkdir(parents=True)
    (made / "words.txt").write_text("words\n" * 50)
    os.link(made / "words.txt", made / "again.txt")
    (made / "link.txt").symlink_to("words.txt")
    (deep / "größer.txt").write_text("words")
    for number in range(40):
        (made / f"{number}.txt").write_text(f"{number} words")
        os.utime(made / f"{number}.txt", (1.25 + number, 1.5 + number))
    return made


@pytest.mark.parametrize("packed", [bytes, gzip.compress, lzma.compress], ids=["plain", "gzip", "xz"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "GNU"])
def test_a_tar_by_python_passes(form: int, packed: Callable[[bytes], bytes], tmp_path: Path) -> None:
    made, file = folder(tmp_path), io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        archive.add(made, "folder")
    assert outcome(packed(file.getvalue()), profile=Profile.FILES) == "allow"


def test_a_tar_by_git_passes(tmp_path: Path) -> None:
    """It begins with a header for all members."""
    made = folder(tmp_path)
    as_someone = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    for command in (("init", "-q"), ("add", "."), (*as_someone, "commit", "-qm", "words")):
        subprocess.run(["git", *command], cwd=made, check=True)
    tar = subprocess.run(["git", "archive", "HEAD"], cwd=made, check=True, stdout=subprocess.PIPE).stdout
    assert b"pax_global_header" in tar
    assert outcome(tar, profile=Profile.FILES) == "allow"


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_a_picture_in_what_extends_a_header_is_found(kind: bytes) -> None:
    picture = file_of(KNOWN, "JPEG", quality=90)
    extended = tarfile.TarInfo("extended")
    extended.type, extended.size = kind, len(picture)
    member = tarfile.TarInfo("words.txt")
    padded = picture + bytes(-len(picture) % 512)
    tar = extended.tobuf() + padded + member.tobuf() + bytes(1024)
    assert outcome(tar, profile=Profile.FILES) in ("block", "hold")


@pytest.mark.parametrize("length", [-512, -513, -(2**40)])
@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_an_archive_with_a_header_of_negative_length_is_held(kind: bytes, length: int) -> None:
    """Whoever follows it goes backwards, and comes to it again."""
    picture = file_of(OTHER, "JPEG", quality=90)
    before, extended, member = (tarfile.TarInfo(name) for name in ("words.txt", "extended", "b.jpg"))
    extended.type, extended.size, member.size = kind, length, len(picture)
    tar = before.tobuf() + extended.tobuf(tarfile.GNU_FORMAT) + member.tobuf() + picture + bytes(1024)
    assert outcome(tar, profile=Profile.FILES) == "hold"
