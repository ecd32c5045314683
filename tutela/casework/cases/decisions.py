"""Decisions in the store: made and set aside inside the caller's transaction, with what a final one brings."""

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from tutela.casework.audit.log import append
from tutela.casework.cases.effects import Effects
from tutela.casework.cases.model import CaseDecision, CaseItem, CaseState, Change
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.cases.policy import Policies
from tutela.casework.cases.rows import decision_of, read_items
from tutela.casework.cases.rules import Stage, is_final, stage_of, state_for, took_two
from tutela.casework.cases.urgency import severest
from tutela.casework.evidence.retention import keep_on, keep_until
from tutela.content.signals.base import SignalKind
from tutela.content.signals.registry import signal_type
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.outbox.service import take_back
from tutela.foundation.store import tables
from tutela.foundation.store.case_tables import case_decision, case_item, case_report
from tutela.foundation.store.database import Store, moment, now
from tutela.lists.banks.entries import list_entries, set_entry_state
from tutela.lists.banks.labels import Label
from tutela.lists.banks.model import BankKind, EntryState, NewEntry, Policy
from tutela.lists.banks.overlaps import margin
from tutela.lists.banks.service import Banks

UNDO = timedelta(seconds=10)
"""How long a person may undo what they decided, where the platform is told only after that."""
SOURCE = "cases"
"""Of the allow list's entries that rejections made."""
ALLOW_POLICY = Policy(thresholds={"pdq": 10})
"""Of the allow list that is made on first use: a copy that was encoded anew is a few bits away."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one person says of some items."""

    outcome: Outcome
    label: str | None
    by: str
    reason: str
    senior: bool
    press: str
    """The same for what is decided together."""


class Decisions:
    """The decisions of one store."""

    def __init__(
        self, store: Store, policies: Policies, effects: Effects, labels: Callable[[], Mapping[str, Label]]
    ) -> None:
        self._store = store
        self._policies = policies
        self._effects = effects
        self._labels = labels

    @staticmethod
    def made_by(person: str) -> ColumnElement[bool]:
        """The condition that a person has decided of an item."""
        query = select(case_decision.c.id).where(
            case_decision.c.item_id == case_item.c.id,
            case_decision.c.made_by == person,
            case_decision.c.set_aside.is_(False),
        )
        return query.exists()

    def allow_bank(self, actor: str) -> int:
        """The id of the allow list that rejections go to, made where it is missing. Raises ConflictError."""
        banks, name = Banks(self._store), self._policies.allow_bank
        try:
            bank = banks.get(name)
        except NotFoundError:
            description = "Matches that reviewers rejected"
            with contextlib.suppress(ConflictError):  # another process was faster
                banks.create(name, kind=BankKind.ALLOW, description=description, policy=ALLOW_POLICY, actor=actor)
            bank = banks.get(name)
        if bank.kind is not BankKind.ALLOW:
            raise ConflictError("bank {name!r} is no allow list; name another one for rejected matches", name=name)
        return bank.id

    def decide(
        self,
        connection: Connection,
        case_id: str,
        ruling: Ruling,
        item_ids: Sequence[int] | None,
        allow_bank: int | None,
    ) -> list[int]:
        """Write a ruling down for items, or for all it can be about; the ids of those that it is final for.

        Raises ConflictError, NotFoundError.
        """
        final: list[CaseItem] = []
        first: int | None = None
        aside = _decisions(connection, case_id, set_aside=True)
        for item, former in self._chosen(connection, case_id, ruling, item_ids):
            counts = is_final(
                former,
                ruling.outcome,
                ruling.label,
                ruling.by,
                senior=ruling.senior,
                needs_second=self._policies.needs_second(item.banks, ruling.outcome)
                or took_two(aside.get(item.id, ())),
            )
            decision_id = self._write(connection, case_id, item.id, ruling, final=counts)
            first = first or decision_id
            if counts:
                final.append(item)
        self._follow(connection, case_id, ruling, final, f"decision/{first}")
        if allow_bank is not None and final:
            self._allow(connection, allow_bank, final, ruling)
        return [item.id for item in final]

    def set_aside(
        self, connection: Connection, case_id: str, by: str, reason: str, item_ids: Sequence[int] | None
    ) -> list[int]:
        """Make items undecided again; which. Raises ConflictError, NotFoundError."""
        items = [item for item in _items(connection, case_id, item_ids) if item.decision is not None]
        if not items:
            raise ConflictError("nothing of this case is decided")
        ids = [item.id for item in items]
        connection.execute(
            update(case_decision).where(case_decision.c.item_id.in_(ids)).values(final=False, set_aside=True)
        )
        connection.execute(update(case_item).where(case_item.c.id.in_(ids)).values(decided=False))
        detail = {"items": ids, "reason_sha256": _digest(reason)}
        append(connection, by, Change.REOPENED.value, f"case:{case_id}", detail)
        self._disallow(connection, ids, by, reason)
        if not _is_reported(connection, case_id):
            for item in items:
                keep_on(connection, item.evidence_id, actor=by, why="the decision was set aside")
        return ids

    def undo(self, connection: Connection, case_id: str, press: str, by: str) -> list[int]:
        """Take back what a person decided in one go, while nobody was told; the items.

        Raises NotFoundError, ConflictError (too late).
        """
        mine = and_(case_decision.c.case_id == case_id, case_decision.c.press == press, case_decision.c.made_by == by)
        rows = connection.execute(select(case_decision).where(mine, case_decision.c.set_aside.is_(False))).all()
        if not rows:
            raise NotFoundError("there is no such decision of yours to undo")
        if moment(now()) > moment(min(row.at for row in rows)) + UNDO:
            raise ConflictError(
                "a decision is undone within {seconds} s; a lead can open the case again", seconds=UNDO.seconds
            )
        take_back(connection, sorted({number for row in rows for number in row.deliveries or ()}))
        ids = [row.item_id for row in rows]
        connection.execute(
            update(case_decision)
            .where(case_decision.c.id.in_([row.id for row in rows]))
            .values(final=False, set_aside=True, deliveries=None)
        )
        append(connection, by, Change.UNDONE.value, f"case:{case_id}", {"items": ids})
        self._disallow(connection, ids, by, "undone at once")
        for item in read_items(connection, case_item.c.id.in_(ids)):
            label = severest([match.label for match in item.matches], self._labels()) or item.label
            changes = {"decided": False, "label": label}
            connection.execute(update(case_item).where(case_item.c.id == item.id).values(changes))
            keep_on(connection, item.evidence_id, actor=by, why="the decision was undone")
        return ids

    def state(self, connection: Connection, case_id: str) -> CaseState:
        """The state that a case's decisions put it in."""
        standing = _decisions(connection, case_id, set_aside=False)
        ids = connection.execute(select(case_item.c.id).where(case_item.c.case_id == case_id)).scalars()
        return state_for(stage_of(standing.get(item_id, ())) for item_id in ids)

    def outcomes(self, connection: Connection, case_id: str) -> dict[str, int]:
        """How many items have which final outcome."""
        counts: dict[str, int] = {}
        for decisions in _decisions(connection, case_id, set_aside=False).values():
            for decision in decisions:
                if decision.final:
                    counts[decision.outcome.value] = counts.get(decision.outcome.value, 0) + 1
        return counts

    def _chosen(
        self, connection: Connection, case_id: str, ruling: Ruling, item_ids: Sequence[int] | None
    ) -> list[tuple[CaseItem, Sequence[CaseDecision]]]:
        """The items that a ruling is about, with what was decided of each before."""
        standing = _decisions(connection, case_id, set_aside=False)
        pairs: list[tuple[CaseItem, Sequence[CaseDecision]]] = [
            (item, standing.get(item.id, ())) for item in _items(connection, case_id, item_ids)
        ]
        if item_ids is not None:
            return pairs
        found = [(item, former) for item, former in pairs if _may(ruling, former)]
        if not found:
            raise ConflictError("nothing of this case waits for a decision of this person")
        return found

    def _write(self, connection: Connection, case_id: str, item_id: int, ruling: Ruling, *, final: bool) -> int:
        result = connection.execute(
            insert(case_decision).values(
                case_id=case_id,
                item_id=item_id,
                outcome=ruling.outcome.value,
                label=ruling.label,
                made_by=ruling.by,
                at=now(),
                reason=ruling.reason,
                final=final,
                set_aside=False,
                press=ruling.press,
            )
        )
        if final:
            changes: dict[str, Any] = {"decided": True}
            if ruling.outcome is Outcome.CONFIRM:
                changes["label"] = ruling.label
            connection.execute(update(case_item).where(case_item.c.id == item_id).values(changes))
        detail = {
            "item": item_id,
            "outcome": ruling.outcome.value,
            "label": ruling.label,
            "final": final,
            "reason_sha256": _digest(ruling.reason),  # what a person writes may name somebody; the log never forgets
        }
        append(connection, ruling.by, "case.decision", f"case:{case_id}", detail)
        assert result.inserted_primary_key is not None
        return int(result.inserted_primary_key[0])

    def _follow(
        self, connection: Connection, case_id: str, ruling: Ruling, items: Sequence[CaseItem], key: str
    ) -> None:
        """Ask the platform for what the policies say, and give rejected evidence its end."""
        asked: dict[Any, list[CaseItem]] = {}
        for item in items:
            for effect in self._policies.on_outcome(item.banks, ruling.outcome):
                asked.setdefault(effect, []).append(item)
        for effect, concerned in asked.items():
            self._effects.request(connection, effect, case_id, concerned, ruling.outcome, key)
        length = self._policies.retention.after(ruling.outcome)
        if length is not None:
            until = moment(now()) + length
            for item in items:
                why = f"decided: {ruling.outcome.value}"
                keep_until(connection, item.evidence_id, until, actor=ruling.by, why=why)

    def _allow(self, connection: Connection, bank_id: int, items: Sequence[CaseItem], ruling: Ruling) -> None:
        for item in items:
            entries = _false_matches(connection, item)
            if entries:
                reason = f"case {item.case_id}: {ruling.reason}"[:4_000]
                list_entries(connection, bank_id, entries, actor=ruling.by, at=now(), reason=reason)

    def _disallow(self, connection: Connection, item_ids: Sequence[int], by: str, reason: str) -> None:
        entry = tables.entry
        references = [_reference(item_id) for item_id in item_ids]
        query = select(entry.c.id).where(
            entry.c.source == SOURCE, entry.c.reference.in_(references), entry.c.state == EntryState.ACTIVE.value
        )
        for entry_id in list(connection.execute(query).scalars()):
            set_entry_state(connection, entry_id, EntryState.WITHDRAWN, reason=reason, actor=by, at=now())


def _may(ruling: Ruling, former: Sequence[CaseDecision]) -> bool:
    """Whether an item is one that this person can decide now."""
    match stage_of(former):
        case Stage.UNTOUCHED:
            return True
        case Stage.SECOND_OPINION:
            return ruling.by not in {decision.by for decision in former}
        case Stage.ESCALATED:
            is_another = ruling.by not in {decision.by for decision in former}
            return ruling.senior and ruling.outcome is not Outcome.ESCALATE and is_another
        case Stage.DECIDED:
            return False


def _is_reported(connection: Connection, case_id: str) -> bool:
    query = select(case_report.c.id).where(case_report.c.case_id == case_id).limit(1)
    return connection.execute(query).first() is not None


def _items(connection: Connection, case_id: str, item_ids: Sequence[int] | None) -> list[CaseItem]:
    if item_ids is None:
        return read_items(connection, case_item.c.case_id == case_id)
    if not item_ids:
        raise InputError("no items are named")
    found = read_items(connection, case_item.c.case_id == case_id, case_item.c.id.in_(list(item_ids)))
    if missing := set(item_ids) - {item.id for item in found}:
        raise NotFoundError("the case has no item {missing}", missing=", ".join(map(str, sorted(missing))))
    return found


def _decisions(connection: Connection, case_id: str, *, set_aside: bool) -> Mapping[int, list[CaseDecision]]:
    """The decisions of a case's items that stand, or those that were set aside; oldest first."""
    query = select(case_decision).where(
        and_(case_decision.c.case_id == case_id, case_decision.c.set_aside.is_(set_aside))
    )
    found: dict[int, list[CaseDecision]] = {}
    for row in connection.execute(query.order_by(case_decision.c.id)):
        found.setdefault(row.item_id, []).append(decision_of(row))
    return found


def _false_matches(connection: Connection, item: CaseItem) -> list[NewEntry]:
    """What is listed so that this item matches no more: its own digest, and those of its views' hashes that are further
    from what they matched than a copy of that would be. A value that is listed itself is not among them."""
    entries = {("sha256", item.sha256): None} if item.sha256 else {}
    verdict = tables.verdict
    query = select(verdict.c.document).where(verdict.c.id == item.verdict_id)
    document = connection.execute(query).scalar_one_or_none() or {"hashes": []}
    nearest: dict[tuple[str, str, str, float | None], int] = {}
    for match in item.matches:
        place = (match.signal, match.view, match.part, match.seconds)
        nearest[place] = min(match.distance, nearest.get(place, match.distance))
    for one in document["hashes"]:
        signal = one["signal"]
        distance = nearest.get((signal, one["view"], one.get("part", ""), one.get("seconds")))
        if distance is not None and signal_type(signal).kind is not SignalKind.EXACT and distance > margin(signal):
            entries[(signal, one["value"])] = None
    found = [
        NewEntry(signal, signal_type(signal).parse(str(value)), SOURCE, _reference(item.id))
        for signal, value in entries
    ]
    return [entry for entry in found if not _is_listed(connection, entry)]


def _is_listed(connection: Connection, new: NewEntry) -> bool:
    """Whether a bank of known material lists exactly this value."""
    entry, signal, bank = tables.entry, tables.signal, tables.bank
    query = (
        select(entry.c.id)
        .join(signal, signal.c.id == entry.c.signal_id)
        .join(bank, bank.c.id == entry.c.bank_id)
        .where(signal.c.type == new.signal, signal.c.value == new.value, bank.c.kind == BankKind.KNOWN.value)
        .where(entry.c.state == EntryState.ACTIVE.value, bank.c.enabled.is_(True))
        .limit(1)
    )
    return connection.execute(query).first() is not None


def _reference(item_id: int) -> str:
    return f"item-{item_id}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
