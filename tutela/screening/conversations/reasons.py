"""Reasons: which acts an account's level rests on, told by leaving them out. What changes nothing is not named.

The account's own part of the ledger is played again without the acts in question; by how much the score falls is the
reason's share.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutela.screening.conversations.alarms import AlarmReason, Coverage
from tutela.screening.conversations.events import CLEARED, RESTORED, AgeBand, AgeSource, ConversationStage, EventKind
from tutela.screening.conversations.ledger import EventBatch
from tutela.screening.conversations.records import (
    ACQUAINTED,
    ASKED,
    ELSEWHERE,
    GROUP,
    MOVES,
    READ,
    RECORD,
    UNCOVERED,
    Names,
    Records,
)
from tutela.screening.conversations.state import FEATURES, RiskState

MAX_REFERENCES = 50
MAX_LINES = 3
_LEAST_SHARE = 0.02
_WEAK = frozenset({"night"})
"""Never among the first two."""
APPROACHES = tuple(
    kind.number
    for kind in (EventKind.MESSAGE, EventKind.CONTACT_REQUEST, EventKind.PAYMENT, EventKind.CALL, EventKind.MEDIA)
)
_STAGES = {stage.value: f"stage-{stage.name.lower()}" for stage in ConversationStage}
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Story:
    """An account's part of the ledger, with the opaque names of its events."""

    account: int
    records: Records
    names: Sequence[Names]

    @classmethod
    def read(
        cls, account: int, found: Sequence[tuple[EventBatch, list[int]]], names: Callable[[EventBatch], list[Names]]
    ) -> "Story":
        """Of the batches that an account has part in."""
        records, named = [], []
        nobody = Names("", "", "", "")
        for batch, rows in found:
            records.append(batch.records[rows])
            here = names(batch)
            named += [here[row] if here else nobody for row in rows]
        whole = np.concatenate(records) if records else np.zeros(0, RECORD)
        restored = np.flatnonzero(whole["kind"] == RESTORED)
        if not len(restored):
            return cls(account, whole, named)
        # What was there before stands there once more.
        again = _of_state(account, whole) & (np.arange(len(whole)) < restored[-1])
        return cls(account, whole[~again], [name for name, gone in zip(named, again, strict=True) if not gone])

    @property
    def counted_from(self) -> int:
        """The first row that counts: what was before, people decided about."""
        marks = np.flatnonzero(np.isin(self.records["kind"], [CLEARED, RESTORED]))
        return int(marks[-1]) + 1 if len(marks) else 0

    def past(self) -> "Story":
        """What the account came to before it was cleared last, for the ledger once more: its acts, and what others did
        about it, without ids; of what was cleared before that nothing."""
        records, floors = self.records, [0]
        for row in np.flatnonzero(np.isin(records["kind"], [CLEARED, RESTORED])):
            if records["kind"][row] == RESTORED:
                floors = floors[:-1] or [0]
            elif row >= floors[-1] and (_of_state(self.account, records)[floors[-1] : row]).any():
                floors.append(int(row) + 1)
        begin = floors[-2] if len(floors) > 1 else 0
        kept = _of_state(self.account, records)
        kept[:begin] = False
        rows = np.flatnonzero(kept)
        copies = records[rows].copy()
        copies["id"] = 0
        return Story(self.account, copies, [self.names[int(row)] for row in rows])

    def approaches(self) -> Mask:
        """Rows of what the account did to others one to one."""
        records = self.records
        near = (records["sender"] == self.account) & np.isin(records["kind"], APPROACHES)
        found: Mask = near & ((records["flags"] & GROUP) == 0)
        return found

    def is_judged_here(self) -> bool:
        """Whether this ledger's shard is the account's."""
        here = (self.records["flags"] & ELSEWHERE) == 0
        return bool((_of_state(self.account, self.records) & here).any())

    def until(self, position: int) -> "Story":
        """What was there at an event."""
        count = int(np.searchsorted(self.records["position"], position, "right"))
        return Story(self.account, self.records[:count], self.names[:count])


def coverage(story: Story) -> Coverage:
    """How much of what the account wrote could be read."""
    read = (story.records["sender"] == story.account) & ((story.records["flags"] & READ) != 0)
    return Coverage(int(read.sum()), int((read & ((story.records["flags"] & UNCOVERED) != 0)).sum()))


class Reasons:
    """Tells reasons, with the weights that the state has."""

    def __init__(self, fresh: Callable[[], RiskState]) -> None:
        """`fresh` makes an empty state with the deployment's weights."""
        self._fresh = fresh

    def of(self, story: Story, bands: Mapping[int, int]) -> tuple[AlarmReason, ...]:
        """The reasons of an account's score, the weightiest first. `bands` are those of everybody in it."""
        records = _with_bands(story.records, bands)
        whole = self._height(story.account, records)
        if whole <= 0:
            return ()
        found = []
        counts = np.arange(len(records)) >= story.counted_from
        for code, acts in _acts(story.account, records).items():
            mask = acts & counts
            if not mask.any():
                continue
            share = 1 - self._height(story.account, records[~mask]) / whole
            if share >= _LEAST_SHARE:
                found.append(_reason(code, story, records, mask, share))
        found.sort(key=lambda reason: -reason.share)
        strong = [reason for reason in found if reason.code not in _WEAK]
        weak = [reason for reason in found if reason.code in _WEAK]
        return (*strong[:2], *sorted([*strong[2:], *weak], key=lambda reason: -reason.share))

    def features(self, account: int, records: Records, bands: Mapping[int, int]) -> npt.NDArray[np.float32] | None:
        """What an account comes to by these records alone."""
        state = self._fresh()
        state.apply(_with_bands(records, bands))
        return state.table.features(account)

    def _height(self, account: int, records: Records) -> float:
        state = self._fresh()
        state.apply(records)
        found = state.table.features(account)
        return 0.0 if found is None else float(found[FEATURES.index("score")] + found[FEATURES.index("coercion")])


def weightiest(story: Story) -> tuple[str, ...]:
    """The opaque names of the few messages with most evidence, in the order in which they were sent."""
    mine = np.flatnonzero((story.records["sender"] == story.account) & (_evidence(story.records) > 0))
    evidence = _evidence(story.records)
    best = sorted(sorted(map(int, mine), key=lambda row: -float(evidence[row]))[:MAX_LINES])
    return tuple(dict.fromkeys(story.names[row].id for row in best))


def _of_state(account: int, records: Records) -> Mask:
    """What an account's own numbers come from: what it did, and what others did about it."""
    about = np.isin(records["kind"], [EventKind.CONTACT_ANSWER.number, EventKind.BLOCK.number, EventKind.REPORT.number])
    own = np.isin(records["kind"], APPROACHES)
    found: Mask = ((records["sender"] == account) & own) | ((records["recipient"] == account) & about)
    return found


def _evidence(records: Records) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = records["trust"] + records["coercion"]
    return found


def _acts(account: int, records: Records) -> dict[str, Mask]:
    """Rows by the code of what they are."""
    mine = records["sender"] == account
    kind, flags = records["kind"], records["flags"]
    approach = mine & np.isin(kind, APPROACHES) & ((flags & (GROUP | ACQUAINTED)) == 0)
    minor = (records["recipient_band"] > AgeBand.UNKNOWN) & (records["recipient_band"] < AgeBand.ADULT)
    asked = (flags & ASKED) != 0
    media, payment, request = (
        kind == one.number for one in (EventKind.MEDIA, EventKind.PAYMENT, EventKind.CONTACT_REQUEST)
    )
    firsts = _firsts(records, approach)
    about = records["recipient"] == account
    acts: dict[str, Mask] = {
        "minors-contacted": approach & minor & np.isin(records["recipient"], records["recipient"][firsts & minor]),
        "refused": about & (kind == EventKind.CONTACT_ANSWER.number) & ~asked,
        "turned-away": about & np.isin(kind, [EventKind.BLOCK.number, EventKind.REPORT.number]),
        "insisted": approach & minor & request & ~firsts,
        "moved-elsewhere": approach & minor & ((flags & MOVES) != 0),
        "gifts": approach & minor & payment & ~asked,
        "asked-for-pictures-or-calls": approach & ((media & asked) | (minor & (kind == EventKind.CALL.number))),
        "demands": approach & payment & asked,
        "pressure": mine & (records["coercion"] > 0),
        "same-opening": firsts & minor & _repeated(records["opening"]),
        "night": approach
        & minor
        & (records["minute"] < 1440)
        & ((records["minute"] >= 1380) | (records["minute"] < 300)),
        "wording": mine & (records["trust"] > 0) & (records["stage"] == 0),
    }
    for number, code in _STAGES.items():
        acts[code] = mine & (records["trust"] > 0) & (records["stage"] == number)
    return acts


def _firsts(records: Records, approach: Mask) -> Mask:
    """The first approach to each account."""
    rows = np.flatnonzero(approach)
    _, where = np.unique(records["recipient"][rows], return_index=True)
    found = np.zeros(len(records), bool)
    found[rows[where]] = True
    return found


def _repeated(opening: npt.NDArray[np.uint32]) -> Mask:
    values, counts = np.unique(opening[opening != 0], return_counts=True)
    return np.isin(opening, values[counts > 1])


def _with_bands(records: Records, bands: Mapping[int, int]) -> Records:
    """The records with what is known by now of the ages of those in them."""
    known = records.copy()
    for name, told in (("sender", "band"), ("recipient", "recipient_band")):
        now = np.array([bands.get(int(one), 0) for one in known[name]], np.uint8)
        known[told] = np.where(known[told] == 0, now, known[told])
    return known


def _reason(code: str, story: Story, records: Records, mask: Mask, share: float) -> AlarmReason:
    rows = np.flatnonzero(mask)
    others = np.where(records["sender"][rows] == story.account, records["recipient"][rows], records["sender"][rows])
    times = records["at_ms"][rows] / 1000
    sources = {int(one) for one in records["recipient_known"][rows]} - {0}
    return AlarmReason(
        code,
        count=len(rows) if code != "minors-contacted" else len(np.unique(others)),
        people=len(np.unique(others)),
        first_at=float(times.min()),
        last_at=float(times.max()),
        share=float(min(1.0, share)),
        references=tuple(dict.fromkeys(story.names[row].id for row in rows[::-1][:MAX_REFERENCES])),
        known=AgeSource(sources.pop()).name.lower() if len(sources) == 1 else "",
    )
