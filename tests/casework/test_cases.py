"""Cases: what is held is brought before people once, decided by the rules, and the platform hears of it."""

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update

from tests.support.effort import effort
from tests.support.forked import Forking
from tests.support.held_items import a_match
from tests.support.pictures import file_of, photos
from tests.support.stores import new_store
from tests.support.tipline_reports import draft
from tests.support.videos import encode, frames_of, scene
from tests.support.waiting import wait_until
from tutela.api.metrics import exposition
from tutela.casework.audit.log import AuditLog
from tutela.casework.audit.verification import verify_log
from tutela.casework.cases import membership, rows, service
from tutela.casework.cases.alarms import AlarmMail
from tutela.casework.cases.effects import Effects
from tutela.casework.cases.membership import MAX_ITEMS
from tutela.casework.cases.model import (
    OF_CONTENT,
    CaseChange,
    CaseDecision,
    CaseItem,
    CaseState,
    Change,
    EffectRequest,
    NewItem,
    Queue,
)
from tutela.casework.cases.options import CaseOptions, EvidenceOptions
from tutela.casework.cases.outcomes import Effect, Outcome
from tutela.casework.cases.policy import CasePolicy, Policies
from tutela.casework.cases.rules import Stage, is_final, stage_of, state_for
from tutela.casework.cases.service import Cases
from tutela.casework.cases.upkeep import Upkeep
from tutela.casework.evidence.objects import Objects
from tutela.casework.evidence.reconciliation import reconcile
from tutela.casework.evidence.retention import Retention, keep_until
from tutela.casework.evidence.seal import EvidenceError, Recipients, ReviewKey, new_identity
from tutela.casework.evidence.vault import Vault
from tutela.casework.reports.alarms import AlarmKind
from tutela.casework.reports.notices import NewTarget
from tutela.content.media.probe import PROBE
from tutela.content.signals.base import Sample
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.errors import ConflictError, InputError, NotFoundError, StoreError
from tutela.foundation import leases
from tutela.foundation.options import Secret
from tutela.foundation.outbox.mail import MailHandler
from tutela.foundation.outbox.options import MailServer, Security
from tutela.foundation.outbox.service import Outbox
from tutela.foundation.outbox.webhooks import Endpoint, Webhooks
from tutela.foundation.outbox.worker import Dispatcher, Retry
from tutela.foundation.store import database
from tutela.foundation.store.case_tables import case_item
from tutela.foundation.store.database import Store
from tutela.foundation.store.evidence_tables import evidence as evidence_table
from tutela.foundation.store.reports_tables import report
from tutela.lists.banks.model import Action, BankKind, EntryState, NewEntry, Policy
from tutela.lists.banks.service import Banks
from tutela.lists.banks.values import composite_entry
from tutela.screening.decision import Decision as Screened
from tutela.screening.jobs.service import JobState
from tutela.screening.verdict import Context

ROOT = Path(__file__).parents[2]
SECRET, PUBLIC = new_identity()
KEY = ReviewKey(SECRET)
PLATFORM = Webhooks([Endpoint("platform", "http://127.0.0.1:1/hook", [bytes(32)])])


def some_pdq(seed: int, flips: int = 0, others: int = 0) -> bytes:
    bits = np.random.default_rng(seed).integers(0, 2, 256, dtype=np.uint8)
    bits[:flips] ^= 1
    bits[256 - others :] ^= 1
    return np.packbits(bits).tobytes()


class House:
    """Cases over an empty store, with a hand for putting items in."""

    def __init__(self, store: Store, folder: Path, policies: Policies | None = None) -> None:
        self.store = store
        self.vault = Vault(store, Objects(f"file://{folder}"), Recipients([PUBLIC]))
        self.cases = Cases(store, policies=policies, effects=Effects(PLATFORM, callback=True))
        self.changes: list[CaseChange] = []
        self.cases.listen(lambda _, change: self.changes.append(change))
        self._count = 0

    def put(self, uploader: str | None = None, **fields: object) -> CaseItem:
        self._count += 1
        sealed = self.vault.seal(None, b"{}")
        with self.store.write() as connection:
            evidence_id = self.vault.record(connection, sealed, content_sha256=None, actor="t")
            values: dict[str, object] = {
                "queue": Queue.MATCH,
                "at": datetime.now(UTC),
                "item": f"item-{self._count}",
                "matches": (a_match(),),
                "banks": ("known",),
                "uploader": uploader,
            }
            new = NewItem(evidence_id=evidence_id, **values | fields)  # type: ignore[arg-type]
            return self.cases.add(connection, new, actor="screening")

    def effects(self) -> list[tuple[str, list[str]]]:
        rows = Outbox(self.store).all(topic="effect", limit=10_000)
        return [(row.payload["effect"], row.payload["items"]) for row in rows]

    def actions(self, case_id: str) -> list[str]:
        return [event.action for event in self.cases.history(case_id)]


@pytest.fixture
def house(store: Store, tmp_path: Path) -> House:
    return House(store, tmp_path / "evidence")


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Houses over SQLite alone, for rules that no database has a part in."""
    stores = []

    def build(policies: Policies | None = None) -> House:
        stores.append(Store.open(new_store(tmp_path / f"{len(stores)}.db")))
        return House(stores[-1], tmp_path / "evidence", policies)

    yield build
    for store in stores:
        store.close()


# --- coming in


def test_items_of_one_uploader_are_one_case_and_of_two_are_two(house):
    one, two, other = house.put("u1"), house.put("u1", matches=(a_match(2, label="B2"),)), house.put("u2")
    assert one.case_id == two.case_id != other.case_id
    case = house.cases.get(one.case_id)
    assert (case.state, case.label, case.urgency, case.uploader) == (CaseState.OPEN, "A1", 100, "u1")
    assert [item.item for item in case.items] == ["item-1", "item-2"]
    assert [change.change for change in house.changes] == [Change.OPENED, Change.JOINED, Change.OPENED]
    assert house.actions(one.case_id) == ["case.opened", "case.joined"]


def test_without_an_uploader_the_same_entry_or_nearly_the_same_picture_is_one_case(lite):
    house = lite()
    first = house.put(matches=(a_match(7),), pdq=some_pdq(1))
    assert house.put(matches=(a_match(7),)).case_id == first.case_id
    assert house.put(matches=(a_match(8),), pdq=some_pdq(1, 31)).case_id == first.case_id
    assert house.put(matches=(a_match(9),), pdq=some_pdq(2)).case_id != first.case_id
    assert house.put("u1", matches=(a_match(7),)).case_id != first.case_id


def test_nearly_the_same_pictures_have_one_group_in_every_case(lite):
    house = lite()
    first = house.put("u1", pdq=some_pdq(1), sha256="a" * 64)
    near = house.put("u2", pdq=some_pdq(1, 31), sha256="b" * 64)
    same_file = house.put("u3", sha256="a" * 64)
    far = house.put("u4", pdq=some_pdq(1, others=32), sha256="c" * 64)
    assert first.group == near.group == same_file.group != far.group
    assert [item.id for item in house.cases.similar(first.case_id)] == [near.id, same_file.id]
    # Another process, which has nothing in memory, finds the same group.
    other = House(house.store, house.vault.objects._folder)
    assert other.put("u5", pdq=some_pdq(1, 2)).group == first.group


def test_a_picture_that_was_undone_leaves_no_group_behind(lite):
    house = lite()
    house.put("u1", pdq=some_pdq(1))
    sealed = house.vault.seal(None, b"{}")
    with pytest.raises(RuntimeError), house.store.write() as connection:
        evidence_id = house.vault.record(connection, sealed, content_sha256=None, actor="t")
        new = NewItem(evidence_id=evidence_id, queue=Queue.MATCH, at=datetime.now(UTC), pdq=some_pdq(2))
        undone = house.cases.add(connection, new, actor="t")
        raise RuntimeError
    assert house.put("u2", pdq=some_pdq(2)).group != undone.group
    assert house.put("u3", pdq=some_pdq(2)).group == house.put("u4", pdq=some_pdq(2, 1)).group


def test_a_case_with_many_items_is_followed_by_another(lite):
    house = lite()
    first = house.put("u1")
    with house.store.write() as connection:
        # Filled in the table: putting in five hundred would only take time.
        for number in range(MAX_ITEMS - 1):
            sealed = f"{number:032d}"
            connection.execute(
                text(
                    "INSERT INTO evidence SELECT :id, content_sha256, content_object, content_bytes, context_object,"
                    " wrapped_key, recipients, state, created_at, keep_until, destroyed_at, destroyed_why"
                    " FROM evidence LIMIT 1"
                ),
                {"id": sealed},
            )
            row = dict(connection.execute(select(case_item).limit(1)).one()._mapping)
            connection.execute(case_item.insert().values(**row | {"id": 1000 + number, "evidence_id": sealed}))
    assert house.put("u1").case_id != first.case_id


def test_what_comes_while_somebody_looks_is_another_case(lite):
    """What a person has not seen must not be decided along with what was seen."""
    house = lite()
    first = house.put("u1")
    house.cases.claim(first.case_id, by="r1")
    second = house.put("u1")
    assert second.case_id != first.case_id
    house.cases.decide(first.case_id, Outcome.CONFIRM, by="r1", reason="seen", label="A1")
    assert house.put("u1").case_id == second.case_id


def test_concurrent_uploads_of_one_uploader_are_one_case(house):
    """Twice as many threads as cores: the case is opened once whoever comes first."""
    threads = [threading.Thread(target=house.put, args=("u1",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (summary,) = house.cases.queue()
    assert (summary.items, summary.undecided) == (4, 4)
    assert verify_log(AuditLog(house.store)).faults == ()


# --- queues and claims


def test_a_queue_is_by_urgency_and_then_by_age_in_pages(house):
    labels = ["B2", "A1", None, "A1", "B1", "A2"]
    ids = [house.put(f"u{n}", matches=(a_match(label=label),)).case_id for n, label in enumerate(labels)]
    house.put("v", queue=Queue.UNSCREENED, matches=())
    order = [ids[1], ids[3], ids[5], ids[4], ids[0], ids[2]]
    assert [case.id for case in house.cases.queue(queue=Queue.MATCH)] == order
    assert len(house.cases.queue()) == 7
    assert [case.id for case in house.cases.queue(label="A1")] == [ids[1], ids[3]]
    pages, after = [], None
    while page := house.cases.queue(limit=2, after=after):
        pages += [case.id for case in page]
        after = page[-1].id
    assert pages[:6] == order
    assert len(pages) == 7


def test_a_claimed_case_is_one_persons_until_the_claim_ends(house):
    case_id = house.put("u1").case_id
    house.cases.claim(case_id, by="r1")
    assert house.cases.get(case_id).state is CaseState.CLAIMED
    for attempt in (
        lambda: house.cases.claim(case_id, by="r2"),
        lambda: house.cases.release(case_id, by="r2"),
        lambda: house.cases.decide(case_id, Outcome.REJECT, by="r2", reason="x"),
    ):
        with pytest.raises(ConflictError, match="claimed"):
            attempt()
    assert house.cases.queue(states=[CaseState.OPEN]) == []
    assert [case.id for case in house.cases.queue(states=[CaseState.CLAIMED])] == [case_id]
    house.cases.release(case_id, by="r1")
    house.cases.claim(case_id, by="r2", length=timedelta(microseconds=1))
    assert house.cases.get(case_id).state is CaseState.OPEN
    house.cases.claim(case_id, by="r1")
    with pytest.raises(InputError):
        house.cases.claim(case_id, by="r1", length=timedelta(days=2))
    with pytest.raises(NotFoundError):
        house.cases.claim("nothing", by="r1")


def test_two_people_who_ask_for_the_next_case_get_two(house):
    first, second = house.put("u1"), house.put("u2", matches=(a_match(label="B1"),))
    found: list[str] = []

    def ask(person: str) -> None:
        case = house.cases.claim_next(by=person)
        assert case is not None
        found.append(case.id)

    people = [threading.Thread(target=ask, args=(f"r{n}",)) for n in range(2)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(found) == sorted([first.case_id, second.case_id])
    assert house.cases.claim_next(by="r9") is None
    assert house.cases.claim_next(by="r0") is not None  # one's own, again


# --- decisions


def a_decision(outcome: Outcome, by: str, label: str | None = None, *, final: bool = False) -> CaseDecision:
    return CaseDecision(1, outcome, label, by, datetime.now(UTC), "r", final)


@given(st.lists(st.tuples(st.sampled_from(Outcome), st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=8))
def test_whatever_people_decide_the_rules_hold(steps):
    """An item is final at most once; by two people where that is asked; by a lead where they differ."""
    standing: list[CaseDecision] = []
    for outcome, by, senior, needs_second in steps:
        before = stage_of(standing)
        label = "A1" if outcome is Outcome.CONFIRM else None
        try:
            final = is_final(standing, outcome, label, by, senior=senior, needs_second=needs_second)
        except ConflictError:
            continue
        assert before is not Stage.DECIDED
        if final:
            assert outcome is not Outcome.ESCALATE
            assert before is not Stage.ESCALATED or senior
            assert before is Stage.UNTOUCHED or by not in {decision.by for decision in standing}
            assert before is not Stage.UNTOUCHED or not needs_second
        standing.append(a_decision(outcome, by, label, final=final))
    assert sum(decision.final for decision in standing) <= 1


def test_a_case_is_as_far_as_its_least_decided_item():
    assert state_for([Stage.DECIDED, Stage.UNTOUCHED, Stage.ESCALATED]) is CaseState.OPEN
    assert state_for([Stage.DECIDED, Stage.SECOND_OPINION, Stage.ESCALATED]) is CaseState.ESCALATED
    assert state_for([Stage.DECIDED, Stage.SECOND_OPINION]) is CaseState.SECOND_OPINION
    assert state_for([Stage.DECIDED]) is CaseState.DECIDED


def test_a_confirmed_case_has_its_label_and_its_history(house):
    case_id = house.put("u1").case_id
    house.put("u1")
    case = house.cases.decide(case_id, Outcome.CONFIRM, by="r1", reason="as listed", label="B1")
    assert (case.state, case.label, len(case.confirmed()), case.undecided()) == (CaseState.DECIDED, "B1", 2, ())
    assert [decision.by for decision in case.decisions] == ["r1", "r1"]
    assert house.actions(case_id)[-3:] == ["case.decision", "case.decision", "case.decided"]
    assert house.changes[-1] == CaseChange(Change.DECIDED, case_id, (1, 2), "r1")
    assert "as listed" not in json.dumps([dict(event.detail) for event in house.cases.history(case_id)])
    with pytest.raises(ConflictError, match="decided"):
        house.cases.decide(case_id, Outcome.REJECT, by="r2", reason="no")
    with pytest.raises(ConflictError):
        house.cases.claim(case_id, by="r2")


def test_items_can_be_decided_one_by_one(house):
    one, two = house.put("u1"), house.put("u1")
    case = house.cases.decide(one.case_id, Outcome.CONFIRM, by="r", reason="r", label="A1", item_ids=[one.id])
    assert (case.state, [item.id for item in case.undecided()]) == (CaseState.OPEN, [two.id])
    case = house.cases.decide(one.case_id, Outcome.AGAINST_RULES, by="r", reason="r")
    assert [item.decision.outcome for item in case.items if item.decision] == [Outcome.CONFIRM, Outcome.AGAINST_RULES]
    with pytest.raises(NotFoundError):
        house.cases.decide(house.put("u2").case_id, Outcome.REJECT, by="r", reason="r", item_ids=[one.id])


@pytest.mark.parametrize(
    ("outcome", "label", "reason"),
    [
        (Outcome.CONFIRM, None, "no label"),
        (Outcome.CONFIRM, "Z9", "unknown label"),
        (Outcome.REJECT, None, "  "),
        (Outcome.REJECT, None, "x" * 4001),
        (Outcome.REJECT, None, "a\x00b"),
    ],
)
def test_a_decision_without_its_parts_is_refused(lite, outcome, label, reason):
    house = lite()
    with pytest.raises(InputError):
        house.cases.decide(house.put().case_id, outcome, by="r", reason=reason, label=label)


TWO = Policies(CasePolicy(second_opinion=frozenset({Outcome.CONFIRM})))


def test_where_the_policy_asks_two_people_must_agree(lite):
    house = lite(TWO)
    case_id = house.put("u1").case_id
    case = house.cases.decide(case_id, Outcome.CONFIRM, by="r1", reason="r", label="A1")
    assert (case.state, case.confirmed(), case.claim) == (CaseState.SECOND_OPINION, (), None)
    with pytest.raises(ConflictError):
        house.cases.decide(case_id, Outcome.CONFIRM, by="r1", reason="r", label="A1")
    assert house.cases.claim_next(by="r1") is None
    assert house.cases.claim_next(by="r2") is not None
    assert house.put("u1").case_id != case_id
    case = house.cases.decide(case_id, Outcome.CONFIRM, by="r2", reason="r", label="A1")
    assert (case.state, len(case.confirmed())) == (CaseState.DECIDED, 1)


@pytest.mark.parametrize(
    ("outcome", "label"), [(Outcome.REJECT, None), (Outcome.CONFIRM, "B2"), (Outcome.ESCALATE, None)]
)
def test_where_two_people_differ_a_lead_decides(lite, outcome, label):
    house = lite(TWO)
    case_id = house.put("u1").case_id
    house.cases.decide(case_id, Outcome.CONFIRM, by="r1", reason="r", label="A1")
    case = house.cases.decide(case_id, outcome, by="r2", reason="r", label=label)
    assert case.state is CaseState.ESCALATED
    assert house.effects() == [("hide", ["item-1"])]
    with pytest.raises(ConflictError):
        house.cases.decide(case_id, Outcome.CONFIRM, by="r3", reason="r", label="A1")
    assert [one.id for one in house.cases.queue(states=[CaseState.ESCALATED])] == [case_id]
    case = house.cases.decide(case_id, Outcome.REJECT, by="lead", reason="r", senior=True)
    assert case.state is CaseState.DECIDED
    assert [decision.final for decision in case.decisions] == [False, False, True]


def test_one_person_can_ask_for_a_lead(lite):
    house = lite()
    case_id = house.put("u1").case_id
    assert house.cases.decide(case_id, Outcome.ESCALATE, by="r1", reason="unsure").state is CaseState.ESCALATED
    with pytest.raises(ConflictError):
        house.cases.decide(case_id, Outcome.ESCALATE, by="lead", reason="unsure too", senior=True)
    case = house.cases.decide(case_id, Outcome.CONFIRM, by="lead", reason="sure", label="A1", senior=True)
    assert case.state is CaseState.DECIDED


def test_a_picture_that_was_decided_is_known_when_it_comes_again(lite):
    house = lite()
    first = house.put("u1", pdq=some_pdq(1))
    assert first.precedent is None
    house.cases.decide(first.case_id, Outcome.CONFIRM, by="r", reason="r", label="B1")
    again = house.put("u2", pdq=some_pdq(1, 4))
    assert again.precedent is not None
    assert (again.precedent.outcome, again.precedent.label) == (Outcome.CONFIRM, "B1")
    assert again.decision is None


def test_the_precedent_of_an_item_is_the_newest_final_decision_of_another_that_shows_the_same(lite):
    house, chance = lite(), random.Random(7)
    ids = [house.put(f"u{number}", pdq=some_pdq(1, number % 4)).case_id for number in range(4)]
    house.put("other", pdq=some_pdq(2))
    for _ in range(effort(30, 300, least=30)):
        case = house.cases.get(chance.choice(ids))
        if case.state is CaseState.DECIDED:
            house.cases.reopen(case.id, by="lead", reason="r")
        else:
            house.cases.decide(
                case.id, chance.choice([Outcome.CONFIRM, Outcome.REJECT]), by="r", reason="r", label="B1"
            )
        final = sorted(
            (decision for each in ids for decision in house.cases.get(each).decisions if decision.final),
            key=lambda decision: decision.at,
        )
        for each in ids:
            (item,) = house.cases.get(each).items
            others = [decision for decision in final if decision.item_id != item.id]
            assert item.precedent == (others[-1] if others else None)


def test_rejections_are_listed_on_the_allow_list_with_who_and_why_and_withdrawn_when_the_case_is_reopened(house):
    item = house.put("u1", sha256="ab" * 32)
    house.cases.decide(item.case_id, Outcome.REJECT, by="r1", reason="a statue")
    banks = Banks(house.store)
    assert banks.get("rejected-matches").kind is BankKind.ALLOW
    (entry,) = banks.entries("rejected-matches")
    assert (entry.signal, entry.value.hex(), entry.created_by) == ("sha256", "ab" * 32, "r1")
    assert entry.reason == f"case {item.case_id}: a statue"
    case = house.cases.reopen(item.case_id, by="lead", reason="a complaint")
    assert (case.state, case.items[0].decision) == (CaseState.OPEN, None)
    assert banks.entry(entry.id).state is EntryState.WITHDRAWN
    assert house.vault.get(item.evidence_id).keep_until is None  # what is undecided has no end
    case = house.cases.decide(item.case_id, Outcome.CONFIRM, by="r2", reason="not a statue", label="A1")
    assert case.state is CaseState.DECIDED
    assert [decision.outcome for decision in case.decisions] == [Outcome.REJECT, Outcome.CONFIRM]
    with pytest.raises(ConflictError):
        house.cases.reopen(house.put("u2").case_id, by="lead", reason="nothing decided")


def test_evidence_is_kept_as_long_as_the_outcome_asks(house):
    items = {outcome: house.put(outcome.value) for outcome in OF_CONTENT if outcome is not Outcome.ESCALATE}
    for outcome, item in items.items():
        label = "A1" if outcome is Outcome.CONFIRM else None
        house.cases.decide(item.case_id, outcome, by="r", reason="r", label=label)
    kept = {outcome: house.vault.get(item.evidence_id).keep_until for outcome, item in items.items()}
    now = datetime.now(UTC)
    assert kept[Outcome.CONFIRM] is None
    for outcome, days in ((Outcome.REJECT, 30), (Outcome.AGAINST_RULES, 90)):
        end = kept[outcome]
        assert end is not None
        assert abs(end - now - timedelta(days=days)) < timedelta(minutes=5)
    confirmed = items[Outcome.CONFIRM]
    for _ in range(2):
        with house.store.write() as connection:
            house.cases.report_filed(
                connection, confirmed.case_id, target="ncmec", reference="4711", at=now, actor="reports"
            )
    assert house.vault.get(confirmed.evidence_id).keep_until == now + timedelta(days=365)
    (report,) = house.cases.get(confirmed.case_id).reports
    assert (report.target, report.reference) == ("ncmec", "4711")


# --- effects


def test_a_match_hides_and_a_rejection_restores_in_that_order(house):
    house.put("u1")
    item = house.put("u1")
    house.cases.decide(item.case_id, Outcome.REJECT, by="r", reason="r")
    assert house.effects() == [("hide", ["item-1"]), ("hide", ["item-2"]), ("restore", ["item-1", "item-2"])]
    lanes = {row.lane for row in Outbox(house.store).all(topic="effect")}
    assert lanes == {f"case/{item.case_id}"}


def test_no_policy_can_punish_an_account_for_a_match_alone():
    for effect in (Effect.SUSPEND, Effect.LOCK):
        with pytest.raises(InputError, match="decision"):
            CasePolicy(on_match=(Effect.HIDE, effect))


def test_accounts_are_touched_by_a_final_decision_where_the_banks_policy_says_so(lite):
    strict = CasePolicy(on_outcome={Outcome.CONFIRM: (Effect.LOCK,)}, second_opinion=frozenset({Outcome.CONFIRM}))
    house = lite(Policies(banks={"strict": strict}))
    mild = house.put("u1", banks=("known",))
    hard = house.put("u2", banks=("strict", "known"))
    house.cases.decide(mild.case_id, Outcome.CONFIRM, by="r1", reason="r", label="A1")
    assert all(effect == "hide" for effect, _ in house.effects())
    house.cases.decide(hard.case_id, Outcome.CONFIRM, by="r1", reason="r", label="A1")
    assert all(effect == "hide" for effect, _ in house.effects())
    house.cases.decide(hard.case_id, Outcome.CONFIRM, by="r2", reason="r", label="A1")
    assert house.effects()[-1] == ("lock", ["item-2"])


def test_webhooks_name_the_case_and_the_platforms_items_and_nobody(lite):
    house = lite()
    item = house.put("a-pseudonym")
    house.cases.decide(item.case_id, Outcome.CONFIRM, by="r", reason="about a person", label="A1")
    rows = Outbox(house.store).all(topic="webhook")
    assert [row.payload["type"] for row in rows] == ["effect.hide", "case.opened", "case.decided"]
    written = json.dumps([dict(row.payload) for row in rows])
    assert "a-pseudonym" not in written
    assert "about a person" not in written
    assert rows[-1].payload["data"]["outcomes"] == {"confirm": 1}


def test_nothing_is_told_of_a_decision_that_was_not_made(lite):
    house = lite()

    def refuse(_: object, change: CaseChange) -> None:
        if change.change is Change.DECIDED:
            raise RuntimeError("a listener failed")

    item = house.put("u1")
    before = len(Outbox(house.store).all(limit=1000))
    house.cases.listen(refuse)
    with pytest.raises(RuntimeError):
        house.cases.decide(item.case_id, Outcome.CONFIRM, by="r", reason="r", label="A1")
    assert house.cases.get(item.case_id).decisions == ()
    assert len(Outbox(house.store).all(limit=1000)) == before
    assert verify_log(AuditLog(house.store)).faults == ()


# --- alarms


class Mailbox:
    """A mail server that keeps what it gets and may refuse."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.refusals = 0

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        if self.refusals:
            self.refusals -= 1
            return "451 try again"
        self.messages.append(envelope.content.decode())  # type: ignore[attr-defined]
        return "250 taken"


def test_claims_and_alarms_of_a_wrong_clock_count_for_nothing(house, monkeypatch):
    with monkeypatch.context() as leapt:
        for module in (service, membership, rows, leases):
            leapt.setattr(module, "now", lambda: database.now() + 100 * 86_400 * 1_000_000)
        case_id = house.put("u").case_id
        house.cases.claim(case_id, by="r1")
        with pytest.raises(ConflictError):
            house.cases.claim(case_id, by="r2")
    assert house.cases.get(case_id).claim is None
    assert [case.id for case in house.cases.queue(states=[CaseState.OPEN])] == [case_id]
    assert house.cases.alarm() == [case_id], "else nobody would hear of it for a hundred days"
    assert house.cases.alarm() == []
    house.cases.claim(case_id, by="r2")


def test_alarms_repeat_by_mail_and_webhook_until_the_case_is_decided(house):
    house.cases.listen(AlarmMail(["duty@site.example"], "https://console.example"))
    case_id = house.put("u1").case_id
    outbox, mailbox = Outbox(house.store), Mailbox()
    mailbox.refusals = 1
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    server = MailServer("127.0.0.1", "t@site.example", port, Security.NONE)
    dispatcher = Dispatcher(outbox, {"mail": MailHandler(server)}, retry=Retry(first_s=0, longest_s=0))
    start = datetime.now(UTC)
    assert house.cases.alarm(at=start + timedelta(hours=23)) == []
    for days in (1, 2, 3):
        at = start + timedelta(days=days, minutes=days)
        assert house.cases.alarm(at=at) == [case_id]
        assert house.cases.alarm(at=at) == []  # another process, a moment later
        dispatcher.run_due()
    assert len(mailbox.messages) == 3
    assert f"https://console.example/cases/{case_id}" in mailbox.messages[0]
    assert "u1" not in "".join(mailbox.messages)
    numbers = [row.payload["data"]["alarm"] for row in outbox.all() if row.payload.get("type") == "case.alarm"]
    assert numbers == [1, 2, 3]
    house.cases.decide(case_id, Outcome.CONFIRM, by="r", reason="r", label="A1")
    assert house.cases.alarm(at=start + timedelta(days=30)) == []
    controller.stop()


def test_mail_is_not_sent_in_clear_over_a_network():
    with pytest.raises(InputError):
        MailServer("mail.example", "t@site.example", 25, Security.NONE)
    with pytest.raises(InputError):
        MailServer("mail.example", "t@site.example\r\nBcc: x@y", 25)
    password = Secret(text="secret")
    assert "secret" not in repr(MailServer("mail.example", "t@site.example", user="u", password=password))


# --- from an upload to a case


@pytest.fixture(scope="module")
def listed() -> bytes:
    return file_of(photos()[0], "JPEG", quality=90)


@pytest.fixture
def kept(tmp_path: Path, listed: bytes) -> Iterator[Deployment]:
    """A deployment that keeps evidence, with a bank that lists one photo."""
    requests: list[EffectRequest] = []
    options = CaseworkOptions(EvidenceOptions((PUBLIC,)), on_effect=requests.append)
    with compose_deployment(tmp_path / "home", decoders=1, casework=options) as deployment:
        list_photo(deployment, listed)
        deployment.requests = requests  # type: ignore[attr-defined]
        yield deployment


def list_photo(deployment: Deployment, photo: bytes) -> None:
    verdict = deployment.screener.screen(photo)
    value = next(one.value for one in verdict.hashes if one.signal == "pdq" and one.view == "whole")
    deployment.banks.create("known", label="A1", policy=Policy(Action.BLOCK), actor="t")
    deployment.banks.add("known", [NewEntry("pdq", bytes.fromhex(value))], actor="t")
    deployment.refresh()


def test_what_is_blocked_is_sealed_with_its_context_and_opens_a_case(kept, listed, tmp_path):
    context = Context("upload-1", {"uploader": "person-7", "address": "192.0.2.7", "name": "A Person"})
    verdict = kept.screener.screen(listed, context)
    assert verdict.decision is Screened.BLOCK
    item = kept.casework.cases.of_verdict(verdict.id)
    assert item is not None
    assert (item.item, item.sha256, item.label) == ("upload-1", verdict.sha256, "A1")
    assert [match.bank for match in item.matches] == ["known"]
    assert kept.casework.vault.content(item.evidence_id, KEY, actor="r", purpose="p") == listed
    sealed = json.loads(kept.casework.vault.context(item.evidence_id, KEY, actor="r", purpose="p"))
    assert sealed["details"] == dict(context.details)
    again = kept.screener.screen(listed, Context("upload-2", {"uploader": "person-7"}))
    joined = kept.casework.cases.of_verdict(again.id)
    assert joined is not None
    assert joined.case_id == item.case_id
    assert len(kept.casework.cases.get(item.case_id).uploader or "") == 64
    for path in (tmp_path / "home").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for marker in (b"person-7", b"192.0.2.7", b"A Person", listed[200:240]):
                assert marker not in data, (path, marker)


def test_the_picture_that_gateways_are_checked_with_opens_no_case(kept):
    """It is held, as what is damaged has to be, and nobody has to look at it; another damaged file opens one."""
    assert kept.screener.screen(PROBE).decision is Screened.HOLD
    assert kept.casework.cases.queue() == []
    kept.screener.screen(PROBE + bytes(10))
    assert len(kept.casework.cases.queue()) == 1


def test_a_rejected_match_suppresses_its_repeats_and_the_callback_hears_of_it(kept, listed):
    verdict = kept.screener.screen(listed, Context("upload-1"))
    item = kept.casework.cases.of_verdict(verdict.id)
    assert item is not None
    kept.casework.cases.decide(item.case_id, Outcome.REJECT, by="r", reason="an astronaut")
    kept.refresh()
    assert kept.screener.screen(listed).decision is Screened.ALLOW
    kept.dispatcher.run_due()
    assert [(one.effect, one.items, one.outcome) for one in kept.requests] == [
        (Effect.HIDE, ("upload-1",), None),
        (Effect.RESTORE, ("upload-1",), Outcome.REJECT),
    ]
    # The file alone: what is encoded anew is as near to the listed picture as it was.
    assert kept.screener.screen(file_of(photos()[0], "JPEG", quality=80)).decision is Screened.BLOCK
    kept.casework.cases.reopen(item.case_id, by="lead", reason="a second look")
    kept.refresh()
    assert kept.screener.screen(listed).decision is Screened.BLOCK


@pytest.mark.slow
def test_a_rejected_video_lets_through_its_file_and_none_of_its_frames(kept):
    """A known clip that was hidden in a harmless film stays known, whoever rejected the film without seeing it."""
    clip = scene(0)
    kept.banks.create("films", label="A1", policy=Policy(Action.BLOCK), actor="t")
    kept.banks.add("films", [composite_entry("vpdq", frames_of(encode(clip)))], actor="t")
    kept.refresh()
    film = encode([*scene(1, 20.0), *clip])
    item = kept.casework.cases.of_verdict(kept.screener.screen(film, Context("film")).id)
    assert item is not None
    kept.casework.cases.decide(item.case_id, Outcome.REJECT, by="r", reason="a false match")
    kept.refresh()
    assert kept.screener.screen(film).decision is Screened.ALLOW
    for again in (encode(clip), encode([*scene(2, 5.0), *clip]), encode([*scene(1, 20.0), *clip], codec="mpeg4")):
        verdict = kept.screener.screen(again)
        assert verdict.decision is Screened.BLOCK
        assert "films" in {match.bank for match in verdict.matches if match.suppressed_by is None}


def test_what_cannot_be_screened_is_kept_in_a_queue_of_its_own(kept):
    verdict = kept.screener.screen(b"no picture at all", Context("upload-1", {"uploader": "u"}))
    item = kept.casework.cases.of_verdict(verdict.id)
    assert item is not None
    assert kept.casework.cases.get(item.case_id).queue is Queue.UNSCREENED
    assert kept.casework.vault.content(item.evidence_id, KEY, actor="r", purpose="p") == b"no picture at all"
    kept.dispatcher.run_due()
    assert kept.requests == []


def test_hashes_alone_open_a_case_without_content(kept, listed):
    verdict = kept.screener.screen(listed)
    value = next(one.value for one in verdict.hashes if one.signal == "pdq")
    found = kept.screener.screen_hashes([Sample("pdq", bytes.fromhex(value), quality=100)], Context("upload-9"))
    item = kept.casework.cases.of_verdict(found.id)
    assert item is not None
    assert (item.item, kept.casework.vault.get(item.evidence_id).content_object) == ("upload-9", None)


def test_what_is_allowed_leaves_no_evidence(kept):
    assert kept.screener.screen(file_of(photos()[1], "JPEG")).decision is Screened.ALLOW
    assert list(kept.casework.vault.objects.all()) == []
    assert kept.casework.cases.queue() == []


@pytest.mark.slow
def test_where_evidence_cannot_be_sealed_the_content_is_held_and_the_verdict_says_so(kept, listed, monkeypatch, caplog):
    def fail(*_: object) -> None:
        raise EvidenceError("the store is away")

    monkeypatch.setattr(kept.casework.vault.objects, "put", fail)
    verdict = kept.screener.screen(listed)
    assert verdict.decision is Screened.HOLD
    assert verdict.reasons[-1].code == "evidence-not-kept"
    assert kept.journal.get(verdict.id)["decision"] == "hold"
    assert kept.casework.cases.queue() == []
    assert "could not be kept" in caplog.text


@pytest.mark.slow
def test_a_job_whose_evidence_cannot_be_sealed_comes_again(kept, listed, monkeypatch):
    """Its platform has let go of the content, so that only the job has it."""

    def fail(*_: object) -> None:
        raise EvidenceError("the store is away")

    upload = kept.jobs.begin(Context("upload-1", {"uploader": "u"}))
    upload.write(listed)
    job = kept.jobs.submit(upload, "t")
    with monkeypatch.context() as patch:
        patch.setattr(kept.casework.vault.objects, "put", fail)
        kept.job_runner.run_due()
    assert kept.jobs.get(job.id).state is JobState.PENDING
    assert kept.casework.cases.of_verdict(job.id) is None
    wait_until(lambda: kept.job_runner.run_due() and kept.jobs.get(job.id).state is JobState.DONE, "the job is done")
    item = kept.casework.cases.of_verdict(job.id)
    assert item is not None
    assert kept.casework.vault.content(item.evidence_id, KEY, actor="r", purpose="p") == listed


def test_where_nothing_can_be_written_there_is_no_verdict(kept, listed, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise StoreError("the database does not answer")

    monkeypatch.setattr(kept.casework.vault, "record", fail)
    with pytest.raises(StoreError):
        kept.screener.screen(listed)


def test_without_recipients_nothing_is_kept_and_the_verdict_is_the_same(tmp_path, listed):
    with compose_deployment(tmp_path / "home", decoders=1) as deployment:
        list_photo(deployment, listed)
        assert deployment.screener.screen(listed).decision is Screened.BLOCK
        assert deployment.casework.cases.queue() == []
        assert not (tmp_path / "home" / "evidence").exists()


def test_a_reason_that_the_policy_leaves_out_opens_no_case(tmp_path):
    options = CaseOptions(unsealed_reasons=frozenset({"unknown-type"}))
    with compose_deployment(
        tmp_path / "home", decoders=1, casework=CaseworkOptions(EvidenceOptions((PUBLIC,)), options)
    ) as deployment:
        assert deployment.screener.screen(b"\x07\x01\x00\x02" * 20).decision is Screened.HOLD
        assert deployment.casework.cases.queue() == []
        assert deployment.screener.screen(b"GIF89a").decision is Screened.HOLD
        assert len(deployment.casework.cases.queue()) == 1


def gauges(deployment: Deployment) -> dict[str, float]:
    lines = exposition(deployment).decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith("tutela_")}


def test_metrics_count_what_waits_for_people_and_for_the_outside(kept, listed):
    before = gauges(kept)
    assert [before[name] for name in ("tutela_notices_late", "tutela_evidence_ending")] == [0, 0]
    assert [before[f'tutela_report_alarms{{kind="{kind}"}}'] for kind in AlarmKind] == [0, 0, 0]
    item = kept.casework.cases.of_verdict(kept.screener.screen(listed, Context("upload-1")).id)
    assert item is not None
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    for reference, within in (("late", 1), ("in time", 24)):
        kept.casework.notices.register(
            "A",
            reference,
            [NewTarget("item", "x")],
            within=timedelta(hours=within),
            received_at=two_hours_ago,
            actor="t",
        )
    filing = kept.casework.ledger.add("k", draft("file"), environment="test", actor="t")
    with kept.store.write() as connection:
        keep_until(connection, item.evidence_id, datetime.now(UTC) + timedelta(days=6), actor="t", why="a test")
        connection.execute(update(report).where(report.c.id == filing.id).values(created_at=1))
    time.sleep(0.01)
    after = gauges(kept)
    assert after['tutela_cases{queue="match",state="open"}'] == 1
    assert (after['tutela_notices{state="open"}'], after["tutela_notices_late"]) == (2, 1)
    assert (after['tutela_reports{state="ready"}'], after['tutela_report_alarms{kind="overdue"}']) == (1, 1)
    assert (after['tutela_evidence{state="kept"}'], after["tutela_evidence_ending"]) == (1, 1)
    assert after['tutela_outbox{state="pending",topic="effect"}'] == 1
    assert 0 < after["tutela_outbox_oldest_seconds"] < 60
    Retention(kept.casework.vault).place_hold(item.evidence_id, reference="order 4", reason="r", actor="t")
    kept.dispatcher.run_due()
    later = gauges(kept)
    assert (later["tutela_evidence_ending"], later["tutela_outbox_oldest_seconds"]) == (0, 0)


# --- kill -9


def test_a_step_of_the_upkeep_that_fails_holds_up_no_other(house):
    done: list[str] = []

    def fail() -> None:
        raise StoreError("the database does not answer")

    upkeep = Upkeep(house.cases)
    upkeep.also(fail)
    upkeep.also(lambda: done.append("after it"))
    with pytest.raises(StoreError):
        upkeep.run_due()
    assert done == ["after it"]


def test_kill_nine_leaves_no_evidence_without_a_case_and_no_case_without_evidence(database, tmp_path):
    """What was answered is there, whenever the kill came."""
    store, folder, out = Store.create(database), tmp_path / "evidence", tmp_path / "acts"
    vault = Vault(store, Objects(f"file://{folder}"), Recipients([PUBLIC]))
    kills, rng = effort(4, 200), random.Random(11)
    interrupted: Counter[str] = Counter()
    Banks(store).create("known", label="A1", policy=Policy(Action.BLOCK), actor="t")
    arguments = (database, str(folder), str(out), PUBLIC)
    with Forking("tests.support.held_items", *arguments, longest_s=120 + 20.0 * kills) as worker:
        while interrupted.total() < kills:
            after = len(_lines(out)) + rng.randrange(1, 9)
            worker.start()
            wait_until(lambda after=after: len(_lines(out)) >= after, "it is at work")  # type: ignore[misc]
            time.sleep(rng.random() * 0.05)
            worker.kill()
            last = _lines(out)[-1]
            if last in ("holding", "deciding"):  # else it had just answered, and nothing was interrupted
                interrupted[last] += 1
            check_whole(store, vault)
    cases = Cases(store)
    answers = [line.split() for line in _lines(out) if " " in line]
    assert answers
    for kind, name in answers:
        if kind == "held":
            item = cases.of_verdict(name)
            assert item is not None
            assert vault.content(item.evidence_id, KEY, actor="t", purpose="t")
        else:
            assert any(item.decision for item in cases.get(name).items)
    assert verify_log(AuditLog(store)).faults == ()
    store.close()
    print(f"{interrupted.total()} acts interrupted, {len(answers)} answered, {dict(interrupted)}")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def check_whole(store: Store, vault: Vault) -> None:
    """Every piece of evidence has its case, every case its evidence, every row its objects."""
    with store.read() as connection:
        items = set(connection.execute(select(case_item.c.evidence_id)).scalars())
        sealed = set(connection.execute(select(evidence_table.c.id)).scalars())
        empty = connection.execute(
            text("SELECT count(*) FROM case_file WHERE id NOT IN (SELECT case_id FROM case_item)")
        ).scalar_one()
        verdicts = connection.execute(text("SELECT count(*) FROM verdict")).scalar_one()
        assert verdicts == connection.execute(select(func.count()).select_from(case_item)).scalar_one()
    assert items == sealed
    assert empty == 0
    assert reconcile(vault, actor="t").missing == ()
