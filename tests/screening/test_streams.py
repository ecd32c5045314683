"""Live streams: which frames are looked at, what follows from what is seen, and what is written down."""

import errno
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.feeds import random_hashes
from tests.support.streams import film
from tutela import _native
from tutela.cli.demo import draw_scene
from tutela.content.media.lanes import Lane
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Region, Sample
from tutela.content.signals.pdq import PDQ
from tutela.errors import TutelaError
from tutela.foundation.options import OptionError
from tutela.lists.banks.model import Action
from tutela.screening.decision import Decision
from tutela.screening.streams.attention import ATTENDED_S, Attention
from tutela.screening.streams.endings import ClipFacts, Ending, Endings
from tutela.screening.streams.examiner import Examiner, Follower
from tutela.screening.streams.model import (
    LIVE,
    Channel,
    Codec,
    Look,
    Packet,
    Publication,
    ScreenedFrames,
    Sight,
    StreamFacts,
    StreamState,
    StreamStep,
)
from tutela.screening.streams.options import StreamOptions
from tutela.screening.streams.ruling import Standing, overdue, rule
from tutela.screening.streams.sampling import TOLERANCE, Sampler, SamplingPlan, Timeline, begins_anew
from tutela.screening.streams.task import read_seen, task
from tutela.screening.streams.watch import Watch
from tutela.screening.streams.wire import Message, codec_fields, packet_fields, read_codec, read_look
from tutela.screening.verdict import Match, Reason, TimeSpan

OPTIONS = StreamOptions()
RATE = 30


def match(distance: int = 20, action: Action = Action.BLOCK, quality: int = 90, **more) -> Match:
    value = random_hashes(1, seed=1)[0].tobytes().hex()
    found = Match("known", 1, "pdq", value, distance, 31, "whole", quality, None, "operator", "x", action)
    return replace(found, **more)


def sight(at: float, *matches: Match, seconds: float | None = None, fault: str | None = None) -> Sight:
    return Sight(at, at if seconds is None else seconds, tuple(matches), fault)


def ruled(*sights: Sight, options: StreamOptions = OPTIONS) -> list[StreamStep]:
    standing, steps = Standing(), []
    for one in sights:
        ruling = rule(standing, one, options)
        standing = ruling.standing
        steps.append(ruling.step)
    return steps


# --- ruling


def test_a_first_clear_frame_lets_viewers_in_and_further_ones_change_nothing():
    assert ruled(sight(0), sight(2), sight(4)) == [StreamStep.CLEAR, StreamStep.NONE, StreamStep.NONE]


def test_a_near_match_of_a_bank_that_blocks_cuts_at_once():
    assert ruled(sight(0), sight(2, match(8))) == [StreamStep.CLEAR, StreamStep.CUT]
    assert ruled(sight(0, match(0))) == [StreamStep.CUT]


@pytest.mark.parametrize("first", [match(9), match(3, quality=49), match(0, Action.HOLD)])
def test_a_first_hit_pauses_a_second_on_another_frame_cuts(first):
    assert ruled(sight(0), sight(2, first), sight(2.2, first)) == [StreamStep.CLEAR, StreamStep.PAUSE, StreamStep.CUT]


def test_the_same_frame_seen_twice_is_no_second_hit():
    steps = ruled(
        sight(0), sight(2, match(), seconds=2), sight(2.1, match(), seconds=2), sight(2.2, match(), seconds=2.2)
    )
    assert steps == [StreamStep.CLEAR, StreamStep.PAUSE, StreamStep.NONE, StreamStep.CUT]


def test_without_a_second_hit_viewers_come_again_after_the_wait():
    seen = [sight(0), sight(2, match()), *(sight(2 + n / 2) for n in range(1, 24))]
    steps = ruled(*seen)
    assert steps[1] is StreamStep.PAUSE
    assert steps.index(StreamStep.RELEASE) == 1 + 21  # the first sight later than 10 s after the hit
    assert StreamStep.CUT not in steps


def test_a_second_hit_after_the_wait_is_a_first_one_again():
    clear = [sight(2 + n) for n in range(1, 12)]
    assert ruled(sight(0), sight(2, match()), *clear, sight(20, match()))[-1] is StreamStep.PAUSE


def test_banks_that_only_log_and_matches_that_allow_lists_cover_do_nothing():
    logged, covered = match(0, Action.LOG), match(0, suppressed_by="ours#1")
    assert ruled(sight(0, logged), sight(2, covered)) == [StreamStep.CLEAR, StreamStep.NONE]


def test_what_cannot_be_examined_pauses_and_then_cuts_and_never_lets_anybody_in():
    bad = [sight(n, fault="decoder-crash") for n in (0, 0.2)]
    assert ruled(*bad) == [StreamStep.PAUSE, StreamStep.CUT]
    assert ruled(sight(0), sight(2, fault="timeout"), sight(13)) == [
        StreamStep.CLEAR,
        StreamStep.PAUSE,
        StreamStep.RELEASE,
    ]


def test_time_alone_ends_what_was_never_seen_and_what_is_in_doubt_for_too_long():
    assert overdue(Standing(), 14, 0, OPTIONS).step is StreamStep.NONE
    assert overdue(Standing(), 16, 0, OPTIONS).step is StreamStep.DROP
    paused = Standing(StreamState.PAUSED, paused_at=100.0)
    assert overdue(paused, 1000, 150.0, OPTIONS).step is StreamStep.NONE
    assert overdue(paused, 1000, 161.0, OPTIONS).step is StreamStep.CUT


@given(
    st.lists(
        st.tuples(st.floats(0.05, 5), st.sampled_from(["clear", "near", "far", "hold", "fault"])),
        min_size=1,
        max_size=60,
    )
)
def test_viewers_are_let_in_only_by_a_clear_frame_and_nothing_follows_a_cut(events):
    kinds = {"clear": (), "near": (match(2),), "far": (match(25),), "hold": (match(0, Action.HOLD),), "fault": ()}
    standing, at = Standing(), 0.0
    for gap_s, kind in events:
        at += gap_s
        before = standing
        ruling = rule(standing, sight(at, *kinds[kind], fault="damaged" if kind == "fault" else None), OPTIONS)
        standing = ruling.standing
        if before.state not in LIVE:
            assert ruling.step is StreamStep.NONE
            assert standing == before
        if standing.state is StreamState.RUNNING and before.state is not StreamState.RUNNING:
            assert kind == "clear"
        if kind == "near" and before.state in LIVE:
            assert standing.state is StreamState.CUT
        if kind != "clear" and before.state in LIVE:
            assert standing.state in (StreamState.PAUSED, StreamState.CUT)


# --- sampling


def packets(
    seconds: float, group: int, *, key_bytes: int = 20_000, between_bytes: int = 2_000, start: int = 0
) -> Iterator[Packet]:
    for number in range(start, round(seconds * RATE)):
        key = number % group == 0
        yield Packet(number / RATE, bytes(key_bytes if key else between_bytes), key)


def looks_of(packets: Iterator[Packet], seed: int = 1, share: float = 0.25) -> list[Look]:
    sampler = Sampler(SamplingPlan(2.0, share), random.Random(seed))
    return [look for packet in packets for look in sampler.take(packet)]


def test_every_key_frame_is_looked_at_and_a_random_frame_in_about_a_quarter_of_the_intervals():
    looks = looks_of(packets(2_000, 60))
    kinds = [look.frames for look in looks]
    assert kinds.count(ScreenedFrames.KEY) == 1_000
    assert 200 < kinds.count(ScreenedFrames.RANDOM) < 300
    assert all(look.packets[0].key for look in looks)
    moments = [look.due[0] % 2.0 for look in looks if look.frames is ScreenedFrames.RANDOM]
    assert min(moments) < 0.2
    assert max(moments) > 1.8


def test_the_moments_are_others_for_another_seed():
    one, other = (
        [look.due for look in looks_of(packets(200, 60), seed) if look.frames is ScreenedFrames.RANDOM]
        for seed in (1, 2)
    )
    assert one != other


@given(st.integers(1, 2_000), st.integers(0, 2**32), st.booleans())
def test_no_two_samples_are_further_apart_than_the_gap_whatever_the_key_frames_are(group, seed, with_doubt):
    sampler = Sampler(SamplingPlan(2.0, 0.25), random.Random(seed))
    due = []
    for packet in packets(40, group):
        if with_doubt and packet.seconds == 10:
            due += [second for look in sampler.closely(0.2) for second in look.due]
        due += [second for look in sampler.take(packet) for second in look.due]
    times = sorted(due)
    assert times[0] == 0.0
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert max(gaps) <= 2.0 * TOLERANCE + 2 / RATE
    assert 40 - times[-1] <= 2.0 * TOLERANCE + 2 / RATE
    if with_doubt:
        assert max(b - a for a, b in itertools.pairwise(times) if a > 10.5) <= 0.2 + 2 / RATE


def test_a_stream_with_late_key_frames_is_followed_without_a_packet_left_out():
    looks = looks_of(packets(60, 900))
    followed = [look for look in looks if look.frames is ScreenedFrames.FOLLOWED]
    assert followed[0].fresh
    assert not any(look.fresh for look in followed[1:])
    times = [packet.seconds for look in followed for packet in look.packets]
    assert times == [number / RATE for number in range(len(times))]
    assert len(times) > 58 * RATE


def test_a_stream_whose_key_frames_come_in_time_again_is_no_longer_followed():
    sampler = Sampler(SamplingPlan(2.0, 0.25), random.Random(1))
    for packet in packets(20, 300):
        sampler.take(packet)
    assert sampler.late_keys
    later = [look for packet in packets(40, 60, start=600) for look in sampler.take(packet)]
    assert not sampler.late_keys
    assert later[-1].frames in (ScreenedFrames.KEY, ScreenedFrames.RANDOM)


def test_a_frame_that_carries_a_new_picture_is_looked_at_where_it_comes():
    film = [replace(p, data=bytes(15_000)) if round(p.seconds * RATE) == 75 else p for p in packets(8, 60)]
    looks = looks_of(iter(film), share=0.001)
    assert [look.due[0] for look in looks if look.frames is ScreenedFrames.NEW] == [2.5]


def intervals(lengths: Sequence[int], times: int) -> Iterator[tuple[int, Packet]]:
    """Packets of key-frame intervals of so many frames, in turns; with the place of each in its interval."""
    number = 0
    for length in list(lengths) * times:
        for place in range(length):
            yield place, Packet(number / RATE, bytes(20_000 if place == 0 else 2_000), place == 0)
            number += 1


def places_of_random_looks(stream: Iterator[tuple[int, Packet]], seed: int) -> list[int]:
    sampler, place_of, found = Sampler(SamplingPlan(2.0, 0.25), random.Random(seed)), {}, []
    for place, packet in stream:
        place_of[packet.seconds] = place
        found += [place_of[look.due[0]] for look in sampler.take(packet) if look.frames is ScreenedFrames.RANDOM]
    return found


@pytest.mark.parametrize("lengths", [[60], [3, 60], [60, 3], [3] * 9 + [60], [60] * 9 + [3], [2, 33, 7, 66]])
def test_no_order_of_intervals_keeps_a_frame_from_being_drawn(lengths):
    """Each frame between key frames is drawn in about a quarter of its intervals, each as often as any other."""
    times = 4_000 // len(lengths)
    found = places_of_random_looks(intervals(lengths, times), 7)
    for first, last in ((1, 20), (20, 40), (40, 60)):
        chances = sum(0.25 * times * max(0, min(last, length) - first) / (length - 1) for length in lengths)
        drawn = sum(first <= place < last for place in found)
        assert drawn >= chances - 4 * chances**0.5, (first, last)


@pytest.mark.parametrize("hidden", ["in no time", "between many others"])
def test_no_times_and_no_further_frames_hide_a_frame_from_being_drawn(hidden):
    """58 frames of 60 within a twentieth of a second; or one frame for two seconds, behind 58 in a twentieth of one."""
    found, intervals_count = 0, 2_000
    sampler = Sampler(SamplingPlan(2.0, 0.25), random.Random(5))
    is_hidden: dict[float, bool] = {}
    for interval in range(intervals_count):
        begin = 2.0 * interval
        for number in range(60):
            at = 0.0 if number == 0 else 0.001 * number if number < 59 else 0.1 if hidden != "in no time" else 1.99
            is_hidden[begin + at] = (0 < number < 59) == (hidden == "in no time") and number > 0
            looks = sampler.take(Packet(begin + at, bytes(20_000 if number == 0 else 2_000), number == 0))
            found += sum(is_hidden[look.due[0]] for look in looks if look.frames is ScreenedFrames.RANDOM)
    assert found >= 0.08 * intervals_count


def test_a_new_picture_that_comes_too_soon_after_another_is_looked_at_all_the_same():
    """What is hidden comes a moment behind something harmless that carries as much."""
    large = {75, 78}
    film = [replace(p, data=bytes(15_000)) if round(p.seconds * RATE) in large else p for p in packets(8, 60)]
    first, second = [look.due[0] for look in looks_of(iter(film), share=0.001) if look.frames is ScreenedFrames.NEW]
    assert first == 2.5
    assert 2.6 < second <= 3.0 + 1 / RATE


@given(st.integers(0, 2**32), st.booleans())
def test_what_came_before_a_change_of_form_or_the_end_is_looked_at(seed, is_followed):
    sampler = Sampler(SamplingPlan(2.0, 1.0), random.Random(seed))
    looks = [look for packet in packets(1.0, 60) for look in sampler.take(packet)]
    looks += sampler.closely(0.2) if is_followed else []
    last = sampler.restart()
    kinds = {look.frames for look in (*looks, *last)}
    assert (ScreenedFrames.FOLLOWED if is_followed else ScreenedFrames.RANDOM) in kinds
    assert sampler.finish() == []
    again = [look for packet in packets(2.0, 30, start=30) for look in sampler.take(packet)]
    assert again[0].packets[0].key
    assert again[0].fresh


def test_nothing_is_looked_at_before_the_first_key_frame():
    assert looks_of(p for p in packets(1, 60) if not p.key) == []


def test_every_interval_is_looked_into_while_that_is_asked():
    sampler = Sampler(SamplingPlan(2.0, 0.05), random.Random(3))
    sampler.attend(True)
    kinds = [look.frames for packet in packets(200, 60) for look in sampler.take(packet)]
    assert kinds.count(ScreenedFrames.RANDOM) >= 98


def test_a_point_from_which_a_picture_is_only_refreshed_is_no_key_frame():
    lengths, codes = b"\1\x64\0\x1f\xff", b""
    idr, refreshed = bytes([0x65, 1, 2]), bytes([0x41, 1, 2])
    for unit, expected in ((idr, True), (refreshed, False)):
        assert begins_anew("h264", lengths, b"\0\0\0\1\6" + len(unit).to_bytes(4) + unit) is expected
        assert begins_anew("h264", codes, b"\0\0\0\1\6\0\0\1" + unit) is expected
        assert begins_anew("vp8", codes, unit)
    for torn in (b"", b"\0", b"\0\0\1", b"\xff" * 9):
        assert not begins_anew("h264", lengths, torn)
        assert not begins_anew("h264", codes, torn)


# --- what a receiver says


def test_what_a_receiver_says_is_read_back_or_refused():
    look = Look(ScreenedFrames.RANDOM, (Packet(1.0, b"abc", True), Packet(1.5, b"de")), (1.5,), track=0)
    fields = {"frames": "random", "packets": packet_fields(look), "due": [1.5], "fresh": True, "track": 0}
    assert read_look(Message("look", fields, b"abcde")) == look
    for wrong in ({}, fields | {"frames": "other"}, fields | {"packets": [[1]]}, fields | {"due": 3}):
        with pytest.raises(TutelaError):
            read_look(Message("look", wrong, b""))
    with pytest.raises(TutelaError):
        read_codec({"name": "h264"})


@pytest.mark.parametrize(
    "wrong", [{"lease_s": 1.0}, {"random_share": 0.0}, {"max_gap_s": 0.1}, {"closely_s": 2.0}, {"clip_s": 0.0}]
)
def test_options_that_would_leave_a_stream_unwatched_are_refused(wrong):
    with pytest.raises(OptionError):
        StreamOptions(**wrong)


# --- endings that wait for the database


def ending() -> Ending:
    facts = StreamFacts(
        "a" * 32, Channel("main", "live", "cam"), StreamState.CUT, 1.5, 2.5, ended_at=9.0, why="certain-match",
        samples=7, hits=1, verdict="b" * 32, refused_until=99.0,
    )  # fmt: skip
    publication = Publication(facts.channel, "member-1", "session-1", "192.0.2.7")
    clip = ClipFacts.of(b"G a clip")
    span = TimeSpan(1.0, 2.0, None, None, None, 1, 1.0, None)
    matched = match(3, span=span, region=Region(1, 2, 3, 4))
    return Ending(facts, publication, (matched,), (Reason("x", "y"),), clip, {"bytes": 8}, b"sealed to the key")


def test_an_ending_is_read_back_by_whoever_has_the_key_and_by_nobody_else(tmp_path):
    kept = Endings(tmp_path, bytes(32))
    kept.save(ending())
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert not any(told in file.read_bytes() for told in (b"member-1", b"192.0.2.7", b"sealed to the key", b"certain"))
    other = Endings(tmp_path, bytes([1] * 32))
    assert (other.load(), other.waiting()) == (0, [])
    again = Endings(tmp_path, bytes(32))
    assert again.load() == 1
    assert again.waiting() == [ending()]
    assert again.knows("a" * 32)
    again.remove(ending())
    assert not list(tmp_path.iterdir())
    assert not again.knows("a" * 32)


def test_an_ending_for_which_the_disk_has_no_room_leaves_nothing_and_is_saved_later(tmp_path, monkeypatch):
    endings = Endings(tmp_path, b"k" * 32)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no room"):
        endings.save(ending())
    assert not list(tmp_path.iterdir())
    assert endings.waiting() == [ending()]
    assert not endings.is_saved(ending())
    monkeypatch.undo()
    endings.save(ending())
    assert endings.is_saved(ending())
    assert [path.suffix for path in tmp_path.iterdir()] == [".sealed"]


def full(_: int) -> None:
    raise OSError(errno.ENOSPC, "no room")


def test_an_ending_that_was_cut_short_on_the_disk_is_left_for_a_person(tmp_path):
    Endings(tmp_path, bytes(32)).save(ending())
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for length in (0, 10, 60, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert Endings(tmp_path, bytes(32)).load() == 0
    assert file.exists()


def test_the_verdict_of_an_ending_is_the_same_after_it_was_read_back():
    kept = ending()
    verdict = Ending.unpack(kept.pack()).verdict()
    assert verdict == kept.verdict()
    assert (verdict.decision, verdict.byte_length, verdict.media_type) == (Decision.BLOCK, 8, "video/mp2t")
    assert verdict.context.details["uploader"] == "member-1"


@pytest.mark.parametrize("name", ["cam", "cam-1", "a b", "Ä", "a/b", "x" * 240])
def test_names_that_everybody_reads_alike_are_usable(name):
    assert Channel("main", "live", name).is_plain
    assert Channel("main", "", name).is_plain


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/../b",
        "a//b",
        "/a",
        "a/",
        " a",
        "a ",
        "a?b",
        "a#b",
        "a%2fb",
        "a&b",
        "a\\b",
        "a\nb",
        "a\0b",
        "a\u202eb",
        "x" * 251,
    ],
)
def test_names_that_somebody_may_read_as_others_are_not(name):
    assert not Channel("main", "live", name).is_plain
    assert not Channel("main", name, "cam").is_plain or name == ""


# --- what a cut removes


@pytest.mark.parametrize("set_by_s", [-7_200.0, 0.0, 7_200.0])
def test_what_a_cut_removes_is_what_came_since_whatever_the_clock_was_set_to(monkeypatch, examiner, set_by_s):
    watch = Watch("a" * 32, Publication(Channel("main", "live", "cam")), "t", examiner, OPTIONS, print, print)
    began, true = time.time(), time.monotonic()
    watch._cleared_came = (began - 2.5, true - 2.5)
    clocks = SimpleNamespace(time=lambda: began + set_by_s, monotonic=lambda: true)
    monkeypatch.setattr("tutela.screening.streams.watch.time", clocks)
    for written_at in (began - 2.4, began + set_by_s - 2.4):  # before the clock was set, and after
        assert written_at > watch.uncleared_since()
    assert watch.uncleared_since() == pytest.approx(began - 2.5 + min(0.0, set_by_s), rel=0, abs=1e-3)


# --- where something may be hidden


def whole(value: int, quality: int = 100) -> Sample:
    return Sample("pdq", value.to_bytes(32), quality=quality)


KEY, BETWEEN = ScreenedFrames.KEY, ScreenedFrames.RANDOM
ONE, OTHER, THIRD = 0, (1 << 100) - 1, ((1 << 100) - 1) << 120


@pytest.mark.parametrize(
    ("looks", "attends"),
    [
        ([(KEY, whole(ONE)), (BETWEEN, whole(ONE)), (KEY, whole(ONE))], False),
        ([(KEY, whole(ONE)), (BETWEEN, whole(OTHER)), (KEY, whole(OTHER))], False),
        ([(KEY, whole(ONE)), (KEY, whole(OTHER))], False),
        ([(KEY, whole(ONE)), (BETWEEN, whole(OTHER)), (KEY, whole(ONE))], True),
        ([(KEY, whole(ONE)), (BETWEEN, whole(OTHER)), (KEY, whole(THIRD))], True),
        ([(KEY, whole(ONE, quality=0))], True),
        ([(ScreenedFrames.FOLLOWED, whole(ONE, quality=0))], False),
    ],
)
def test_intervals_are_looked_into_where_key_frames_show_little_or_something_else(looks, attends):
    attention = Attention()
    changes = [attention.changes(frames, sample, 2.0 * number) for number, (frames, sample) in enumerate(looks)]
    assert (attention.attends, changes.count(True)) == (attends, int(attends))
    if attends:
        assert not attention.changes(KEY, whole(THIRD), 2.0 * len(looks) + 50.0)
        assert attention.changes(KEY, whole(THIRD), 2.0 * len(looks) + ATTENDED_S)
        assert not attention.attends


# --- who waits for whom


def examined_by(examiner: Examiner, stream_id: str, took_s: float) -> Lane:
    """In which lane a look of a stream's was examined that took so long of a processor."""
    turn = examiner.pool._lanes.enter(Follower(examiner, stream_id).asker, 0.0)
    assert turn is not None
    examiner.pool._lanes.leave(turn, took_s)
    return turn.lane


def nothing_matches(groups: Sequence[Sequence[Sample]]) -> list[list[Match]]:
    return [[] for _ in groups]


@pytest.fixture
def examiner() -> Iterator[Examiner]:
    examiner = Examiner(nothing_matches, Limits(), workers=2, max_followed=1)
    yield examiner
    examiner.close()


def test_looks_of_usual_streams_never_wait_in_the_lane_to_which_a_busy_machine_gives_no_time(examiner):
    """A look that leads from a key frame to one two seconds later takes longer than most uploads."""
    for took_s in (0.005, 0.06, 0.3, 0.8) * 5:
        running = [examiner.pool._lanes.enter(Follower(examiner, name).asker, 0.0) for name in ("one", "other")]
        assert [turn and turn.lane for turn in running] == [Lane.QUICK] * 2
        for turn in running:
            assert turn is not None
            assert not examiner.pool._lanes.is_over(turn, took_s)
            examiner.pool._lanes.leave(turn, took_s)


def test_a_stream_whose_looks_take_long_delays_no_other_stream(examiner):
    assert examined_by(examiner, "hostile", 3.9) is Lane.QUICK
    assert examined_by(examiner, "hostile", 3.9) is Lane.SLOW
    assert examined_by(examiner, "other", 0.1) is Lane.QUICK
    assert examined_by(examiner, "never seen", 0.1) is Lane.QUICK


# --- clocks that a sender sets

CLOCKS: dict[str, Callable[[float, random.Random], float]] = {
    "stands still": lambda at, _: 5.0,
    "runs a hundred times too slowly": lambda at, _: at / 100,
    "is set forward once for a frame": lambda at, _: 1e6 if 9 < at < 9.05 else at,
    "is set back again and again": lambda at, _: at % 3,
    "says anything": lambda at, dice: dice.choice([0.0, at, -1e12, 9e18, dice.uniform(-1e3, 1e3)]),
}


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("group", [60, 900, 100_000])
def test_no_clock_of_a_sender_keeps_frames_from_being_sampled(clock, group):
    dice = random.Random(3)
    timeline, sampler = Timeline(0.0, 0.0), Sampler(SamplingPlan(2.0, 0.25), random.Random(1))
    looked_at: list[float] = []
    for packet in packets(60, group):
        shown = timeline.of(CLOCKS[clock](packet.seconds, dice), packet.seconds)
        for look in sampler.take(replace(packet, seconds=round(shown, 4))):
            assert look.due == (look.packets[-1].seconds,)
            looked_at.append(packet.seconds)
    gaps = [after - before for before, after in itertools.pairwise([0.0, *looked_at, 60.0])]
    assert max(gaps) <= 2.0 * TOLERANCE + 3.0 + 2 / RATE, max(gaps)


@given(st.lists(st.floats(0.0, 2.5), min_size=1, max_size=200), st.floats(-1e6, 1e6))
def test_the_times_of_an_honest_clock_are_believed_however_unevenly_frames_come(delays, begin):
    timeline = Timeline(begin, 100.0)
    for number, delay in enumerate(delays, 1):
        at = number / RATE
        assert timeline.of(begin + at, 100.0 + at + delay) == pytest.approx(at, abs=1e-6)


def test_a_frame_is_wanted_by_its_place_whatever_time_it_claims(tmp_path):
    """All frames of an interval claim the time of the key frame: what is looked at is the last one all the same."""
    scenes = [np.asarray(draw_scene(seed, (320, 180))) for seed in (11, 3)]
    path = film(tmp_path / "film.mkv", [scenes[0]] * 15 + [scenes[1]] * 15)
    with av.open(str(path)) as container:
        track = container.streams.video[0]
        codec = Codec("h264", bytes(track.codec_context.extradata or b""), 320, 180)
        parts = [(bytes(packet), bool(packet.is_keyframe)) for packet in container.demux(track) if packet.size]
    for seconds in (0.0, 1e15, -5.0):
        look = Look(ScreenedFrames.RANDOM, tuple(Packet(seconds, *part) for part in parts), (seconds,))
        asked = {"codec": codec_fields(codec), "packets": packet_fields(look), "due": [seconds], "fresh": False}
        more = {"track": 0, "followed": False, "limits": asdict(Limits())}
        content = memoryview(b"".join(data for data, _ in parts))
        (seen,) = read_seen(task(content, asked | more))
        assert seen.seconds == pytest.approx(seconds)
        value, _ = _native.pdq(np.ascontiguousarray(Image.fromarray(scenes[1]).convert("L")))
        assert PDQ.distance(seen.samples[0].value, value) <= 16
