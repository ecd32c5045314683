"""One structured log line and one count for every request. Never content, a file's name, a context or a query."""

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tutela.api import metrics

log = structlog.get_logger("tutela.access")


class AccessLog:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            metrics.requests_of(scope["method"] if scope["method"].isalpha() else "?", route, status).inc()
            log.info(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                milliseconds=round((time.perf_counter() - started) * 1000, 2),
                key=scope.get("tutela.key"),
                verdict=scope.get("tutela.verdict"),
                decision=scope.get("tutela.decision"),
            )
