"""Banks: made, changed, filled, withdrawn, each with its history; and what matching and the index are told."""

import threading

import pytest

from tests.support.feeds import random_hashes
from tests.support.preloaded import start_python
from tests.support.waiting import PATIENCE_S
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.store.database import Store
from tutela.lists.banks import service
from tutela.lists.banks.labels import labels_of, read_labels, standard_labels
from tutela.lists.banks.model import Action, BankKind, EntryState, NewEntry, Policy
from tutela.lists.banks.service import Banks

HASHES = [row.tobytes() for row in random_hashes(50, seed=11)]


@pytest.fixture
def banks(store: Store) -> Banks:
    return Banks(store)


def known(banks: Banks, name: str = "known") -> None:
    banks.create(name, policy=Policy(Action.BLOCK), actor="tester")


def test_a_bank_is_made_found_and_listed(banks):
    made = banks.create(
        "iwf-list", label="A", description="a list", policy=Policy(Action.HOLD, {"pdq": 20}, 40), actor="me"
    )
    assert banks.get("iwf-list") == made
    assert banks.all() == [made]
    assert list(banks.enabled()) == [made]
    assert made.policy == Policy(Action.HOLD, {"pdq": 20}, 40)
    assert made.kind is BankKind.KNOWN


def test_a_slow_reader_of_banks_does_not_bring_back_what_was_before(banks, store, monkeypatch):
    """A background's turn that began before a change must not end after it with what it read then."""
    known(Banks(store), "of-another-process")
    has_read, go_on, bank = threading.Event(), threading.Event(), service._bank
    slow = threading.Thread(target=banks.refresh)

    def slowly(row):
        if threading.current_thread() is slow:
            has_read.set()
            assert go_on.wait(PATIENCE_S)
        return bank(row)

    monkeypatch.setattr(service, "_bank", slowly)
    slow.start()
    assert has_read.wait(PATIENCE_S)
    timer = threading.Timer(0.3, go_on.set)
    timer.start()
    known(banks)
    for ended in (slow, timer):
        assert "known" in [each.name for each in banks.enabled()]
        ended.join()
    assert [each.name for each in banks.enabled()] == ["known", "of-another-process"]


@pytest.mark.parametrize("name", ["", "A", "ü", "a b", "-a", "a/b", "a" * 129, "a\n", "../a"])
def test_a_name_that_is_no_slug_is_refused(banks, name):
    with pytest.raises(InputError):
        banks.create(name, actor="me")


@pytest.mark.parametrize(
    "wrong",
    [
        {"policy": Policy(thresholds={"pdq": 65})},
        {"policy": Policy(thresholds={"pdq": -1})},
        {"policy": Policy(thresholds={"phash": 3})},
        {"policy": Policy(min_quality=101)},
        {"label": "Z9"},
        {"description": "a\x00b"},
        {"description": "x" * 5000},
    ],
)
def test_what_a_bank_cannot_be_is_refused(banks, wrong):
    with pytest.raises(InputError):
        banks.create("known", actor="me", **wrong)
    assert banks.all() == []


def test_names_are_taken_once(banks):
    known(banks)
    with pytest.raises(ConflictError):
        known(banks)
    known(banks, "other")
    with pytest.raises(ConflictError):
        banks.update("other", new_name="known", actor="me")
    with pytest.raises(NotFoundError):
        banks.get("nothing")


def test_a_bank_is_changed_with_its_history(banks):
    known(banks)
    banks.update("known", new_name="renamed", label="A1", actor="curator")
    banks.update("renamed", enabled=False, policy=Policy(Action.LOG), actor="lead")
    banks.update("renamed", enabled=False, actor="nobody")
    bank = banks.get("renamed")
    assert (bank.label, bank.enabled, bank.policy.action) == ("A1", False, Action.LOG)
    assert list(banks.enabled()) == []
    assert [(event.actor, event.action) for event in banks.bank_history("renamed")] == [
        ("tester", "created"),
        ("curator", "changed"),
        ("lead", "changed"),
    ]


def test_another_process_notices_a_changed_bank_at_its_next_refresh(store, banks):
    elsewhere = Banks(store)
    known(banks)
    assert list(elsewhere.enabled()) == []
    elsewhere.refresh()
    assert [bank.name for bank in elsewhere.enabled()] == ["known"]


def test_entries_are_listed_once_and_found(banks):
    known(banks)
    first = banks.add("known", [NewEntry("pdq", HASHES[0], "src", "ref", "A1", "note")], actor="me")
    again = banks.add("known", [NewEntry("pdq", HASHES[0], "src", "ref")], actor="you")
    assert (first.added, first.unchanged, again.added, again.unchanged) == (1, 0, 0, 1)
    assert first.entry_ids == again.entry_ids
    entry = banks.entry(first.entry_ids[0])
    assert (entry.bank, entry.signal, entry.value) == ("known", "pdq", HASHES[0])
    assert (entry.source, entry.reference, entry.label, entry.note) == ("src", "ref", "A1", "note")
    assert (entry.state, entry.created_by) == (EntryState.ACTIVE, "me")
    assert banks.find("pdq", HASHES[0]) == [entry]
    assert banks.find("pdq", HASHES[1]) == []


def test_the_same_entry_twice_in_one_call_is_listed_once(banks):
    known(banks)
    outcome = banks.add("known", [NewEntry("pdq", HASHES[0])] * 3, actor="me")
    assert (outcome.added, outcome.unchanged, len(set(outcome.entry_ids))) == (1, 2, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        NewEntry("pdq", b"short"),
        NewEntry("phash", bytes(32)),
        NewEntry("pdq", bytes(32), label="Z"),
        NewEntry("pdq", bytes(32), source="s" * 256),
        NewEntry("pdq", bytes(32), reference="\x00"),
        NewEntry("pdq", bytes(32), note="\ud800"),
    ],
)
def test_one_entry_that_cannot_be_listed_keeps_all_of_its_call_out(banks, wrong):
    known(banks)
    with pytest.raises(InputError):
        banks.add("known", [NewEntry("pdq", HASHES[0]), wrong], actor="me")
    assert banks.entries("known") == []


def test_an_allow_list_needs_a_reason(banks):
    banks.create("false-matches", kind=BankKind.ALLOW, actor="me")
    for reason in (None, "", "  "):
        with pytest.raises(InputError, match="reason"):
            banks.add("false-matches", [NewEntry("pdq", HASHES[0])], actor="me", reason=reason)
    banks.add("false-matches", [NewEntry("pdq", HASHES[0])], actor="me", reason="a logo")
    (entry,) = banks.entries("false-matches")
    assert (entry.reason, entry.created_by) == ("a logo", "me")


def test_an_entry_is_withdrawn_disabled_and_listed_again_with_its_history(banks):
    known(banks)
    (entry_id,) = banks.add("known", [NewEntry("pdq", HASHES[0])], actor="me").entry_ids
    with pytest.raises(InputError, match="reason"):
        banks.set_state(entry_id, EntryState.WITHDRAWN, reason=" ", actor="me")
    banks.set_state(entry_id, EntryState.DISABLED, reason="too many false matches", actor="lead")
    banks.set_state(entry_id, EntryState.ACTIVE, reason="seen again", actor="lead")
    banks.set_state(entry_id, EntryState.WITHDRAWN, reason="source took it back", actor="sync")
    assert banks.counts("known") == {EntryState.ACTIVE: 0, EntryState.DISABLED: 0, EntryState.WITHDRAWN: 1}
    assert banks.add("known", [NewEntry("pdq", HASHES[0])], actor="sync").added == 1
    assert [event.action for event in banks.history(entry_id)] == [
        "listed",
        "disabled",
        "active",
        "withdrawn",
        "listed again",
    ]
    with pytest.raises(NotFoundError):
        banks.set_state(10**12, EntryState.ACTIVE, reason="x", actor="me")


def test_entries_come_in_pages(banks):
    known(banks)
    banks.add("known", [NewEntry("pdq", value) for value in HASHES], actor="me")
    banks.set_state(banks.entries("known")[3].id, EntryState.DISABLED, reason="x", actor="me")
    pages, after = [], 0
    while page := banks.entries("known", after=after, limit=7):
        pages.append(page)
        after = page[-1].id
    assert [entry.value for page in pages for entry in page] == HASHES
    assert len(banks.entries("known", state=EntryState.ACTIVE)) == 49


def test_the_index_is_told_what_is_active_each_value_once_in_order(banks):
    known(banks)
    known(banks, "other")
    assert banks.head("pdq") == 0
    for name in ("known", "other"):
        banks.add(name, [NewEntry("pdq", HASHES[0]), NewEntry("pdq", HASHES[1])], actor="me")
    banks.add("other", [NewEntry("md5", bytes(16))], actor="me")
    changes = banks.changes("pdq", 0, 100)
    assert [(change.sequence, change.value, change.active) for change in changes] == [
        (1, HASHES[0], True),
        (2, HASHES[1], True),
    ]
    assert banks.head("md5") == 3

    listed_by_both = list(banks.find("pdq", HASHES[0]))
    banks.set_state(listed_by_both[0].id, EntryState.WITHDRAWN, reason="x", actor="me")
    assert banks.changes("pdq", 2, 100) == []  # the other bank still lists it
    banks.set_state(listed_by_both[1].id, EntryState.WITHDRAWN, reason="x", actor="me")
    (change,) = banks.changes("pdq", 2, 100)
    assert (change.value, change.active, change.sequence) == (HASHES[0], False, banks.head("pdq"))
    banks.add("known", [NewEntry("pdq", HASHES[0])], actor="me")
    (change,) = banks.changes("pdq", change.sequence, 100)
    assert (change.value, change.active) == (HASHES[0], True)


def test_matching_is_told_the_active_entries_of_enabled_banks(banks):
    known(banks)
    known(banks, "other")
    for name in ("known", "other"):
        banks.add(name, [NewEntry("pdq", HASHES[0])], actor="me")
    (key,) = [change.key for change in banks.changes("pdq", 0, 10)]
    assert [item.bank.name for item in banks.listed([key, 999])] == ["known", "other"]
    banks.update("other", enabled=False, actor="me")
    assert [item.bank.name for item in banks.listed([key])] == ["known"]
    banks.set_state(banks.entries("known")[0].id, EntryState.DISABLED, reason="x", actor="me")
    assert banks.listed([key]) == []
    assert banks.listed([]) == []


def test_many_writers_lose_nothing_and_double_nothing(store, banks):
    known(banks)
    failures = []

    def write(offset: int) -> None:
        try:
            for begin in range(0, 40, 5):
                mine = [NewEntry("pdq", HASHES[(begin + offset + i) % 50], f"source-{i % 2}") for i in range(5)]
                Banks(store).add("known", mine, actor=f"writer-{offset}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(offset,)) for offset in range(0, 20, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    entries = banks.entries("known", limit=10_000)
    assert len({(entry.value, entry.source) for entry in entries}) == len(entries)
    changes = banks.changes("pdq", 0, 1000)
    assert [change.sequence for change in changes] == list(range(1, len(changes) + 1))
    assert {change.value for change in changes} == {entry.value for entry in entries}


@pytest.mark.slow
def test_processes_that_list_at_once_double_nothing(database):
    store = Store.create(database)
    known(Banks(store))
    script = f"""
from tests.support.feeds import random_hashes
from tutela.lists.banks.service import Banks
from tutela.lists.banks.model import NewEntry
from tutela.foundation.store.database import Store
from tutela.lists.banks import service
banks = Banks(Store.open({database!r}))
for row in random_hashes(40, seed=11):
    banks.add("known", [NewEntry("pdq", row.tobytes())], actor="process")
"""
    processes = [start_python(script) for _ in range(3)]
    assert [process.wait(PATIENCE_S) for process in processes] == [0, 0, 0]
    banks = Banks(store)
    assert len(banks.entries("known")) == len(banks.changes("pdq", 0, 100)) == 40
    store.close()


def test_the_standard_labels_are_there_severest_first():
    assert list(standard_labels())[:4] == ["A1", "A2", "B1", "B2"]
    assert [standard_labels()[name].severity for name in ("A", "B", "C")] == [0, 1, 2]


def test_an_operator_adds_labels_in_a_file(tmp_path):
    (tmp_path / "labels.toml").write_text('[house]\ntitle = "Ours"\n[house.labels]\nred = "at once"\n')
    assert labels_of(tmp_path)["red"].scheme == "house"
    assert "A1" in labels_of(tmp_path)


@pytest.mark.parametrize("text", ["[", "x = 1", "[house]\ntitle = 1", "[house]\nlabels = 3"])
def test_a_file_that_holds_no_labels_is_refused(text):
    with pytest.raises(InputError):
        read_labels(text)


def test_a_mark_is_written_down_until_it_is_forgotten(banks):
    assert not banks.marked("built-1")
    banks.mark("built-1")
    assert banks.marked("built-1")
    banks.unmark("built-1")
    assert not banks.marked("built-1")


def test_what_the_operator_disabled_stays_so_when_the_list_comes_again(banks):
    banks.create("known", actor="me")
    new = NewEntry("pdq", HASHES[0], "src", "ref")
    (entry_id,) = banks.add("known", [new], actor="me").entry_ids
    banks.set_state(entry_id, EntryState.DISABLED, reason="a false match", actor="lead")
    assert banks.add("known", [new], actor="me").unchanged == 1
    assert banks.entry(entry_id).state is EntryState.DISABLED
    banks.set_state(entry_id, EntryState.ACTIVE, reason="no false match", actor="lead")
    assert banks.entry(entry_id).state is EntryState.ACTIVE
