"""The short way of uploads and checks: from the server to their route and back, past the framework's layers.

They are what the service is asked for all day, and the layers take longer than a search among a million hashes.
Log, key, limits and problem documents are the same on both ways; the framework describes the route, and answers other
methods.
"""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from tutela.api.access import AccessLog
from tutela.api.bodies import BodyLimit
from tutela.api.problems import answer_to


class ShortWay:
    """The application as a server of ours runs it: what is asked of some routers' routes is answered here, and goes no
    further in.

    An application that embeds ours is given it without, so that no layer of theirs is passed by.
    """

    def __init__(self, app: FastAPI, *, routers: Sequence[APIRouter]) -> None:
        self._app = app
        self._routes = {
            (method, route.path): AccessLog(BodyLimit(_Answering(route)))
            for router in routers
            for route in router.routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI defines it."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
        else:
            scope["app"] = self._app
            await route(scope, receive, send)


class _Answering:
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
