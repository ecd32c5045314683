"""What happens automatically: alarms about undecided cases, the end of evidence whose time is over, checkpoints.

Any number of processes may run it: every step is done once, whoever does it.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tutela.casework.audit.checkpoints import Checkpoints, SigningKey
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.retention import Retention
from tutela.errors import TutelaError
from tutela.foundation.background import BackgroundLoop

log = logging.getLogger(__name__)

ACTOR = "upkeep"
EVERY_S = 30.0
CHECKPOINT_EVERY = timedelta(hours=1)


class Upkeep:
    """Does what is due, once or in the background."""

    def __init__(
        self,
        cases: Cases,
        *,
        retention: Retention | None = None,
        checkpoints: Checkpoints | None = None,
        signing_key: SigningKey | None = None,
    ) -> None:
        self._cases = cases
        self._retention = retention
        self._checkpoints = checkpoints
        self._signing_key = signing_key
        self._steps: list[Callable[[], object]] = [self._alarm, self._destroy_expired, self._sign]
        self._loop = BackgroundLoop(
            self.run_due, name="tutela-upkeep", every_s=lambda: EVERY_S, failed="upkeep failed and is tried again"
        )

    def run_due(self) -> None:
        """Do what is due now. A step that fails holds up no other; the first failure is raised after all."""
        failures: list[TutelaError] = []
        for step in self._steps:
            try:
                step()
            except TutelaError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def also(self, step: Callable[[], object]) -> None:
        """Do something of another room too, whenever the upkeep is done."""
        self._steps.append(step)

    def start(self) -> None:
        """Do it in the background until `stop`."""
        self._loop.start()

    def stop(self) -> None:
        """End it."""
        self._loop.stop()

    def _alarm(self) -> None:
        for case_id in self._cases.alarm(actor=ACTOR):
            log.warning("case %s is undecided for too long", case_id)

    def _destroy_expired(self) -> None:
        if self._retention is not None:
            for evidence_id in self._retention.destroy_expired(actor=ACTOR):
                log.info("evidence %s is destroyed: its time is over", evidence_id)

    def _sign(self) -> None:
        if self._checkpoints is None or self._signing_key is None:
            return
        latest = self._checkpoints.latest_at()
        if latest is None or abs(datetime.now(UTC) - latest) >= CHECKPOINT_EVERY:  # a clock may go back
            self._checkpoints.make(self._signing_key, actor=ACTOR)
