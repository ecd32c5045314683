"""One running Tutela: the database, the banks, the index and the screener, put together in one place.

The command line, the HTTP service and an embedding application all open a `Deployment` and call the same functions.
A background thread keeps list changes visible within a second and has the index rebuilt aside, in a process of its own.
"""

import logging
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from tutela.casework.cases.effects import TOPIC as EFFECT
from tutela.casework.cases.effects import CallbackHandler
from tutela.content.media.isolation import WorkerPool
from tutela.content.media.limits import Limits
from tutela.content.signals.registry import signal_types
from tutela.deployment.casework import CaseworkOptions, open_casework
from tutela.deployment.conversations import open_conversations
from tutela.errors import InputError
from tutela.foundation.background import BackgroundLoop
from tutela.foundation.home import database_url, prepare_home
from tutela.foundation.outbox.mail import TOPIC as MAIL
from tutela.foundation.outbox.mail import MailHandler
from tutela.foundation.outbox.webhooks import TOPIC as WEBHOOK
from tutela.foundation.outbox.worker import Dispatcher, Handler
from tutela.foundation.processes import start_module
from tutela.foundation.store.database import Changes, Store, last_change
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges import installed as exchanges_installed
from tutela.lists.exchanges.feedback import Deliveries
from tutela.lists.index.service import Indexes
from tutela.screening.check import Checker
from tutela.screening.check.deterrence import Deterrences
from tutela.screening.check.expansion import Expander
from tutela.screening.conversations import ConversationOptions
from tutela.screening.examination import TASK
from tutela.screening.jobs.limits import JobLimits
from tutela.screening.jobs.service import Jobs
from tutela.screening.jobs.spool import Spool
from tutela.screening.jobs.worker import JobRunner
from tutela.screening.journal import VerdictJournal
from tutela.screening.options import ScreeningPolicy
from tutela.screening.recheck import TOPIC as ASK
from tutela.screening.recheck import SecondOpinions
from tutela.screening.screener import UNKEPT, Screener

if TYPE_CHECKING:
    from tutela.deployment.conversations import AnyConversations

log = logging.getLogger(__name__)

REFRESH_S = 0.25
"""How often it is asked whether any list changed: one row."""
LOOK_S = 10.0
"""How often it is asked all the same, where nobody announced a change."""
REFRESH_ALL_S = 30.0
"""How often everything is refreshed all the same, as segments that other processes built."""
VERIFY_S = 3600.0
"""How often mapped segments are read and compared with what was built; at once where a file was changed."""
OVERLAPS_S = 5.0
STALE_S = 5.0
"""Lists that could not be refreshed for this long make a deployment not ready."""


def compose_deployment(
    home: str | os.PathLike[str],
    *,
    database: str | None = None,
    limits: Limits | None = None,
    decoders: int | None = None,
    policy: ScreeningPolicy | None = None,
    casework: CaseworkOptions | None = None,
    job_limits: JobLimits | None = None,
    conversations: ConversationOptions | None = None,
) -> "Deployment":
    """Put the deployment in a folder together with these options, whatever its settings say; made on first use.

    Close it, or use it as a context manager. An application is given `deployment.library.open_deployment`, which reads
    them. `database` is a SQLAlchemy URL, by default a SQLite file in the folder. `decoders` is the number of isolated
    decoding workers, by default one a core. `casework` says where evidence is sealed (what is held then opens a case
    before it is answered), what follows decisions, and who is told of them once `start` was called.
    Raises StoreError when the database is unreachable or of another version, InputError for options that are wrong.
    """
    folder = Path(home)
    prepare_home(folder)
    store = Store.create(database_url(folder, database))
    return Deployment(
        folder,
        store,
        limits or Limits(),
        decoders or os.cpu_count() or 1,
        policy or ScreeningPolicy(),
        casework or CaseworkOptions(),
        job_limits or JobLimits(),
        conversations or ConversationOptions(),
    )


class Deployment:
    """The rooms of one running Tutela. Thread-safe."""

    def __init__(
        self,
        home: Path,
        store: Store,
        limits: Limits,
        decoders: int,
        policy: ScreeningPolicy,
        casework: CaseworkOptions,
        job_limits: JobLimits,
        conversations: ConversationOptions,
    ) -> None:
        self.home = home
        self.doors: Mapping[str, object] = {}
        """What the operator chose for the doors, by section; a door knows its own class."""
        self.store = store
        self.banks = Banks(store, home)
        self.indexes = Indexes(home / "index", signal_types(), self.banks, store.identity)
        self.banks.searcher = self.indexes
        self.pool = WorkerPool(TASK, size=decoders, limits=limits)
        self.journal = VerdictJournal(store)
        self.casework = open_casework(store, self.banks, home, casework)
        self.second_opinions = SecondOpinions(self.banks)
        self.screener = Screener(
            self.pool,
            self.indexes,
            self.banks,
            self.journal,
            policy=policy,
            limits=limits,
            lists_age_s=self.lists_age_s,
            custody=self.casework.custody,
            secret=store.secret("sampling"),
            on_allowed=self.second_opinions.hear,
        )
        self.expander = Expander() if policy.follows_links else None
        self.checker = Checker(self.screener, self.indexes, self.expander.follow if self.expander else None)
        self.deterrences = Deterrences(home)
        self.outbox = self.casework.outbox
        self.handlers: dict[str, Handler] = {WEBHOOK: self.casework.webhooks.deliver}
        if casework.on_effect is not None:
            self.handlers[EFFECT] = CallbackHandler(casework.on_effect)
        if casework.mail is not None:
            self.handlers[MAIL] = MailHandler(casework.mail)
        if exchanges_installed():
            self.handlers |= Deliveries(self.banks).handlers
            self.handlers[ASK] = self.second_opinions.answering(self.screener, self.journal, self.refresh)
        self.dispatcher = Dispatcher(self.outbox, self.handlers)
        self.job_pool = WorkerPool(TASK, size=decoders, limits=job_limits.over(limits))  # a long video takes several
        self.job_screener = self.screener.with_limits(self.job_pool, self.job_pool.limits)
        self.jobs = Jobs(store, Spool(home / "jobs"), self.casework.webhooks)
        self.job_runner = JobRunner(
            self.jobs, self.job_screener, self.journal, ready=self.lists_ready, interrupt=self.job_pool.interrupt
        )
        self._conversations = open_conversations(home, self.casework, conversations)
        self._refresher = Refresher(self)
        self._refresher.start()

    def start(self) -> None:
        """Deliver what the outbox holds, run jobs, and do the upkeep of cases and evidence, until `stop` or `close`."""
        if self.casework.custody is None:
            log.warning("block without evidence: %s", UNKEPT)
        self.dispatcher.start()
        self.second_opinions.start()
        self.casework.upkeep.start()
        self.job_runner.start()
        if self._conversations is not None:
            self._conversations.start()

    def stop(self) -> None:
        """End what `start` began."""
        if self._conversations is not None:
            self._conversations.stop()
        self.job_runner.stop()
        self.casework.upkeep.stop()
        self.second_opinions.stop()
        self.dispatcher.stop()

    def refresh(self) -> None:
        """Make every committed list change visible to this process now."""
        self.banks.refresh()
        self.indexes.refresh()

    def shortcomings(self) -> list[str]:
        """What keeps this process from answering safely; empty when it is ready."""
        found = [f"index of {name}: {why}" for name, why in self.indexes.faults().items()]
        if (age_s := self.lists_age_s()) > STALE_S:
            found.append(f"the lists could not be read for {age_s:.0f} s")
        if (why := self.store.unwritable()) is not None:
            found.append(f"nothing can be written: {why}")
        if not self.pool.ready():
            found.append("the decoding workers are not up yet")
        if self._conversations is not None:
            found += self._conversations.shortcomings()
        return found

    @property
    def conversations(self) -> "AnyConversations":
        """Contacts and conversations over time. Raises InputError where they are not enabled."""
        if self._conversations is None:
            raise InputError("conversations are not enabled: set [conversations] enabled = true")
        return self._conversations

    def lists_age_s(self) -> float:
        """Seconds since the lists were last known to be current."""
        return self._refresher.age_s()

    def lists_ready(self) -> bool:
        """Whether every index can be searched and is current."""
        return not self.indexes.faults() and self.lists_age_s() <= STALE_S

    def close(self) -> None:
        """Stop the background threads and the workers, and leave the database."""
        self.stop()
        self._refresher.stop()
        if self._conversations is not None:
            self._conversations.close()
        self.casework.webhooks.close()
        if self.expander is not None:
            self.expander.close()
        self.job_pool.close()
        self.pool.close()
        self.store.close()

    def __enter__(self) -> "Deployment":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Refresher:
    """Pulls list changes into this process within a quarter of a second and starts an index build where one is due."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._loop = BackgroundLoop(
            self._turn,
            name="tutela-refresh",
            every_s=lambda: REFRESH_S,
            failed="the lists could not be refreshed",
            at_once=False,
        )
        self._refreshed = self._verified_at = time.monotonic()
        self._changes = Changes(deployment.store, at_least_every_s=LOOK_S)
        self._change: tuple[int, int] | None = None
        self._all_at = 0.0
        self._overlaps_at = 0.0
        self._overlaps_of: Mapping[str, int] = {}
        self._overlaps_wait = True
        self._builder: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    def _turn(self) -> None:
        try:
            if self._refresh() or self._builder is not None or self._overlaps_wait:
                self._build_where_due()
                self._set_overlaps_aside()
        except BaseException:
            self._changes.again()
            raise

    def _refresh(self) -> bool:
        """Take in what has changed; False where nothing has."""
        now = time.monotonic()
        if not self._changes.any():
            self._refreshed = now
            return False
        change = last_change(self._deployment.store)
        if change != self._change or now - self._all_at >= REFRESH_ALL_S:
            self._deployment.refresh()
            self._change, self._all_at = change, now
        if now - self._verified_at >= VERIFY_S:
            self._deployment.indexes.verify()
            self._verified_at = now
        self._refreshed = time.monotonic()
        return True

    def age_s(self) -> float:
        """Seconds since the lists were last known to be current."""
        return time.monotonic() - self._refreshed

    def stop(self) -> None:
        """Stop refreshing and end a build that runs; its half-made file is never served."""
        self._loop.stop()
        if self._builder is not None and self._builder.poll() is None:
            self._builder.terminate()
            self._builder.wait()

    def _set_overlaps_aside(self) -> None:
        """Mark what allow lists no longer allow; not at every change, as a long pull makes many."""
        sequences = self._deployment.indexes.sequences
        self._overlaps_wait = sequences != self._overlaps_of
        if self._overlaps_wait and time.monotonic() - self._overlaps_at >= OVERLAPS_S:
            self._deployment.banks.set_overlaps_aside()
            self._overlaps_of, self._overlaps_at, self._overlaps_wait = sequences, time.monotonic(), False

    def _build_where_due(self) -> None:
        if self._builder is not None:
            if (status := self._builder.poll()) is None:
                return
            if status != 0:
                log.error("the index builder ended with status %d", status)
            self._builder = None
            self._deployment.refresh()  # what was built is searched now, and is due no longer
        if self._deployment.indexes.due():
            self._builder = start_builder(self._deployment.home, self._deployment.store.url)


def start_builder(home: Path, database: str) -> subprocess.Popen[bytes]:
    """Build the index where due, in a process of its own; its credentials travel in its environment."""
    return start_module(
        "tutela.lists.rebuild", environment={"TUTELA_BUILD_HOME": str(home), "TUTELA_BUILD_DATABASE": database}
    )
