"""One stream under watch: what its receiver hands over is examined and ruled upon, from its admission to its end.

The watch has a thread of its own. Everything that the receiver says comes in order, so that whatever is said last was
said of a stream of which all before was examined: each message is a beat of the stream's lease.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tutela.content.signals.base import Sample
from tutela.errors import TutelaError
from tutela.screening.streams.attention import Attention
from tutela.screening.streams.examiner import Examiner, Follower
from tutela.screening.streams.model import (
    LIVE,
    Codec,
    Look,
    Publication,
    Sight,
    StreamFacts,
    StreamState,
    StreamStep,
)
from tutela.screening.streams.options import StreamOptions
from tutela.screening.streams.ruling import Standing, StreamRuling, overdue, rule
from tutela.screening.streams.wire import Message, WireLine, read_codec, read_look

log = logging.getLogger(__name__)

_TICK_S = 0.1
_MOST_WAIT_S = 10.0
"""No receiver is believed that a look of its waited for longer."""
CLIP_S = 10.0
"""A receiver that has not given its clip in this time gives none."""


@dataclass(slots=True)
class WatchCounts:
    """What happened in one watch."""

    samples: int = 0
    hits: int = 0
    pauses: int = 0
    faults: int = 0
    unwatched_s: float = 0.0
    lag_s: float = 0.0
    late_keys: bool = False
    matched: list[Sight] = field(default_factory=list)


class Watch:
    """Watches one stream."""

    def __init__(
        self,
        stream_id: str,
        publication: Publication,
        token: str,
        examiner: Examiner,
        options: StreamOptions,
        on_step: "Callable[[Watch, StreamRuling], None]",
        on_end: "Callable[[Watch, str], None]",
    ) -> None:
        self.id = stream_id
        self.publication = publication
        self.token = token
        self.counts = WatchCounts()
        self.standing = Standing()
        self.why = ""
        self.admitted_at = time.time()
        self.cleared_at: float | None = None
        self.viewers: set[str] = set()
        self.subscribed = threading.Event()
        self.done = threading.Event()
        """The media server says that the publisher has gone."""
        self._done_at: float | None = None
        self._seen_before = False
        self.receiver_pid: int | None = None
        self._options = options
        self._examiner = examiner
        self._follower = Follower(examiner, stream_id)
        self._on_step = on_step
        self._on_end = on_end
        self._line: WireLine | None = None
        self._codecs: list[Codec] = []
        self._began = time.monotonic()
        self._cleared_came = (self.admitted_at, self._began)
        """When the last frame that was cleared came, on the system's clock and on the monotonic one."""
        self._beat_at = self._began
        self._waits_since: float | None = None
        self._attention = Attention()
        self._asked: tuple[StreamState, str] | None = None
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> StreamState:
        """Where the stream stands."""
        return self.standing.state

    def begin(self, line: WireLine) -> None:
        """Watch what that receiver reads."""
        self._line = line
        self._thread = threading.Thread(target=self._run, name=f"tutela-stream-{self.id[:8]}", daemon=True)
        self._thread.start()

    @property
    def follower_pid(self) -> int | None:
        """The process of the worker that follows the stream."""
        return self._follower.pid

    def lag_s(self) -> float:
        """From the arrival of its last look to the ruling on it, in seconds; so far, where it is under way."""
        since = self._waits_since
        return self.counts.lag_s if since is None else max(self.counts.lag_s, time.monotonic() - since)

    def fresh(self, now: float | None = None) -> bool:
        """Whether all of the stream that came was examined, up to less than a lease ago."""
        now = time.monotonic() if now is None else now
        return self.state in LIVE and now - self._beat_at <= self._options.lease_s

    def lease(self) -> bool:
        """Whether the stream may go on: its watch is fresh, or it has only just been admitted."""
        if self.state is StreamState.WAITING and self.counts.samples == 0:
            return time.monotonic() - self._began <= self._options.first_frame_s
        return self.fresh()

    def shows(self) -> bool:
        """Whether viewers may see it now."""
        return self.state is StreamState.RUNNING and self.fresh()

    def clip(self) -> bytes:
        """The last seconds of the stream as a file; empty where the receiver is gone. Called in the watch's thread."""
        if self._line is None:
            return b""
        deadline = time.monotonic() + CLIP_S
        with contextlib.suppress(EOFError, OSError, ValueError):
            self._line.send("clip")
            while time.monotonic() < deadline:
                message = self._line.receive(_TICK_S)
                if message is not None and message.kind == "clip":
                    return message.body
        return b""

    def uncleared_since(self) -> float:
        """From when on (seconds since the epoch) what came of the stream was not cleared, by whichever clock says
        earlier: the system's may have been set since, and a frame is cleared some time after it came."""
        by_system, by_monotonic = self._cleared_came
        return min(by_system, time.time() - (time.monotonic() - by_monotonic))

    def facts(self) -> StreamFacts:
        """How the stream stands now."""
        counts = self.counts
        return StreamFacts(
            self.id,
            self.publication.channel,
            self.state,
            self.admitted_at,
            self.cleared_at,
            why=self.why,
            samples=counts.samples,
            hits=counts.hits,
            pauses=counts.pauses,
            unwatched_s=counts.unwatched_s,
            lag_s=counts.lag_s,
            late_keys=counts.late_keys,
        )

    def rule_by_person(self, state: StreamState, why: str) -> None:
        """A person says how the stream stands; the watch acts on it in its own thread."""
        with self._lock:
            self._asked = (state, why)

    def publisher_gone(self) -> None:
        """The media server says that the publisher has gone: what comes from now on is not seen by anybody."""
        self._done_at = self._done_at or time.monotonic()
        self.done.set()

    def close(self, state: StreamState, why: str) -> None:
        """Say how it ended; what was cut stays cut."""
        with self._lock:
            if self.state is not StreamState.CUT:
                self.standing, self.why = replace(self.standing, state=state), why

    def abandon(self, why: str) -> None:
        """The stream is ended because it cannot be watched; its thread ends by itself.

        One that is in doubt keeps its state: its thread sees to what it matched.
        """
        if not self.in_doubt:
            self.close(StreamState.DROPPED, why)
        self._ending.set()

    @property
    def in_doubt(self) -> bool:
        """Whether it is paused for a match that nothing has followed yet."""
        return self.state is StreamState.PAUSED and bool(self.standing.hits)

    def end(self) -> None:
        """Stop watching; returns when the thread has ended, unless it is this one."""
        self._ending.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(10.0)

    # --- the thread

    def _run(self) -> None:
        why = "ended"
        try:
            why = self._watch()
        except Exception:
            log.exception("the watch of stream %s failed", self.id)
            why = "engine-fault"
        finally:
            self._follower.end()
            try:
                self._on_end(self, why)
            except Exception:
                log.exception("the end of stream %s could not be seen to", self.id)
            finally:
                if self._line is not None:
                    self._line.close()

    def _watch(self) -> str:
        assert self._line is not None
        while not self._ending.is_set():
            message = self._line_message()
            if isinstance(message, str):
                return message
            if message is None and self.done.is_set():
                return "ended"  # all that came was examined
            self._heed_person()
            if message is not None and (end := self._hear(message)) is not None:
                return end
            if self.state not in LIVE:
                return self.why or "ended"
            self._look_at_the_clock()
        return "stopped"

    def _line_message(self) -> Message | str | None:
        assert self._line is not None
        try:
            return self._line.receive(_TICK_S)
        except EOFError:
            return "receiver-gone"
        except ValueError as error:
            log.error("the receiver of stream %s says something of no form: %s", self.id, error)
            return "receiver-fault"

    def _hear(self, message: Message) -> str | None:
        """Act on a message; why the stream is at its end, where it is."""
        if message.kind == "born":
            self.receiver_pid = int(message.fields["process"])
        elif message.kind == "open":
            self._codecs = [read_codec(fields) for fields in message.fields["codecs"]]
            self._beat_at = time.monotonic()
        elif message.kind == "codec":
            self._codecs[int(message.fields["track"])] = read_codec(message.fields["codec"])
        elif message.kind == "look":
            self._examine(read_look(message))
        elif message.kind == "beat":
            self.counts.late_keys = bool(message.fields["late_keys"])
            self._beat()
        elif message.kind == "end":
            return str(message.fields["why"])
        return None

    def _examine(self, look: Look) -> None:
        began = time.monotonic()
        waited_s = 0.0 if look.handed_at is None else min(_MOST_WAIT_S, max(0.0, began - look.handed_at))
        came_at = self._waits_since = began - waited_s
        if not 0 <= look.track < len(self._codecs):
            raise TutelaError("a look is of a track that was not named")
        examined = self._examiner.examine(look, self._codecs[look.track], self._follower)
        self.counts.samples += len(examined.sights)
        self.counts.lag_s, self._waits_since = time.monotonic() - self._waits_since, None
        for sight in examined.sights:
            self._apply(rule(self.standing, sight, self._options), sight)
        if not examined.sights:
            return  # what follows the stream gives its frame with a later look
        if not any(sight.fault or sight.matches for sight in examined.sights) and self.state is StreamState.RUNNING:
            self.cleared_at = time.time()
            self._cleared_came = (self.cleared_at - (time.monotonic() - came_at), came_at)
        self._beat()
        self._attend(look, examined.wholes)

    def _apply(self, ruling: StreamRuling, sight: Sight | None = None) -> None:
        if sight is not None and sight.matches:
            self.counts.hits += 1
            self.counts.matched = [*self.counts.matched, sight][-64:]
        if sight is not None and sight.fault:
            self.counts.faults += 1
        with self._lock:
            if self.state not in LIVE:
                return
            self.standing = ruling.standing
        if ruling.step is StreamStep.NONE:
            return
        self.why = ruling.why
        if ruling.step is StreamStep.CLEAR:
            self.cleared_at = time.time()
        elif ruling.step is StreamStep.PAUSE:
            self.counts.pauses += 1
            self._tell("closely", step_s=self._options.closely_s)
        elif ruling.step is StreamStep.RELEASE:
            self._tell("closely", step_s=None)
        self._on_step(self, ruling)

    def _beat(self) -> None:
        now = time.monotonic()
        if self._seen_before:  # until then nobody could watch
            until = now if self._done_at is None else min(now, self._done_at)
            self.counts.unwatched_s += max(0.0, until - self._beat_at - self._options.lease_s)
        self._beat_at = now
        self._seen_before = self.counts.samples > 0

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        ruling = overdue(self.standing, now - self._began, now, self._options)
        if ruling.step is not StreamStep.NONE:
            self._apply(ruling)

    def _heed_person(self) -> None:
        with self._lock:
            asked, self._asked = self._asked, None
        if asked is None or self.state not in LIVE:
            return
        state, why = asked
        step = StreamStep.CUT if state is StreamState.CUT else StreamStep.RELEASE
        hits = self.standing.hits if state is StreamState.CUT else ()
        self._apply(StreamRuling(Standing(state, hits), step, why))

    def _attend(self, look: Look, wholes: tuple[Sample, ...]) -> None:
        if wholes and self._attention.changes(look.frames, wholes[0], time.monotonic()):
            self._tell("attend", whole=self._attention.attends)

    def _tell(self, kind: str, **fields: float | bool | None) -> None:
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.send(kind, fields)
