"""The review console without a browser: who gets in, what a role permits, a picture's way, what is refused."""

import base64
import contextlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import update

from tests.support.held_items import a_match
from tutela.casework.cases.model import Case, CaseItem, CaseState, Claim, Queue
from tutela.casework.cases.options import CaseOptions, EvidenceOptions
from tutela.casework.evidence.review_key import read_review_key
from tutela.casework.evidence.seal import new_identity
from tutela.console.exposure import MIN_PEOPLE, Exposures, PauseError
from tutela.console.helplines import helplines
from tutela.console.options import ConsoleOptions, ExposurePolicy, Lifetimes
from tutela.console.outlines import outline
from tutela.console.people import People
from tutela.console.plots import Chart, draw
from tutela.console.reveal_policy import RevealPolicy
from tutela.console.reveals import CLEAR, LASTS_S, PACE_S, STEPS, TASK, Reveals, Subject
from tutela.console.second_looks import SecondLooks
from tutela.console.server import opened_console
from tutela.console.sessions import Sessions
from tutela.console.statistics import Statistics
from tutela.content.media.isolation import WorkerPool
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Region
from tutela.deployment.settings import Settings
from tutela.errors import ConflictError, InputError, NotFoundError, UnscreenableError
from tutela.foundation.store import console_tables as tables
from tutela.foundation.store.database import Store, now
from tutela.foundation.store.tables import verdict

HOUR = 3600 * 1_000_000


@pytest.fixture
def people(store: Store) -> People:
    return People(store)


def reviewer(people: People, name: str = "Rae", role: str = "reviewer"):
    return people.add(name, [role], by="test")


# --- people and invitations


def test_an_invitation_works_once(people):
    person = reviewer(people)
    token = people.invite(person.id, by="test")
    assert people.invited(token) == person
    assert people.invited(token) == person, "looking at an invitation uses nothing up"
    people.enrol(token, b"credential", b"key", 0)
    assert people.invited(token) is None
    with pytest.raises(InputError, match="used already or has expired"):
        people.enrol(token, b"another", b"key", 0)
    assert people.get(person.id).passkeys == 1


def test_of_two_who_use_an_invitation_at_once_one_gets_in(people):
    token = people.invite(reviewer(people).id, by="test")
    results: list[object] = []

    def enrol(number: int) -> None:
        try:
            results.append(people.enrol(token, b"credential %d" % number, b"key", 0))
        except InputError as error:
            results.append(error)

    threads = [threading.Thread(target=enrol, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([result for result in results if not isinstance(result, InputError)]) == 1


def test_a_newer_invitation_ends_the_earlier_and_an_old_one_expires(people, store):
    person = reviewer(people)
    first = people.invite(person.id, by="test")
    second = people.invite(person.id, by="test")
    assert people.invited(first) is None
    assert people.invited(second) == person
    with store.write() as connection:
        connection.execute(update(tables.invitation).values(expires_at=now() - 1))
    assert people.invited(second) is None
    with pytest.raises(InputError):
        people.enrol(second, b"credential", b"key", 0)


def test_no_token_is_in_the_database(people, store):
    person = reviewer(people)
    token = people.invite(person.id, by="test")
    session = Sessions(store, people).begin(person, "passkey")
    with store.read() as connection:
        kept = repr([connection.execute(table.select()).all() for table in (tables.invitation, tables.console_session)])
    assert token not in kept
    assert session.token not in kept


def test_somebody_stays_admin(people):
    admin = reviewer(people, "Ada", "admin")
    with pytest.raises(InputError, match="somebody must stay admin"):
        people.set_roles(admin.id, ["reviewer"], by="test")
    with pytest.raises(InputError, match="somebody must stay admin"):
        people.set_disabled(admin.id, True, by="test")
    assert not people.get(admin.id).disabled
    reviewer(people, "Alan", "admin")
    assert people.set_disabled(admin.id, True, by="test").disabled


@pytest.mark.parametrize("name", ["", "  ", "a" * 129, "bell\a"])
def test_names_are_printable_and_not_endless(people, name):
    with pytest.raises(InputError):
        people.add(name, ["reviewer"], by="test")


@pytest.mark.parametrize("roles", [[], ["superuser"], ["reviewer", ""]])
def test_roles_are_those_there_are(people, roles):
    with pytest.raises(InputError):
        people.add("Rae", roles, by="test")


# --- sessions


def test_a_session_ends_when_idle_when_old_when_signed_out_and_when_the_person_is_disabled(people, store):
    reviewer(people, "Ada", "admin")
    sessions = Sessions(store, people, Lifetimes(idle_s=60, absolute_s=600, rotate_s=300))
    person = reviewer(people)

    def alive(token: str) -> bool:
        return sessions.find(token) is not None

    def shift(session_id: str, **values: int) -> None:
        with store.write() as connection:
            connection.execute(
                update(tables.console_session).where(tables.console_session.c.id == session_id).values(**values)
            )

    idle, old, out, disabled = (sessions.begin(person, "passkey") for _ in range(4))
    assert all(alive(session.token) for session in (idle, old, out, disabled))
    shift(idle.id, seen_at=now() - 61_000_000)
    shift(old.id, created_at=now() - 601_000_000)
    sessions.end(out.id)
    assert [alive(session.token) for session in (idle, old, out, disabled)] == [False, False, False, True]
    people.set_disabled(person.id, True, by="test")
    assert not alive(disabled.token)
    assert not alive("never given out")
    assert not alive("")


def test_a_token_is_changed_when_due_and_the_old_one_stops(people, store):
    sessions = Sessions(store, people, Lifetimes(rotate_s=300))
    session = sessions.begin(reviewer(people), "passkey")
    assert sessions.find(session.token).token is None
    with store.write() as connection:
        connection.execute(update(tables.console_session).values(rotated_at=now() - 301_000_000))
    renewed = sessions.find(session.token)
    assert renewed.token not in (None, session.token)
    assert renewed.csrf == session.csrf, "pages that are open stay good"
    assert sessions.find(session.token) is not None, "requests under way may still use the old token"
    assert sessions.find(renewed.token) is not None
    with store.write() as connection:
        connection.execute(update(tables.console_session).values(rotated_at=now() - 60_000_000))
    assert sessions.find(renewed.token) is not None
    assert sessions.find(session.token) is None
    assert sessions.find(renewed.token) is None, "an old token in use means that the session was stolen: it ends"


# --- exposure


def test_reveals_are_counted_whatever_the_browser_does(people, store):
    exposures, person = Exposures(store), reviewer(people)
    closed = exposures.open(person, "case", "item", severe=True, most_s=8)
    exposures.close(closed, 2.5, 4)
    exposures.open(person, "case", "other", severe=False, most_s=8)  # never closed: counts for the longest it can be
    seen = exposures.of(person)
    assert (seen.items, seen.seconds, seen.severe) == (2, 10.5, 1)


def test_a_break_comes_after_so_many_items_and_ends_by_itself(people, store):
    exposures = Exposures(store, ExposurePolicy(items_before_break=3, break_minutes=15))
    person = reviewer(people)
    for number in range(3):
        exposures.close(exposures.open(person, "case", str(number), severe=False, most_s=8), 1, 1)
    with pytest.raises(PauseError, match="break") as pause:
        exposures.open(person, "case", "next", severe=False, most_s=8)
    assert exposures.pause(person).until == pause.value.until
    assert exposures.pause(reviewer(people, "Robin")) is None
    with store.write() as connection:
        connection.execute(update(tables.exposure).values(started_at=tables.exposure.c.started_at - HOUR // 3))
    assert exposures.pause(person) is None
    exposures.open(person, "case", "next", severe=False, most_s=8)


def test_short_pauses_do_not_count_as_a_break(people, store):
    exposures = Exposures(store, ExposurePolicy(items_before_break=2, break_minutes=15))
    person = reviewer(people)
    exposures.close(exposures.open(person, "case", "1", severe=False, most_s=8), 1, 1)
    with store.write() as connection:
        connection.execute(update(tables.exposure).values(started_at=tables.exposure.c.started_at - HOUR // 6))
    exposures.close(exposures.open(person, "case", "2", severe=False, most_s=8), 1, 1)
    assert exposures.pause(person) is not None


@pytest.mark.parametrize("limit", ["items_a_day", "seconds_a_day", "severe_a_day"])
def test_a_day_has_its_limits_even_with_breaks(people, store, limit):
    policy = ExposurePolicy(**{"items_before_break": 99, "seconds_before_break": 9999, limit: 4})
    exposures, person = Exposures(store, policy), reviewer(people)
    for number in range(4):
        exposures.close(exposures.open(person, "case", str(number), severe=True, most_s=8), 1, 1)
        with store.write() as connection:
            connection.execute(update(tables.exposure).values(started_at=tables.exposure.c.started_at - HOUR))
    with pytest.raises(PauseError, match="limit"):
        exposures.open(person, "case", "one more", severe=True, most_s=8)


def test_many_reveals_at_once_do_not_pass_a_limit_together(people, store):
    exposures, person = Exposures(store, ExposurePolicy(items_before_break=3)), reviewer(people)
    opened: list[int] = []

    def open_one(number: int) -> None:
        with contextlib.suppress(PauseError):
            opened.append(exposures.open(person, "case", str(number), severe=False, most_s=8))

    threads = [threading.Thread(target=open_one, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 3


def test_a_lead_sees_totals_and_none_that_speak_of_one_person(people, store):
    exposures = Exposures(store)
    team = [reviewer(people, name) for name in ("Rae", "Robin", "Ren")]
    assert len(team) == MIN_PEOPLE
    for person in team[:2]:
        exposures.close(exposures.open(person, "case", "item", severe=False, most_s=8), 2, 1)
    assert [day.totals for day in exposures.team(7)] == [None]
    exposures.close(exposures.open(team[2], "case", "another", severe=True, most_s=8), 2, 1)
    (day,) = exposures.team(7)
    assert (day.totals.items, day.totals.seconds, day.totals.severe) == (2, 6, 1)


# --- the two-person rule


def test_nobody_answers_their_own_question_and_an_answer_counts_once(people, store):
    looks = SecondLooks(store)
    asking, second, third = (reviewer(people, name) for name in ("Rae", "Robin", "Ren"))
    looks.ask(asking, "case", "item")
    looks.ask(asking, "case", "item")
    assert looks.open(asking) == []
    (question,) = looks.open(second)
    assert not looks.granted(asking, "case", "item")
    with pytest.raises(ConflictError, match="another person"):
        looks.answer(asking, question.id, True)
    looks.answer(second, question.id, True)
    assert looks.granted(asking, "case", "item")
    assert not looks.granted(asking, "case", "another")
    assert not looks.granted(third, "case", "item")
    with pytest.raises(ConflictError, match="already"):
        looks.answer(third, question.id, False)
    with pytest.raises(NotFoundError):
        looks.answer(third, 10**6, True)


def test_a_grant_ends_after_its_time(people, store):
    looks = SecondLooks(store)
    asking, second = reviewer(people), reviewer(people, "Robin")
    looks.ask(asking, "case", "item")
    looks.answer(second, looks.open(second)[0].id, True)
    with store.write() as connection:
        connection.execute(update(tables.second_look).values(asked_at=now() - HOUR))
    assert not looks.granted(asking, "case", "item")


# --- the way of a picture


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(TASK, size=1) as pool:
        yield pool


def photo(size: tuple[int, int] = (900, 600), form: str = "PNG", **options) -> bytes:
    """Colourful noise with large shapes: much detail to lose."""
    generator = np.random.default_rng(7)
    pixels = generator.integers(0, 256, (size[1], size[0], 3), np.uint8)
    pixels[: size[1] // 2, : size[0] // 2, 0] = 255
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()


def rendered(pool: WorkerPool, content: bytes, frame: int | None = None, parts=()) -> list[Image.Image]:
    steps = [[step.detail, step.shown] for step in STEPS]
    options = {"steps": steps, "frame": frame, "parts": list(parts), "limits": asdict(Limits())}
    answer = pool.run(content, options)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in answer["steps"]]


def detail(picture: Image.Image) -> float:
    """How much neighbouring pixels differ."""
    pixels = np.asarray(picture, np.float32)
    return float(np.abs(np.diff(pixels, axis=1)).mean())


def test_renditions_are_small_grey_and_only_become_clear_step_by_step(pool):
    pictures = rendered(pool, photo())
    assert {picture.mode for picture in pictures} == {"L"}
    assert [max(picture.size) for picture in pictures] == [step.shown for step in STEPS]
    assert all(step.detail < 64 for step in STEPS[:CLEAR])
    details = [detail(picture) for picture in pictures[: CLEAR + 1]]
    assert details == sorted(details)
    assert details[0] < details[CLEAR] / 8


def test_nothing_of_the_file_but_grey_pixels_leaves_the_worker(pool):
    marker = b"MARKER-" * 10
    exif = Image.Exif()
    exif[0x010E] = marker.decode()
    content = photo(form="JPEG", exif=exif) + marker
    assert content.count(marker) == 2
    options = {"steps": [[s.detail, s.shown] for s in STEPS], "frame": None, "parts": [], "limits": asdict(Limits())}
    for text in pool.run(content, options)["steps"]:
        assert b"MARKER" not in base64.b64decode(text)


def test_a_turned_photo_is_shown_as_a_viewer_turns_it(pool):
    exif = Image.Exif()
    exif[0x0112] = 6
    (picture, *_) = rendered(pool, photo((900, 300), "JPEG", exif=exif))
    assert picture.size[1] > picture.size[0]


def test_an_animation_is_a_contact_sheet_and_its_frames(pool):
    frames = [Image.new("L", (90, 60), shade) for shade in (0, 60, 120, 240)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=100)
    options = {"steps": [[s.detail, s.shown] for s in STEPS], "frame": None, "parts": [], "limits": asdict(Limits())}
    assert pool.run(out.getvalue(), options)["frames"] == 4
    shades = [np.asarray(rendered(pool, out.getvalue(), number)[-1]).mean() for number in range(4)]
    assert shades == sorted(shades)
    assert shades[3] - shades[0] > 200
    with pytest.raises(UnscreenableError):
        rendered(pool, out.getvalue(), 4)


def test_a_video_is_a_grey_contact_sheet_from_all_over_it(pool):
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(90):
            pixels = np.full((64, 96, 3), number * 255 // 90, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    sheet = np.asarray(rendered(pool, out.getvalue())[-1], np.float32)
    assert rendered(pool, out.getvalue())[-1].mode == "L"
    assert sheet[: len(sheet) // 4, : sheet.shape[1] // 4].mean() < 60
    assert sheet[-len(sheet) // 4 :, -sheet.shape[1] // 4 :].mean() > 150


def test_of_an_archive_the_pictures_that_matched_are_shown(pool):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for shade in (10, 100, 200):
            archive.writestr(f"{shade}.png", photo_of(shade))
        archive.writestr("inner/notes.txt", "words")
    assert abs(np.asarray(rendered(pool, out.getvalue(), parts=["100.png"])[-1]).mean() - 100) < 3
    with pytest.raises(UnscreenableError):
        rendered(pool, out.getvalue(), parts=["missing.png"])
    two = [np.asarray(rendered(pool, out.getvalue(), number, ["200.png", "10.png"])[-1]).mean() for number in (0, 1)]
    assert sorted(round(float(mean), -1) for mean in two) == [10, 200]
    options = {"steps": [[10, 10]], "frame": None, "parts": [], "limits": asdict(Limits())}
    answer = pool.run(out.getvalue(), options)
    assert (answer["frames"], answer["whole"]) == (3, False), "held for another reason: the first pictures in it"


def photo_of(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (80, 60), shade).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("content", [b"", b"text", b"%PDF-1.7", photo()[:40], b"\x00\x00\x00\x18ftypmp42" + bytes(64)])
def test_what_cannot_be_shown_is_an_answer(pool, content):
    with pytest.raises(UnscreenableError):
        rendered(pool, content)


class Clock:
    """Stands in for the time that passes between two steps."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("tutela.console.reveals.clock", clock)
    return clock


@pytest.fixture
def reveals(pool: WorkerPool, people: People, store: Store, clock: Clock) -> Reveals:
    return Reveals(pool, Exposures(store))


CLEARED = Subject("case", "item", severe=False, clear=True)


def test_steps_come_in_order_and_not_faster_than_the_pace(reveals, people, clock):
    person = reviewer(people)
    begun = reveals.begin(person, CLEARED, photo)
    assert begun.steps == len(STEPS)
    with pytest.raises(InputError, match="step by step"):
        reveals.picture(person, begun.token, 1)
    first = reveals.picture(person, begun.token, 0)
    assert reveals.picture(person, begun.token, 0) == first
    with pytest.raises(InputError, match="step by step"):
        reveals.picture(person, begun.token, 1)
    for step in range(1, len(STEPS)):
        clock.at += PACE_S
        assert reveals.picture(person, begun.token, step) != first
    clock.at += PACE_S
    with pytest.raises(InputError):
        reveals.picture(person, begun.token, len(STEPS))


def test_a_reveal_covers_itself_and_is_counted(reveals, people, store, clock):
    person = reviewer(people)
    begun = reveals.begin(person, CLEARED, photo)
    reveals.picture(person, begun.token, 0)
    clock.at += LASTS_S + 0.1
    with pytest.raises(NotFoundError, match="over"):
        reveals.picture(person, begun.token, 0)
    assert Exposures(store).of(person).seconds == LASTS_S
    second = reveals.begin(person, CLEARED, photo)
    reveals.picture(person, second.token, 0)
    clock.at += 1.5
    assert reveals.end(person, second.token) == 1.5
    with pytest.raises(NotFoundError):
        reveals.picture(person, second.token, 0)
    assert Exposures(store).of(person).seconds == LASTS_S + 1.5


def test_a_reveal_is_one_persons_and_one_at_a_time(reveals, people):
    person, other = reviewer(people), reviewer(people, "Robin")
    begun = reveals.begin(person, CLEARED, photo)
    for attempt in (lambda: reveals.picture(other, begun.token, 0), lambda: reveals.end(other, begun.token)):
        with pytest.raises(NotFoundError):
            attempt()
    reveals.begin(person, CLEARED, photo)
    with pytest.raises(NotFoundError):
        reveals.picture(person, begun.token, 0)


def test_without_a_second_person_the_clear_steps_are_not_even_made(reveals, people, clock):
    person = reviewer(people)
    begun = reveals.begin(person, Subject("case", "item", severe=True, clear=False), photo)
    assert (begun.steps, begun.waits_for_second) == (CLEAR, True)
    for step in range(CLEAR):
        reveals.picture(person, begun.token, step)
        clock.at += PACE_S
    with pytest.raises(InputError):
        reveals.picture(person, begun.token, CLEAR)


def test_nothing_of_the_evidence_is_left_in_the_workers_memory(reveals, pool, people):
    marker = b"MARKER-OF-EVIDENCE"
    for content in (photo() + marker, marker * 1000):
        with contextlib.suppress(UnscreenableError):
            reveals.begin(reviewer(people), CLEARED, lambda content=content: content)
        (worker,) = (one for idle in pool._idle.values() for one in idle)
        assert len(worker._map) > len(content), "this is where it was"
        assert marker not in bytes(worker._map)


def test_nothing_is_read_for_somebody_who_has_seen_enough(pool, people, store):
    person = reviewer(people)
    reveals = Reveals(pool, Exposures(store, ExposurePolicy(items_before_break=1)))
    reveals.begin(person, CLEARED, photo)
    with pytest.raises(PauseError):
        reveals.begin(person, CLEARED, lambda: pytest.fail("the evidence was read"))


# --- who may be shown what


def an_item(number: int = 1, label: str | None = "A1", region: Region | None = None, **changes) -> CaseItem:
    fields: dict[str, Any] = {"sha256": None, "media_type": "image/jpeg", "byte_length": 9, "decision": None} | changes
    fields |= {"at": datetime(2026, 1, 1, tzinfo=UTC), "label": label, "group": "g"}
    match = a_match(label=label, region=region)
    return CaseItem(number, "case", None, f"evidence-{number}", None, matches=(match,), **fields)


def a_case(claimed_by: str | None, *items: CaseItem) -> Case:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    claim = Claim(claimed_by, at) if claimed_by else None
    return Case("case", CaseState.OPEN, Queue.MATCH, 50, "A1", None, at, at, claim, items, (), ())


def test_only_who_has_the_claim_is_shown_anything(people, store):
    policy = RevealPolicy({"A1"}, False, SecondLooks(store))
    person, other = reviewer(people), reviewer(people, "Robin")
    case = a_case(person.actor, an_item())
    subject, item = policy.subject(person, case, 1)
    assert (subject.item_id, subject.severe, subject.clear, item.id) == ("1", True, True, 1)
    for nobody, theirs in ((other, case), (person, a_case(None, an_item())), (other, a_case(None, an_item()))):
        with pytest.raises(ConflictError, match="claim the case first"):
            policy.subject(nobody, theirs, 1)
    with pytest.raises(NotFoundError):
        policy.subject(person, case, 2)


def test_the_severest_labels_become_clear_with_a_second_person_only(people, store):
    looks = SecondLooks(store)
    policy = RevealPolicy({"A1"}, True, looks)
    person, second = reviewer(people), reviewer(people, "Robin")
    case = a_case(person.actor, an_item(1, "A1"), an_item(2, "B2"))
    assert [policy.subject(person, case, number)[0].clear for number in (1, 2)] == [False, True]
    looks.ask(person, "case", "1")
    assert not policy.subject(person, case, 1)[0].clear
    looks.answer(second, looks.open(second)[0].id, True)
    assert policy.subject(person, case, 1)[0].clear


def test_a_report_is_honest_about_what_was_seen_whole(reveals, people, store, clock):
    exposures, person = Exposures(store), reviewer(people)
    frames = [Image.new("L", (90, 60), shade) for shade in (0, 120)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    for item, content, steps in (("1", photo(), 1), ("2", photo(), CLEAR + 1), ("3", out.getvalue(), len(STEPS))):
        begun = reveals.begin(person, Subject("case", item, severe=False, clear=True), lambda content=content: content)
        for step in range(steps):
            reveals.picture(person, begun.token, step)
            clock.at += PACE_S
        reveals.end(person, begun.token)
    assert exposures.viewed("case") == {"2"}, "not a blurred one, and not a contact sheet"
    assert exposures.viewed("another") == set()


@given(
    st.lists(st.floats(allow_nan=False), min_size=4, max_size=4),
    st.none() | st.integers(-5, 10**6),
    st.none() | st.integers(-5, 10**6),
)
def test_an_outline_stays_inside_its_frame_whatever_a_worker_says(edges, width, height):
    drawn = outline([an_item(region=Region(*edges)).matches[0]], width, height)
    (box,) = drawn.boxes
    assert 0 < drawn.width <= 480
    assert 0 < drawn.height <= 480
    assert 0 <= box.x <= box.x + box.width <= drawn.width
    assert 0 <= box.y <= box.y + box.height <= drawn.height


# --- the review key


def test_the_review_key_lies_outside_the_home_and_is_an_age_identity(tmp_path):
    home, key = tmp_path / "home", tmp_path / "review.txt"
    home.mkdir()
    secret, public = new_identity()
    key.write_text(f"# public key: {public}\n{secret}\n")
    assert read_review_key(key, home).recipients == (public,)
    (home / "review.txt").write_text(secret)
    (tmp_path / "link.txt").symlink_to(home / "review.txt")
    for path in (home / "review.txt", tmp_path / "link.txt"):
        with pytest.raises(InputError, match="lies in the home"):
            read_review_key(path, home)
    for path, text in (
        (tmp_path / "missing", None),
        (key, "nonsense"),
        (key, "# empty"),
        (key, "\u00e9"),
    ):
        if text is not None:
            key.write_text(text)
        with pytest.raises(InputError) as error:
            read_review_key(path, home)
        assert secret not in str(error.value)


def test_what_follows_a_decision_in_the_service_follows_one_in_the_console_too(tmp_path):
    secret, public = new_identity()
    key = tmp_path / "review.txt"
    key.write_text(secret)
    settings = Settings(
        home=tmp_path / "home", evidence=EvidenceOptions((public,)), cases=CaseOptions(alarm_mail=("a@b.example",))
    )
    with settings.open() as deployment, opened_console(settings, ConsoleOptions(identity=key)) as console:
        ours, theirs = ({type(one) for one in cases._listeners} for cases in (console.cases, deployment.casework.cases))
    assert len(theirs) >= 3
    assert ours == theirs


# --- helplines, plots


def test_the_operators_helplines_come_first(tmp_path):
    public = helplines(None)
    assert len(public) >= 3
    (tmp_path / "helplines.toml").write_text('[[helpline]]\nname = "Ours"\nreach = "room 12"\n')
    assert [line.name for line in helplines(tmp_path)] == ["Ours", *(line.name for line in public)]
    (tmp_path / "helplines.toml").write_text("helpline = 3")
    with pytest.raises(InputError, match="helplines"):
        helplines(tmp_path)


@pytest.mark.parametrize("dark", [False, True])
def test_a_plot_is_svg_that_loads_and_runs_nothing(dark):
    chart = Chart(
        "<b>Title</b>", "items", ["a", "b"], {"<script>x</script>": [1, 2], "$\\frac{": [0, 3], "_hidden": [1, 1]}
    )
    root = ElementTree.fromstring(draw(chart, dark=dark))
    assert root.tag.endswith("svg")
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not names & {"script", "image", "foreignObject", "a"}
    assert not [name for element in root.iter() for name in element.attrib if name.lower().startswith("on")]


def test_statistics_count_what_the_store_has(store):
    with store.write() as connection:
        for number, decision in enumerate(["block", "block", "hold"]):
            matches = [{"bank": "known"}, {"bank": "known"}, {"bank": "other"}] if decision == "block" else []
            connection.execute(
                verdict.insert().values(id=f"v{number}", at=now(), decision=decision, document={"matches": matches})
            )
    charts = Statistics(store).charts(7)
    assert {name: sum(values) for name, values in charts["verdicts"].series.items()} == {"block": 2, "hold": 1}
    assert {name: sum(values) for name, values in charts["lists"].series.items()} == {"known": 2, "other": 2}
    assert all(len(values) == len(chart.labels) for chart in charts.values() for values in chart.series.values())
    assert charts["decisions"].empty
