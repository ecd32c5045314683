"""The background loop: a function called again and again in a thread of its own, whatever it raises, until it is
stopped."""

import logging
import threading
from collections.abc import Callable

from tutela.errors import TutelaError

log = logging.getLogger(__name__)


class BackgroundLoop:
    """Calls one function again and again, from `start` to `stop`. What it raises is logged, and it is called again."""

    def __init__(
        self,
        step: Callable[[], object],
        *,
        name: str,
        every_s: Callable[[], float],
        failed: str,
        at_once: bool = True,
    ) -> None:
        """`name` is the thread's. `failed` begins the line in the log, such as "the outbox could not be read".

        The first call is made `at_once`, or else after the first wait.
        """
        self._step = step
        self._name = name
        self._every_s = every_s
        self._failed = failed
        self._at_once = at_once
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._thread is not None

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called: a long step looks here, and ends early."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin; does nothing where it has begun."""
        if self._thread is None:
            self._stopping.clear()
            self._wake.clear()
            self._thread = threading.Thread(target=self.run, name=self._name, daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Call the function now, not when its time comes."""
        self._wake.set()

    def stop(self, interrupt: Callable[[], None] | None = None) -> None:
        """Return when the step under way has ended. `interrupt` is called until then, again and again."""
        self._stopping.set()
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        while interrupt is not None and thread.is_alive():
            interrupt()
            thread.join(0.2)
        thread.join()

    def run(self) -> None:
        """The loop itself, in this thread."""
        if not self._at_once:
            self._wake.wait(self._every_s())
        while not self._stopping.is_set():
            self._wake.clear()
            self.turn()
            self._wake.wait(self._every_s())

    def turn(self) -> None:
        """One step; it never raises."""
        try:
            self._step()
        except TutelaError as error:
            log.error("%s: %s", self._failed, error)
        except Exception:
            log.exception("%s", self._failed)
