"""The upload proxy: in front of the routes by which an HTTP application takes uploads.

A request's body is taken whole, what it carries is screened piece by piece, and only then does the application see the
request, with exactly the bytes that were screened. What is held is answered 202, what is blocked 422.
"""

import html
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from pydantic import Field
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tutela.gateways.base import GatewayKind, Opening, Passes
from tutela.gateways.forms import as_mail, pieces
from tutela.gateways.gathered import GatheredContent
from tutela.gateways.http import (
    HttpGateway,
    HttpOptions,
    TooSlowError,
    carries_nothing,
    has_body,
    kind_of,
    take_body,
    too_slow,
)
from tutela.gateways.intake import Unwrap
from tutela.gateways.listeners import ListenAddress
from tutela.gateways.outcome import GatewayOutcome
from tutela.gateways.pieced import is_piece
from tutela.gateways.upstream import Upstream, UpstreamAnswer, UpstreamError
from tutela.screening.decision import Decision
from tutela.screening.reason_codes import GatewayFault

_ASKED_S = 60.0
_NEVER = frozenset({"CONNECT", "TRACE"})


class ProxyOptions(HttpOptions):
    """What an upload proxy is told."""

    application: ListenAddress = Field(description="Where the application listens: `host:port`, or a UNIX socket.")
    application_s: float = Field(default=120.0, gt=0, description="Seconds that the application may keep silent.")
    advice: ClassVar[Mapping[str, str]] = {
        "mastodon": "fetches the files of other servers by itself: they do not come through this proxy; set up"
        " `buckets` for its object store",
        "peertube": "takes long films by its resumable route, in pieces that nobody can screen: close"
        " `/api/v1/videos/upload-resumable`, or use its plugin",
        "misskey": "fetches files of other servers, and those that users name by address, by itself: they do not come"
        " through this proxy; set up `buckets` for its object store",
        "pixelfed": "fetches the files of other servers by itself: set up `buckets` for its object store",
        "gotosocial": "fetches the files of other servers by itself: set up `buckets` for its object store",
    }
    held_status: int = Field(
        default=202, ge=200, le=499, description="Status of what is held: 202, or 422 where clients take 202 for done."
    )


class Proxy:
    """Stands before one application."""

    def __init__(self, opening: Opening[ProxyOptions]) -> None:
        self._intake = opening.intake
        self._options = opening.options
        self._upstream = Upstream(opening.options.application, opening.options.application_s)
        self._http = HttpGateway(opening, self._answer)

    async def start(self) -> None:
        """Begin to answer."""
        await self._http.start()

    async def stop(self) -> None:
        """Take nothing new; answer what is under way."""
        await self._http.stop()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        try:
            await response(scope, receive, send)
        except UpstreamError:
            return  # what was begun cannot be taken back: the connection ends before the body does

    async def _respond(self, request: Request) -> Response:
        if request.method in _NEVER or "upgrade" in request.headers:
            return PlainTextResponse("not through this proxy\n", 501)
        if carries_nothing(request):
            return await self._pass_on(request, None)
        try:
            body = await take_body(request, self._intake, self._options)
        except TooSlowError:
            return too_slow()
        try:
            media_type, coding = kind_of(request) if body.length else ("", "")
            body.head = as_mail(media_type)
            unwrap: Unwrap | None = partial(pieces, media_type=media_type, coding=coding, query=request.url.query)
            if body.length and is_piece(request.headers.getlist, request.url.query, body.length):
                body.doubts.append(GatewayFault.CUT_SHORT)
                unwrap = None
            outcome = await self._intake.judge(body, unwrap)
            if outcome.allowed:
                return await self._pass_on(request, body.content if has_body(request.headers) else None)
            return self._refused(request, outcome)
        finally:
            body.close()

    async def _pass_on(self, request: Request, content: GatheredContent | None) -> Response:
        target = request.scope["raw_path"]
        if query := request.scope["query_string"]:
            target = target + b"?" + query
        try:
            answer = await self._upstream.ask(request.method.encode(), target, request.scope["headers"], content)
        except UpstreamError:
            return PlainTextResponse("the application does not answer\n", 502)
        if answer.whole is None:
            return _Streamed(answer)
        response = Response(answer.whole, answer.status)
        response.raw_headers = _headers(answer)
        return response

    def _refused(self, request: Request, outcome: GatewayOutcome) -> Response:
        if not outcome.recorded:
            return PlainTextResponse("the upload cannot be checked now\n", 503, {"Retry-After": "5"})
        blocked = outcome.decision is Decision.BLOCK
        status = 422 if blocked else self._options.held_status
        title = "This upload is refused" if blocked else "This upload is being checked"
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"title": title, "status": status, "verdict": outcome.number}, status)
        page = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1>"
        return Response(f"{page}<p>Number {html.escape(outcome.number)}</p></html>", status, media_type="text/html")


class _Streamed(StreamingResponse):
    """The application's answer, head and body as they came."""

    def __init__(self, answer: UpstreamAnswer) -> None:
        super().__init__(answer.body, answer.status)
        self.raw_headers = _headers(answer)


def _headers(answer: UpstreamAnswer) -> list[tuple[bytes, bytes]]:
    """The application's headers, as they came."""
    if answer.whole is None:
        return answer.headers
    return [*answer.headers, (b"content-length", b"%d" % len(answer.whole))]


class _Asking:
    def __init__(self, address: ListenAddress) -> None:
        self._address = address

    def __call__(self, content: bytes) -> bool:
        head = b"POST / HTTP/1.1\r\nHost: tutela\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(content)
        with self._address.connect(_ASKED_S) as connection:
            connection.sendall(head + content)
            answer = connection.makefile("rb").read()
        status = answer.split()[1:2]
        if not status or not status[0].isdigit() or status[0] == b"503":
            raise ValueError(f"the gateway answered {answer[:80]!r}")
        return b'"verdict":' not in answer and b"being checked" not in answer


def _asking(options: ProxyOptions) -> Passes:
    return _Asking(options.listen[0])


KIND = GatewayKind("proxy", "before the upload routes of any HTTP application", ProxyOptions, Proxy, _asking)
