"""What gateways have in common that are asked over HTTP: a small ASGI application behind the service's own receiver,
the body gathered as it comes, and the details that trusted peers may say.
"""

import asyncio
import contextlib
import time
from collections.abc import Generator, Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

import uvicorn
from pydantic import Field, field_validator
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tutela.content.media.plain import SMALLEST_PICTURE
from tutela.foundation.receiver import BODY_TAP, BodyTap, Receiver
from tutela.gateways.base import ListenerOptions, Opening
from tutela.gateways.intake import Body, Intake
from tutela.screening.reason_codes import GatewayFault

_RATED_AFTER_S = 10.0
_STOP_S = 15
UPLOADER, ADDRESS = "uploader", "address"


class HttpOptions(ListenerOptions):
    """What a gateway is told that is asked over HTTP."""

    details: dict[str, str] = Field(
        default_factory=dict,
        description="Request header by detail, such as `uploader`: kept with evidence, from trusted peers only.",
    )
    trusted: tuple[str, ...] = Field(
        default=(), description="Networks whose peers may say details; this machine always may."
    )

    @field_validator("trusted")
    @classmethod
    def _are_trusted_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ip_network(network)
        return networks


class TooSlowError(Exception):
    """A body did not come in time."""


class InnerServer(uvicorn.Server):
    """A server of one ASGI application within a process that has its own signals."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Receiver,  # type: ignore[arg-type]
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_STOP_S,
                timeout_keep_alive=15,
                h11_max_incomplete_event_size=64 * 1024,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class HttpGateway:
    """Serves one ASGI application at the sockets of a gateway."""

    def __init__(self, opening: Opening[Any], app: ASGIApp) -> None:
        self._opening = opening
        self._app = app
        self._heard_networks = (*opening.options.allow, *opening.options.trusted)
        self._server = InnerServer(self._heard)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to answer."""
        self._serving = asyncio.create_task(self._server.serve(sockets=list(self._opening.sockets)))
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Take nothing new; answer what is under way."""
        self._server.should_exit = True
        self._opening.intake.stop()
        if self._serving is not None:
            await self._serving

    async def _heard(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self._opening.intake.counts.connections.inc()
        if not _within(scope, self._heard_networks):
            await PlainTextResponse("not for this network\n", 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def details_of(request: Request, options: HttpOptions) -> dict[str, str]:
    """What the request's named headers say, where its peer is trusted."""
    if not _within(request.scope, options.trusted):
        return {}
    return {name: request.headers[header] for name, header in options.details.items() if header in request.headers}


async def take_body(request: Request, intake: Intake, options: HttpOptions, item: str = "") -> Body:
    """The whole body of a request. Raises TooSlowError where it does not come in time; close what is returned.

    Whatever else it raises, such as that the peer has gone away, it leaves nothing open.
    """
    body = intake.begin(item, **details_of(request, options))
    began = time.monotonic()

    def is_slow() -> bool:
        elapsed_s = time.monotonic() - began
        return elapsed_s > _RATED_AFTER_S and body.length < options.min_rate * elapsed_s

    def take(part: bytes) -> bool:
        body.write(memoryview(part))
        return body.stalled or body.fault is not None or intake.stopping or is_slow()

    tap = request.scope.get("extensions", {}).get(BODY_TAP) or BodyTap()
    tap.take = take
    try:
        async with asyncio.timeout(options.body_s):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                if part := message.get("body", b""):
                    body.write(memoryview(part))
                if body.stalled:
                    await body.settle()
                if is_slow():
                    raise TooSlowError
                if intake.stopping:
                    body.fault = GatewayFault.INTERRUPTED
                if body.fault is not None or not message.get("more_body", False):
                    break
    except BaseException as error:
        intake.counts.cut.inc()
        body.close()
        if isinstance(error, TimeoutError):
            raise TooSlowError from None
        raise
    finally:
        tap.take = None
    return body


def kind_of(request: Request) -> tuple[str, str]:
    """The type and the codings that a request says its body has. A type that is said twice cannot be read: which of
    them counts is a matter of opinion."""
    types, codings = request.headers.getlist("content-type"), request.headers.getlist("content-encoding")
    return types[0] if len(types) == 1 else "\x00" if types else "", ", ".join(codings)


def has_body(headers: Mapping[str, str]) -> bool:
    """Whether a request says that content follows."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def carries_nothing(request: Request) -> bool:
    """Whether nothing in a request can be an upload: it has no body, and its address is too short."""
    return not has_body(request.headers) and len(request.url.query) < SMALLEST_PICTURE


def too_slow() -> Response:
    """The answer to a body that does not come in time."""
    return PlainTextResponse("the body did not come in time\n", 408, {"Connection": "close"})


def _within(scope: Scope, networks: tuple[str, ...]) -> bool:
    client = scope.get("client")
    return not client or _is_within(str(client[0]), networks)  # no client: at a UNIX socket


@lru_cache(maxsize=1024)
def _is_within(host: str, networks: tuple[str, ...]) -> bool:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return True
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or any(address in ip_network(network) for network in networks)
