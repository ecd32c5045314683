"""The gate: what media servers ask before anybody publishes or watches, and while somebody does.

A publisher is let in only when its watcher has subscribed, a viewer only after a frame was cleared, and both stay only
while the watch is fresh. Whatever the gate does not know it refuses.
"""

import hmac
import logging
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tutela.errors import TutelaError
from tutela.screening.streams.model import LIVE, Channel, MediaServer, Publication
from tutela.screening.streams.watch import Watch

log = logging.getLogger(__name__)

_REMEMBERED_S = 600.0
"""A stream that ended may still be watched from its segments for so long, and they are its own."""
_SETTLES_S = 0.02
"""Between a server's word that the watcher may play and its doing so."""


class Refusal(StrEnum):
    """Why a publisher is not let in."""

    CUT_BEFORE = "cut-before"
    """It was cut a short time ago."""
    OVERLOADED = "overloaded"
    NOT_READY = "not-ready"
    TAKEN = "taken"
    """The channel has a publisher."""
    NOT_WATCHED = "not-watched"
    """Its watcher could not subscribe."""
    UNKNOWN_SERVER = "unknown-server"
    UNUSABLE_NAME = "unusable-name"
    """Its channel's name would be read in one way here and in another there."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a publisher."""

    refusal: Refusal | None = None
    stream_id: str = ""

    @property
    def allowed(self) -> bool:
        """Whether it may publish."""
        return self.refusal is None


class Watches:
    """The watches of this process, by their channel. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_channel: dict[Channel, Watch] = {}
        self._ended: dict[Channel, float] = {}

    def of(self, channel: Channel) -> Watch | None:
        """The watch of a channel, also where its stream has just ended."""
        with self._lock:
            return self._by_channel.get(channel)

    def live(self) -> list[Watch]:
        """Those whose streams run."""
        with self._lock:
            return [watch for watch in self._by_channel.values() if watch.state in LIVE]

    def channels(self, server: str) -> set[Channel]:
        """Of streams there that run, or ended within the last minutes."""
        with self._lock:
            return {channel for channel in (*self._by_channel, *self._ended) if channel.server == server}

    def put(self, watch: Watch, most: int) -> Refusal | None:
        """Add a watch; why not, where its channel has one that is alive, or there are too many."""
        with self._lock:
            current = self._by_channel.get(watch.publication.channel)
            if current is not None and current.state in LIVE and current.lease():
                return Refusal.TAKEN
            if sum(other.state in LIVE for other in self._by_channel.values()) >= most:
                return Refusal.OVERLOADED
            self._by_channel[watch.publication.channel] = watch
            return None

    def remove(self, watch: Watch) -> None:
        """Forget a watch that has ended."""
        with self._lock:
            if self._by_channel.get(watch.publication.channel) is watch:
                del self._by_channel[watch.publication.channel]
            now = time.monotonic()
            self._ended[watch.publication.channel] = now
            self._ended = {channel: at for channel, at in self._ended.items() if now - at < _REMEMBERED_S}

    def by_id(self, stream_id: str) -> Watch | None:
        """The watch of a stream."""
        with self._lock:
            return next((watch for watch in self._by_channel.values() if watch.id == stream_id), None)


class StreamGate:
    """Answers media servers. Thread-safe."""

    def __init__(
        self,
        servers: Mapping[str, MediaServer],
        watches: Watches,
        *,
        refused: Callable[[Publication], bool],
        hindrance: Callable[[], Refusal | None],
        most: Callable[[], int],
        open_watch: Callable[[str, Publication, str], Watch],
        subscribe: Callable[[Watch, str], None],
        admit_s: float,
        on_refusal: Callable[[Refusal], object] = lambda _: None,
    ) -> None:
        """`hindrance` says why nobody can be admitted now, `most` how many streams may run; `open_watch` makes the
        watch of a stream id, publication and token, and `subscribe` starts its receiver at an address."""
        self._servers = servers
        self._watches = watches
        self._refused = refused
        self._hindrance = hindrance
        self._most = most
        self._open_watch = open_watch
        self._subscribe = subscribe
        self._admit_s = admit_s
        self._on_refusal = on_refusal

    def admit(self, publication: Publication) -> Admission:
        """Whether somebody may publish; answered only when the watcher has subscribed. Raises StoreError."""
        admission = self._admit(publication)
        if admission.refusal is not None:
            log.info("a publisher at %s is refused: %s", publication.channel.server, admission.refusal)
            self._on_refusal(admission.refusal)
        return admission

    def _admit(self, publication: Publication) -> Admission:
        server = self._servers.get(publication.channel.server)
        if server is None:
            return Admission(Refusal.UNKNOWN_SERVER)
        if not publication.channel.is_plain:
            return Admission(Refusal.UNUSABLE_NAME)
        if (hindrance := self._hindrance()) is not None:
            return Admission(hindrance)
        if self._refused(publication):
            return Admission(Refusal.CUT_BEFORE)
        watch = self._open_watch(uuid.uuid4().hex, publication, secrets.token_urlsafe(24))
        if (taken := self._watches.put(watch, self._most())) is not None:
            return Admission(taken)
        try:
            self._subscribe(watch, server.address(publication.channel, watch.token))
        except (TutelaError, OSError) as error:
            log.error("a stream of %s cannot be watched: %s", publication.channel.server, error)
            return self._not_watched(watch)
        if server.subscribes_first:
            if not watch.subscribed.wait(self._admit_s):
                return self._not_watched(watch)
            time.sleep(_SETTLES_S)
        return Admission(stream_id=watch.id)

    def play(self, channel: Channel, token: str, viewer: str) -> bool:
        """Whether somebody may watch: the watcher by its token, others while the stream is clear."""
        watch = self._watches.of(channel)
        if watch is None:
            return False
        if token and hmac.compare_digest(token.encode(), watch.token.encode()):
            watch.subscribed.set()
            return True
        if not watch.shows():
            return False
        watch.viewers.add(viewer)
        return True

    def left(self, channel: Channel, viewer: str) -> None:
        """A viewer has left."""
        if (watch := self._watches.of(channel)) is not None:
            watch.viewers.discard(viewer)

    def goes_on(self, channel: Channel, session: str) -> bool:
        """Whether a publisher may go on: the lease of its watch."""
        watch = self._watches.of(channel)
        return watch is not None and self._is_of(watch, session) and watch.lease()

    def shows(self, channel: Channel, token: str = "") -> bool:
        """Whether a viewer may go on, or a segment be fetched."""
        watch = self._watches.of(channel)
        if watch is None:
            return False
        return watch.shows() or bool(token and hmac.compare_digest(token.encode(), watch.token.encode()))

    def done(self, channel: Channel, session: str) -> None:
        """The publisher has gone."""
        watch = self._watches.of(channel)
        if watch is not None and self._is_of(watch, session):
            watch.publisher_gone()

    def _is_of(self, watch: Watch, session: str) -> bool:
        known = watch.publication.session
        return not session or not known or known == session

    def _not_watched(self, watch: Watch) -> Admission:
        self._watches.remove(watch)
        watch.abandon(Refusal.NOT_WATCHED.value)
        return Admission(Refusal.NOT_WATCHED)
