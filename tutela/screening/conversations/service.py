"""`Conversations`: events in, alarms out. What is answered for is durable in the ledger; one process of a deployment
reads it into state, judges by the policy, and brings alarms before people. Text is scored where it comes in, and goes.
"""

import fcntl
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tutela.errors import InputError, NotFoundError, NotReadyError
from tutela.foundation.background import BackgroundLoop
from tutela.screening.conversations.alarms import AlarmReason, AlarmSink, Coverage, RiskAlarm
from tutela.screening.conversations.approval import Approval, approve, read_approval
from tutela.screening.conversations.calibration import Threshold, wrong_of_hundred
from tutela.screening.conversations.drift import FILE as DRIFT_FILE
from tutela.screening.conversations.drift import DriftWatch
from tutela.screening.conversations.events import CLEARED, FORGOTTEN, RESTORED, Event
from tutela.screening.conversations.general_notices import drawn, is_unnoticed, notice_id, notices_of
from tutela.screening.conversations.hearing import Hearing, nobody
from tutela.screening.conversations.ledger import KEPT_S, ConversationLedger, EventBatch, received_now_s
from tutela.screening.conversations.levels import Level
from tutela.screening.conversations.options import ConversationOptions
from tutela.screening.conversations.policy import FILE, Judgement, RiskPolicy, read_policy
from tutela.screening.conversations.reasons import Reasons, Story, coverage, weightiest
from tutela.screening.conversations.records import (
    ELSEWHERE,
    Names,
    Pseudonyms,
    marker,
    names_of,
    pack,
    with_source,
    written_names,
)
from tutela.screening.conversations.replay import Replayed, calibrated, replay
from tutela.screening.conversations.scorers.contacts import CONTACTS
from tutela.screening.conversations.shards import ShardPlace
from tutela.screening.conversations.state import FEATURES, FORGET_S, Crossing, RiskState
from tutela.screening.conversations.strata import NO_GROUPS, Grouping

log = logging.getLogger(__name__)

FOLDER = "conversations"
IDLE_S = 1.0
"""How often other processes' events are looked for."""
NOTICE_LASTS_S = 7 * 86_400
"""After this time an account that was only a notice may be one again."""
SWEEP_EVERY_S = 3_600.0
DELAYED_S = 60.0
"""Events that wait longer are told of."""
LIMITS = (
    "not trained on real cases until yours are: what it finds of real grooming nobody knows",
    "a low score clears nobody",
    "voice, pictures, other apps and languages that no scorer reads are not seen",
    "ages may be false",
    "never a ground for a penalty by itself",
    "whoever knows the signals can avoid them",
    f"at 100 alarms a million accounts, {wrong_of_hundred(100):.0f} of 100 are wrong, if 20 of a million are right",
)
"""What is said beside every score."""


@dataclass(frozen=True, slots=True)
class Risk:
    """What is known of an account now."""

    level: Level
    """The highest that was raised and not cleared."""
    now: Judgement
    features: Mapping[str, float]
    reasons: tuple[AlarmReason, ...]
    versions: Mapping[str, str]
    coverage: Coverage

    def document(self) -> dict[str, Any]:
        """As it is answered, with what must be said beside every score."""
        return {
            "level": self.level.word, "now": self.now.level.word, "rules": list(self.now.rules),
            "features": dict(self.features), "reasons": [reason.document() for reason in self.reasons],
            "versions": dict(self.versions), "coverage": self.coverage.document(), "limits": list(LIMITS),
        }  # fmt: skip


class Conversations:
    """The conversations of one deployment. Thread-safe; many processes may take events, one judges."""

    def __init__(
        self,
        home: Path,
        secret: Callable[[str], bytes],
        options: ConversationOptions,
        sink: AlarmSink | None,
        part: ShardPlace | None = None,
    ) -> None:
        """`secret` gives the deployment's own keys by name; `part` says which shard this is, where there are several.

        Raises InputError for a wrong policy or wrong phrases.
        """
        self.options = options
        self._home = home
        self._part = part
        self._folder = home / FOLDER if part is None else part.folder
        self.policy = policy_of(home)
        self._sink = sink
        self._names = Pseudonyms(secret("conversations-names"))
        self._hearing = part.hearing if part else Hearing(home, options, self._names, secret("conversations-memory"))
        self._ledger_secret = secret("conversations-ledger")
        self._ledger: ConversationLedger | None = ConversationLedger(self._folder / "ledger", self._ledger_secret)
        self._judges = part is None
        """Whether this process may be the one that judges; of a shard once it has taken it over."""
        self._lock = threading.RLock()
        self._state = self._fresh()
        self._last: EventBatch | None = None
        self._crossed: deque[tuple[Crossing, EventBatch]] = deque()
        """Taken into state, and not judged yet."""
        self._owned: int | None = None
        self._saved_at = self._swept_at = time.monotonic()
        self._saved_position = 0
        self.delayed_s = 0.0
        """How long the last event that was judged had waited."""
        self._delay_told = False
        self._drift = DriftWatch(self._folder / DRIFT_FILE, self._hearing.versions)
        self._loop = BackgroundLoop(
            self.drain, name="tutela-conversations", every_s=lambda: IDLE_S, failed="events could not be judged"
        )

    @property
    def versions(self) -> Mapping[str, str]:
        """Of the policy and of each scorer."""
        return {"policy": self.policy.version, CONTACTS.name: CONTACTS.version, **self._hearing.versions}

    # --- events

    def observe(self, events: Event | Sequence[Event], *, following: int | None = None) -> int:
        """Take events; return how many, once they are durable. What was taken before is taken once.

        `following` is where the source of a shard goes on behind them; it is written with them, or not at all.
        Raises StoreError where nothing could be written.
        """
        batch = [events] if isinstance(events, Event) else events
        ledger, received_s = self._open_ledger(), received_now_s()
        heard = self._hearing.hear(batch, self._state.evident if self._owned is not None else nobody)
        records, names = pack(batch, heard, self._names, received_s), names_of(batch)
        if self._part is not None:
            elsewhere = [not self._part.shard.owns(event.about) for event in batch]
            records["flags"] |= np.array(elsewhere, np.uint8) * ELSEWHERE
        if following is not None:
            records, names = with_source(records, names, following, received_s)
        if len(records):
            ledger.append(records, names)
            self._loop.wake()
        return len(batch)

    def take_over(self) -> int | None:
        """Judge this shard from here on, up to what its ledger holds; return where its source goes on.

        None while another process judges it. Raises NotReadyError, StoreError.
        """
        with self._lock:
            self._judges = True
            if not self._own():
                self._judges = False
                return None
            self.drain()
            return self._state.source

    def drain(self) -> int:
        """Judge what the ledger holds and this process has not read; how many events. 0 where another process does.

        Raises NotReadyError where alarms could be brought before nobody: events then wait, and nobody is cleared.
        """
        ledger = self._open_ledger()
        if self._sink is None:
            raise NotReadyError(
                "alarms need [evidence] with recipients: events are kept, and judged once they are there"
            )
        with self._lock:
            if not self._own():
                return 0
            self._follow_decisions(ledger)
            self._judge_crossed(ledger)
            taken = 0
            for batch in ledger.read(self._state.position, after=self._last):
                self._crossed += ((crossing, batch) for crossing in self._state.apply(batch.records))
                self._last = batch
                taken += len(batch.records)
                self.delayed_s = max(0.0, received_now_s() - float(batch.records["received_s"].max()))
                self._judge_crossed(ledger)
                self._offer(batch, ledger)
                self._warn(batch)
            self._keep(ledger)
        return taken

    def _warn(self, batch: EventBatch) -> None:
        """Tell of drift and of delay. A delay is told once until it is over; nobody is cleared or accused by either."""
        assert self._sink is not None
        if drifted := self._drift.take(batch.records):
            facts = {name: round(value, 4) for name, value in asdict(drifted).items()}
            self._sink.warn("risk.drift", f"{self._folder.name}/{batch.following}", facts)
        late = self.delayed_s > DELAYED_S
        if late and not self._delay_told:
            self._sink.warn(
                "risk.delayed", f"{self._folder.name}/{batch.following}", {"seconds": round(self.delayed_s, 1)}
            )
        self._delay_told = late

    def _offer(self, batch: EventBatch, ledger: ConversationLedger) -> None:
        """Have a few children shown general words, so that a notice tells nobody that something was noticed."""
        assert self._sink is not None
        if not self.options.notices:
            return
        records = batch.records
        unnoticed = [
            row
            for row in drawn(records, self.options.general_notices, received_now_s())
            if is_unnoticed(self._state, int(records["sender"][row]), int(records["recipient"][row]))
        ]
        names = ledger.names(batch) if unnoticed else []
        for row in unnoticed:
            child = names[row].recipient
            self._sink.offer(child, notice_id(self._names, child, float(records["received_s"][row])))

    def _judge_crossed(self, ledger: ConversationLedger) -> None:
        """Judge what crossed; what cannot be written down stays, and no snapshot says that it was."""
        while self._crossed:
            self._judge(*self._crossed[0], ledger)
            self._crossed.popleft()

    def _follow_decisions(self, ledger: ConversationLedger) -> None:
        """Write down what people decided, and what they took back: state follows from the ledger alone.

        Of many shards the first does it for all, as no number of an account says whose it is.
        """
        assert self._sink is not None
        if self._part is not None and self._part.shard.number != 0:
            return
        if decided := self._sink.to_clear():
            with self._every(ledger) as ledgers:
                for account in dict.fromkeys(account for _, account in decided):
                    for one in ledgers:
                        one.append(marker(CLEARED, account, received_now_s()))
            self._sink.cleared([alarm_id for alarm_id, _ in decided])
        if reopened := self._sink.to_restore():
            with self._every(ledger) as ledgers:
                for account in dict.fromkeys(account for _, account in reopened):
                    for one in ledgers:
                        self._restore(account, one)
            self._sink.restored([alarm_id for alarm_id, _ in reopened])

    @contextmanager
    def _every(self, ledger: ConversationLedger) -> Iterator[list[ConversationLedger]]:
        """This ledger, with those of the other shards."""
        with ExitStack() as stack:
            found = [ledger]
            for folder in () if self._part is None else self._part.folders:
                if folder != self._folder:
                    found.append(ConversationLedger(folder / "ledger", self._ledger_secret))
                    stack.callback(found[-1].close)
            yield found

    def _restore(self, account: int, ledger: ConversationLedger) -> None:
        story = Story.read(account, ledger.of_account(account), ledger.names)
        if not story.is_judged_here():
            return
        marks = story.records["kind"][np.isin(story.records["kind"], [CLEARED, RESTORED])]
        if not len(marks) or marks[-1] == RESTORED:
            return
        past = story.past()
        records = np.concatenate([marker(RESTORED, account, received_now_s()), past.records])
        ledger.append(records, written_names([Names("", "", "", ""), *past.names]))

    def _judge(self, crossing: Crossing, batch: EventBatch, ledger: ConversationLedger) -> None:
        judgement = self.policy.judge(crossing.features)
        self._count(judgement)
        assert self._sink is not None
        known = self._state.account(crossing.account)
        if known is None or judgement.level <= self._standing(known, crossing.at_s):
            return
        row = int(crossing.position - int(batch.records["position"][0]))
        if batch.records["id"][row] == 0:  # it stands in the ledger once more, and was raised the first time
            raised = self._sink.level_of(crossing.account)
            self._state.table.set_level(crossing.account, min(raised, judgement.level), crossing.at_s)
            return
        names = ledger.names(batch)[row]
        by_other = int(batch.records["recipient"][row]) == crossing.account
        story = Story.read(crossing.account, ledger.of_account(crossing.account), ledger.names).until(crossing.position)
        alarm = RiskAlarm(
            account=names.recipient if by_other else names.sender,
            pseudonym=crossing.account,
            position=crossing.position,
            at=float(crossing.at_s),
            level=judgement.level,
            rules=judgement.rules,
            reasons=self._reasons.of(story, self._bands(story)),
            features={name: round(float(value), 4) for name, value in zip(FEATURES, crossing.features, strict=True)},
            versions=self.versions,
            others=_others(story),
            lines=weightiest(story),
            coverage=coverage(story),
            event=int(batch.records["id"][row]),
        )
        self._sink.sound(alarm)
        self._state.table.set_level(crossing.account, judgement.level, crossing.at_s)

    # --- looking

    def risk(self, account: str) -> Risk:
        """What is known of an account. Raises NotFoundError where nothing is."""
        ledger, key = self._open_ledger(), self._names.of(account)
        with self._lock:
            if not self._own():
                self._follow(ledger)
            known, features = self._state.account(key), self._state.table.features(key)
            if known is None or features is None:
                raise NotFoundError("nothing is known of that account")
            story = Story.read(key, ledger.of_account(key), ledger.names)
            reasons = self._reasons.of(story, self._bands(story))
            return Risk(
                self._sink.level_of(key) if self._sink is not None else Level(int(known["level"])),
                self.policy.judge(features),
                {name: round(float(value), 4) for name, value in zip(FEATURES, features, strict=True)},
                reasons,
                self.versions,
                coverage(story),
            )

    def _follow(self, ledger: ConversationLedger) -> None:
        """Bring this process's state up to the ledger; another one judges."""
        if self._last is None:
            self._state = self._weighed(RiskState.load(self._folder / "state"))
        for batch in ledger.read(self._state.position, after=self._last):
            self._state.apply(batch.records)
            self._last = batch

    def shortcomings(self) -> list[str]:
        """What keeps events from being judged; empty when nothing does."""
        if self._sink is None:
            return ["risk alarms need [evidence] with recipients"]
        return []

    # --- policies

    def replay(self, policy: RiskPolicy | None = None, grouping: Grouping = NO_GROUPS) -> Replayed:
        """What a policy, by default the present one, would have made of what the ledger holds."""
        return replay(self._open_ledger(), policy or self.policy, grouping, self._names)

    def calibrate(self, feature: str, budget_per_million: float) -> Threshold:
        """The threshold of a feature that keeps a budget, by what accounts of the ledger came to.

        Raises InputError for an unknown feature, BudgetError where there are too few accounts.
        """
        return calibrated(self._open_ledger(), feature, budget_per_million)

    def approve(self, by: str) -> Approval:
        """Give the home's own policy its effects; they begin when the service is started again. Raises InputError."""
        return approve_own(self._home, self.policy, by)

    # --- people

    def clear(self, account: str) -> None:
        """People decided that there was nothing to it: what was counted of the account counts no more."""
        self._mark(CLEARED, account)

    def forget(self, account: str) -> int:
        """Forget all that is known of an account, here and in the ledger; how many records."""
        self._mark(FORGOTTEN, account)
        ledger = self._open_ledger()
        with self._lock:
            erased = ledger.erase(self._names.of(account))
            if self._sink is not None:
                self._sink.withdraw(notices_of(self._names, account))
            self._last = None
            if self._owned is not None and not self._crossed:
                self._save()
        return erased

    def _mark(self, kind: int, account: str) -> None:
        ledger = self._open_ledger()
        if not account:
            raise InputError("name the account as the platform does")
        ledger.append(marker(kind, self._names.of(account), received_now_s()))
        self._loop.wake()
        if not self._loop.running and self._sink is not None:
            self.drain()

    # --- running

    def start(self) -> None:
        """Judge in the background, from here on."""
        if self._sink is not None:
            self._loop.start()

    def stop(self) -> None:
        """End that, and write a snapshot."""
        self._loop.stop()
        with self._lock:
            if self._owned is not None and self._state.position != self._saved_position and not self._crossed:
                self._save()

    def close(self) -> None:
        """Stop, and let another process judge."""
        self.stop()
        if self._owned is not None:
            os.close(self._owned)
            self._owned = None
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def digest(self) -> int:
        """Equal for equal states."""
        return self._state.digest()

    @property
    def position(self) -> int:
        """The ledger's position up to which this process has judged."""
        return self._state.position

    @property
    def size(self) -> tuple[int, int, int]:
        """Accounts, pairs, and bytes of memory for them."""
        table = self._state.table
        return table.accounts, table.pairs, table.memory_bytes

    def _own(self) -> bool:
        """Whether this process is the one that judges; it becomes so where no other is."""
        if self._owned is not None:
            return True
        if not self._judges:
            return False
        descriptor = os.open(self._folder / "judging", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._owned = descriptor
        if not has_effects(self._home, self.policy):
            log.warning("the policy %s waits for an approval: its rules are in shadow", self.policy.version)
        self._state = self._weighed(RiskState.load(self._folder / "state"))
        self._saved_position = self._state.position
        self._last = None
        return True

    def _keep(self, ledger: ConversationLedger) -> None:
        at = time.monotonic()
        if at - self._swept_at >= SWEEP_EVERY_S:
            self._state.table.forget_before(max(0, received_now_s() - FORGET_S))
            self._swept_at = at
            self._save()
            ledger.drop_before(self._state.position, received_now_s() - KEPT_S)
        elif at - self._saved_at >= self.options.snapshot_every_s and self._state.position != self._saved_position:
            self._save()

    def _save(self) -> None:
        self._state.save(self._folder / "state")
        self._drift.save()
        self._saved_at, self._saved_position = time.monotonic(), self._state.position

    def _fresh(self) -> RiskState:
        return self._weighed(RiskState())

    def _weighed(self, state: RiskState) -> RiskState:
        state.weigh(CONTACTS.scales, CONTACTS.weights)
        state.watch(self.policy.gates)
        return state

    @property
    def _reasons(self) -> Reasons:
        return Reasons(self._fresh)

    def _bands(self, story: Story) -> Mapping[int, int]:
        keys = {*story.records["sender"].tolist(), *story.records["recipient"].tolist()}
        found = {key: self._state.account(key) for key in keys}
        return {key: int(known["band"]) for key, known in found.items() if known is not None}

    def _standing(self, known: np.void, at_s: int) -> int:
        level, since = int(known["level"]), int(known["level_s"])
        return 0 if level == Level.NOTICE and at_s - since > NOTICE_LASTS_S else level

    def _count(self, judgement: Judgement) -> None:
        for name, level in judgement.shadow:
            log.info("rule %s in shadow would have said %s", name, level.word)
        for name in judgement.unknown:
            log.warning("rule %s could not be told", name)

    def _open_ledger(self) -> ConversationLedger:
        if self._ledger is None:
            raise NotReadyError("the conversations are closed")
        return self._ledger


def policy_of(home: Path) -> RiskPolicy:
    """The home's own policy, or the one that is shipped; an own one has effects once another than its author approved
    it. Raises InputError."""
    policy = read_policy(home / FILE)
    return policy if has_effects(home, policy) else policy.in_shadow()


def has_effects(home: Path, policy: RiskPolicy) -> bool:
    """Whether a home's policy is the one that is shipped, or approved."""
    approval = read_approval(home / FOLDER)
    return not (home / FILE).exists() or (approval is not None and approval.version == policy.version)


def approve_own(home: Path, policy: RiskPolicy, by: str) -> Approval:
    """Approve the home's own policy. Raises InputError where it has none, or by its author."""
    if not (home / FILE).exists():
        raise InputError("there is no {path}: the rules that come with Tutela need no approval", path=home / FILE)
    return approve(home / FOLDER, policy, by)


def is_judged(folder: Path) -> bool:
    """Whether some process judges what lies in a folder."""
    try:
        descriptor = os.open(folder / "judging", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _others(story: Story) -> tuple[str, ...]:
    """Whom an account came near one to one, by whatever act, latest first: they are offered help."""
    rows = np.flatnonzero(story.approaches())
    return tuple(dict.fromkeys(story.names[row].recipient for row in rows[::-1] if story.names[row].recipient))[:100]
