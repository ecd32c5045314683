"""Parts: whatever carries pictures is looked into, every part says where it lies, and bombs end in a verdict."""

import io
import zipfile

import pytest

from tests.pictures import draw_scene, file_of, photos
from tests.test_screening import list_in
from tutela.media.budget import Budget
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


def test_an_archive_of_other_pictures_is_allowed(known):
    assert known.screener.screen(zip_of({"other.jpg": OTHER, "notes.txt": b"words"})).decision is Decision.ALLOW
