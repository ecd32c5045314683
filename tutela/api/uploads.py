"""Receiving content: in memory while it is short; a long one goes sealed to the spool as it comes, and is a job."""

from io import BytesIO

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from tutela.api.bodies import is_form, limited, raw_context, read_content
from tutela.api.problems import Problem
from tutela.errors import ConflictError
from tutela.foundation.allowance import Taken
from tutela.screening.jobs.service import Jobs
from tutela.screening.jobs.spool import Upload
from tutela.screening.verdict import Context

_BLOCK = 1024 * 1024
_MIN_FREE_BYTES = 1024**3
"""Room on the disk that uploads leave to everything else."""


async def receive(
    request: Request, jobs: Jobs, max_bytes: int, max_job_bytes: int, memory: Taken
) -> tuple[bytes, Context] | Upload:
    """The content and its context, or the upload of a job: of content over `max_bytes`, or where the client prefers it.

    `memory` grows with what is kept there. Forms are always read into memory.
    Raises Problem: 400, 413, 503 when too many jobs wait, 507 when the disk is full; BusyError without memory.
    """
    later = prefers_later(request)
    if is_form(request):
        content, context = await read_content(request, max_bytes, memory)
        return await _spooled(jobs, context, content) if later else (content, context)
    context = raw_context(request)
    waiting = BytesIO()  # parts kept one by one would cost a sender of single bytes nothing, and us sixty times as much
    upload: Upload | None = None
    try:
        async for part in limited(request, max_job_bytes):
            memory.grow(len(part))
            waiting.write(part)
            if upload is None and (later or waiting.tell() > max_bytes):
                upload = await run_in_threadpool(_begin, jobs, context)
            if upload is not None and waiting.tell() >= _BLOCK:
                block, waiting = waiting.getvalue(), BytesIO()
                await run_in_threadpool(_write, upload, block)
                memory.shrink(len(block))
        if upload is not None:
            await run_in_threadpool(_write, upload, waiting.getvalue())
    except BaseException:
        if upload is not None:
            await run_in_threadpool(upload.discard)
        raise
    if upload is None and later:
        return await _spooled(jobs, context, b"")
    return upload or (waiting.getvalue(), context)


def prefers_later(request: Request) -> bool:
    """Whether the client asks for a job rather than to wait (RFC 7240, 4.1)."""
    preferences = ",".join(request.headers.getlist("prefer"))
    return "respond-async" in {item.partition(";")[0].strip().lower() for item in preferences.split(",")}


async def _spooled(jobs: Jobs, context: Context, content: bytes) -> Upload:
    upload = await run_in_threadpool(_begin, jobs, context)
    try:
        await run_in_threadpool(_write, upload, content)
    except BaseException:
        await run_in_threadpool(upload.discard)
        raise
    return upload


def _begin(jobs: Jobs, context: Context) -> Upload:
    try:
        if jobs.spool.free_bytes() < _MIN_FREE_BYTES:
            raise _full()
        return jobs.begin(context)
    except ConflictError as error:
        raise Problem(503, "busy", str(error), {"Retry-After": "30"}) from None
    except OSError as error:
        raise _full() from error


def _write(upload: Upload, block: bytes) -> None:
    try:
        upload.write(block)
    except OSError as error:
        raise _full() from error


def _full() -> Problem:
    return Problem(507, "no-room", "the disk has no room for this upload; hold the content and send it later")
