"""What is written down of streams: where each stands, its time line, who is refused, and what a person asked for.

Nothing of this is a picture, an address or a name of a person: publishers are keyed pseudonyms.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from tutela.errors import ConflictError, NotFoundError
from tutela.foundation.leases import new_holder
from tutela.foundation.store.database import Store, now
from tutela.foundation.store.ids import full_id
from tutela.foundation.store.stream_tables import stream, stream_event, stream_signal
from tutela.screening.streams.indicators import Indicator, WeakSignal, rank
from tutela.screening.streams.model import LIVE, Channel, Publication, StreamEvent, StreamFacts, StreamState
from tutela.screening.streams.watch import Watch
from tutela.screening.verdict import Match

GONE_S = 30.0
"""A stream whose process has not written for so long is no longer watched by it."""
UNFINISHED_S = 600.0
"""A cut whose clip was not brought in for so long is one whose clip is lost with its process."""
SIGNALS_KEPT_S = 30 * 24 * 3600.0
"""Weak signals are forgotten after so long."""
MAX_RANKED = 10_000
"""Streams among which the order is sought."""
_LIVE = [state.value for state in LIVE]
Also = Callable[[Connection], object]
"""What is written in the same transaction."""


class StreamRecords:
    """The streams of one store. Thread-safe; many processes may share it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.holder = new_holder()
        self._key = store.secret("streams")

    def pseudonym(self, who: str) -> str:
        """The keyed pseudonym of a publisher."""
        return hmac.digest(self._key, who.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()

    def secret(self, purpose: str) -> str:
        """A secret of this deployment's for that purpose."""
        return hmac.digest(self._key, f"for {purpose}".encode(), hashlib.sha256).hex()

    # --- writing

    def admitted(self, watch: Watch) -> None:
        """A stream begins."""
        publication, at = watch.publication, now()
        with self.store.write() as connection:
            connection.execute(
                insert(stream).values(
                    id=watch.id,
                    server=publication.channel.server,
                    app=publication.channel.app[:255],
                    name=publication.channel.name[:255],
                    publisher=self.pseudonym(publication.who),
                    session=publication.session[:255],
                    holder=self.holder,
                    admitted_at=at,
                    kept=False,
                    **_standing(watch.facts(), at),
                )
            )
            _tell(connection, watch.id, "admitted", {})

    def snapshot(self, watches: Sequence[Watch]) -> list[tuple[str, str, str]]:
        """Write down how running streams stand, all at once. What people asked of them: id, what, and who."""
        at = now()
        with self.store.write() as connection:
            for watch in watches:
                connection.execute(update(stream).where(stream.c.id == watch.id).values(**_standing(watch.facts(), at)))
            asked = select(stream.c.id, stream.c.asked, stream.c.asked_by).where(
                stream.c.asked.is_not(None), stream.c.holder == self.holder, stream.c.state.in_(_LIVE)
            )
            found = [(row.id, row.asked, row.asked_by or "") for row in connection.execute(asked)]
            for stream_id, _, _ in found:
                connection.execute(update(stream).where(stream.c.id == stream_id).values(asked=None, asked_by=None))
        return found

    def event(
        self, stream_id: str, kind: str, detail: Mapping[str, Any], also: Also | None = None, at: float | None = None
    ) -> None:
        """A line of a stream's time line, of now or of that moment."""
        with self.store.write() as connection:
            _tell(connection, stream_id, kind, detail, at)
            if also is not None:
                also(connection)

    def ended(self, facts: StreamFacts, matches: Sequence[Match] = (), also: Also | None = None) -> None:
        """A stream has ended as its facts say. What is decided of a cut is durable when this returns; a cut that was
        written down stays as it is."""
        at = now() if facts.ended_at is None else _microseconds(facts.ended_at)
        ending = {
            **_standing(facts, at),
            "ended_at": at,
            "verdict_id": facts.verdict,
            "matches": [match.document() for match in matches] or None,
            "refused_until": None if facts.refused_until is None else _microseconds(facts.refused_until),
        }
        with self.store.write() as connection:
            known = connection.execute(select(stream.c.verdict_id).where(stream.c.id == facts.id)).scalar()
            if known is not None and known == facts.verdict:
                return
            connection.execute(update(stream).where(stream.c.id == facts.id).values(**ending))
            _tell(connection, facts.id, facts.state.value, {"why": facts.why}, facts.ended_at)
            if also is not None:
                also(connection)

    def is_kept(self, stream_id: str) -> bool:
        """Whether what a cut led to is where it is to be."""
        with self.store.read() as connection:
            return bool(connection.execute(select(stream.c.kept).where(stream.c.id == stream_id)).scalar())

    def kept(self, connection: Connection, stream_id: str, detail: Mapping[str, Any]) -> None:
        """What a cut led to is sealed, and in a case where there is to be one: in the caller's transaction."""
        connection.execute(update(stream).where(stream.c.id == stream_id).values(kept=True))
        _tell(connection, stream_id, "sealed", detail)

    def ask(self, stream_id: str, what: str, by: str) -> StreamFacts:
        """Have a person's `cut` or `release` done by the process that watches the stream.

        Raises NotFoundError, ConflictError where the stream has ended.
        """
        with self.store.write() as connection:
            row = _row(connection, stream_id)
            if StreamState(row.state) not in LIVE:
                raise ConflictError("the stream has ended: it is {state}", state=row.state)
            connection.execute(update(stream).where(stream.c.id == row.id).values(asked=what, asked_by=by[:128]))
            _tell(connection, row.id, f"{what}-asked", {"by": by})
        return self.get(row.id)

    def admit_again(self, stream_id: str, by: str) -> StreamFacts:
        """Refuse the publisher of a cut stream no longer. Raises NotFoundError."""
        with self.store.write() as connection:
            row = _row(connection, stream_id)
            who = stream.c.publisher == row.publisher
            connection.execute(update(stream).where(who).values(refused_until=None))
            _tell(connection, row.id, "admitted-again", {"by": by})
        return self.get(row.id)

    # --- reading

    def refused(self, publication: Publication) -> bool:
        """Whether a publisher was cut too short a time ago."""
        wanted = select(func.max(stream.c.refused_until)).where(stream.c.publisher == self.pseudonym(publication.who))
        with self.store.read() as connection:
            until = connection.execute(wanted).scalar()
        return until is not None and until > now()

    def get(self, stream_id: str) -> StreamFacts:
        """One stream; its id may be shortened. Raises NotFoundError."""
        with self.store.read() as connection:
            return _facts(_row(connection, stream_id))

    def of_verdict(self, verdict_id: str) -> StreamFacts | None:
        """The stream that a verdict cut."""
        with self.store.read() as connection:
            row = connection.execute(select(stream).where(stream.c.verdict_id == verdict_id)).first()
        return None if row is None else _facts(row)

    def all(self, *, live: bool = True, limit: int = 200) -> list[StreamFacts]:
        """Streams that run now, or the last that ended; the newest first."""
        query = select(stream).where(stream.c.state.in_(_LIVE) if live else stream.c.state.not_in(_LIVE))
        with self.store.read() as connection:
            rows = connection.execute(query.order_by(stream.c.admitted_at.desc()).limit(limit)).all()
        return [_facts(row) for row in rows]

    def ranked(self, limit: int = 200) -> list[tuple[StreamFacts, float]]:
        """Streams that run now in the order in which people look, with what the weak signals of each weigh: paused ones
        first, then those that weigh most, then the newest."""
        weights = self.weights()
        found = [(facts, weights.get(facts.id, 0.0)) for facts in self.all(limit=MAX_RANKED)]
        found.sort(key=lambda one: (one[0].state is not StreamState.PAUSED, -one[1], -one[0].since))
        return found[:limit]

    def running_at(self, channel: Channel) -> StreamFacts:
        """The stream that runs at a channel. Raises NotFoundError."""
        query = select(stream).where(
            stream.c.server == channel.server,
            stream.c.app == channel.app,
            stream.c.name == channel.name,
            stream.c.state.in_(_LIVE),
        )
        with self.store.read() as connection:
            row = connection.execute(query.order_by(stream.c.admitted_at.desc()).limit(1)).first()
        if row is None:
            raise NotFoundError("no stream runs at {channel}", channel=channel.item)
        return _facts(row)

    def channels(self, server: str, since: float) -> set[Channel]:
        """Of streams of a server that ran after that moment (seconds since the epoch)."""
        query = select(stream.c.server, stream.c.app, stream.c.name).where(
            stream.c.server == server, (stream.c.ended_at.is_(None)) | (stream.c.ended_at >= _microseconds(since))
        )
        with self.store.read() as connection:
            return {Channel(*row) for row in connection.execute(query.distinct())}

    def unfinished(self) -> list[StreamFacts]:
        """Cuts whose evidence was not kept yet, of processes that are gone: their cases are still to be opened."""
        late = now() - int(UNFINISHED_S * 1e6)
        query = select(stream).where(
            stream.c.state == StreamState.CUT.value, stream.c.kept.is_(False), stream.c.ended_at < late
        )
        with self.store.read() as connection:
            return [_facts(row) for row in connection.execute(query)]

    def matches(self, stream_id: str) -> list[Match]:
        """What a cut stream matched."""
        with self.store.read() as connection:
            row = _row(connection, stream_id)
        return [Match.read(document) for document in row.matches or ()]

    def abandoned(self) -> int:
        """Write down as dropped what processes that are gone left as running; how many streams."""
        late = now() - int(GONE_S * 1e6)
        with self.store.write() as connection:
            rows = connection.execute(
                select(stream.c.id).where(stream.c.state.in_(_LIVE), stream.c.seen_at < late)
            ).all()
            for row in rows:
                ending = {"state": StreamState.DROPPED.value, "why": "watcher-gone", "ended_at": now()}
                connection.execute(update(stream).where(stream.c.id == row.id).values(**ending))
                _tell(connection, row.id, StreamState.DROPPED.value, {"why": "watcher-gone"})
        return len(rows)

    def time_line(self, stream_id: str) -> list[StreamEvent]:
        """What happened to a stream, oldest first. Raises NotFoundError."""
        with self.store.read() as connection:
            wanted = _row(connection, stream_id).id
            query = (
                select(stream_event)
                .where(stream_event.c.stream_id == wanted)
                .order_by(stream_event.c.at, stream_event.c.id)
            )
            return [StreamEvent(row.at / 1e6, row.kind, row.detail) for row in connection.execute(query)]

    # --- weak signals

    def signal(self, stream_id: str, found: WeakSignal) -> None:
        """Put down a weak signal about a stream, for as long as it counts. Raises NotFoundError."""
        at = now()
        with self.store.write() as connection:
            connection.execute(delete(stream_signal).where(stream_signal.c.expires_at < at))
            row = _row(connection, stream_id)
            connection.execute(
                insert(stream_signal).values(
                    stream_id=row.id,
                    at=at,
                    kind=found.kind.value,
                    weight=found.weight,
                    reason=found.reason,
                    expires_at=at + int(SIGNALS_KEPT_S * 1e6),
                )
            )

    def signals(self, stream_id: str) -> list[WeakSignal]:
        """The weak signals about a stream that still count."""
        with self.store.read() as connection:
            query = select(stream_signal).where(
                stream_signal.c.stream_id == _row(connection, stream_id).id, stream_signal.c.expires_at > now()
            )
            return [WeakSignal(Indicator(row.kind), row.weight, row.reason) for row in connection.execute(query)]

    def weights(self) -> dict[str, float]:
        """By stream that runs now: what its weak signals weigh together."""
        running = select(stream.c.id).where(stream.c.state.in_(_LIVE))
        query = select(stream_signal).where(stream_signal.c.stream_id.in_(running), stream_signal.c.expires_at > now())
        found: dict[str, list[WeakSignal]] = {}
        with self.store.read() as connection:
            for row in connection.execute(query):
                signal = WeakSignal(Indicator(row.kind), row.weight, row.reason)
                found.setdefault(row.stream_id, []).append(signal)
        return {stream_id: rank(signals) for stream_id, signals in found.items()}

    def counts(self) -> dict[StreamState, int]:
        """How many streams there are in each state."""
        with self.store.read() as connection:
            rows = connection.execute(select(stream.c.state, func.count()).group_by(stream.c.state))
            return {StreamState(row[0]): row[1] for row in rows}


def _standing(facts: StreamFacts, at: int) -> dict[str, Any]:
    return {
        "state": facts.state.value,
        "why": facts.why[:64],
        "seen_at": at,
        "cleared_at": None if facts.cleared_at is None else _microseconds(facts.cleared_at),
        "samples": facts.samples,
        "hits": facts.hits,
        "pauses": facts.pauses,
        "unwatched_s": round(facts.unwatched_s, 3),
        "lag_s": round(facts.lag_s, 4),
        "late_keys": facts.late_keys,
    }


def _microseconds(seconds: float) -> int:
    return int(seconds * 1e6)


def _tell(
    connection: Connection, stream_id: str, kind: str, detail: Mapping[str, Any], at: float | None = None
) -> None:
    line = {"at": now() if at is None else _microseconds(at), "kind": kind[:32], "detail": dict(detail)}
    connection.execute(insert(stream_event).values(stream_id=stream_id, **line))


def _row(connection: Connection, stream_id: str) -> Row[Any]:
    wanted = full_id(connection, stream.c.id, stream_id)
    row = connection.execute(select(stream).where(stream.c.id == wanted)).first()
    if row is None:
        raise NotFoundError("there is no stream {stream_id!r}", stream_id=stream_id)
    return row


def _facts(row: Row[Any]) -> StreamFacts:
    return StreamFacts(
        id=row.id,
        channel=Channel(row.server, row.app, row.name),
        state=StreamState(row.state),
        since=row.admitted_at / 1e6,
        cleared_at=None if row.cleared_at is None else row.cleared_at / 1e6,
        ended_at=None if row.ended_at is None else row.ended_at / 1e6,
        why=row.why,
        samples=row.samples,
        hits=row.hits,
        pauses=row.pauses,
        unwatched_s=row.unwatched_s,
        lag_s=row.lag_s,
        late_keys=row.late_keys,
        verdict=row.verdict_id,
        refused_until=None if row.refused_until is None else row.refused_until / 1e6,
    )
