"""`Streams`: the live streams that one process watches, from the gate's first question to the sealed clip.

A cut is decided once and carried out until it is so: the ruling is written down, the publisher's connection ended in
the same breath and by the outbox until the server has none, segments are removed, and the last seconds sealed.
"""

import hashlib
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection

from tutela.errors import StoreError, TutelaError
from tutela.foundation.background import BackgroundLoop
from tutela.foundation.outbox.service import Delivery, enqueue
from tutela.foundation.outbox.worker import DeliveryError, Progress
from tutela.screening.screener import Journal
from tutela.screening.streams.endings import NOT_KEPT, ClipCustodian, ClipFacts, Ending, Endings
from tutela.screening.streams.examiner import Examiner
from tutela.screening.streams.gate import Refusal, StreamGate, Watches
from tutela.screening.streams.model import LIVE, Channel, MediaServer, Publication, StreamState, StreamStep
from tutela.screening.streams.nursery import Nursery
from tutela.screening.streams.options import StreamOptions
from tutela.screening.streams.reading import StreamReading, pipe_of
from tutela.screening.streams.records import StreamRecords
from tutela.screening.streams.ruling import ALWAYS_DOUBTED, CERTAIN, IN_DOUBT, SECOND, UNWATCHED, StreamRuling
from tutela.screening.streams.sampling import SamplingPlan
from tutela.screening.streams.watch import Watch, WatchCounts
from tutela.screening.verdict import Match

log = logging.getLogger(__name__)

TOPIC = "stream.cut"
TICK_S = 0.5
STREAMS_A_WORKER = 16
"""Of 720p30 with a moving camera; as many as are admitted cheaply would be too many once they are in doubt."""
OVERLOADED_LAG_S = 1.0
"""Samples that take longer from their arrival to their ruling say that no further stream can be watched."""
PURGED_FOR_S = 6.0
"""After a cut: servers write their last segment when they close a stream."""
_WRITERS = 4
_CALLS = 4
"""Calls to one server at once, besides those of the streams' own threads."""
_STOPS_S = 10.0
_SETTLES_S = 2.0
"""A stream that a server lists so soon after its admission, or still after its end, is no surprise."""
_CUT_BY_PERSON = "cut-by-person"
_REFUSING = frozenset({CERTAIN, SECOND, ALWAYS_DOUBTED, _CUT_BY_PERSON})
"""Why a stream was cut whose publisher is refused for a while: encoders come back within a second."""
_ROW_FIRST_S = 0.25
"""A cut waits so long for its row before the publisher's connection is ended."""

Alarm = Callable[[Connection, str, str, Mapping[str, Any]], object]
"""Tells people at once, in the transaction that is given: what happened, its id, and facts that say nothing of
content."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the streams of one process stand on."""

    records: StreamRecords
    journal: Journal
    custody: ClipCustodian | None
    """None where nothing is to be kept."""
    alarm: Alarm
    ready: Callable[[], bool]
    """Whether screening answers safely now."""
    folder: Path
    """Where cuts wait that are not in the database yet."""


@dataclass(slots=True)
class StreamTotals:
    """What happened since the process began."""

    ended: Counter[StreamState] = field(default_factory=Counter)
    refused: Counter[Refusal] = field(default_factory=Counter)
    samples: int = 0
    hits: int = 0
    pauses: int = 0
    unwatched_s: float = 0.0
    unknown: int = 0
    """Streams that ran without a watch, and were ended."""

    def add(self, counts: WatchCounts) -> None:
        """Those of one watch."""
        self.samples += counts.samples
        self.hits += counts.hits
        self.pauses += counts.pauses
        self.unwatched_s += counts.unwatched_s


@dataclass(frozen=True, slots=True)
class _Purge:
    server: MediaServer
    channel: Channel
    since: float
    until: float


class Streams:
    """Watches streams. Thread-safe."""

    def __init__(
        self,
        servers: Mapping[str, MediaServer],
        examiner: Examiner,
        around: Surroundings,
        options: StreamOptions | None = None,
    ) -> None:
        self.options = options or StreamOptions()
        self.servers = dict(servers)
        self.records = around.records
        self.watches = Watches()
        self.examiner = examiner
        self.nursery = Nursery()
        self._totals = StreamTotals()
        self._around = around
        self._secret = around.records.secret("sampling")
        self._purges: set[_Purge] = set()
        self._purges_lock = threading.Lock()
        self._reconciled_at = time.monotonic()
        self._finished_at = float("-inf")
        self._seen_unknown: dict[Channel, float] = {}
        self._asking = {name: ThreadPoolExecutor(_CALLS, f"tutela-stream-{name}") for name in self.servers}
        """Calls of the clock's to each server: one that hangs keeps no other's streams waiting."""
        self._reconciling: dict[str, Future[None]] = {}
        self._closing = False
        self.gate = StreamGate(
            self.servers,
            self.watches,
            refused=self._is_refused,
            hindrance=self.hindrance,
            most=lambda: self.most,
            open_watch=self._open_watch,
            subscribe=self._subscribe,
            admit_s=self.options.admit_s,
            on_refusal=lambda why: self._totals.refused.update((why,)),
        )
        self._endings = Endings(around.folder, bytes.fromhex(around.records.secret("endings")))
        self._refused_until: dict[str, float] = {}
        """By publisher: of cuts whose rows are being written."""
        self._settling = threading.Lock()
        self._noting = ThreadPoolExecutor(1, "tutela-stream-notes")
        self._writing = ThreadPoolExecutor(_WRITERS, "tutela-stream-books")
        self._loop = BackgroundLoop(
            self._tick, name="tutela-streams", every_s=lambda: TICK_S, failed="streams could not be seen to"
        )
        self._books = BackgroundLoop(
            self._keep_books, name="tutela-stream-books", every_s=lambda: TICK_S, failed="streams are not written down"
        )

    @property
    def most(self) -> int:
        """How many streams may run at once."""
        return self.options.max_streams or STREAMS_A_WORKER * self.examiner.pool.size

    @property
    def unwritten(self) -> int:
        """How many ends of streams are not in the database yet."""
        return len(self._endings.waiting())

    def start(self) -> None:
        """Load everything, and begin. Raises TutelaError where workers cannot be started."""
        self.reconcile()  # what a process before this one watched runs on where servers fail open
        self.nursery.start()
        self.examiner.warm()
        if left := self._endings.load():
            log.warning("%d cuts that a process before this one left are brought into the database", left)
        self._loop.start()
        self._books.start()

    def stop(self) -> None:
        """Admit nobody; end every stream that runs here, since nobody watches it any more."""
        self._closing = True
        self._loop.stop()
        live = self.watches.live()
        wait([call for watch in live if (call := self._begin_drop(watch, "service-stopped"))], timeout=_STOPS_S)
        for watch in live:
            watch.end()
        self._books.stop()
        self._books.turn()
        self._writing.shutdown(wait=False)
        self._noting.shutdown(wait=False)
        for asking in self._asking.values():
            asking.shutdown(wait=False)
        self.nursery.close()
        self.examiner.close()

    def totals(self) -> StreamTotals:
        """What happened since the process began, in streams that run and in those that have ended."""
        now = replace(self._totals)
        for watch in self.watches.live():
            now.add(watch.counts)
        return now

    def hindrance(self) -> Refusal | None:
        """Why no stream can be admitted now."""
        if self._closing or not self.examiner.pool.ready() or not self._around.ready():
            return Refusal.NOT_READY
        return Refusal.OVERLOADED if self.lag_s() > OVERLOADED_LAG_S else None

    def lag_s(self) -> float:
        """How far looks lag behind what comes: in the middle one of the streams, so that none speaks for all."""
        return median([watch.lag_s() for watch in self.watches.live()] or [0.0])

    # --- a stream begins and is ruled upon

    def _open_watch(self, stream_id: str, publication: Publication, token: str) -> Watch:
        return Watch(stream_id, publication, token, self.examiner, self.options, self._on_step, self._on_end)

    def _subscribe(self, watch: Watch, address: str) -> None:
        plan = SamplingPlan(self.options.max_gap_s, self.options.random_share)
        patience_s = self.options.first_frame_s
        asked = StreamReading(
            address,
            plan,
            hashlib.sha256(f"{self._secret}/{watch.id}".encode()).hexdigest(),
            self.options.clip_s,
            patience_s,
            patience_s,
            pipe_of(address),
        )
        line = self.nursery.receiver(asked)
        self.records.admitted(watch)
        watch.begin(line)

    def _on_step(self, watch: Watch, ruling: StreamRuling) -> None:
        if ruling.step is StreamStep.CUT:
            self._cut(watch)
        elif ruling.step is StreamStep.DROP:
            self._drop(watch, ruling.why)
        elif ruling.step is StreamStep.PAUSE:
            self._pause(watch)
        else:
            self._note(watch, "cleared" if ruling.step is StreamStep.CLEAR else "released", {"why": ruling.why})

    def _pause(self, watch: Watch) -> None:
        channel = watch.publication.channel
        viewers, watch.viewers = sorted(watch.viewers), set()
        server = self.servers[channel.server]

        def send_away() -> None:
            if server.keeps_viewers_out:
                server.dismiss(channel, viewers)
            else:
                server.cut(channel, watch.publication.session)  # its own end then brings what it showed to a person

        # The gate refuses them from now on; the stream is examined on meanwhile, however many there are.
        self._ask(channel.server, "viewers of a paused stream could not be sent away", send_away)
        detail = {"why": watch.why, "viewers": len(viewers), **_nearest(watch)}
        facts = {"stream": watch.id, "channel": channel.item, "why": watch.why}

        def also(connection: Connection) -> None:
            self._around.alarm(connection, "stream.paused", f"{watch.id}/{watch.counts.pauses}", facts)

        self._note(watch, "paused", detail, also)

    def _note(
        self, watch: Watch, kind: str, detail: Mapping[str, Any], also: Callable[[Connection], None] | None = None
    ) -> None:
        """Have a line written, in its order; who watches does not wait for the database."""
        at = time.time()

        def write() -> None:
            try:
                self.records.event(watch.id, kind, detail, also, at)
            except StoreError as error:
                log.error("the time line of stream %s could not be written: %s", watch.id, error)

        self._noting.submit(write)

    # --- a stream is cut

    def _cut(self, watch: Watch) -> None:
        began = time.monotonic()
        refused_s = 60 * self.options.refused_minutes if watch.why in _REFUSING else 0.0
        at = time.time()
        facts = replace(
            watch.facts(),
            ended_at=at,
            verdict=uuid.uuid4().hex,
            refused_until=at + refused_s if refused_s else None,
        )
        ending = Ending(facts, watch.publication, tuple(matches_of(watch)))
        if facts.refused_until is not None:
            self._refused_until[watch.publication.who] = facts.refused_until
        # The row comes first, so that people know of it; a database that is slow or away keeps nobody on the air.
        written = self._writing.submit(self._write_down, ending)
        wait((written,), timeout=_ROW_FIRST_S)
        ended = self._end_connection(watch.publication, watch.uncleared_since())
        cut_s = time.monotonic() - began
        clip = watch.clip()
        ending = self._sealed(ending, clip)
        detail = {"connections": ended, "cut_s": round(cut_s, 3), "sealed_s": round(time.monotonic() - began, 3)}
        ending = replace(ending, detail={**detail, "bytes": len(clip)})
        self._save(ending)
        self._settle(ending)

    def _save(self, ending: Ending) -> None:
        try:
            self._endings.save(ending)
        except OSError as error:
            log.error("the ending of stream %s waits in memory alone: %s", ending.facts.id, error)

    def _sealed(self, ending: Ending, clip: bytes) -> Ending:
        """The ending with its clip, sealed to the review key where it is to be kept."""
        ending = replace(ending, clip=ClipFacts.of(clip))
        custody, verdict = self._around.custody, ending.verdict()
        if custody is None or not custody.wants(verdict):
            return ending
        try:
            return replace(ending, sealed=custody.sealed(clip or None, verdict))
        except Exception:
            log.exception("the clip of stream %s could not be sealed", ending.facts.id)
            return replace(ending, reasons=(NOT_KEPT,))

    def _write_down(self, ending: Ending) -> None:
        """How a stream ended, where that is not written down yet. Raises StoreError."""
        facts, channel = ending.facts, ending.publication.channel
        if facts.verdict is None:
            told = {"stream": facts.id, "channel": channel.item, "why": facts.why}
            also = None if facts.state is StreamState.ENDED else self._alarming("stream.dropped", facts.id, told)
            self.records.ended(facts, also=also)
            return
        since = (facts.cleared_at or facts.since) - self.options.lease_s  # what was cleared then came before
        payload = {"stream": facts.id, "since": since, **_channel_fields(ending.publication)}
        told = {"stream": facts.id, "channel": channel.item, "why": facts.why, "verdict": facts.verdict}
        alarm = self._alarming("stream.cut", facts.id, told)

        def also_cut(connection: Connection) -> None:
            enqueue(connection, TOPIC, facts.id, payload, lane=f"stream/{facts.id}")
            alarm(connection)

        self.records.ended(facts, ending.matches, also_cut)
        if self._refused_until.get(ending.publication.who) == facts.refused_until:
            self._refused_until.pop(ending.publication.who, None)

    def _is_refused(self, publication: Publication) -> bool:
        """Whether a publisher was cut too short a time ago; encoders come back before that is written down."""
        return self._refused_until.get(publication.who, 0.0) > time.time() or self.records.refused(publication)

    def _alarming(self, event: str, event_id: str, facts: Mapping[str, Any]) -> Callable[[Connection], object]:
        return lambda connection: self._around.alarm(connection, event, event_id, facts)

    def _settle(self, ending: Ending) -> bool:
        """Write an ending down, with its evidence and case; whether that is done. It is tried again until it is."""
        facts = ending.facts
        try:
            with self._settling:
                self._write_down(ending)
                if facts.verdict is not None and not self.records.is_kept(facts.id):
                    self._bring_in(ending)
        except TutelaError as error:
            log.error("the end of stream %s waits to be written down: %s", facts.id, error)
            return False
        except Exception:
            log.exception("the end of stream %s waits to be written down", facts.id)
            return False
        self._endings.remove(ending)
        return True

    def _bring_in(self, ending: Ending) -> None:
        """The clip into evidence and a case, or else the verdict into the journal. Raises TutelaError."""
        facts, verdict = ending.facts, ending.verdict()
        if ending.sealed is not None:
            if self._around.custody is None:
                raise TutelaError("a sealed clip waits, and this process keeps no evidence: name recipients")
            self._around.custody.enter(
                ending.sealed, verdict, lambda connection: self.records.kept(connection, facts.id, ending.detail)
            )
            return
        self._around.journal.record(verdict)
        with self.records.store.write() as connection:
            self.records.kept(connection, facts.id, ending.detail)

    def _end_connection(self, publication: Publication, since: float) -> int:
        """End the publisher's connection and remove what was stored of it; how many connections that ended."""
        channel, ended = publication.channel, 0
        server = self.servers.get(channel.server)
        if server is None:
            return 0
        try:
            ended = server.cut(channel, publication.session)
        except (TutelaError, OSError) as error:
            log.error("a publisher could not be cut, and is tried again: %s", error)
        purge = _Purge(server, channel, since, time.monotonic() + PURGED_FOR_S)
        with self._purges_lock:
            self._purges.add(purge)
        self._purge(purge)
        return ended

    def _drop(self, watch: Watch, why: str) -> None:
        """End a stream that cannot be watched. Nothing is held against anybody."""
        watch.abandon(why)
        if not watch.in_doubt:  # else its own thread cuts it, with what it matched
            self._end_dropped(watch)

    def _begin_drop(self, watch: Watch, why: str) -> "Future[None] | None":
        """As `_drop`, but for its server's answer."""
        watch.abandon(why)
        if watch.in_doubt:
            return None
        return self._ask(watch.publication.channel.server, "a stream could not be ended", self._end_dropped, watch)

    def _end_dropped(self, watch: Watch) -> None:
        self._end_connection(watch.publication, watch.uncleared_since())
        self._ended(watch)

    def _ask(self, server: str, failed: str, call: Callable[..., object], *arguments: object) -> "Future[None]":
        """Have a server asked by a thread of its own; `failed` begins the line in the log."""

        def asked() -> None:
            try:
                call(*arguments)
            except (TutelaError, OSError) as error:
                log.error("media server %s: %s: %s", server, failed, error)
            except Exception:
                log.exception("media server %s: %s", server, failed)

        return self._asking[server].submit(asked)

    def _ended(self, watch: Watch) -> None:
        """What ended without a cut is written down when the database is next seen to."""
        self._endings.hold(Ending(replace(watch.facts(), ended_at=time.time()), watch.publication))
        self._books.wake()

    def _on_end(self, watch: Watch, why: str) -> None:
        """The watch has ended. Where its publisher has not, nobody may see what runs on."""
        try:
            self._see_to_end(watch, why)
        finally:
            self._totals.ended[watch.state] += 1
            self._totals.add(watch.counts)
            self.watches.remove(watch)

    def _see_to_end(self, watch: Watch, why: str) -> None:
        if watch.in_doubt:
            watch.close(StreamState.CUT, IN_DOUBT)
            self._cut(watch)
        elif watch.state in LIVE:
            if watch.done.wait(1.0) or not self._runs(watch.publication.channel):
                watch.close(StreamState.ENDED, "ended")
                self._ended(watch)
            else:
                self._drop(watch, why if why != "ended" else UNWATCHED)

    def _runs(self, channel: Channel) -> bool:
        try:
            return any(running.channel == channel for running in self.servers[channel.server].running())
        except (TutelaError, OSError):
            return True

    # --- every half second, and every few seconds

    def _tick(self) -> None:
        """What must be seen to whether the database is there or not."""
        self._purge_all()
        self.nursery.start()  # anew, where it died: the next publisher does not wait for it
        for watch in self.watches.live():
            if not watch.lease() and not watch.done.is_set():
                self._begin_drop(watch, UNWATCHED)
        if time.monotonic() - self._reconciled_at >= self.options.reconcile_s:
            self._reconciled_at = time.monotonic()
            for name in self.servers:
                if name not in self._reconciling or self._reconciling[name].done():
                    self._reconciling[name] = self._ask(name, "it does not say what it runs", self._reconcile, name)

    def _keep_books(self) -> None:
        """What is between this process and the database."""
        for ending in self._endings.waiting():
            if ending.facts.verdict is None:
                self._settle(ending)
            elif self._is_left(ending) and not self._settle(ending) and not self._endings.is_saved(ending):
                self._save(ending)  # the disk was full, and may have room again
        for stream_id, what, by in self.records.snapshot(self.watches.live()):
            if (asked := self.watches.by_id(stream_id)) is not None:
                if what == "cut":
                    asked.rule_by_person(StreamState.CUT, _CUT_BY_PERSON)
                else:
                    asked.rule_by_person(StreamState.RUNNING, "release-by-person")
                log.info("%s of stream %s was asked for by %s", what, stream_id, by)
        if time.monotonic() - self._finished_at >= self.options.reconcile_s:
            self._finished_at = time.monotonic()
            self.records.abandoned()
            self._finish_cases()

    def _is_left(self, ending: Ending) -> bool:
        """Whether a cut's own thread has left it to us."""
        return self.watches.by_id(ending.facts.id) is None

    def reconcile(self) -> None:
        """Compare what servers run with what is watched, and end streams that run without a watch."""
        wait([self._ask(name, "it does not say what it runs", self._reconcile, name) for name in self.servers])

    def _reconcile(self, name: str) -> None:
        """As `reconcile`, for one server. Raises TutelaError, OSError."""
        server = self.servers[name]
        running = server.running()
        self._totals.unknown += self._end_unknown(server, {each.channel: each.session for each in running})
        for watch in self.watches.live():
            channel = watch.publication.channel
            is_late = time.time() - watch.admitted_at > self.options.first_frame_s
            if channel.server == name and is_late and all(each.channel != channel for each in running):
                watch.publisher_gone()
                watch.end()

    def _end_unknown(self, server: MediaServer, running: Mapping[Channel, str]) -> int:
        found, now = 0, time.monotonic()
        for channel, session in running.items():
            watch = self.watches.of(channel)
            if watch is not None and watch.state in LIVE:
                self._seen_unknown.pop(channel, None)
                continue
            since = self._seen_unknown.setdefault(channel, now)
            if watch is not None and now - since < _SETTLES_S:
                continue  # its end is under way
            if server.adopts and self.gate.admit(Publication(channel, session=session)).allowed:
                continue
            log.error("a stream ran without a watch and is ended: %s", channel.item)
            found += 1
            self._end_connection(Publication(channel, session=session), time.time() - self.options.clip_s)
            facts = {"channel": channel.item, "why": UNWATCHED}
            self._writing.submit(self._tell_of_unknown, channel, facts)
        for channel in tuple(self._seen_unknown):
            if channel.server == server.name and channel not in running:
                self._seen_unknown.pop(channel, None)
        return found

    def _tell_of_unknown(self, channel: Channel, facts: Mapping[str, Any]) -> None:
        try:
            with self.records.store.write() as connection:
                self._around.alarm(connection, "stream.unwatched", f"{channel.item}/{time.time():.0f}"[-200:], facts)
        except StoreError as error:
            log.error("nobody could be told of the unwatched stream %s: %s", channel.item, error)

    def _finish_cases(self) -> None:
        """Cuts whose process died before it had sealed anything: their cases are opened without a clip."""
        for facts in self.records.unfinished():
            if self._endings.knows(facts.id):
                continue
            log.warning("the case of stream %s is opened without its clip: the process that cut it is gone", facts.id)
            matches = tuple(self.records.matches(facts.id))
            ending = Ending(facts, Publication(facts.channel), matches)
            self._settle(self._sealed(ending, b""))

    def _purge_all(self) -> None:
        with self._purges_lock:
            purges = tuple(self._purges)
        for purge in purges:
            self._purge(purge)

    def _purge(self, purge: _Purge) -> None:
        """Remove segments, once more until the time is over; the streams' own threads and the clock's do."""
        over = time.monotonic() > purge.until
        try:
            purge.server.purge(purge.channel, purge.since, self.watches.channels(purge.channel.server))
        except (TutelaError, OSError) as error:
            log.error("segments of %s could not be removed: %s", purge.channel.item, error)
        if over:
            with self._purges_lock:
                self._purges.discard(purge)

    # --- the outbox

    def deliver_cut(self, delivery: Delivery, progress: Progress) -> None:
        """The handler of the outbox's topic: cut again until the server has no such publisher."""
        fields = delivery.payload
        channel = Channel(fields["server"], fields["app"], fields["name"])
        server = self.servers.get(channel.server)
        if server is None:
            raise DeliveryError("media server {server!r} is not one of this process's", server=channel.server)
        watch = self.watches.of(channel)
        if watch is not None and watch.id != fields["stream"] and watch.state in LIVE:
            return  # somebody was admitted there since
        try:
            if any(running.channel == channel for running in server.running()):
                server.cut(channel, fields["session"])
                raise DeliveryError("the publisher is still there", after_s=1.0)
            since = float(fields["since"])
            others = self.watches.channels(channel.server) | self.records.channels(channel.server, since)
            server.purge(channel, since, others)
        except OSError as error:
            raise DeliveryError("media server {server!r}: {error}", server=channel.server, error=error) from error


def matches_of(watch: Watch) -> list[Match]:
    """What a stream matched, each entry once, the nearest first."""
    found: dict[tuple[str, int], Match] = {}
    for sight in watch.counts.matched:
        for match in sight.matches:
            place = (match.bank, match.entry_id)
            if match.suppressed_by is None and (place not in found or match.distance < found[place].distance):
                found[place] = match
    return sorted(found.values(), key=lambda match: match.distance)


def _channel_fields(publication: Publication) -> dict[str, str]:
    channel = publication.channel
    return {"server": channel.server, "app": channel.app, "name": channel.name, "session": publication.session}


def _nearest(watch: Watch) -> dict[str, Any]:
    matches = matches_of(watch)
    if not matches:
        return {}
    return {"bank": matches[0].bank, "entry": matches[0].entry_id, "distance": matches[0].distance}
