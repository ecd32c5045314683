"""The short way of uploads: from the server to their route and back, past the framework's layers.

Uploads are what the service is asked for all day, and the layers take longer than a search among a million hashes.
Log, key, limits and problem documents are the same on both ways; the framework describes the route, and answers other
methods.
"""

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from tutela.api.access import AccessLog
from tutela.api.problems import answer_to


class ShortcutApp(FastAPI):
    """An application with a short way to some of its routes."""

    _shortcuts: dict[tuple[str, str], ASGIApp]
    _layers: int

    def shorten(self, router: APIRouter) -> None:
        """Make the way to the router's routes short. Call it once every layer of the application's own is there."""
        self._layers = len(self.user_middleware)
        self._shortcuts = {
            (method, route.path): AccessLog(_Shortcut(route))
            for route in router.routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI defines it. Layers that an embedding application added are never passed by."""
        shortcut = self._shortcuts.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if shortcut is None or len(self.user_middleware) != self._layers:
            await super().__call__(scope, receive, send)
        else:
            scope["app"] = self
            await shortcut(scope, receive, send)


class _Shortcut:
    def __init__(self, route: APIRoute) -> None:
        self._route = route
        self._handle = route.get_route_handler()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self._route
        request = Request(scope, receive)
        try:
            response = await self._handle(request)
        except Exception as error:
            response = answer_to(request, error)
        await response(scope, receive, send)
