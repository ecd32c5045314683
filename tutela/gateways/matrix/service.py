"""The gateway of Matrix' clients: the routes of a content scanner, which fetch a file from the home server, have it
screened, and hand it on or not.

The only place that sees what is in an encrypted room: the client sends the file's key along. The file is decrypted in
memory, and parsed in the confined workers as every other. What comes back is what the home server has.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import urlencode

from pydantic import Field
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tutela.gateways.base import GatewayKind, Opening, Passes
from tutela.gateways.http import HttpGateway, HttpOptions, details_of
from tutela.gateways.intake import BUFFER, Body, wipe
from tutela.gateways.listeners import ListenAddress
from tutela.gateways.matrix.attachments import Attachment, Mailbox, UndecryptableError, UnreadableError, is_media
from tutela.gateways.matrix.check import ScanCheck
from tutela.gateways.outcome import GatewayOutcome
from tutela.gateways.upstream import Upstream, UpstreamError
from tutela.screening.reason_codes import GatewayFault

_PREFIX = "/_matrix/media_proxy/unstable"
_MAX_ASKED = 64 * 1024
_PIECE = 128 * 1024
_THUMBNAIL = ("width", "height", "method", "animated")
_KEPT = frozenset({b"content-type", b"content-disposition", b"cache-control", b"content-security-policy"})
"""Headers of the home server that a client is told."""


class MatrixOptions(HttpOptions):
    """What a gateway of Matrix' clients is told."""

    homeserver: ListenAddress = Field(description="Where the home server listens: `host:port`, or a UNIX socket.")
    homeserver_s: float = Field(default=60.0, gt=0, description="Seconds that the home server may keep silent.")
    check_token: str = Field(
        default="",
        description="`env:NAME` or `file:/path` of the access token of a user, as whom `tutela gateway check` uploads.",
    )


class MatrixRefusedError(Exception):
    """A request is answered by an error of the protocol."""

    def __init__(self, status: int, reason: str, info: str) -> None:
        super().__init__(info)
        self.answer = JSONResponse({"reason": reason, "info": info}, status)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file of the home server."""

    server: str
    media: str
    thumbnail: str = ""
    """What the thumbnail is to be like, as a query; empty for the file itself."""
    attachment: Attachment | None = None
    """The file's key, where it is encrypted."""

    def target(self, *, authenticated: bool) -> bytes:
        """Where the home server has it (Matrix client-server API, "Content repository")."""
        route = "client/v1/media" if authenticated else "media/v3"
        what, query = ("thumbnail", f"?{self.thumbnail}") if self.thumbnail else ("download", "")
        return f"/_matrix/{route}/{what}/{self.server}/{self.media}{query}".encode("ascii")


class MatrixGateway:
    """Stands beside one home server."""

    def __init__(self, opening: Opening[MatrixOptions]) -> None:
        self._intake = opening.intake
        self._options = opening.options
        self._upstream = Upstream(opening.options.homeserver, opening.options.homeserver_s)
        self._mailbox = Mailbox(opening.intake.deployment.store.secret("matrix"))
        media = "{server}/{media}"
        routes = [
            Route(f"{_PREFIX}/public_key", self._public_key),
            Route(f"{_PREFIX}/download/{media}", self._handing(self._named)),
            Route(f"{_PREFIX}/thumbnail/{media}", self._handing(self._thumbnail)),
            Route(f"{_PREFIX}/download_encrypted", self._handing(self._sealed), methods=["POST"]),
            Route(f"{_PREFIX}/scan/{media}", self._saying(self._named)),
            Route(f"{_PREFIX}/scan_encrypted", self._saying(self._sealed), methods=["POST"]),
        ]
        any_origin = Middleware(
            CORSMiddleware,
            allow_origins=["*"],
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Requested-With"],
        )
        errors = {404: _unknown, 405: _unknown, MatrixRefusedError: _refused}
        self._http = HttpGateway(opening, Starlette(routes=routes, middleware=[any_origin], exception_handlers=errors))

    async def start(self) -> None:
        """Begin to answer."""
        await self._http.start()

    async def stop(self) -> None:
        """Take nothing new; answer what is under way."""
        await self._http.stop()

    async def _public_key(self, _: Request) -> Response:
        return JSONResponse({"public_key": self._mailbox.public_key})

    def _handing(self, read: Callable[[Request], Awaitable[_Wanted]]) -> Callable[[Request], Awaitable[Response]]:
        """Answers with the file, where it is allowed."""

        async def answer(request: Request) -> Response:
            wanted = await read(request)
            body = self._begin(request, wanted)
            try:
                headers = await self._fetch(request, wanted, body)
                outcome = await self._judged(body)
                if not outcome.allowed:
                    raise MatrixRefusedError(403, "MCS_MEDIA_NOT_CLEAN", outcome.name)
                return _Handed(body, headers, wanted.attachment)
            finally:
                body.close()

        return answer

    def _saying(self, read: Callable[[Request], Awaitable[_Wanted]]) -> Callable[[Request], Awaitable[Response]]:
        """Answers whether the file is allowed."""

        async def answer(request: Request) -> Response:
            wanted = await read(request)
            body = self._begin(request, wanted)
            try:
                await self._fetch(request, wanted, body)
                outcome = await self._judged(body)
                return JSONResponse({"clean": outcome.allowed, "info": "" if outcome.allowed else outcome.name})
            finally:
                body.close()

        return answer

    # What is asked about

    async def _named(self, request: Request) -> _Wanted:
        server, media = request.path_params["server"], request.path_params["media"]
        if not is_media(server, media):
            raise MatrixRefusedError(404, "M_NOT_FOUND", "there is no such file")
        return _Wanted(server, media)

    async def _thumbnail(self, request: Request) -> _Wanted:
        named = await self._named(request)
        query = urlencode({name: request.query_params[name] for name in _THUMBNAIL if name in request.query_params})
        return _Wanted(named.server, named.media, query or "width=800&height=600")

    async def _sealed(self, request: Request) -> _Wanted:
        try:
            attachment = self._mailbox.read(await _asked(request))
            attachment.counter_mode()
            return _Wanted(*attachment.media, attachment=attachment)
        except UndecryptableError as error:
            raise MatrixRefusedError(403, "MCS_BAD_DECRYPTION", str(error)) from None
        except UnreadableError as error:
            raise MatrixRefusedError(400, "MCS_MALFORMED_JSON", str(error)) from None

    # The file

    def _begin(self, request: Request, wanted: _Wanted) -> Body:
        return self._intake.begin(f"{wanted.server}/{wanted.media}"[:256], **details_of(request, self._options))

    async def _fetch(self, request: Request, wanted: _Wanted, body: Body) -> list[tuple[bytes, bytes]]:
        """Have the file come, and what the home server says of it. Raises RefusedError."""
        headers = [(b"host", request.headers.get("host", wanted.server).encode("latin-1"))]
        authorization = request.headers.get("authorization")
        if authorization is not None:
            headers.append((b"authorization", authorization.encode("latin-1")))
        target = wanted.target(authenticated=authorization is not None)
        try:
            async with asyncio.timeout(self._options.body_s):
                answer = await self._upstream.ask(b"GET", target, headers, None)
                async with aclosing(answer.body) as parts:
                    if answer.status == 404:
                        raise MatrixRefusedError(404, "M_NOT_FOUND", "the home server does not have the file")
                    if answer.status != 200:
                        raise MatrixRefusedError(
                            502, "MCS_MEDIA_REQUEST_FAILED", f"the home server said {answer.status}"
                        )
                    await self._take(parts, body, wanted.attachment)
                return [header for header in answer.headers if header[0] in _KEPT]
        except (UpstreamError, TimeoutError):
            self._intake.counts.cut.inc()
            raise MatrixRefusedError(502, "MCS_MEDIA_REQUEST_FAILED", "the home server gave no whole answer") from None

    async def _take(self, parts: AsyncIterator[bytes], body: Body, attachment: Attachment | None) -> None:
        decrypting, digest = attachment.counter_mode() if attachment is not None else None, hashlib.sha256()
        async for part in parts:
            if decrypting is None:
                body.write(memoryview(part))
            else:
                digest.update(part)
                for at in range(0, len(part), _PIECE):
                    count = decrypting.update_into(part[at : at + _PIECE], BUFFER)
                    body.write(BUFFER[:count])
                    wipe(count)
            if body.stalled:
                await body.settle()
            if self._intake.stopping:
                body.fault = GatewayFault.INTERRUPTED
            if body.fault is not None:
                return
        if attachment is not None and not attachment.is_of(digest.digest(), body.length):
            raise MatrixRefusedError(
                400, "MCS_MEDIA_FAILED_TO_DECRYPT", "the file is not the one of that hash, or its counter runs over"
            )

    async def _judged(self, body: Body) -> GatewayOutcome:
        outcome = await self._intake.judge(body)
        if not outcome.recorded:
            raise MatrixRefusedError(500, "M_UNKNOWN", "the file cannot be checked now")
        return outcome


class _Handed(StreamingResponse):
    """The file as the home server has it, as it was gathered."""

    def __init__(self, body: Body, headers: list[tuple[bytes, bytes]], attachment: Attachment | None) -> None:
        super().__init__(_pieces(body, attachment))
        self.raw_headers = [*headers, (b"content-length", b"%d" % body.length)]
        self._body = body
        body.share()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As Starlette calls it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._body.close()


async def _pieces(body: Body, attachment: Attachment | None) -> AsyncIterator[bytes]:
    view, encrypting = body.content.view(), attachment.counter_mode() if attachment is not None else None
    for at in range(0, len(view), _PIECE):
        piece = view[at : at + _PIECE]
        yield encrypting.update(piece) if encrypting is not None else bytes(piece)


async def _asked(request: Request) -> bytes:
    text = b""
    try:
        async for part in request.stream():
            text += part
            if len(text) > _MAX_ASKED:
                raise UnreadableError("a request has at most {max_asked:,} bytes", max_asked=_MAX_ASKED)
    except ClientDisconnect:
        raise UnreadableError("the request is not whole") from None
    return text


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, MatrixRefusedError)
    return error.answer


async def _unknown(_: Request, __: Exception) -> Response:
    return JSONResponse({"reason": "M_NOT_FOUND", "info": "there is no such route"}, 404)


def _asking(options: MatrixOptions) -> Passes:
    return ScanCheck(options.listen[0], options.homeserver, options.check_token)


KIND = GatewayKind("matrix", "the content scanner of Element's clients", MatrixOptions, MatrixGateway, _asking)
