"""Routes of screenings that are answered later."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tutela.api.keys import Scope
from tutela.api.models import JobOut
from tutela.api.problems import Problem
from tutela.api.security import needs
from tutela.deployment.composition import Deployment
from tutela.screening.jobs.service import Job, JobState
from tutela.screening.jobs.spool import Upload

router = APIRouter(prefix="/v1", tags=["screening"])

_RETRY_S = 2


@router.get("/jobs/{job_id}", operation_id="get_job", responses={200: {"model": JobOut}})
def get_job(request: Request, job_id: str, actor: Annotated[str, needs(Scope.SCREEN)]) -> Response:
    """A screening that is answered later, with its verdict once it is done. Only for the key that sent the content."""
    deployment: Deployment = request.app.state.deployment
    job = deployment.jobs.get(job_id[:64])
    if job.actor != actor:
        raise Problem(404, "not-found", "there is no such job of this key")
    if job.verdict is not None:
        request.scope["tutela.verdict"] = job.id
        request.scope["tutela.decision"] = job.verdict["decision"]
    return job_response(job, 200)


async def accept(deployment: Deployment, upload: Upload, actor: str) -> Response:
    """The answer 202 for an upload that is whole; from then on it survives whatever ends the service."""
    try:
        job = await run_in_threadpool(deployment.jobs.submit, upload, actor)
    except BaseException:
        await run_in_threadpool(upload.discard)
        raise
    deployment.job_runner.wake()
    return job_response(job, 202)


def job_response(job: Job, status: int) -> Response:
    """A job as JSON, with where and when to ask again."""
    waits = job.state is JobState.PENDING
    headers = {"Location": f"/v1/jobs/{job.id}"} | ({"Retry-After": str(_RETRY_S)} if waits else {})
    document: dict[str, Any] = {
        "id": job.id,
        "state": "running" if job.running else job.state.value,
        "byte_length": job.byte_length,
        "attempts": job.attempts,
        "created_at": job.created_at.isoformat(),
        "updated_at": job.updated_at.isoformat(),
        "error": job.error if job.state is JobState.FAILED else None,
        "verdict": job.verdict,
    }
    return Response(json.dumps(document), status, headers, "application/json")
