"""The runner: takes the jobs of this machine one after the other and screens them, with limits of their own.

A verdict has its job's id. When a process dies between the verdict and the job's end, the verdict is found again
instead of being made twice.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from tutela.errors import NotFoundError, NotReadyError, TutelaError
from tutela.foundation.background import BackgroundLoop
from tutela.foundation.leases import kept
from tutela.foundation.store.database import Changes
from tutela.screening.jobs.seal import SealError
from tutela.screening.jobs.service import MAX_ATTEMPTS, Job, Jobs
from tutela.screening.journal import VerdictJournal
from tutela.screening.screener import Screener
from tutela.screening.verdict import Verdict

log = logging.getLogger(__name__)

TIDY_S = 600.0
_UNCHANGED_POLLS = 5
"""Jobs are asked for this many times less often while nothing is written to the database."""


class JobRunner:
    """Screens jobs in a thread of its own, from `start` to `stop`."""

    def __init__(
        self,
        jobs: Jobs,
        screener: Screener,
        journal: VerdictJournal,
        *,
        ready: Callable[[], bool],
        interrupt: Callable[[], None],
        lease_s: float = 10.0,
        poll_s: float = 1.0,
    ) -> None:
        """`ready` says whether this process answers safely now; until then jobs wait. `interrupt` ends the
        examination that is under way."""
        self._jobs = jobs
        self._screener = screener
        self._journal = journal
        self._ready = ready
        self._interrupt = interrupt
        self._lease_s = lease_s
        self._changes = Changes(jobs.store, at_least_every_s=_UNCHANGED_POLLS * poll_s)
        self.on_verdict: Callable[[Verdict], object] = lambda _: None
        """Told every verdict that a job came to, for metrics."""
        self._tidy_at = 0.0
        self._loop = BackgroundLoop(
            self._look, name="tutela-jobs", every_s=lambda: poll_s, failed="jobs could not be taken"
        )

    def start(self) -> None:
        """Begin to take jobs."""
        self._loop.start()

    def wake(self) -> None:
        """Look now: a job has just come."""
        self._loop.wake()

    def stop(self) -> None:
        """Take no further job, and let go of the one under way: it is done anew by whoever comes next."""
        self._loop.stop(self._interrupt)

    def run_due(self) -> int:
        """Do what waits, in this thread; how many jobs were taken."""
        taken = 0
        while not self._loop.stopping and (job := self._jobs.take(self._lease_s)) is not None:
            self._do(job)
            taken += 1
        return taken

    def _look(self) -> None:
        if time.monotonic() >= self._tidy_at:
            self._jobs.tidy()
            self._tidy_at = time.monotonic() + TIDY_S
        if self._ready() and self._changes.any():
            self.run_due()

    def _do(self, job: Job) -> None:
        try:
            with kept(lambda: self._jobs.renew(job, self._lease_s), self._lease_s, what=f"job {job.id}"):
                self._screen(job)
        except NotReadyError:
            self._jobs.put_back(job)
        except (SealError, FileNotFoundError) as error:
            log.error("job %s cannot be read: %s", job.id, error)
            self._jobs.give_up(job, f"the upload cannot be read: {error}")
        except (TutelaError, OSError) as error:
            log.error("job %s could not be done, it comes again: %s", job.id, error)
            self._jobs.release(job, str(error), min(60.0, 2.0**job.attempts))

    def _screen(self, job: Job) -> None:
        if (document := self._made_before(job)) is not None:
            self._jobs.finish(job, document)
            return
        if job.attempts > MAX_ATTEMPTS:
            log.error("job %s is given up after %d tries", job.id, MAX_ATTEMPTS)
            self._jobs.give_up(job, job.error or f"the service ended {MAX_ATTEMPTS} times while it was at this job")
            return
        if job.sealed_key is None:
            raise SealError("it has lost its key")
        content, context = self._jobs.spool.open(job.id, job.sealed_key)
        with content:
            verdict = self._screener.screen(content, context, verdict_id=job.id)
        self._jobs.finish(job, verdict.document())
        self.on_verdict(verdict)

    def _made_before(self, job: Job) -> Mapping[str, Any] | None:
        try:
            return self._journal.get(job.id)
        except NotFoundError:
            return None
