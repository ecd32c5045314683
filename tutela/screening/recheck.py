"""A second opinion on pictures that screening allowed: of a list that is only asked, as Project Arachnid's Shield is.

    allowed verdict → questions, written in batches → outbox → the list → its bank → the hash is screened anew

Nobody waits for the list: the verdict was answered before. What the list knows is listed in its bank, and the hash is
screened once more, so that the one place where matches become verdicts decides what follows.
"""

import logging
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from tutela.content.signals.base import WHOLE, Sample
from tutela.content.signals.registry import signal_type
from tutela.errors import NotFoundError
from tutela.foundation.background import BackgroundLoop
from tutela.foundation.http import Patience
from tutela.foundation.outbox.service import Delivery, enqueue
from tutela.foundation.outbox.worker import Handler, Progress, UndeliverableError
from tutela.foundation.store.database import Changes
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges.base import Finding, Listing
from tutela.lists.exchanges.feedback import outward
from tutela.lists.exchanges.inquiry import ALLOWED, ASKS, list_known
from tutela.lists.exchanges.service import ExchangeRow, Exchanges
from tutela.screening.verdict import ContentHash, Context, Verdict

log = logging.getLogger(__name__)

TOPIC = "exchange.ask"
SIGNAL = "pdq"
MIN_QUALITY = 50
WRITTEN_EVERY_S = 2.0
_UNCHANGED_S = 10.0
"""Questions of that long may be lost when a process dies; the verdicts that they are about were answered."""
MAX_WAITING = 10_000
MAX_TOGETHER = 100
_PER_CONTENT = 20
_ACTOR = "second opinion"
_NAMES = uuid.UUID("6b0e6f0c-9a53-4c3f-8f8f-5e9f3f0f6d0b")


class Screening(Protocol):
    """What makes a verdict: `tutela.screening.screener.Screener`."""

    def screen_hashes(
        self, samples: Sequence[Sample], context: Context | None = None, verdict_id: str | None = None
    ) -> Verdict: ...


class VerdictSource(Protocol):
    """Where verdicts are: `tutela.screening.journal.VerdictJournal`."""

    def get(self, verdict_id: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Question:
    """A hash of content that was allowed."""

    value: str
    verdict: str
    item: str | None
    """The platform's own opaque name of the content."""


class SecondOpinions:
    """Asks lists about what was allowed. Thread-safe."""

    def __init__(self, banks: Banks, patience: Patience | None = None) -> None:
        self._exchanges = Exchanges(banks)
        self._changes = Changes(banks.store, at_least_every_s=_UNCHANGED_S)
        self._patience = patience
        self._asked: tuple[str, ...] = ()
        self._waiting: deque[Question] = deque()
        self._loop = BackgroundLoop(
            self._look,
            name="tutela-second-opinion",
            every_s=lambda: WRITTEN_EVERY_S,
            failed="questions for a second opinion could not be written down",
        )

    def hear(self, verdict: Verdict) -> None:
        """Note the hashes of an allowed verdict; returns at once, and never raises."""
        if not self._asked:
            return
        if len(self._waiting) > MAX_WAITING:
            log.error("a second opinion on verdict %s is not asked for: too many wait", verdict.id)
            return
        self._waiting.extend(_questions(verdict))

    def start(self) -> None:
        """Take turns in the background until `stop`."""
        self._loop.start()

    def stop(self) -> None:
        """Write down what waits, and end."""
        if self._loop.running:
            self._loop.stop()
            self._loop.turn()

    def turn(self) -> int:
        """Write what waits into the outbox, and notice which lists are asked from now on; how many questions."""
        self._asked = tuple(row.name for row in self._exchanges.all() if _is_asked(row))
        written = 0
        while some := list(islice(self._waiting, MAX_TOGETHER)):
            asked = [[one.value, one.verdict, one.item] for one in some]
            with self._exchanges.store.write() as connection:
                for name in self._asked:
                    enqueue(connection, TOPIC, uuid.uuid4().hex, {"exchange": name, "asked": asked})
            for _ in some:
                self._waiting.popleft()
            written += len(some)
        return written

    def answering(self, screening: Screening, journal: VerdictSource, refresh: Callable[[], None]) -> Handler:
        """The handler of the outbox's topic. `refresh` makes what was listed visible to `screening`."""

        def ask(delivery: Delivery, progress: Progress) -> None:
            row = self._row(delivery.payload["exchange"])
            questions = [Question(*asked) for asked in delivery.payload["asked"]]
            with outward(self._exchanges, row, self._patience) as connection:
                found = connection.look_up([(SIGNAL, value) for value in {one.value for one in questions}])
            known = {finding.value: finding for finding in found}
            if not known:
                return
            listings = [listing for finding in found for listing in (_asked(finding), *finding.listings)]
            list_known(self._exchanges, row, listings, actor=_ACTOR)
            refresh()
            for question in questions:
                if question.value in known:
                    _screen_anew(question, row, screening, journal)

        return ask

    def _row(self, name: str) -> ExchangeRow:
        try:
            row = self._exchanges.get(name)
        except NotFoundError:
            raise UndeliverableError("exchange {name} was removed", name=name) from None
        if not _is_asked(row):
            raise UndeliverableError("{name} is no longer asked about what was allowed", name=name)
        return row

    def _look(self) -> None:
        if self._waiting or self._changes.any():
            self.turn()


def _is_asked(row: ExchangeRow) -> bool:
    return row.enabled and row.options.get(ASKS) == ALLOWED


def _questions(verdict: Verdict) -> list[Question]:
    values = dict.fromkeys(
        one.value
        for one in verdict.hashes
        if one.signal == SIGNAL and one.view == WHOLE and one.seconds is None and _has_detail(one)
    )
    return [Question(value, verdict.id, verdict.context.item) for value in list(values)[:_PER_CONTENT]]


def _has_detail(one: ContentHash) -> bool:
    return one.quality is None or one.quality >= MIN_QUALITY


def _asked(finding: Finding) -> Listing:
    """What was asked about, as an entry: it is as good as known."""
    fingerprints = ((finding.signal, finding.value),)
    return Listing("asked", f"{finding.signal}:{finding.value}", labels=(finding.label,), fingerprints=fingerprints)


def _screen_anew(question: Question, row: ExchangeRow, screening: Screening, journal: VerdictSource) -> None:
    """A further verdict, of a name that is the same when the delivery comes again."""
    verdict_id = uuid.uuid5(_NAMES, f"{question.verdict}/{question.value}/{row.id}").hex
    try:
        journal.get(verdict_id)
    except NotFoundError:
        sample = Sample(SIGNAL, signal_type(SIGNAL).parse(question.value))
        details = {"verdict": question.verdict, "asked": row.name}
        screening.screen_hashes([sample], Context(question.item, details), verdict_id)
