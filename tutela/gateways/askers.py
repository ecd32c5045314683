"""HTTP askers: programs that send an upload, or say where it lies, and go by the status of the answer.

Any status of the 200s lets content pass. `/content` takes it as it is (pict-rs' external validation, a hook of one's
own); `/authorize/…` takes the request that it came in (Envoy's ext_authz, Traefik's forwardBody, nginx with njs);
`/tusd` and `/finished` are told of a finished resumable upload. A client of tus takes 409, 423 and every 500 for
success: they are told 403 or 422 only.
"""

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tutela.gateways.base import GatewayKind, Opening, Passes
from tutela.gateways.beneath import Roots
from tutela.gateways.forms import as_mail, pieces
from tutela.gateways.http import HttpGateway, HttpOptions, TooSlowError, carries_nothing, kind_of, take_body, too_slow
from tutela.gateways.intake import Unwrap
from tutela.gateways.listeners import ListenAddress
from tutela.gateways.outcome import GatewayOutcome
from tutela.gateways.pieced import is_piece
from tutela.screening.decision import Decision
from tutela.screening.reason_codes import GatewayFault

log = logging.getLogger(__name__)

_ANY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_REFUSED = {Decision.HOLD: 403, Decision.BLOCK: 422}
_MAX_HOOK = 256 * 1024
MARK = ".tutela"
"""Beside an upload, the decision on it: whoever publishes looks for it."""
_ASKED_S = 60.0


class AskersOptions(HttpOptions):
    """What a gateway of HTTP askers is told."""

    roots: tuple[str, ...] = Field(
        default=(), description="Folders in which resumable uploads lie, of tusd or @tus/server; none by default."
    )
    advice: ClassVar[Mapping[str, str]] = {
        "envoy": "passes requests while the gateway is away with `failure_mode_allow: true`, and asks without the body"
        " unless `with_request_body` is set",
        "traefik": "asks without the body unless `forwardBody: true` is set, with `maxBodySize`",
        "nginx": "asks without the body by `auth_request`: use njs, or the upload proxy",
        "caddy": "asks without the body by `forward_auth`: use the upload proxy",
        "tusd": "does not wait for an answer unless `pre-finish` is among `-hooks-enabled-events`, and its clients take"
        " no answer at the finish for success: publish only what has a decision, and set `roots`",
        "tus-node-server": "tells its clients success where the hook fails with 409, 423 or 5xx: throw 403 or 422 only,"
        " publish only what has a decision, and set `roots`",
    }
    sweep_s: float = Field(
        default=10.0, gt=0, description="How often finished uploads without a verdict are looked for in `roots`."
    )


class Askers:
    """Answers every kind of asker, and looks for finished uploads that nobody asked about."""

    def __init__(self, opening: Opening[AskersOptions]) -> None:
        self._intake = opening.intake
        self._options = opening.options
        self._roots = Roots(opening.options.roots)
        self._at_work: dict[str, asyncio.Task[GatewayOutcome]] = {}
        routes = [
            Route("/content", self._content, methods=["POST", "PUT"]),
            Route("/authorize", self._authorize, methods=_ANY),
            Route("/authorize/{path:path}", self._authorize, methods=_ANY),
            Route("/tusd", self._tusd, methods=["POST"]),
            Route("/finished", self._finished, methods=["POST"]),
        ]
        self._http = HttpGateway(opening, Starlette(routes=routes))
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to answer and to sweep."""
        await self._http.start()
        if self._options.roots:
            self._sweeping = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Take nothing new; answer what is under way."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._http.stop()

    async def _content(self, request: Request) -> Response:
        return await self._judged(request, unwrapped=False)

    async def _authorize(self, request: Request) -> Response:
        if carries_nothing(request):
            return PlainTextResponse("pass\n")
        return await self._judged(request, unwrapped=True)

    async def _judged(self, request: Request, *, unwrapped: bool) -> Response:
        try:
            body = await take_body(request, self._intake, self._options)
        except TooSlowError:
            return too_slow()
        except ClientDisconnect:
            return PlainTextResponse("", 400)
        try:
            media_type, coding = kind_of(request) if body.length or not unwrapped else ("", "")
            unwrap: Unwrap | None = None
            if unwrapped and body.length and is_piece(request.headers.getlist, request.url.query, body.length):
                body.doubts.append(GatewayFault.CUT_SHORT)
            elif unwrapped:
                body.head = as_mail(media_type)
                unwrap = partial(pieces, media_type=media_type, coding=coding, query=request.url.query)
            return _answer(await self._intake.judge(body, unwrap))
        finally:
            body.close()

    async def _tusd(self, request: Request) -> Response:
        """A hook of tusd. Its answer is always 200; what the client is told is in it."""
        try:
            hook = await _document(request)
            upload = hook["Event"]["Upload"]
            if hook["Type"] not in ("pre-finish", "post-finish") or upload.get("IsPartial"):
                return JSONResponse({})
            storage = upload["Storage"]
            path = storage["Path"] if storage.get("Type") == "filestore" else ""
        except (ValueError, KeyError, TypeError):
            return _told_tusd(403, "the hook cannot be read")
        outcome = await self._of_upload(str(path))
        return JSONResponse({}) if outcome.allowed else _told_tusd(_REFUSED[outcome.decision], outcome.name)

    async def _finished(self, request: Request) -> Response:
        """A hook of one's own: {"path": …}, answered 200, 403 or 422."""
        try:
            path = str((await _document(request))["path"])
        except (ValueError, KeyError, TypeError):
            return PlainTextResponse("the hook cannot be read\n", 403)
        outcome = await self._of_upload(path)
        return PlainTextResponse(
            "pass\n" if outcome.allowed else f"{outcome.name}\n", 200 if outcome.allowed else _REFUSED[outcome.decision]
        )

    async def _of_upload(self, path: str) -> GatewayOutcome:
        """The decision on an upload below the roots; made once, whoever asks and however often."""
        if (known := await self._intake.on_disk(_read_mark, path)) is not None:
            return known
        if path not in self._at_work:
            self._at_work[path] = asyncio.create_task(self._judge_upload(path))
            self._at_work[path].add_done_callback(lambda _: self._at_work.pop(path, None))
        return await asyncio.shield(self._at_work[path])

    async def _judge_upload(self, path: str) -> GatewayOutcome:
        body = self._intake.begin(Path(path).name[:128])
        files, changed = None, 0
        try:
            try:
                files = self._roots.files(path)
                file = await self._intake.on_disk(next, files, None)
                given = file is not None and file.descriptor is not None
                if file is not None and file.descriptor is not None:
                    changed = os.fstat(file.descriptor).st_mtime_ns
                    given = await body.copy(file.descriptor)
            except OSError:
                given = False
            outcome = await (self._intake.judge(body) if given else self._intake.hold(body, GatewayFault.NOT_GIVEN))
            if given and outcome.recorded:
                await self._intake.on_disk(_write_mark, path, outcome, changed)
            return outcome
        finally:
            body.close()
            if files is not None:
                files.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._options.sweep_s)
            try:
                for path in await self._intake.on_disk(_unjudged, self._options.roots):
                    await self._of_upload(path)
            except Exception:
                log.exception("finished uploads could not be looked for")


def _answer(outcome: GatewayOutcome) -> Response:
    if outcome.allowed:
        return PlainTextResponse("pass\n")
    if not outcome.recorded:
        return PlainTextResponse("not now\n", 503, {"Retry-After": "5"})
    return PlainTextResponse(f"{outcome.name}\n", _REFUSED[outcome.decision])


def _told_tusd(status: int, words: str) -> Response:
    return JSONResponse({"HTTPResponse": {"StatusCode": status, "Body": f"{words}\n"}})


async def _document(request: Request) -> dict[str, Any]:
    text = b""
    async for part in request.stream():
        text += part
        if len(text) > _MAX_HOOK:
            raise ValueError("too long")
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("no object")
    return document


def _unjudged(roots: tuple[str, ...]) -> list[str]:
    """Finished uploads without a decision, of tusd (`ID` and `ID.info`) and of @tus/server (`ID` and `ID.json`)."""
    found = []
    for root in roots:
        for path in Path(root).iterdir():
            upload = path.with_suffix("") if path.suffix in (".info", ".json") else None
            if upload is None or not upload.is_file() or Path(f"{upload}{MARK}").exists():
                continue
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                if _is_finished(json.loads(path.read_bytes()), upload.stat().st_size):
                    found.append(str(upload))
    return found


def _is_finished(said: Mapping[str, Any], length: int) -> bool:
    size = said["Size"] if "Size" in said else said["size"]
    return isinstance(size, int) and length >= size and not said.get("IsPartial")


def _read_mark(path: str) -> GatewayOutcome | None:
    try:
        said = json.loads(Path(f"{path}{MARK}").read_bytes())
        if said["changed"] != Path(path).stat().st_mtime_ns:
            return None  # another upload of that name
        return GatewayOutcome(Decision(said["decision"]), str(said["verdict"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_mark(path: str, outcome: GatewayOutcome, changed: int) -> None:
    with contextlib.suppress(OSError):
        said = {"decision": outcome.decision.value, "verdict": outcome.verdict_id, "changed": changed}
        part = Path(f"{path}{MARK}.{time.monotonic_ns()}")
        part.write_text(json.dumps(said))
        part.rename(f"{path}{MARK}")


class _Asking:
    def __init__(self, address: ListenAddress) -> None:
        self._address = address

    def __call__(self, content: bytes) -> bool:
        head = b"POST /content HTTP/1.1\r\nHost: tutela\r\nConnection: close\r\n"
        head += b"Content-Length: %d\r\n\r\n" % len(content)
        with self._address.connect(_ASKED_S) as connection:
            connection.sendall(head + content)
            status = connection.makefile("rb").readline().split()
        if len(status) < 2 or not status[1].isdigit() or int(status[1]) not in (200, 403, 422):
            raise ValueError(f"the gateway answered {status!r}")
        return int(status[1]) == 200


def _asking(options: AskersOptions) -> Passes:
    return _Asking(options.listen[0])


KIND = GatewayKind(
    "askers", "HTTP: pict-rs (Lemmy), Envoy, Traefik, nginx with njs, tus", AskersOptions, Askers, _asking
)
