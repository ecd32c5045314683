"""Profiles: what is not a picture passes as what it is where it is expected, and carries no known picture through."""

import base64
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.support import ordinary_files as made
from tests.support.containers import cabs_of, video_of, zip_of
from tests.support.pictures import draw_scene, file_of, photos
from tests.support.videos import encode, scene
from tutela import _native
from tutela.cli import main
from tutela.content.media.confined.ordinary import ordinary
from tutela.content.media.limits import Limits
from tutela.content.media.profile import EXPECTED, FileKind, Profile
from tutela.content.media.sniff import MediaType, sniff
from tutela.content.views.view_set import ViewSet
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.screening.decision import Decision

KNOWN = photos()[0].resize((256, 256))
KNOWN_JPEG = file_of(photos()[0].resize((240, 240)), "JPEG", quality=80)
COUNT = 1_000

SAMPLES: dict[FileKind, dict[str, bytes]] = {
    FileKind.TEXT: {
        "text/plain": "Grüße\n".encode(),
        "application/json": b'{"a": [1, 2]}',
        "text/vcard": made.contact(1),
        "text/calendar": made.calendar(1),
        "text/vtt": b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n",
        "application/x-subrip": made.subtitles(1),
        "application/x-pem-file": made.signature(2),
    },
    FileKind.SIGNATURE: {"application/pkcs7-signature": made.signature(1)},
    FileKind.FONT: {"font/ttf": made.font()},
    FileKind.SYSTEM: {"application/x-ds-store": b"\x00\x00\x00\x01Bud1" + bytes(300)},
    FileKind.AUDIO: {
        "audio/mpeg": made.audio("mp3"),
        "audio/flac": made.audio("flac"),
        "audio/wav": made.audio("wav"),
        "audio/aac": made.audio("aac"),
        "audio/aiff": made.audio("aiff"),
        "audio/midi": b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60MTrk\x00\x00\x01\x04"
        + bytes(256)
        + b"\x00\xff\x2f\x00",
    },
    FileKind.PROGRAM: {"application/vnd.microsoft.portable-executable": made.program(1)},
    FileKind.DATA: {"application/vnd.sqlite3": made.database(9), "application/x-plist": made.plist(1) + bytes(256)},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A deployment that lists one picture and expects files of every kind."""
    limits = Limits(views=ViewSet.PLAIN, profile=Profile.FILES, timeout_s=60.0)
    with compose_deployment(tmp_path_factory.mktemp("files"), decoders=2, limits=limits) as deployment:
        deployment.pool.warm()
        deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="test")
        value = _native.pdq(np.ascontiguousarray(KNOWN.convert("L")))[0]
        deployment.banks.add("known", [NewEntry("pdq", value)], actor="test")
        deployment.refresh()
        yield deployment


def decided(deployment: Deployment, content: bytes, profile: Profile = Profile.FILES) -> tuple[Decision, set[str]]:
    verdict = deployment.screener.screen(content, profile=profile)
    return verdict.decision, {reason.code for reason in verdict.reasons}


def test_every_kind_is_known_by_its_content():
    for kind, named in SAMPLES.items():
        for name, content in named.items():
            assert ordinary(content) == (kind, name)
            assert sniff(content) is None
    assert set(SAMPLES) == set(FileKind)


@pytest.mark.parametrize("kind", FileKind)
def test_what_shows_nothing_passes_or_is_held_as_the_table_says(files, kind):
    for profile in Profile:
        for name, content in SAMPLES[kind].items():
            verdict = files.screener.screen(content, profile=profile)
            alone = kind in EXPECTED[profile].alone
            assert (verdict.decision, verdict.media_type) == (Decision.ALLOW if alone else Decision.HOLD, name)
            assert alone or name in verdict.reasons[0].message
            inside = kind in EXPECTED[profile].inside
            assert decided(files, zip_of({"it": content}), profile)[0] == (Decision.ALLOW if inside else Decision.HOLD)


@pytest.mark.parametrize("ending", made.AUDIO)
def test_audio_passes_and_its_cover_is_looked_at(files, ending):
    assert decided(files, made.audio(ending)) == (Decision.ALLOW, set())
    assert decided(files, made.audio(ending), Profile.PICTURES) == (Decision.HOLD, {"unsupported-type"})


@pytest.mark.parametrize("ending", made.WITH_COVERS)
def test_a_known_cover_of_audio_is_found(files, ending):
    harmless = file_of(draw_scene(3, (120, 120)), "JPEG")
    assert decided(files, made.audio(ending, cover=harmless)) == (Decision.ALLOW, set())
    for profile in Profile:
        assert decided(files, made.audio(ending, cover=KNOWN_JPEG), profile)[0] is Decision.BLOCK


CARRIERS = {
    "behind MP3": made.audio("mp3") + KNOWN_JPEG,
    "between MP3 frames": made.audio("mp3")[:2_000] + KNOWN_JPEG + made.audio("mp3")[2_000:],
    "in a chunk of WAV": made.audio("wav") + b"pict" + len(KNOWN_JPEG).to_bytes(4, "little") + KNOWN_JPEG,
    "in text, in base64": b"see\n" + base64.encodebytes(KNOWN_JPEG),
    "in JSON, in base64": b'{"picture": "' + base64.b64encode(KNOWN_JPEG) + b'"}',
    "in a contact": made.contact(1).replace(b"END:", b"PHOTO;ENCODING=b:" + base64.b64encode(KNOWN_JPEG) + b"\r\nEND:"),
    "behind a font": made.font() + KNOWN_JPEG,
    "behind a program": made.program(1) + KNOWN_JPEG,
    "in an archive behind a program": made.program(1) + zip_of({"k.jpg": KNOWN_JPEG}),
    "in a database": made.database(1) + KNOWN_JPEG,
    "in a pickle": b"\x80\x04" + KNOWN_JPEG + b".",
    "behind a signature": made.signature(0) + KNOWN_JPEG,
    "as a member of a static library": b"!<arch>\n"
    + b"k.jpg/".ljust(16)
    + b"0".ljust(12)
    + b"0".ljust(6) * 2
    + b"100644".ljust(8)
    + str(len(KNOWN_JPEG)).encode().ljust(10)
    + b"`\n"
    + KNOWN_JPEG,
    "behind a JPEG and unknown bytes": file_of(draw_scene(1), "JPEG") + bytes(range(1, 256)) * 40 + KNOWN_JPEG,
    "in raw Motion JPEG": b"".join(file_of(draw_scene(n, (96, 64)), "JPEG") for n in range(30)) + KNOWN_JPEG,
    "in a cabinet behind text": cabs_of({"k.jpg": KNOWN_JPEG})[0],
}


@pytest.mark.parametrize("way", CARRIERS)
def test_no_profile_opens_a_way_for_what_is_carried(files, way):
    assert decided(files, CARRIERS[way])[0] is not Decision.ALLOW


def test_bytes_of_no_known_type_are_held_as_such(files):
    noise = np.random.default_rng(0).bytes(5_000)
    assert decided(files, noise) == (Decision.HOLD, {"unknown-type"})
    assert decided(files, zip_of({"noise": noise})) == (Decision.HOLD, {"unknown-part"})


def test_notes_of_makers_behind_a_file_pass_where_files_are_expected(files):
    noise = np.random.default_rng(0).bytes(30_000)
    for file in (file_of(draw_scene(2), "JPEG"), video_of("mp4", "libx264")):
        assert decided(files, file + noise) == (Decision.ALLOW, set())
        assert decided(files, file + noise, Profile.PICTURES) == (Decision.HOLD, {"trailing-data"})


def test_raw_motion_jpeg_is_pictures_that_follow_each_other(files):
    frames = b"".join(file_of(draw_scene(number, (96, 64)), "JPEG") for number in range(20))
    assert decided(files, frames) == (Decision.ALLOW, set())


def test_a_transport_stream_that_begins_inside_a_packet_is_watched(files):
    film = encode(scene(1), form="mpegts")
    for cut in (100, 188 * 3 + 7):
        assert sniff(film[cut:]) is MediaType.MPEG_TS
        assert decided(files, film[cut:]) == (Decision.ALLOW, set())
    shown = encode([np.asarray(KNOWN.resize((320, 180)))] * 40, form="mpegts")
    assert decided(files, shown[77:])[0] is Decision.BLOCK


def test_a_recording_without_a_key_frame_shows_nothing_and_passes_as_that(files):
    """Cut behind its only key frame: no player shows it. With one parameter set left in, it is held."""
    options = {"preset": "ultrafast", "x264-params": "repeat-headers=1"}
    film = encode(scene(1), form="mpegts", key_frames_every=1_000, options=options)
    packets = [film[at : at + 188] for at in range(0, len(film), 188)]
    pictures = [number for number, packet in enumerate(packets) if packet[1] & 0x5F == 0x41]  # a frame begins
    behind = b"".join(packets[: pictures[0]] + packets[pictures[1] :])
    assert decided(files, behind) == (Decision.ALLOW, set())
    assert decided(files, zip_of({"a.ts": behind})) == (Decision.ALLOW, set())
    assert decided(files, behind, Profile.PICTURES) == (Decision.HOLD, {"unsupported-type"})
    set_kept = b"".join(packets[: pictures[0] + 1] + packets[pictures[1] :])
    assert decided(files, set_kept)[0] is Decision.HOLD
    private = [b"G\x1f\xfe\x10" + np.random.default_rng(at).bytes(184) for at in range(200)]
    other_stream = b"".join(packets[: pictures[0]] + private + packets[pictures[1] :])
    assert decided(files, other_stream)[0] is Decision.HOLD


def test_a_zip_behind_anything_is_told_as_a_zip(files):
    prefix = b"MZ" + bytes(198)
    archive = zip_of({"a.jpg": file_of(draw_scene(1), "JPEG"), "b.txt": b"words"})
    for file in (prefix + archive, b"#!/usr/bin/env python3\n" + archive):
        assert sniff(file) is MediaType.ZIP
        assert decided(files, file) == (Decision.ALLOW, set())
    shown = prefix + zip_of({"k.jpg": KNOWN_JPEG})
    assert decided(files, shown) == (Decision.BLOCK, {"match-block"})
    assert decided(files, KNOWN_JPEG + zip_of({"a.txt": b"x"}))[0] is Decision.BLOCK
    assert sniff(prefix + archive[:-30]) is None


@pytest.mark.slow
def test_of_a_thousand_ordinary_files_at_most_one_in_a_hundred_is_held_and_says_why(files):
    listed = list(made.ordinary_files(COUNT))
    assert len(listed) == COUNT
    with ThreadPoolExecutor(2) as threads:
        verdicts = list(threads.map(lambda item: files.screener.screen(item[1]), listed))
    held = {name: verdict for (name, _), verdict in zip(listed, verdicts, strict=True) if verdict.decision != "allow"}
    assert len(held) <= COUNT // 100, {name: verdict.reasons[0].message for name, verdict in held.items()}
    assert not [verdict for verdict in held.values() if verdict.decision is Decision.BLOCK]
    for name, verdict in held.items():
        content = dict(listed)[name]
        codes = {reason.code for reason in verdict.reasons}
        assert not codes & {"unknown-type", "engine-fault"} or (sniff(content) is None and ordinary(content) is None)


@pytest.mark.parametrize(("profile", "code"), [("pictures", 1), ("files", 0), ("nothing", 2)])
def test_the_command_line_takes_the_profile(tmp_path, monkeypatch, profile, code):
    song = tmp_path / "song.mp3"
    song.write_bytes(made.audio("mp3"))
    monkeypatch.setenv("TUTELA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "argv", ["tutela", "screen", str(song), "--profile", profile])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
