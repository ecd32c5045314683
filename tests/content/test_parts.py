"""Parts: whatever carries pictures is looked into, every part says where it lies, and bombs end in a verdict."""

import base64
import bz2
import gzip
import io
import lzma
import os
import struct
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pytest
import pyzipper
import zstandard
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.support.containers import (
    cabs_of,
    compound_of,
    every_container,
    mail_of,
    pdf_of,
    rar5_of,
    rar_of,
    seven_zip_of,
    tar_of,
    video_of,
    zip_of,
)
from tests.support.effort import effort
from tests.support.hostile_pictures import gif_without_end, png_claiming
from tests.support.lists import list_in
from tests.support.pictures import draw_scene, file_of, mutations, photos
from tests.support.quines import gzip_quine, zip_quine
from tutela.content.media import system_libarchive
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.containers import CONTAINERS, libarchive
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.confined.walk import Place, walk
from tutela.content.media.content import Mode
from tutela.content.media.isolation import WorkerPool
from tutela.content.media.limits import Limits
from tutela.content.media.sniff import PICTURES, sniff
from tutela.deployment.composition import compose_deployment
from tutela.errors import UnscreenableError
from tutela.lists.banks.model import BankKind
from tutela.screening.decision import Decision
from tutela.screening.examination import TASK, examine_isolated, options

KNOWN = file_of(photos()[0].resize((256, 256)), "PNG")
COPY = file_of(photos()[0].resize((300, 300)), "JPEG", quality=60)
OTHER = file_of(photos()[1].resize((240, 160)), "JPEG")
NOISE = Random(1).randbytes(9_000)
"""The same each time: in a thousand others there is some beginning of a file by chance."""


HEADS = [
    b"",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07\x00",
    b"\x1f\x8b\x08",
    b"BZh9",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"%PDF-1.7\n",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b"\x3e\x00\x03\x00\xfe\xff\x09\x00\x06\x00",
    b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n",
    b"<html><img src='data:image/png;base64,",
    b"\xff\xd8\xff\xe1",
    b"\xff\xd8\xff\xda\x00\x02\xff\xd9",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"RIFF\x40\x00\x00\x00WEBP",
    b"II*\x00",
    b"\x00\x00\x00\x18ftypheic",
    b"MSCF\x00\x00\x00\x00",
]
MUTATIONS = effort(300, 2_000)


def places_in(data: bytes, **limits) -> Iterator[Place]:
    """Every place in the content."""
    content = OpenedContent(data, Mode.FAST, Limits(**limits))
    return walk(content, Budget(content.limits, len(data)))


def walked(data: bytes, **limits) -> dict[str, Place]:
    """Every place inside, by its path."""
    return {place.path: place for place in places_in(data, **limits)}


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A deployment that knows one picture."""
    with compose_deployment(tmp_path_factory.mktemp("parts") / "home", decoders=1) as deployment:
        list_in(deployment, "known", KNOWN, "pdq", "sha256")
        yield deployment


def frames_of(form: str, count: int = 4) -> bytes:
    pictures = [draw_scene(seed, (160, 120)) for seed in range(count)]
    pictures[2] = photos()[0].resize((160, 120))
    return file_of(pictures[0], form, save_all=True, append_images=pictures[1:], duration=500)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF", "TIFF", "HEIF"])
def test_every_frame_and_page_is_matched(known, form):
    verdict = known.screener.screen(frames_of(form))
    assert verdict.decision is Decision.BLOCK, verdict.reasons
    parts = {match.part for match in verdict.matches}
    # An AVIF that moves is a film as well, and is watched as one.
    film = {"still › stream 2"} if form == "AVIF" else set()
    assert parts == {"page 3" if form in ("TIFF", "HEIF") else "frame 3"} | film
    assert {reason.code for reason in verdict.reasons} == {"match-block"}
    if form not in ("TIFF", "HEIF"):
        assert {match.seconds for match in verdict.matches} == {1.0}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_picture_in_an_archive_is_matched_and_its_path_said(known, compression):
    inner = zip_of({"holiday/beach.jpg": COPY, "notes.txt": b"words"}, compression)
    verdict = known.screener.screen(zip_of({"other.jpg": OTHER, "inner.zip": inner}, compression))
    assert verdict.decision is Decision.BLOCK
    assert {match.part for match in verdict.matches} == {"inner.zip › holiday/beach.jpg"}
    assert {reason.code for reason in verdict.reasons} == {"match-block"}
    assert verdict.media_type == "application/zip"


ARCHIVES = {
    "tar": tar_of,
    "tar.gz": lambda members: tar_of(members, "w:gz"),
    "tar.bz2": lambda members: tar_of(members, "w:bz2"),
    "tar.xz": lambda members: tar_of(members, "w:xz"),
    "tar.zst": lambda members: zstandard.compress(tar_of(members)),
    "7z": seven_zip_of,
    "rar": rar_of,
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_of_every_kind_are_gone_through(known, kind):
    if kind == "rar" and system_libarchive.load() is None:
        pytest.skip("this system has no libarchive")
    archive = ARCHIVES[kind]({"other.jpg": OTHER, "sub/beach.jpg": COPY, "notes.txt": b"words"})
    verdict = known.screener.screen(archive)
    assert verdict.decision is Decision.BLOCK, verdict.reasons
    assert {match.part for match in verdict.matches} == {"sub/beach.jpg"}
    assert {reason.code for reason in verdict.reasons} == {"match-block"}
    assert known.screener.screen(ARCHIVES[kind]({"other.jpg": OTHER, "a.txt": b"words"})).decision is Decision.ALLOW


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_one_compressed_picture_is_matched(known, compress):
    verdict = known.screener.screen(compress(COPY))
    assert {match.part for match in verdict.matches} == {"content"}
    assert verdict.decision is Decision.BLOCK


def test_a_document_says_page_and_picture(known):
    copy, other = photos()[0].resize((300, 300)), photos()[1].resize((300, 200))
    for form in ("JPEG", "PNG"):
        document = pdf_of([other], [other, copy], form=form)
        verdict = known.screener.screen(zip_of({"report.pdf": document}))
        assert verdict.decision is Decision.BLOCK
        assert {match.part for match in verdict.matches} >= {"report.pdf › page 2 › picture 2"}
        assert {reason.code for reason in verdict.reasons} == {"match-block"}
    assert known.screener.screen(pdf_of([other])).decision is Decision.ALLOW


def test_a_page_that_is_the_picture_is_matched_as_it_is_drawn(known):
    document = FPDF(unit="pt", format=(400, 400))
    document.set_margin(0)
    document.add_page()
    picture = photos()[0].resize((400, 400))
    for row in range(4):  # strips, none of which looks like the picture
        strip = picture.crop((0, 100 * row, 400, 100 * row + 100))
        document.image(io.BytesIO(file_of(strip, "PNG")), x=0, y=100 * row, w=400, h=100)
    verdict = known.screener.screen(bytes(document.output()))
    assert {match.part for match in verdict.matches} == {"page 1"}


def test_mail_and_messages_in_mail_are_gone_through(known):
    for message in (mail_of(COPY), mail_of(COPY, forwarded=True)):
        verdict = known.screener.screen(message)
        assert verdict.decision is Decision.BLOCK, verdict.reasons
        assert {match.part for match in verdict.matches} == {"beach.jpg"}
        assert verdict.media_type == "message/rfc822"
    assert known.screener.screen(mail_of(OTHER)).decision is Decision.ALLOW


def test_pictures_that_text_carries_are_matched(known):
    encoded = base64.b64encode(COPY).decode()
    page = f'<html><body><img src="data:image/jpeg;base64,{encoded}"></body></html>'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/jpeg;base64,{encoded}"/></svg>'
    rich = "{\\rtf1 words {\\pict\\jpegblip " + COPY.hex("\n", 40) + "}}"
    for text in (page, drawing, rich, f"words\n{base64.encodebytes(COPY).decode()}\nwords"):
        inside = known.screener.screen(zip_of({"text": text.encode()}))
        assert {match.part for match in inside.matches} >= {"text › embedded 1"}, inside.reasons
        alone = known.screener.screen(text.encode())
        assert alone.decision is Decision.BLOCK
        assert {reason.code for reason in alone.reasons} <= {"match-block", "unsupported-type", "unknown-type"}
    assert known.screener.screen(zip_of({"page.html": b"<html>words</html>"})).decision is Decision.ALLOW


def test_what_stands_behind_a_picture_is_looked_at(known):
    for behind in (COPY, zip_of({"a.jpg": COPY}), bytes(100) + zip_of({"a.jpg": COPY}), b"notes" + COPY):
        verdict = known.screener.screen(OTHER + behind)
        assert verdict.decision is Decision.BLOCK, verdict.reasons
        assert all(match.part.startswith("trailing data") or " at byte " in match.part for match in verdict.matches)
    assert known.screener.screen(OTHER + bytes(50_000)).decision is Decision.ALLOW
    assert known.screener.screen(OTHER + b"a camera's notes").decision is Decision.ALLOW
    unknown = known.screener.screen(OTHER + NOISE)
    assert [reason.code for reason in unknown.reasons] == ["trailing-data"]


def test_a_thumbnail_that_shows_something_else_is_matched(known):
    exif = Image.Exif()
    thumbnail = file_of(photos()[0].resize((160, 160)), "JPEG")
    data = exif.tobytes() + b"\0" * 8 + thumbnail
    for form in ("JPEG", "PNG", "WEBP"):
        verdict = known.screener.screen(file_of(photos()[1].resize((240, 160)), form, exif=data))
        assert {match.part for match in verdict.matches} == {"thumbnail 1"}, form


def test_what_a_film_or_a_picture_carries_in_boxes_is_found(known):
    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body) + 8) + kind + body

    moving = file_of(photos()[1].resize((240, 160)), "HEIF") + box(b"mpvd", zip_of({"a.jpg": COPY}))
    assert {match.part for match in known.screener.screen(moving).matches} == {"attached 1 › a.jpg"}
    film = video_of("mp4", "mpeg4") + box(b"udta", box(b"covr", COPY))
    assert {match.part for match in known.screener.screen(film).matches} == {"thumbnail 1"}


def test_a_film_in_an_archive_or_behind_a_photo_is_watched(deployment):
    scene = file_of(draw_scene(1, (96, 64)), "PNG")
    list_in(deployment, "known", scene, "pdq")
    film = video_of("mp4", "mpeg4")
    for content, part in ((zip_of({"clip.mp4": film}), "clip.mp4"), (OTHER + film, "trailing data")):
        verdict = deployment.screener.screen(content)
        assert verdict.decision is Decision.BLOCK, verdict.reasons
        assert {match.part for match in verdict.matches} == {part}
        assert all(match.seconds is not None for match in verdict.matches)


def test_an_office_document_with_fonts_is_screened_and_other_unknown_parts_of_it_are_held(known):
    parts = {
        "[Content_Types].xml": b"<Types/>",
        "word/document.xml": b"<w:document>words</w:document>",
        "word/fonts/font1.odttf": NOISE[:4000],
        "word/media/image1.jpg": OTHER,
    }
    assert known.screener.screen(zip_of(parts)).decision is Decision.ALLOW
    verdict = known.screener.screen(zip_of(parts | {"word/media/image2.jpeg": COPY}))
    assert {match.part for match in verdict.matches} == {"word/media/image2.jpeg"}
    verdict = known.screener.screen(zip_of(parts | {"word/embeddings/a.bin": NOISE[4000:]}))
    assert [reason.code for reason in verdict.reasons] == ["unknown-part"]
    del parts["[Content_Types].xml"]
    assert [reason.code for reason in known.screener.screen(zip_of(parts)).reasons] == ["unknown-part"]


def test_a_thumbnail_of_the_picture_itself_costs_no_further_views(known):
    exif = Image.Exif().tobytes() + bytes(8) + file_of(photos()[1].resize((120, 80)), "JPEG")
    picture = file_of(photos()[1].resize((240, 160)), "JPEG", exif=exif)
    examination = examine_isolated(known.pool, picture, options(Mode.FAST, Limits()), is_picture=True)
    assert {sample.view for sample in examination.samples if sample.part == "thumbnail 1"} == {"whole"}


def test_a_known_file_inside_is_found_by_its_digest(deployment):
    words = b"\x00\x01 words that no decoder reads" * 20
    list_in(deployment, "files", words, "md5")
    verdict = deployment.screener.screen(zip_of({"a.bin": words}))
    assert {(match.bank, match.signal, match.part) for match in verdict.matches} == {("files", "md5", "a.bin")}
    assert verdict.decision is Decision.BLOCK


def test_an_allowed_file_inside_covers_itself_and_not_its_neighbours(deployment):
    list_in(deployment, "known", KNOWN, "pdq", "sha256")
    list_in(deployment, "fine", OTHER, "sha256", kind=BankKind.ALLOW)
    assert deployment.screener.screen(zip_of({"a.jpg": OTHER, "b.jpg": COPY})).decision is Decision.BLOCK
    assert deployment.screener.screen(zip_of({"a.jpg": OTHER, "a.jpg ": COPY})).decision is Decision.BLOCK
    list_in(deployment, "fine-too", COPY, "sha256", kind=BankKind.ALLOW)
    assert deployment.screener.screen(zip_of({"a.jpg": OTHER, "b.jpg": COPY})).decision is Decision.ALLOW


def test_an_archive_of_other_pictures_is_allowed(known):
    assert known.screener.screen(zip_of({"other.jpg": OTHER, "notes.txt": b"words"})).decision is Decision.ALLOW


@pytest.mark.parametrize(
    ("members", "code", "part"),
    [
        ({"a.bin": b"\x00\x01\x02" * 200}, "unknown-part", "a.bin"),
        ({"a.jpg": b"\xff\xd8\xff\xe0broken"}, "unreadable", "a.jpg"),
        ({"a.psd": b"8BPS" + bytes(300)}, "unreadable", "a.psd"),
        ({"a.ps": b"%!PS-Adobe-3.0" + b" " * 300}, "not-rendered", "a.ps › drawing"),
        ({"a.zip": b"PK\x03\x04 no archive" + bytes(300)}, "unreadable", "a.zip"),
    ],
)
def test_a_part_that_cannot_be_screened_is_held_by_name_and_the_rest_is_screened(known, members, code, part):
    verdict = known.screener.screen(zip_of(members | {"b.jpg": OTHER}))
    assert [reason.code for reason in verdict.reasons] == [code]
    assert verdict.reasons[0].message.startswith(f"{part}: ")
    assert any(item.part == "b.jpg" and item.signal == "pdq" for item in verdict.hashes)
    assert known.screener.screen(zip_of(members | {"b.jpg": COPY})).decision is Decision.BLOCK


def test_what_an_extra_would_look_into_is_held_without_it_and_names_it(monkeypatch):
    kinds = {
        "pypdfium2": pdf_of([draw_scene(1, (64, 48))]),
        "py7zr": seven_zip_of({"a.jpg": OTHER}),
        "zstandard": zstandard.compress(OTHER),
    }
    for module, content in kinds.items():
        monkeypatch.setitem(sys.modules, module, None)
        errors = [place.error for place in places_in(content) if place.error]
        assert [error.reason for error in errors] == ["unsupported-type"], module
        assert "tutela[archives]" in str(errors[0])
    monkeypatch.setattr(libarchive, "load", lambda: None)
    (error,) = [place.error for place in places_in(rar_of({"a.jpg": OTHER})) if place.error]
    assert error.reason == "unsupported-type"
    assert "libarchive" in str(error)


def test_what_breaks_off_is_matched_as_far_as_it_came(known):
    spoilt = bytearray(zip_of({"a.jpg": COPY}, zipfile.ZIP_STORED))
    spoilt[spoilt.index(COPY[-50:])] ^= 1  # the checksum is wrong now
    for content in (
        gzip.compress(COPY)[:-6],
        bytes(spoilt),
        bz2.compress(COPY) + b"junk",
        tar_of({"a": COPY})[: 512 + len(COPY) - 200],
    ):
        assert known.screener.screen(content).decision is Decision.BLOCK


def test_pictures_hide_behind_no_beginning_and_words_pass_for_no_picture(known):
    for head in (b"\x00\x01\x00\x00\x00", b"ID3\x04" + bytes(300), b"MZ" + bytes(3000)):
        assert known.screener.screen(zip_of({"a": head + COPY})).decision is Decision.BLOCK
    mail = mail_of(OTHER).replace(b"\n--=", b"\n" + base64.encodebytes(COPY) + b"\n--=", 1)
    assert known.screener.screen(mail).decision is Decision.BLOCK
    words = {"a.txt": b"BMW builds cars " * 30, "b.txt": b"BZh! said the bee " * 30}
    assert known.screener.screen(zip_of(words)).decision is Decision.ALLOW


def test_what_opens_only_with_a_password_is_held_or_as_the_operator_says(known):
    locked = io.BytesIO()
    with pyzipper.AESZipFile(locked, "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(b"secret")
        archive.writestr("a.jpg", COPY)
    document = FPDF()
    document.set_encryption(owner_password="a", user_password="b")
    document.add_page()
    hidden = seven_zip_of({"a.jpg": COPY}, password="secret", header_encryption=True)
    for content in (
        locked.getvalue(),
        seven_zip_of({"a.jpg": COPY}, password="secret"),
        hidden,
        bytes(document.output()),
        rar_of({"a.jpg": COPY}, flags=4),
    ):
        codes = [reason.code for reason in known.screener.screen(content).reasons]
        assert [code for code in codes if code != "match-block"] == ["encrypted"]  # one only says that it is locked


@pytest.mark.parametrize("make", [rar_of, rar5_of])
def test_one_volume_of_several_is_matched_and_held(known, make):
    verdict = known.screener.screen(make({"a.jpg": OTHER}))
    assert verdict.decision is Decision.ALLOW, verdict.reasons
    verdict = known.screener.screen(make({"a.jpg": OTHER}, volume=True))
    assert [reason.code for reason in verdict.reasons] == ["partly-screened"]
    verdict = known.screener.screen(make({"a.jpg": COPY}, volume=True))
    assert {reason.code for reason in verdict.reasons} == {"partly-screened", "match-block"}


def test_each_cabinet_of_a_set_is_held_and_what_lies_in_it_whole_is_matched(known):
    assert known.screener.screen(cabs_of({"a.jpg": OTHER})[0]).decision is Decision.ALLOW
    assert known.screener.screen(cabs_of({"a.jpg": COPY})[0]).decision is Decision.BLOCK
    noise = np.random.default_rng(0).bytes(100_000)
    verdicts = [known.screener.screen(cabinet) for cabinet in cabs_of({"a.jpg": COPY, "b.bin": noise}, 3)]
    codes = [{reason.code for reason in verdict.reasons} for verdict in verdicts]
    assert "match-block" in codes[0]
    assert all("partly-screened" in found for found in codes)


RARS = sorted(Path(os.environ.get("TUTELA_TEST_RAR_FILES", "/nowhere")).glob("*.rar"))


@pytest.mark.parametrize(
    "path",
    RARS or [pytest.param(Path(), marks=pytest.mark.skip("TUTELA_TEST_RAR_FILES names no folder"))],
    ids=lambda path: path.name,
)
def test_real_rar_archives_are_read_whole_or_held(path):
    """Any that there are, such as those in the source distribution of `rarfile`, which reads their heads."""
    rarfile = pytest.importorskip("rarfile")
    places = list(places_in(path.read_bytes()))
    try:
        listed = {item.CRC for item in rarfile.RarFile(str(path)).infolist() if item.is_file() and item.CRC}
    except rarfile.Error:
        listed = {0}
    read = {zlib.crc32(place.content.data) for place in places[1:] if place.content is not None}
    assert listed <= read or any(place.error for place in places)


def test_compound_files_are_searched_and_held_because_they_are_not_drawn(known):
    verdict = known.screener.screen(compound_of({"Data": bytes(100) + COPY, "Pictures": OTHER}))
    assert verdict.decision is Decision.BLOCK
    assert {match.part for match in verdict.matches} == {"Data › jpeg at byte 100"}
    verdict = known.screener.screen(compound_of({"Data": bytes(100) + OTHER}))
    assert [reason.code for reason in verdict.reasons] == ["not-rendered"]
    verdict = known.screener.screen(compound_of({"EncryptedPackage": NOISE}))
    assert [reason.code for reason in verdict.reasons] == ["encrypted"]


def code_of(place: Place) -> str:
    assert place.error is not None
    return place.error.reason


BOMBS = {
    "a file of zeros": (lambda: zip_of({"a.bin": bytes(5_000_000)}), "expands-too-far"),
    "gzip in gzip": (lambda: gzip.compress(gzip.compress(bytes(5_000_000))), "expands-too-far"),
    "bzip2": (lambda: bz2.compress(bytes(5_000_000)), "expands-too-far"),
    "7z": (lambda: seven_zip_of({"a": bytes(5_000_000)}), "expands-too-far"),
    "zstd": (lambda: zstandard.compress(bytes(5_000_000)), "expands-too-far"),
    "a broad tree": (lambda: broad_tree(3, 18), "too-many-parts"),
    "members without end": (lambda: zip_of({f"{n}.txt": b"" for n in range(6_000)}), "too-many-parts"),
    "a deep chain": (lambda: deep_chain(20), "too-deep"),
}


def broad_tree(levels: int, width: int, name: str = "") -> bytes:
    """Every archive holds archives, down to small texts, no two of them alike."""
    if not levels:
        return name.encode()
    return zip_of({str(n): broad_tree(levels - 1, width, f"{name}/{n}") for n in range(width)}, zipfile.ZIP_STORED)


def deep_chain(levels: int) -> bytes:
    data = COPY
    for level in range(levels):
        data = zip_of({f"{level}.zip": data})
    return data


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_at_its_limit_and_says_which(name):
    make, code = BOMBS[name]
    places = list(places_in(make(), max_bytes=256 * 1024**2, max_expanded_bytes=4 * 1024**2, timeout_s=600))
    assert code in {place.error.reason for place in places if place.error}


def test_the_same_file_twice_is_looked_at_once():
    """So an archive that contains itself ends, too."""
    places = walked(zip_of({"a.jpg": OTHER, "b.jpg": OTHER, "c.zip": zip_of({"d.jpg": OTHER})}))
    assert [path for path in places if path.endswith(".jpg")] == ["a.jpg"]


def test_an_archive_that_holds_itself_ends(known):
    """Whoever unpacks these as long as there is something in them never ends."""
    packed, zipped = gzip_quine(), zip_quine()
    assert gzip.decompress(packed) == packed
    assert zipfile.ZipFile(io.BytesIO(zipped)).read("self.zip") == zipped
    for quine in (packed, zipped):
        places = list(places_in(quine))
        assert len(places) <= 3
        assert [place.error for place in places if place.error] == []
        assert known.screener.screen(quine).decision is Decision.ALLOW
    found = walked(zip_of({"a.zip": zipped, "b.gz": packed, "c.jpg": COPY}))
    assert "c.jpg" in found
    assert len(found) <= 7


def pdf_bomb(width: int, height: int) -> bytes:
    """A page with one grey picture of a single colour, packed twice over."""
    picture = zlib.compress(zlib.compress(bytes(width * height), 9), 9)
    drawing = b"q 200 0 0 200 0 0 cm /I Do Q"
    page = b"/Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Resources << /XObject << /I 4 0 R >> >> /Contents 5 0 R"
    image = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8" % (
        width,
        height,
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< %b >>" % page,
        b"<< %b /Filter [/FlateDecode /FlateDecode] /Length %d >>\nstream\n%b\nendstream"
        % (image, len(picture), picture),
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawing), drawing),
    ]
    numbered = b"".join(b"%d 0 obj\n%b\nendobj\n" % (number, body) for number, body in enumerate(objects, 1))
    return b"%PDF-1.7\n" + numbered + b"trailer\n<< /Root 1 0 R /Size 6 >>\n%%EOF\n"


@pytest.mark.slow
def test_a_document_that_unpacks_without_end_stops_at_its_limit():
    bomb = pdf_bomb(9_000, 9_000)
    assert len(bomb) < 3_000
    errors = {place.path: place.error.reason for place in places_in(bomb, max_pixels=50_000_000) if place.error}
    assert errors["page 1 › picture 1"] == "too-many-pixels"
    reasons = {place.error.reason for place in places_in(bomb, max_expanded_bytes=4 * 1024**2) if place.error}
    assert reasons == {"expands-too-far"}
    many = FPDF(unit="pt", format=(600, 800))
    for number in range(60):
        many.add_page()
        many.set_font("helvetica", size=12)
        many.cell(text=f"page {number}")
    places = list(places_in(bytes(many.output()), max_parts=50, timeout_s=600))
    assert code_of(places[-1]) == "too-many-parts"


def test_time_that_runs_out_keeps_what_was_found():
    places = list(places_in(zip_of({"a.jpg": OTHER, "b.jpg": COPY}), timeout_s=1e-9))
    assert [place.path for place in places] == ["", ""]
    assert code_of(places[-1]) == "timeout"


def test_an_animation_without_end_stops_at_the_limit_and_is_held():
    places = list(places_in(gif_without_end(3_000), max_parts=200, timeout_s=600))
    assert code_of(places[-1]) == "too-many-parts"
    assert sum(place.path.startswith("frame") for place in places) <= 200


def test_pictures_and_pages_of_absurd_sizes_are_refused_before_they_are_made():
    huge = png_claiming(65_535, 65_535)
    (place,) = [place for path, place in walked(zip_of({"a.png": huge})).items() if path == "a.png"]
    with pytest.raises(UnscreenableError, match="over the limit"):
        _ = place.content.picture
    document = pdf_of([draw_scene(1, (64, 48))], form="PNG")
    for claimed in (b"/Width 64", b"/Height 48"):
        assert claimed in document
        document = document.replace(claimed, claimed.split()[0] + b" 65535")
    errors = {place.path: place.error.reason for place in places_in(document) if place.error}
    assert errors["page 1 › picture 1"] in ("too-many-pixels", "unreadable")
    vast = FPDF(unit="pt", format=(14_400, 14_400))
    vast.add_page()
    assert walked(bytes(vast.output()))["page 1"].content.picture.pixels.size <= 2048 * 2048


def test_hostile_names_are_shown_safely_and_none_passes_for_two_steps():
    names = ["a › b.jpg", "\u202egpj.exe", "x\ny\x1b[2J", "", "../../etc/passwd", "n" * 5000, "same", "same"]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, name in enumerate(names):
            archive.writestr(zipfile.ZipInfo(name), b"words %d" % number)
    paths = list(walked(file.getvalue()))[1:]
    assert len(set(paths)) == len(names)
    assert all(path.isprintable() and "›" not in path and len(path) < 200 for path in paths)


def test_members_that_the_directory_does_not_name_are_found(known):
    hidden = zip_of({"secret.jpg": COPY}, zipfile.ZIP_STORED)
    plain = zip_of({"other.jpg": OTHER})
    local = hidden[: hidden.index(b"PK\x01\x02")]
    verdict = known.screener.screen(b"PK\x03\x04" + local[4:] + plain)
    assert verdict.decision is Decision.BLOCK
    verdict = known.screener.screen(tar_of({"other.jpg": OTHER}) + COPY)
    assert verdict.decision is Decision.BLOCK


def test_random_bytes_in_every_shape_end_in_places():
    """The walk raises nothing, whatever the bytes."""

    @settings(max_examples=effort(50, 500), deadline=None)
    @given(st.sampled_from(HEADS), st.binary(max_size=400))
    def check(head: bytes, rest: bytes) -> None:
        assert list(places_in(head + rest))

    check()


def test_mutated_containers_and_videos_all_get_an_answer():
    """Every answer is an examination with samples or reasons, from a pool that goes on; none is a fault of ours."""
    seeds = list(every_container().values())
    limits = Limits(max_pixels=4_000_000, timeout_s=60, max_expanded_bytes=32 * 1024**2)
    looked_into = held = 0
    with WorkerPool(TASK, size=2, limits=limits, wait_s=600) as pool:

        def one(data: bytes) -> bool:
            is_picture = sniff(data) in PICTURES
            examination = examine_isolated(pool, data, options(Mode.FAST, limits), is_picture=is_picture)
            assert examination.samples or examination.shortcomings or sniff(data) in CONTAINERS
            assert not {"timeout", "busy"} & {reason.code for reason in examination.shortcomings}
            return not examination.shortcomings

        with ThreadPoolExecutor(2) as executor:
            for clean in executor.map(one, mutations(seeds, MUTATIONS, seed=11), chunksize=20):
                looked_into += clean
                held += not clean
        assert pool.starts <= 2 + MUTATIONS / 50
    assert looked_into + held == MUTATIONS
    assert min(looked_into, held) > MUTATIONS / 50
