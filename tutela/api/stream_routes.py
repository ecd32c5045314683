"""Routes of live streams: how each stands, a person's word, and weak signals that the platform tells. No pictures."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from tutela.api.keys import Scope
from tutela.api.models import Strict
from tutela.api.problems import Problem
from tutela.api.security import needs
from tutela.deployment.composition import Deployment
from tutela.screening.streams.indicators import MAX_REASON, Indicator, weak_signal
from tutela.screening.streams.model import LIVE, Channel, StreamFacts, stream_document
from tutela.screening.streams.records import StreamRecords

router = APIRouter(prefix="/v1/streams", tags=["streams"])
Reviewer = Annotated[str, needs(Scope.REVIEW)]
Platform = Annotated[str, needs(Scope.SCREEN)]


class SignalIn(Strict):
    """A weak signal about a stream."""

    kind: Indicator = Field(examples=["prior-report"])
    reason: str = Field(default="", max_length=MAX_REASON, description="In words, for the person who looks.")


class ChannelSignalIn(SignalIn):
    """A weak signal about the stream that runs at a channel, by the names that the platform knows."""

    server: str = Field(max_length=64, description="The media server, as the settings call it.", examples=["main"])
    app: str = Field(default="", max_length=255, examples=["live"])
    name: str = Field(max_length=255, examples=["cam"])


@router.get("", operation_id="list_streams")
def list_streams(
    request: Request,
    _: Reviewer,
    ended: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """Streams that run now, paused ones first and then by what their weak signals weigh; or the last that ended."""
    records = _records(request)
    found = [(facts, 0.0) for facts in records.all(live=False, limit=limit)] if ended else records.ranked(limit)
    return {"streams": [stream_document(facts) | {"weight": weight} for facts, weight in found]}


@router.get("/{stream_id}", operation_id="get_stream")
def get_stream(request: Request, stream_id: str, _: Reviewer) -> dict[str, Any]:
    """One stream with its time line and weak signals."""
    records = _records(request)
    facts = records.get(stream_id[:64])
    line = [{"at": event.at, "kind": event.kind, "detail": dict(event.detail)} for event in records.time_line(facts.id)]
    signals = [
        {"kind": one.kind.value, "weight": one.weight, "reason": one.reason} for one in records.signals(facts.id)
    ]
    return stream_document(facts) | {"time_line": line, "signals": signals}


@router.post("/{stream_id}/cut", operation_id="cut_stream", status_code=202)
def cut_stream(request: Request, stream_id: str, actor: Reviewer) -> dict[str, Any]:
    """End a stream, as a person's decision; the watching process does it within a second."""
    return stream_document(_records(request).ask(stream_id[:64], "cut", actor))


@router.post("/{stream_id}/release", operation_id="release_stream", status_code=202)
def release_stream(request: Request, stream_id: str, actor: Reviewer) -> dict[str, Any]:
    """Let viewers in again, or the publisher of a stream that was cut."""
    records = _records(request)
    facts = records.get(stream_id[:64])
    return stream_document(_released(records, facts, actor))


@router.post("/signals", operation_id="signal_channel", status_code=201, responses={404: {}})
def signal_channel(request: Request, body: ChannelSignalIn, _: Platform) -> dict[str, Any]:
    """Tell a weak signal about the stream that runs at a channel: it ranks the stream for a person, and ends nothing.

    Answered 404 unless `streams.indicators` is on, and where nothing runs there.
    """
    return _signalled(request, _records(request).running_at(Channel(body.server, body.app, body.name)), body)


@router.post("/{stream_id}/signals", operation_id="signal_stream", status_code=201)
def signal_stream(request: Request, stream_id: str, body: SignalIn, _: Platform) -> dict[str, Any]:
    """The same about a stream by its id."""
    return _signalled(request, _records(request).get(stream_id[:64]), body)


def _signalled(request: Request, facts: StreamFacts, body: SignalIn) -> dict[str, Any]:
    if not request.app.state.stream_indicators:
        raise Problem(404, "not-found", "weak signals are off: see streams.indicators")
    records = _records(request)
    records.signal(facts.id, weak_signal(body.kind.value, body.reason))
    return {"stream": facts.id, "weight": records.weights().get(facts.id, 0.0)}


def _released(records: StreamRecords, facts: StreamFacts, actor: str) -> StreamFacts:
    return records.ask(facts.id, "release", actor) if facts.state in LIVE else records.admit_again(facts.id, actor)


def _records(request: Request) -> StreamRecords:
    deployment: Deployment = request.app.state.deployment
    return StreamRecords(deployment.store)
