"""Routes that answer verdicts."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.responses import Response

from tutela.api.job_routes import accept
from tutela.api.keys import Scope
from tutela.api.models import EXAMPLE_PDQ, HashesIn, HashIn, JobOut, LookupIn, LookupOut, VerdictOut
from tutela.api.problems import Problem, refuse_unknown_parameters
from tutela.api.security import KeyAdmission, needs
from tutela.api.uploads import receive
from tutela.content.signals.base import Sample
from tutela.content.signals.registry import composite_type, signal_type
from tutela.deployment.composition import Deployment
from tutela.deployment.metrics import count_verdict
from tutela.screening.jobs.spool import Upload
from tutela.screening.verdict import Context, Verdict

router = APIRouter(prefix="/v1", tags=["screening"])
Asker = Annotated[str, needs(Scope.SCREEN)]

_BODY = {
    "requestBody": {
        "required": True,
        "description": "The content itself, or a form with the parts `file` and, optionally, `context` (JSON).",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "context": {"type": "string", "examples": ['{"item": "upload-4711"}']},
                    },
                }
            },
        },
    },
    "parameters": [
        {
            "in": "header",
            "name": "Tutela-Context",
            "required": False,
            "description": "The context as JSON, for raw bodies.",
            "schema": {"type": "string", "examples": ['{"item": "upload-4711"}']},
        },
        {
            "in": "header",
            "name": "Prefer",
            "required": False,
            "description": "`respond-async`: answer 202 with a job at once, whatever the content's length.",
            "schema": {"type": "string", "examples": ["respond-async"]},
        },
    ],
}

_EXAMPLE_VERDICT = {
    "id": "42fe106338014178ad5c256b0c46a13b",
    "at": "2026-11-24T04:17:28.336059+00:00",
    "decision": "block",
    "reasons": [{"code": "match-block", "message": "The same picture as known #7: whole, distance 6 of 31"}],
    "matches": [
        {
            "bank": "known",
            "entry_id": 1,
            "signal": "pdq",
            "value": EXAMPLE_PDQ,
            "distance": 6,
            "threshold": 31,
            "view": "whole",
            "quality": 100,
            "label": None,
            "source": "operator",
            "reference": "",
            "action": "block",
            "region": None,
            "part": "",
            "seconds": None,
            "suppressed_by": None,
            "sentence": "The same picture as known #7: whole, distance 6 of 31",
        }
    ],
    "matches_omitted": 0,
    "hashes": [{"signal": "pdq", "value": EXAMPLE_PDQ, "view": "whole", "quality": 100, "part": "", "seconds": None}],
    "hashes_omitted": 0,
    "media_type": "image/jpeg",
    "width": 512,
    "height": 512,
    "byte_length": 81353,
    "sha256": "653cde67071b1c70f69d64682e599400baff1db579c1244467cb9160aeb79d4d",
    "context": {"item": "upload-4711", "details": {}},
    "timings": {"examine_ms": 2.3, "search_ms": 0.2, "total_ms": 2.5},
    "versions": {"engine": "0.1.0", "lists": {"pdq": 1}},
}
_VERDICT: dict[int | str, dict[str, Any]] = {
    200: {"model": VerdictOut, "content": {"application/json": {"example": _EXAMPLE_VERDICT}}}
}


class _UploadRoute(APIRoute):
    """Checks the key and calls the endpoint with the request, without the framework's solving of dependencies.

    Every upload goes this way: what the framework does between them would take as long as the search.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        admitted = KeyAdmission(Scope.SCREEN)

        async def handle(request: Request) -> Response:
            actor = await admitted(request)
            refuse_unknown_parameters(request)
            response: Response = await self.endpoint(request, actor)
            return response

        return handle


uploads = APIRouter(prefix="/v1", tags=["screening"], route_class=_UploadRoute)


_LATER: dict[int | str, dict[str, Any]] = {
    202: {"model": JobOut, "description": "Answered later: content over the limit, or `Prefer: respond-async`."}
}


@uploads.post("/screen", operation_id="screen", responses=_VERDICT | _LATER, openapi_extra=_BODY)
async def screen(request: Request, actor: Asker) -> Response:
    """Screen one upload before anybody sees it. A hold is an answer like any other: status 200.

    Content that is too long to be answered at once is answered 202 with a job: hold it until its verdict is there.
    """
    deployment: Deployment = request.app.state.deployment
    limit, job_limit = deployment.screener.limits.max_bytes, deployment.job_screener.limits.max_bytes
    with request.app.state.upload_memory.take(actor, 0) as memory:
        received = await receive(request, deployment.jobs, limit, job_limit, memory)
        if isinstance(received, Upload):
            return await accept(deployment, received, actor)
        content, context = received
        loop, threads = asyncio.get_running_loop(), request.app.state.screening_threads
        costly = deployment.screener.takes_long(content, context, asked_by=actor)
        with request.app.state.bound.place(actor, costly=costly):
            # A plain function: of any other callable the loop asks at length whether it is a coroutine.
            verdict = await loop.run_in_executor(
                threads, lambda: deployment.screener.screen(content, context, asked_by=actor)
            )
    return _answer(request, verdict)


@router.post("/screen/hashes", operation_id="screen_hashes", responses=_VERDICT)
def screen_hashes(request: Request, body: HashesIn, _: Annotated[str, needs(Scope.SCREEN)]) -> Response:
    """Screen content that you hashed yourself."""
    deployment: Deployment = request.app.state.deployment
    context = Context(body.context.item, body.context.details) if body.context else Context()
    return _answer(
        request,
        deployment.screener.screen_hashes([sample for item in body.hashes for sample in _samples(item)], context),
    )


@router.post("/lookup", operation_id="lookup", response_model=LookupOut)
def lookup(request: Request, body: LookupIn, _: Annotated[str, needs(Scope.SCREEN)]) -> Any:
    """Look up many hashes at once, each on its own. Nothing is decided and nothing is written down."""
    deployment: Deployment = request.app.state.deployment
    results = deployment.screener.lookup_each([_samples(item) for item in body.hashes])
    return {"results": [[match.document() for match in matches] for matches in results]}


@router.get("/verdicts/{verdict_id}", operation_id="get_verdict", responses=_VERDICT)
def get_verdict(request: Request, verdict_id: str, _: Annotated[str, needs(Scope.CURATE)]) -> Response:
    """A verdict that was written down: every one that matched anything or fell short."""
    if not verdict_id.isalnum() or len(verdict_id) > 32:
        raise Problem(404, "not-found", "a verdict's id has 32 hexadecimal digits")
    deployment: Deployment = request.app.state.deployment
    return Response(json.dumps(deployment.journal.get(verdict_id)), media_type="application/json")


def _answer(request: Request, verdict: Verdict) -> Response:
    count_verdict(verdict)
    request.scope["tutela.verdict"] = verdict.id
    request.scope["tutela.decision"] = verdict.decision.value
    return Response(to_json(verdict.document()), media_type="application/json")


def _samples(item: HashIn) -> list[Sample]:
    """The sample of a hash, or those of a composite one, such as the frames of a video."""
    composite = composite_type(item.signal)
    if composite is not None:
        return list(composite.read(item.value))
    return [Sample(item.signal, signal_type(item.signal).parse(item.value), quality=item.quality)]
