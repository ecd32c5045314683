"""Appeals: sealed, with a clock, a case each; two signs of error suspend the entry, until the case is decided."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from tutela.casework.appeals import Appeals, AppealState, References, Sign
from tutela.casework.appeals.rules import suspends
from tutela.casework.cases.model import CaseState, Queue
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.seal import new_identity
from tutela.deployment.casework import CaseworkOptions, open_casework
from tutela.errors import ConflictError, InputError
from tutela.foundation.store.database import Store, now
from tutela.foundation.store.evidence_tables import audit
from tutela.lists.banks.guard import ListingGuard
from tutela.lists.banks.model import Action, BankKind, BankUse, EntryState, Policy
from tutela.lists.banks.service import Banks
from tutela.lists.banks.values import new_entry
from tutela.lists.exchanges.hygiene import Flag, set_flags

ALL = {BankUse.PROXY, BankUse.PLATFORM}
WORDS = "this is a page about gardens"
MAIL = "somebody@example.org"


class Clock:
    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> int:
        return int(self.at.timestamp() * 1_000_000)


@dataclass
class House:
    store: Store
    banks: Banks
    cases: Cases
    appeals: Appeals
    clock: Clock
    folder: Path

    def add(self, *texts: str, bank: str = "pages", signal: str = "url", source: str = "operator") -> int:
        entries = [new_entry(signal, each, source) for each in texts]
        return self.banks.add(bank, entries, actor="test", reason="for the test").entry_ids[0]

    def appeal(self, entry_id: int, contact: str = ""):
        receipt = self.appeals.receive(self.appeals.references.of(entry_id), WORDS, contact)
        return self.appeals.get(receipt.id)

    def mark(self, entry_id: int, flag: Flag) -> None:
        with self.store.write() as connection:
            set_flags(connection, {(entry_id, flag): "for the test"}, now())

    def actions(self) -> list[str]:
        with self.store.read() as connection:
            return list(connection.execute(select(audit.c.action).order_by(audit.c.sequence)).scalars())

    def state(self, entry_id: int) -> EntryState:
        return self.banks.entry(entry_id).state


@pytest.fixture
def house(store: Store, tmp_path: Path) -> House:
    banks = Banks(store, tmp_path)
    banks.create("pages", policy=Policy(Action.BLOCK), uses=ALL, actor="test")
    options = CaseworkOptions(evidence=EvidenceOptions(recipients=(new_identity()[1],)))
    work = open_casework(store, banks, tmp_path, options)
    clock = Clock()
    work.appeals._clock = clock
    return House(store, banks, work.cases, work.appeals, clock, tmp_path)


def test_an_appeal_is_a_case_with_a_day_and_its_words_are_sealed(house):
    entry = house.add("example.org/page")
    found = house.appeal(entry, MAIL)
    assert found.due_at - found.received_at == timedelta(hours=24)
    assert found.wants_answer and found.signs == () and found.suspended == ()
    case = house.cases.get(found.case_id)
    assert (case.queue, case.state) == (Queue.APPEAL, CaseState.OPEN)
    assert house.state(entry) is EntryState.ACTIVE, "an appeal alone suspends nothing: anybody can write one"
    with house.store.read() as connection:
        tables = connection.execute(text("SELECT document FROM verdict")).all()
        rows = (
            connection.execute(text("SELECT * FROM appeal")).all()
            + connection.execute(text(f"SELECT * FROM {audit.name}")).all()
        )
    assert tables == []
    assert WORDS not in str(rows) and MAIL not in str(rows)
    for path in house.folder.rglob("*"):
        assert not path.is_file() or (WORDS.encode() not in (seen := path.read_bytes()) and MAIL.encode() not in seen)


def test_two_signs_of_error_suspend_the_entry_wherever_it_counts_until_it_is_answered(house):
    house.banks.create("others", policy=Policy(Action.BLOCK), actor="test")
    entry = house.add("gardens.wikipedia.org/wiki/Rose")
    same = house.add("gardens.wikipedia.org/wiki/Rose", bank="others")
    assert house.appeal(entry).suspended == (), "one sign: the host is shared"
    house.mark(entry, Flag.SURGE)
    found = house.appeal(entry)
    assert set(found.signs) == {Sign.SHARED_HOST, Sign.SURGE}
    assert set(found.suspended) == {entry, same}
    assert house.state(entry) is house.state(same) is EntryState.DISABLED
    assert "appeal.received" in house.actions()
    house.cases.decide(found.case_id, Outcome.UPHOLD, by="anna", reason="looked at: it is what it says")
    assert house.appeals.get(found.id).state is AppealState.UPHELD
    assert house.state(entry) is house.state(same) is EntryState.ACTIVE
    assert house.actions()[-1] == "appeal.upheld"


def test_an_error_is_lifted_everywhere_and_stays_lifted_when_the_list_comes_again(house):
    house.banks.create("others", policy=Policy(Action.BLOCK), actor="test")
    entry = house.add("example.org/page")
    same = house.add("example.org/page", bank="others")
    found = house.appeal(entry)
    house.cases.decide(found.case_id, Outcome.LIFT, by="anna", reason="a page about gardens")
    assert house.appeals.get(found.id).state is AppealState.LIFTED
    assert house.state(entry) is house.state(same) is EntryState.DISABLED
    house.add("example.org/page")
    assert house.state(entry) is EntryState.DISABLED
    assert "appeal.lifted" in house.actions()


def test_a_person_suspends_with_one_press_and_an_appeal_has_only_two_answers(house):
    entry = house.add("example.org/page")
    found = house.appeals.suspend(house.appeal(entry).id, actor="anna")
    assert found.suspended == (entry,) and house.state(entry) is EntryState.DISABLED
    with pytest.raises(InputError, match="uphold"):
        house.cases.decide(found.case_id, Outcome.NO_GROUND, by="anna", reason="no")
    assert house.appeals.get(found.id).state is AppealState.OPEN
    house.cases.decide(found.case_id, Outcome.UPHOLD, by="anna", reason="it stays")
    assert house.state(entry) is EntryState.ACTIVE
    with pytest.raises(ConflictError, match="answered"):
        house.appeals.suspend(found.id, actor="anna")
    assert house.actions().count("appeal.suspended") == 1


def test_what_somebody_set_aside_meanwhile_is_not_brought_back_by_an_upheld_appeal(house):
    entry = house.add("example.org/page")
    for reason in ("the source asked for it", "appeal by letter: the page is gone", "appeal 1: listed in error"):
        house.banks.set_state(entry, EntryState.ACTIVE, reason="for the test", actor="test")
        found = house.appeals.suspend(house.appeal(entry).id, actor="anna")
        house.banks.set_state(entry, EntryState.DISABLED, reason=reason, actor="bert")
        house.cases.decide(found.case_id, Outcome.UPHOLD, by="anna", reason="it stays")
        assert house.state(entry) is EntryState.DISABLED, reason


def test_the_clock_alarms_at_half_three_quarters_and_the_end_and_then_every_hour(house):
    found = house.appeal(house.add("example.org/page"))
    for hours, expected in ((11, 0), (12, 1), (13, 1), (18, 2), (24, 3), (24.5, 3), (25, 4)):
        house.clock.at = found.received_at + timedelta(hours=hours)
        house.appeals.escalate()
        assert house.appeals.get(found.id).alarms == expected, hours
    house.cases.decide(found.case_id, Outcome.UPHOLD, by="anna", reason="it stays")
    assert house.appeals.get(found.id).late
    house.clock.at += timedelta(days=1)
    assert house.appeals.escalate() == []
    assert house.actions().count("appeal.alarm") == 4


def test_an_undone_decision_opens_the_appeal_again(house):
    entry = house.add("example.org/page")
    found = house.appeal(entry)
    from tutela.casework.cases.model import Part

    case = house.cases.decide_each(
        found.case_id, [Part(Outcome.LIFT, None, None)], by="anna", reason="an error", undoable=True
    )
    press = next(decision.press for decision in case.decisions)
    assert house.state(entry) is EntryState.DISABLED
    house.cases.undo(found.case_id, str(press), by="anna")
    assert house.appeals.get(found.id).state is AppealState.OPEN
    assert house.state(entry) is EntryState.ACTIVE, "it counts as it did before"
    house.cases.decide(found.case_id, Outcome.UPHOLD, by="anna", reason="looked at again: it is what it says")
    assert house.state(entry) is EntryState.ACTIVE, "what was undone lifts nothing"


def test_signs_come_from_lists_and_never_from_appeals(house):
    entry = house.add("example.org/page")
    for _ in range(5):
        assert house.appeal(entry).signs == ()
    house.banks.create("others", actor="test")
    other = house.add("example.org/page", bank="others", source="partner")
    house.banks.set_state(other, EntryState.WITHDRAWN, reason="taken back", actor="partner")
    assert house.appeal(entry).signs == (Sign.GIVEN_UP,)
    assert not suspends([Sign.GIVEN_UP, Sign.GIVEN_UP])
    house.banks.create("allowed", kind=BankKind.ALLOW, actor="test")
    house.mark(entry, Flag.ALLOW_LIST)
    assert set(house.appeal(entry).signs) == {Sign.GIVEN_UP, Sign.ALLOW_LIST}


def test_reference_numbers_name_an_entry_and_cannot_be_guessed():
    references = References(b"k" * 32)
    number = references.of(42)
    assert references.entry(number) == references.entry(number.lower().replace("-", " ").replace("0", "o")) == 42
    assert references.of(43).split("-")[2:] != number.split("-")[2:]
    for wrong in ("", "0000-0000", number[:-1] + ("0" if number[-1] != "0" else "1"), "U" * 16, number + "A"):
        with pytest.raises(InputError):
            references.entry(wrong)
    with pytest.raises(InputError):
        References(b"j" * 32).entry(number)


def test_what_cannot_be_taken_is_said(house, tmp_path):
    entry = house.add("example.org/page")
    number = house.appeals.references.of(entry)
    for words, contact in ((" ", ""), ("x" * 5_001, ""), ("why", "no address")):
        with pytest.raises(InputError):
            house.appeals.receive(number, words, contact)
    with pytest.raises(InputError, match="listed"):
        house.appeals.receive(house.appeals.references.of(10_000), "why")
    unsealed = open_casework(house.store, house.banks, tmp_path, CaseworkOptions()).appeals
    assert not unsealed.taken
    with pytest.raises(InputError, match="sealed"):
        unsealed.receive(number, "why")


def test_one_curator_is_not_enough_for_a_host_of_many(house):
    guard = ListingGuard(house.banks)
    entry = house.add("gardens.wikipedia.org/wiki/Rose")
    for host in ("wikipedia.org", "de.wikipedia.org", "org"):
        assert not guard.admits(entry, host)
    assert guard.admits(entry, "example.org") and guard.admits(entry, "notwikipedia.org")
    house.banks.confirm(entry, reason="looked at the page", actor="anna")
    with pytest.raises(ConflictError, match="another person"):
        house.banks.confirm(entry, reason="again", actor="anna")
    assert not guard.admits(entry, "wikipedia.org")
    house.banks.confirm(entry, reason="looked, too", actor="bert")
    assert guard.admits(entry, "wikipedia.org")
    (house.folder / "shared-hosts.txt").write_text("example.net # ours\n-wikipedia.org\n")
    own = ListingGuard(house.banks)
    assert not own.admits(0, "www.example.net") and own.admits(0, "wikipedia.org")
