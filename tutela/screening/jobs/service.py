"""Jobs: screenings that are answered later, taken by one process at a time and never lost on the way.

A process holds a job until a moment that it moves on while it works. When it dies, the moment passes and another takes
the job. What a job's end says to the platform is written in the transaction that ends it.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, and_, delete, func, select, update

from tutela.errors import ConflictError, NotFoundError
from tutela.foundation.leases import counts, held, new_holder, until
from tutela.foundation.outbox.webhooks import Webhooks
from tutela.foundation.store.announcements import announce
from tutela.foundation.store.database import Store, moment, now
from tutela.foundation.store.ids import full_id
from tutela.foundation.store.job_tables import job as jobs
from tutela.screening.jobs.spool import Spool, Upload
from tutela.screening.verdict import Context

MAX_WAITING = 1_000
"""Jobs that may wait for one machine."""
MAX_ATTEMPTS = 5
"""So often the process may die over a job before it is given up."""
KEPT_S = 7 * 24 * 3600.0
"""A verdict can be asked for so long after its job has ended."""
DONE, FAILED = "job.done", "job.failed"


class JobState(StrEnum):
    """How far a job is."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    """Given up: there is no verdict, so the content must stay held; its upload is kept for an operator."""


@dataclass(frozen=True, slots=True)
class Job:
    """One screening that is answered later. Its verdict has the same id."""

    id: str
    actor: str
    state: JobState
    running: bool
    byte_length: int
    attempts: int
    verdict: Mapping[str, Any] | None
    error: str | None
    created_at: datetime
    updated_at: datetime
    sealed_key: bytes | None = None
    holder: str | None = None


class Jobs:
    """The jobs of one store, with the spool of this machine. Thread-safe; many processes may share both."""

    def __init__(self, store: Store, spool: Spool, webhooks: Webhooks) -> None:
        self.store = store
        self._webhooks = webhooks
        self.spool = spool

    def begin(self, context: Context) -> Upload:
        """Take an upload that is about to come; hand it to `submit` when it is whole. Raises ConflictError when as
        many jobs are waiting as may."""
        with self.store.read() as connection:
            waiting = connection.execute(select(func.count()).where(self._mine, jobs.c.state == "pending")).scalar_one()
        if waiting >= MAX_WAITING:
            raise ConflictError("{waiting:,} jobs are waiting already", waiting=waiting)
        return self.spool.begin(uuid.uuid4().hex, context)

    def submit(self, upload: Upload, actor: str) -> Job:
        """The job for a whole upload; once this returns, nothing but its end takes it away."""
        upload.finish()
        at = now()
        row = {
            "id": upload.job_id,
            "spool": self.spool.name,
            "actor": actor,
            "state": JobState.PENDING.value,
            "byte_length": upload.length,
            "sealed_key": upload.sealed_key,
            "attempts": 0,
            "created_at": at,
            "updated_at": at,
        }
        with self.store.write() as connection:
            connection.execute(jobs.insert().values(row))
            announce(connection)
        return self.get(upload.job_id)

    def get(self, job_id: str) -> Job:
        """One job. Raises NotFoundError."""
        with self.store.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == full_id(connection, jobs.c.id, job_id))).first()
        if row is None:
            raise NotFoundError("there is no job {job_id!r}, or it ended long ago", job_id=job_id)
        return _job(row)

    def all(self, *, state: JobState | None = None, limit: int = 100) -> list[Job]:
        """Jobs, the latest first."""
        query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
        if state is not None:
            query = query.where(jobs.c.state == state.value)
        with self.store.read() as connection:
            return [_job(row) for row in connection.execute(query)]

    def counts(self) -> dict[JobState, int]:
        """How many jobs of all machines are in each state."""
        with self.store.read() as connection:
            rows = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
        return dict.fromkeys(JobState, 0) | {JobState(state): count for state, count in rows}

    def take(self, lease_s: float) -> Job | None:
        """The next job of this machine, held for that long; None when nothing waits."""
        at, holder = now(), new_holder()
        free = ~held(jobs.c.held_until, at)
        query = select(jobs).where(self._mine, jobs.c.state == "pending", free).order_by(jobs.c.created_at).limit(1)
        with self.store.read() as connection:
            if connection.execute(query).first() is None:
                return None
        with self.store.write() as connection:
            locked = query if self.store.is_sqlite else query.with_for_update(skip_locked=True)
            row = connection.execute(locked).first()
            if row is None:
                return None
            changes = {"holder": holder, "held_until": until(lease_s, at), "attempts": row.attempts + 1}
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(changes | {"updated_at": at}))
        return _job(row, changes)

    def renew(self, job: Job, lease_s: float) -> bool:
        """Hold a job for that long from now; False when another process has taken it."""
        return self._change(job, {"held_until": until(lease_s)})

    def release(self, job: Job, error: str, retry_s: float) -> bool:
        """Let go of a job that could not be done now; it comes again after that many seconds."""
        return self._change(job, {"holder": None, "held_until": now() + int(retry_s * 1e6), "error": error[:2000]})

    def put_back(self, job: Job) -> bool:
        """Let go of a job that was interrupted; whoever asks next does it, and the try does not count."""
        return self._change(job, {"holder": None, "held_until": None, "attempts": job.attempts - 1})

    def finish(self, job: Job, verdict: Mapping[str, Any]) -> bool:
        """End a job with its verdict and say so to the platform; False when another process has taken it.

        The upload is gone with this: its key is deleted first, then the file.
        """
        document = dict(verdict) | {"context": {"item": verdict["context"]["item"]}}
        changes = {"state": "done", "verdict": document, "sealed_key": None, "error": None, "holder": None}
        told = {"job": job.id, "item": document["context"]["item"], "decision": verdict["decision"]}
        if not self._change(job, changes, (DONE, told)):
            return False
        self.spool.remove(job.id)
        return True

    def give_up(self, job: Job, error: str) -> bool:
        """End a job without a verdict; the content must stay held. The upload is kept."""
        changes = {"state": "failed", "error": error[:2000], "holder": None}
        return self._change(job, changes, (FAILED, {"job": job.id}))

    def retry(self, job_id: str) -> Job:
        """Do a failed job anew. Raises NotFoundError, ConflictError."""
        found = self.get(job_id)
        job_id = found.id
        if found.state is not JobState.FAILED:
            raise ConflictError("job {job_id} has not failed", job_id=job_id)
        values = {"state": "pending", "attempts": 0, "held_until": None, "updated_at": now()}
        with self.store.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job_id, jobs.c.state == "failed").values(values))
        return self.get(job_id)

    def tidy(self) -> None:
        """Forget jobs that were done long ago, and files that killed processes left."""
        with self.store.write() as connection:
            old = and_(jobs.c.state == "done", jobs.c.updated_at < now() - int(KEPT_S * 1e6))
            connection.execute(delete(jobs).where(old))
        # Which files are there is asked first: a job whose row comes in between is then not taken for an orphan.
        found = self.spool.waiting()
        with self.store.read() as connection:
            wanted = select(jobs.c.id).where(jobs.c.id.in_(found), jobs.c.state != "done")
            known = set(connection.execute(wanted).scalars())
        for name in self.spool.orphans(known):
            self.spool.remove(name)

    @property
    def _mine(self) -> Any:
        return jobs.c.spool == self.spool.name

    def _change(self, job: Job, changes: Mapping[str, Any], told: tuple[str, Mapping[str, Any]] | None = None) -> bool:
        held = and_(jobs.c.id == job.id, jobs.c.holder == job.holder, jobs.c.state == "pending")
        with self.store.write() as connection:
            done = connection.execute(update(jobs).where(held).values(dict(changes) | {"updated_at": now()})).rowcount
            if done and told is not None:
                self._webhooks.announce(connection, told[0], f"{told[0]}/{job.id}", told[1])
        return bool(done)


def _job(row: Row[Any], changes: Mapping[str, Any] | None = None) -> Job:
    fields = row._asdict() | dict(changes or {})
    return Job(
        id=fields["id"],
        actor=fields["actor"],
        state=JobState(fields["state"]),
        running=fields["state"] == "pending" and fields["holder"] is not None and counts(fields["held_until"] or 0),
        byte_length=fields["byte_length"],
        attempts=fields["attempts"],
        verdict=fields["verdict"],
        error=fields["error"],
        created_at=moment(fields["created_at"]),
        updated_at=moment(fields["updated_at"]),
        sealed_key=fields["sealed_key"],
        holder=fields["holder"],
    )
