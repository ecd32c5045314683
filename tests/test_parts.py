"""Parts: whatever carries pictures is looked into, every part says where it lies, and bombs end in a verdict."""

import base64
import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from email.message import EmailMessage

import py7zr
import pytest
import pyzipper
import zstandard
from fpdf import FPDF
from PIL import Image

from tests.pictures import draw_scene, file_of, photos
from tests.test_screening import list_in
from tutela.banks.model import BankKind
from tutela.media.budget import Budget
from tutela.media.containers import libarchive
from tutela.media.content import Content, Limits, Mode
from tutela.media.walk import Place, walk
from tutela.screening.verdict import Decision

KNOWN = file_of(photos()[0].resize((256, 256)), "PNG")
COPY = file_of(photos()[0].resize((300, 300)), "JPEG", quality=60)
OTHER = file_of(photos()[1].resize((240, 160)), "JPEG")


def walked(data: bytes, **limits) -> dict[str, Place]:
    """Every place inside, by its path."""
    content = Content(data, Mode.FAST, Limits(**limits))
    return {place.path: place for place in walk(content, Budget(content.limits, len(data)))}


def zip_of(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


@pytest.fixture
def known(deployment):
    """A deployment that knows one picture."""
    list_in(deployment, "known", KNOWN, "pdq", "sha256")
    return deployment


def frames_of(form: str, count: int = 4) -> bytes:
    pictures = [draw_scene(seed, (160, 120)) for seed in range(count)]
    pictures[2] = photos()[0].resize((160, 120))
    return file_of(pictures[0], form, save_all=True, append_images=pictures[1:], duration=500)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF", "TIFF", "HEIF"])
def test_every_frame_and_page_is_matched(known, form):
    verdict = known.screener.screen(frames_of(form))
    assert verdict.decision is Decision.BLOCK, verdict.reasons
    parts = {match.part for match in verdict.matches}
    assert parts == {"page 3" if form in ("TIFF", "HEIF") else "frame 3"}
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


def tar_of(members: dict[str, bytes], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def seven_zip_of(members: dict[str, bytes], **options) -> bytes:
    file = io.BytesIO()
    with py7zr.SevenZipFile(file, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(data, name)
    return file.getvalue()


def rar_of(members: dict[str, bytes], flags: int = 0) -> bytes:
    """A RAR 4 archive whose members are not compressed (the format's technical note)."""

    def block(kind: int, flags: int, body: bytes) -> bytes:
        head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head

    archive = b"Rar!\x1a\x07\x00" + block(0x73, 0, bytes(6))
    for name, data in members.items():
        sizes = struct.pack("<IIBIIBBHI", len(data), len(data), 3, zlib.crc32(data), 0, 20, 0x30, len(name), 0o100644)
        archive += block(0x74, 0x8000 | flags, sizes + name.encode()) + data
    return archive + block(0x7B, 0, b"")


def mail_of(attachment: bytes, *, related: bool = False) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "holiday"
    message.set_content("words")
    message.add_alternative("<html><body>words</body></html>", subtype="html")
    message.add_attachment(attachment, maintype="image", subtype="jpeg", filename="beach.jpg")
    if related:
        outer = EmailMessage()
        outer["Subject"] = "forwarded"
        outer.set_content("see below")
        outer.add_attachment(message)
        return outer.as_bytes()
    return message.as_bytes()


def pdf_of(*pages: list[Image.Image], form: str = "JPEG", **options) -> bytes:
    document = FPDF()
    for pictures in pages:
        document.add_page()
        document.set_font("helvetica", size=12)
        document.cell(text="words above the pictures")
        for number, picture in enumerate(pictures):
            document.image(io.BytesIO(file_of(picture, form)), x=20, y=30 + 110 * number, w=100)
    return bytes(document.output())


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
    if kind == "rar" and libarchive.load() is None:
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
    for message in (mail_of(COPY), mail_of(COPY, related=True)):
        verdict = known.screener.screen(message)
        assert verdict.decision is Decision.BLOCK, verdict.reasons
        assert {match.part for match in verdict.matches} == {"beach.jpg"}
        assert verdict.media_type == "message/rfc822"
    assert known.screener.screen(mail_of(OTHER)).decision is Decision.ALLOW


def test_pictures_that_text_carries_are_matched(known):
    encoded = base64.b64encode(COPY).decode()
    page = f'<html><body><img src="data:image/jpeg;base64,{encoded}"></body></html>'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/jpeg;base64,{encoded}"/></svg>'
    for text in (page, drawing, f"words\n{base64.encodebytes(COPY).decode()}\nwords"):
        inside = known.screener.screen(zip_of({"text": text.encode()}))
        assert {match.part for match in inside.matches} == {"text › embedded 1"}
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
    unknown = known.screener.screen(OTHER + os.urandom(9000))
    assert [reason.code for reason in unknown.reasons] == ["trailing-data"]


def test_a_thumbnail_that_shows_something_else_is_matched(known):
    exif = Image.Exif()
    thumbnail = file_of(photos()[0].resize((160, 160)), "JPEG")
    data = exif.tobytes() + b"\0" * 8 + thumbnail
    for form in ("JPEG", "PNG", "WEBP"):
        verdict = known.screener.screen(file_of(photos()[1].resize((240, 160)), form, exif=data))
        assert {match.part for match in verdict.matches} == {"thumbnail 1"}, form


def test_a_known_file_inside_is_found_by_its_digest(known):
    words = b"\x00\x01 words that no decoder reads" * 20
    list_in(known, "files", words, "md5")
    verdict = known.screener.screen(zip_of({"a.bin": words}))
    assert {(match.bank, match.signal, match.part) for match in verdict.matches} == {("files", "md5", "a.bin")}
    assert verdict.decision is Decision.BLOCK


def test_an_allowed_file_inside_covers_itself_and_not_its_neighbours(known):
    list_in(known, "fine", OTHER, "sha256", kind=BankKind.ALLOW)
    assert known.screener.screen(zip_of({"a.jpg": OTHER, "b.jpg": COPY})).decision is Decision.BLOCK
    assert known.screener.screen(zip_of({"a.jpg": OTHER, "a.jpg ": COPY})).decision is Decision.BLOCK
    list_in(known, "fine-too", COPY, "sha256", kind=BankKind.ALLOW)
    assert known.screener.screen(zip_of({"a.jpg": OTHER, "b.jpg": COPY})).decision is Decision.ALLOW


def test_an_archive_of_other_pictures_is_allowed(known):
    assert known.screener.screen(zip_of({"other.jpg": OTHER, "notes.txt": b"words"})).decision is Decision.ALLOW


@pytest.mark.parametrize(
    ("members", "code", "part"),
    [
        ({"a.bin": b"\x00\x01\x02" * 200}, "unknown-part", "a.bin"),
        ({"a.jpg": b"\xff\xd8\xff\xe0broken"}, "unreadable", "a.jpg"),
        ({"a.psd": b"8BPS" + bytes(300)}, "unsupported-type", "a.psd"),
        ({"a.svg": b"<svg>" + b" " * 20_000 + b"</svg>"}, "not-rendered", "a.svg"),
        ({"a.zip": b"PK\x03\x04 no archive" + bytes(300)}, "unreadable", "a.zip"),
    ],
)
def test_a_part_that_cannot_be_screened_is_held_by_name_and_the_rest_is_screened(known, members, code, part):
    verdict = known.screener.screen(zip_of(members | {"b.jpg": OTHER}))
    assert [reason.code for reason in verdict.reasons] == [code]
    assert verdict.reasons[0].message.startswith(f"{part}: ")
    assert any(item.part == "b.jpg" and item.signal == "pdq" for item in verdict.hashes)
    assert known.screener.screen(zip_of(members | {"b.jpg": COPY})).decision is Decision.BLOCK


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
        assert [reason.code for reason in known.screener.screen(content).reasons] == ["encrypted"]
