"""The dispatcher: takes what is due from the outbox and hands it to its topic's handler, until it is delivered.

Any number of processes may run one. A failure is tried again, ever later and not all at the same moment; what fails too
often is dead, which a metric says and an operator mends.
"""

import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from tutela.errors import TutelaError
from tutela.foundation.background import BackgroundLoop
from tutela.foundation.backoff import BackOff
from tutela.foundation.outbox.service import Delivery, LeaseLostError, Outbox
from tutela.foundation.store.database import Changes, now

log = logging.getLogger(__name__)

_UNCHANGED_POLLS = 5
"""The outbox is read this many times less often while nothing is written to the database."""


class DeliveryError(TutelaError):
    """A delivery failed and is tried again, after `after_s` seconds where the receiver named a time."""

    code = "delivery"

    def __init__(self, sentence: str, /, *, after_s: float | None = None, **values: object) -> None:
        super().__init__(sentence, **values)
        self.after_s = after_s


class UndeliverableError(TutelaError):
    """A delivery can never succeed; it is dead at once."""

    code = "undeliverable"


class PostponedError(TutelaError):
    """It is too early for this delivery; it comes again after `after_s` seconds and nothing has failed."""

    code = "postponed"

    def __init__(self, after_s: float) -> None:
        super().__init__("not before {after_s:.0f} s from now", after_s=after_s)
        self.after_s = after_s


class Progress(Protocol):
    """What a handler of several steps is given to write down each step."""

    def save(self, progress: Mapping[str, Any]) -> None:
        """Return when it is durable. Raises LeaseLostError when another process took over: stop then."""


class Handler(Protocol):
    """Delivers one row of a topic. Returns when it was delivered; may be called again for the same one."""

    def __call__(self, delivery: Delivery, progress: Progress) -> None:
        """Raises DeliveryError, UndeliverableError or PostponedError; anything else is tried again as well."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How a failed delivery is tried again."""

    first_s: float = 5.0
    longest_s: float = 3600.0
    attempts: int = 60
    """Tries before a delivery is dead: with the times above, more than two days."""

    @property
    def back_off(self) -> BackOff:
        """The waits between tries."""
        return BackOff(self.first_s, self.longest_s)


class Dispatcher:
    """Delivers the outbox's rows of the topics that have a handler."""

    def __init__(
        self,
        outbox: Outbox,
        handlers: Mapping[str, Handler],
        *,
        retry: Retry | None = None,
        lease_s: float = 60.0,
        poll_s: float = 1.0,
        concurrency: int = 4,
    ) -> None:
        """`handlers` is read at every turn, so that rooms may add theirs later."""
        self._outbox = outbox
        self._handlers = handlers
        self._retry = retry or Retry()
        self._lease_s = lease_s
        self._changes = Changes(outbox.store, at_least_every_s=_UNCHANGED_POLLS * poll_s)
        self._concurrency = concurrency
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[Future[None], _Running] = {}
        self._loop = BackgroundLoop(
            self._turn, name="tutela-outbox", every_s=lambda: poll_s, failed="the outbox could not be read"
        )

    def start(self) -> None:
        """Deliver in the background until `stop`."""
        if not self._loop.running:
            self._pool = ThreadPoolExecutor(self._concurrency, "tutela-delivery")
            self._loop.start()

    def wake(self) -> None:
        """Look now, because something was just written."""
        self._loop.wake()

    def stop(self) -> None:
        """Take nothing more, and return when what is under way has ended."""
        self._loop.stop()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def run_due(self) -> int:
        """Deliver what is due now, one after the other, in this thread; how many were tried."""
        tried = 0
        while taken := self._outbox.take(tuple(self._handlers), lease_s=self._lease_s, limit=1):
            self._deliver(taken[0])
            tried += 1
        return tried

    def _turn(self) -> None:
        if not self._running and not self._changes.any():
            return
        assert self._pool is not None
        for future in [future for future in self._running if future.done()]:
            del self._running[future]
        for under_way in self._running.values():
            self._keep(under_way)
        free = self._concurrency - len(self._running)
        if free:
            for delivery in self._outbox.take(tuple(self._handlers), lease_s=self._lease_s, limit=free):
                future = self._pool.submit(self._deliver, delivery)
                self._running[future] = _Running(delivery)
                future.add_done_callback(lambda _: self._loop.wake())

    def _keep(self, under_way: "_Running") -> None:
        if time.monotonic() - under_way.renewed < self._lease_s / 3:
            return
        try:
            self._outbox.renew(under_way.delivery, self._lease_s)
            under_way.renewed = time.monotonic()
        except LeaseLostError:
            log.debug("delivery %d has just ended", under_way.delivery.id)

    def _deliver(self, delivery: Delivery) -> None:
        try:
            try:
                self._handlers[delivery.topic](delivery, _Saved(self._outbox, delivery, self._lease_s))
                self._outbox.complete(delivery)
            except LeaseLostError:
                raise
            except PostponedError as later:
                self._outbox.postpone(delivery, now() + int(later.after_s * 1e6))
            except UndeliverableError as error:
                log.error("delivery %d of %s is dead: %s", delivery.id, delivery.topic, error)
                self._outbox.fail(delivery, str(error), None)
            except DeliveryError as error:
                self._fail(delivery, str(error), error.after_s)
            except Exception as error:
                log.exception("delivery %d of %s failed", delivery.id, delivery.topic)
                self._fail(delivery, f"{type(error).__name__}: {error}", None)
        except LeaseLostError as error:
            log.warning("%s; what was done is done again", error)
        except TutelaError as error:
            log.error("the outcome of delivery %d could not be written, so it is made again: %s", delivery.id, error)

    def _fail(self, delivery: Delivery, message: str, after_s: float | None) -> None:
        if delivery.attempts >= self._retry.attempts:
            log.error("delivery %d of %s is dead after %d tries", delivery.id, delivery.topic, delivery.attempts)
            self._outbox.fail(delivery, message, None)
            return
        wait_s = self._retry.back_off.wait_s(delivery.attempts, after_s)
        log.warning("delivery %d of %s failed, again in %.0f s: %s", delivery.id, delivery.topic, wait_s, message)
        self._outbox.fail(delivery, message, now() + int(wait_s * 1e6))


@dataclass(slots=True)
class _Running:
    delivery: Delivery
    renewed: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class _Saved:
    outbox: Outbox
    delivery: Delivery
    lease_s: float

    def save(self, progress: Mapping[str, Any]) -> None:
        self.outbox.save_progress(self.delivery, progress, self.lease_s)
