"""Entries that stand for several values: listed, found, unlisted and exchanged with all of them."""

import io
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.feeds import random_hashes
from tutela.content.signals.base import Composite, Sample
from tutela.content.signals.vpdq import VPDQ
from tutela.errors import InputError, InvalidSignalError
from tutela.lists.banks.files import Format, read_list
from tutela.lists.banks.lines import BadLine
from tutela.lists.banks.model import EntryState, EntryValue, NewEntry
from tutela.lists.banks.service import Banks
from tutela.lists.banks.transfer import Importer, export_list
from tutela.lists.banks.values import composite_entry, new_entry

HASHES = [row.tobytes() for row in random_hashes(60, 5)]


def lines_of(hashes: list[bytes], step: float = 0.5) -> str:
    """The published text of a video whose frames have these hashes."""
    return "\n".join(f"{i},100,{value.hex()},{i * step:.3f}" for i, value in enumerate(hashes)) + "\n"


@pytest.fixture
def banks(store):
    banks = Banks(store)
    for name in ("known", "other"):
        banks.create(name, actor="test")
    return banks


def active(banks: Banks) -> set[bytes]:
    """The PDQ values that the index hears are active, each counted once."""
    states: dict[bytes, bool] = {}
    after = 0
    while page := banks.changes("pdq", after, 7):
        states.update((change.value, change.active) for change in page)
        after = page[-1].sequence
    return {value for value, is_active in states.items() if is_active}


def test_a_video_is_listed_with_all_its_frames_and_found_by_each(banks):
    video = new_entry("vpdq", lines_of(HASHES[:5]), reference="clip")
    (entry_id,) = banks.add("known", [video], actor="me").entry_ids
    assert active(banks) == set(HASHES[:5])
    assert [value.value for value in banks.values(entry_id)] == HASHES[:5]
    for change in banks.changes("pdq", 0, 100):
        (listed,) = banks.listed([change.key])
        assert listed.entry.id == entry_id
        assert listed.bank.name == "known"
        assert listed.seconds == HASHES.index(change.value) * 0.5
        assert (listed.view, listed.quality) == ("whole", 100)


def test_a_frame_shown_twice_is_found_at_both_times(banks):
    banks.add("known", [new_entry("vpdq", lines_of([HASHES[0], HASHES[1], HASHES[0]]))], actor="me")
    keys = [change.key for change in banks.changes("pdq", 0, 100)]
    assert [listed.seconds for listed in banks.listed(keys)] == [0.0, 0.5, 1.0]


def test_a_value_counts_while_any_active_entry_has_it_as_its_own_or_among_its_values(banks):
    (video,) = banks.add("known", [new_entry("vpdq", lines_of(HASHES[:3]))], actor="me").entry_ids
    (again,) = banks.add("other", [new_entry("vpdq", lines_of(HASHES[2:5]))], actor="me").entry_ids
    (picture,) = banks.add("other", [NewEntry("pdq", HASHES[0])], actor="me").entry_ids

    def set_state(entry_id: int, state: EntryState) -> None:
        banks.set_state(entry_id, state, reason="for the test", actor="me")

    set_state(video, EntryState.WITHDRAWN)
    assert active(banks) == {HASHES[0], *HASHES[2:5]}
    set_state(picture, EntryState.DISABLED)
    assert active(banks) == set(HASHES[2:5])
    set_state(video, EntryState.ACTIVE)
    assert active(banks) == set(HASHES[:5])
    set_state(again, EntryState.WITHDRAWN)
    assert active(banks) == set(HASHES[:3])
    assert banks.add("other", [new_entry("vpdq", lines_of(HASHES[2:5]))], actor="sync").added == 1
    assert active(banks) == set(HASHES[:5])


def test_a_picture_may_have_further_views_and_gain_some_when_it_is_listed_again(banks):
    views = tuple(EntryValue("pdq", value, f"crop-{i}") for i, value in enumerate(HASHES[1:4]))
    first = banks.add("known", [NewEntry("pdq", HASHES[0], values=views[:2])], actor="me")
    assert active(banks) == set(HASHES[:3])
    again = banks.add("known", [NewEntry("pdq", HASHES[0], values=views)], actor="me")
    assert (again.entry_ids, again.added, again.unchanged) == (first.entry_ids, 0, 1)
    assert banks.values(first.entry_ids[0]) == list(views)
    assert active(banks) == set(HASHES[:4])
    keys = {change.value: change.key for change in banks.changes("pdq", 0, 100)}
    assert [listed.view for listed in banks.listed([keys[HASHES[0]]])] == ["whole"]
    assert [listed.view for listed in banks.listed([keys[HASHES[3]]])] == ["crop-2"]
    banks.set_state(first.entry_ids[0], EntryState.DISABLED, reason="x", actor="me")
    banks.add("known", [NewEntry("pdq", HASHES[0], values=(EntryValue("pdq", HASHES[9], "late"),))], actor="me")
    assert active(banks) == set()
    banks.set_state(first.entry_ids[0], EntryState.ACTIVE, reason="x", actor="me")
    assert active(banks) == {*HASHES[:4], HASHES[9]}


def test_a_video_of_more_frames_than_a_statement_has_parameters_is_listed_and_withdrawn(banks):
    hashes = [row.tobytes() for row in random_hashes(2_300, 6)]
    (entry_id,) = banks.add("known", [new_entry("vpdq", lines_of(hashes, 0.04))], actor="me").entry_ids
    assert active(banks) == set(hashes)
    keys = [change.key for change in banks.changes("pdq", 0, 10_000)]
    assert len(banks.listed(keys)) == 2_300
    banks.set_state(entry_id, EntryState.WITHDRAWN, reason="x", actor="me")
    assert active(banks) == set()
    assert banks.listed(keys) == []


@pytest.mark.parametrize(
    "wrong",
    [
        NewEntry("vpdq", bytes(32)),
        NewEntry("pdq", HASHES[0], values=(EntryValue("pdq", b"short"),)),
        NewEntry("pdq", HASHES[0], values=(EntryValue("nothing", b"short"),)),
    ],
)
def test_values_that_cannot_be_listed_keep_their_entry_out(banks, wrong):
    with pytest.raises(InputError):
        banks.add("known", [wrong], actor="me")
    assert active(banks) == set()


# --- lists


@pytest.mark.parametrize("format", list(Format))
def test_an_exported_video_reads_back_the_same(banks, format):
    entries = [new_entry("vpdq", lines_of(HASHES[i : i + 7]), "src", f"r{i}") for i in (0, 7, 14)]
    banks.add("known", entries, actor="me")
    text = "".join(export_list(banks, "known", format))
    result = Importer(banks).import_stream(
        io.BytesIO(text.encode()), "other", actor="me", format=format, source="src", signal="vpdq"
    )
    assert (result.added, result.rejected) == (3, 0)
    for mine, copy in zip(banks.entries("known"), banks.entries("other"), strict=True):
        assert copy.value == mine.value
        assert banks.values(copy.id) == banks.values(mine.id)


def test_published_lines_are_one_video_until_the_frames_are_numbered_anew(banks):
    text = "# two videos\n" + lines_of(HASHES[:4]) + lines_of(HASHES[4:6]) + "\n\n" + lines_of(HASHES[6:9])
    broken = text.replace(HASHES[1].hex(), "no hash")
    lines: list[Any] = list(read_list(io.BytesIO(text.encode()), format=Format.TEXT, source="s", signal="vpdq"))
    assert [[value.value for value in line[1].values] for line in lines] == [HASHES[:4], HASHES[4:6], HASHES[6:9]]
    assert [line[0] for line in lines] == [5, 7, 12]
    bad, *good = read_list(io.BytesIO(broken.encode()), format=Format.TEXT, source="s", signal="vpdq")
    assert isinstance(bad, BadLine)
    assert "no hash" in bad.reason
    assert len(good) == 2


def test_an_import_of_videos_that_was_cut_off_goes_on_at_a_video(banks, tmp_path):
    path = tmp_path / "videos.txt"
    path.write_text("".join(lines_of(HASHES[i : i + 6]) for i in range(0, 60, 6)))

    def stop(result, position):
        if result.added >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Importer(banks).import_file(path, "known", actor="me", signal="vpdq", batch=10, on_progress=stop)
    result = Importer(banks).import_file(path, "known", actor="me", signal="vpdq", batch=10)
    assert result.resumed_at > 0
    assert (result.added, result.rejected, len(banks.entries("known"))) == (10, 0, 10)
    assert active(banks) == set(HASHES)


def test_the_exchanged_json_form_is_read():
    text = json.dumps([f"{HASHES[0].hex()},99,1.5", f"{HASHES[1].hex()},100,0.0"])
    entry = new_entry("vpdq", text)
    assert [(value.value, value.quality, value.seconds) for value in entry.values] == [
        (HASHES[1], 100, 0.0),
        (HASHES[0], 99, 1.5),
    ]
    item = json.dumps([{"signal": "vpdq", "value": text, "reference": "7"}])
    ((_, listed),) = cast(Any, read_list(io.BytesIO(item.encode()), format=Format.JSON, source="s"))
    assert listed == new_entry("vpdq", text, "s", "7")


def test_the_published_lists_are_read_whole(shared_media):
    for path in sorted((shared_media / "vpdq-hashes").glob("*.txt")):
        with path.open("rb") as file:
            ((_, entry),) = cast(Any, read_list(file, format=Format.TEXT, source="s", signal="vpdq"))
        assert len(entry.values) == len(path.read_text().splitlines())
        assert all(value.quality is not None and value.seconds is not None for value in entry.values)


@given(
    st.lists(
        st.tuples(st.binary(min_size=32, max_size=32), st.integers(0, 100), st.integers(0, 10**7)),
        min_size=1,
        max_size=20,
    )
)
def test_frames_survive_their_text(frames):
    samples = tuple(
        Sample("pdq", value, quality=quality, seconds=milliseconds / 1000)
        for value, quality, milliseconds in sorted(frames, key=lambda frame: frame[2])
    )
    assert isinstance(VPDQ, Composite)
    assert VPDQ.read(VPDQ.write(samples)) == samples
    assert VPDQ.parse(VPDQ.write(samples)) == VPDQ.identity(samples) == VPDQ.parse(VPDQ.format(VPDQ.identity(samples)))
    assert composite_entry("vpdq", samples) == new_entry("vpdq", VPDQ.write(samples))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "0,100," + "0" * 63 + ",0.0",
        "0,101," + "0" * 64 + ",0.0",
        "0,100," + "0" * 64 + ",-1",
        "0,100," + "0" * 64 + ",nan",
        "x,100," + "0" * 64 + ",0",
        "1,2,3,4,5",
        '[1, "a,b"]',
        '["',
        "[" * 100_000 + ",",
        '{"a": "b,c"}',
    ],
)
def test_a_text_that_lists_no_frames_is_refused(text):
    with pytest.raises(InvalidSignalError):
        new_entry("vpdq", text)


@given(st.text(max_size=200))
def test_no_text_makes_reading_frames_fail_otherwise(text):
    try:
        samples = VPDQ.read(text)
    except InvalidSignalError:
        return
    assert VPDQ.identity(VPDQ.read(VPDQ.write(samples))) == VPDQ.identity(samples)


def test_listing_beside_a_disabled_entry_does_not_make_its_value_count(banks):
    (entry_id,) = banks.add("known", [NewEntry("pdq", HASHES[0])], actor="me").entry_ids
    banks.set_state(entry_id, EntryState.DISABLED, reason="x", actor="me")
    banks.add("known", [NewEntry("pdq", HASHES[0]), NewEntry("pdq", HASHES[1])], actor="sync")
    assert active(banks) == {HASHES[1]}
