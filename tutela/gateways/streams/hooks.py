"""The application that media servers call: `/NAME/…` for each of them, answered by the gate.

A hook that cannot be read, or for which the gate fails, is refused: in all servers' words that is a status other than
200, and the servers whose word it is not say so themselves.
"""

import hmac
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tutela.gateways.streams.base import Door, Hook, text
from tutela.gateways.streams.options import HookOptions
from tutela.screening.streams.service import Streams

log = logging.getLogger(__name__)

MAX_HOOK_BYTES = 64 * 1024
ADMISSIONS = 64
"""Publishers that wait for their watchers at once."""


def hook_application(
    streams: Streams, doors: Mapping[str, Door], options: HookOptions, metrics: Callable[[], bytes]
) -> Starlette:
    """The application around running streams."""
    networks = [ip_network(network) for network in ("127.0.0.0/8", "::1/128", *options.allow)]
    secret = options.secret.reveal() if options.secret is not None else ""
    threads = ThreadPoolExecutor(ADMISSIONS, "tutela-hooks")

    def may_ask(request: Request) -> bool:
        if request.client is not None:
            address = ip_address(request.client.host.partition("%")[0])
            address = getattr(address, "ipv4_mapped", None) or address
            if not any(address in network for network in networks):
                return False
        given = request.query_params.get("secret", "")
        return not secret or hmac.compare_digest(given.encode(), secret.encode())

    async def hook(request: Request) -> Response:
        import asyncio

        door = doors.get(request.path_params["server"])
        if door is None or not may_ask(request):
            return text(403)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_HOOK_BYTES:
                return text(413)
        heard = Hook(
            request.path_params["path"],
            dict(request.query_params),
            dict(request.headers),
            bytes(body),
            request.client.host if request.client else "",
        )
        return await asyncio.get_running_loop().run_in_executor(threads, _answered, door, heard)

    def _answered(door: Door, heard: Hook) -> Response:
        try:
            return door.answer(heard, streams.gate)
        except (KeyError, ValueError) as error:
            log.warning("a hook of %s is not of its form: %r", door.server.name, error)
            return text(400)
        except Exception:
            log.exception("a hook of %s could not be answered", door.server.name)
            return text(503)

    async def health(request: Request) -> Response:
        hindrance = streams.hindrance()
        return PlainTextResponse(hindrance or "ok", 503 if hindrance else 200)

    async def told(request: Request) -> Response:
        return Response(await run_in_threadpool(metrics), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route("/readyz", health),
            Route("/metrics", told),
            Route("/{server}/{path:path}", hook, methods=["GET", "POST", "PUT", "DELETE"]),
        ]
    )
