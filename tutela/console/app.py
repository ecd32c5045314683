"""The console as an application: its rooms put together around one store, and its pages."""

from importlib.resources import files
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from tutela.console import (
    appeal_routes,
    audit_routes,
    case_routes,
    notice_routes,
    people_routes,
    report_routes,
    reveal_routes,
    sign_in_routes,
    statistics_routes,
    stream_routes,
)
from tutela.console.guard import Guard
from tutela.console.pages import answer_with_pages
from tutela.console.roles import Permission
from tutela.console.service import Console
from tutela.console.visits import Visit, destination_cookie, destination_of, needs
from tutela.errors import NotFoundError

_STATIC = {
    "console.css": "text/css",
    "keys.js": "text/javascript",
    "reveal.js": "text/javascript",
    "lines.js": "text/javascript",
} | {
    "passkeys.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_ROUTES = (
    sign_in_routes,
    case_routes,
    stream_routes,
    reveal_routes,
    report_routes,
    appeal_routes,
    notice_routes,
    statistics_routes,
    audit_routes,
    people_routes,
)
_HOMES = (
    (Permission.SEE_CASES, "/cases"),
    (Permission.SEE_REPORTS, "/reports"),
    (Permission.AUDIT, "/audit"),
    (Permission.PEOPLE, "/people"),
)
"""Where a person starts: the first page of these that they may see."""


def create_console(console: Console) -> FastAPI:
    """The application around an open console."""
    app = FastAPI(title="Tutela console", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.console = console
    answer_with_pages(app)
    for routes in _ROUTES:
        app.include_router(routes.router)
    _add_start(app)
    _add_static(app)
    app.add_middleware(Guard, origin=console.origin)
    return app


def _add_start(app: FastAPI) -> None:
    @app.get("/")
    def start(request: Request, visit: Annotated[Visit, Depends(needs(None))]) -> Response:
        """The page that was wanted before the sign-in, or the first that the person may see."""
        wanted = destination_of(request)
        home = next((to for need, to in _HOMES if visit.person.may(need)), "/settings")
        response = RedirectResponse(wanted or home, 303)
        if wanted is not None:
            response.headers.append("set-cookie", destination_cookie(""))
        return response

    @app.get("/healthz")
    def health() -> Response:
        """The process is up."""
        return JSONResponse({"status": "up"})


def _add_static(app: FastAPI) -> None:
    folder = files("tutela.console") / "static"
    served = {name: ((folder / name).read_bytes(), media_type) for name, media_type in _STATIC.items()}

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        """One of our own few files, from memory: no path reaches the disk."""
        if name not in served:
            raise NotFoundError("there is no such file")
        content, media_type = served[name]
        return Response(content, media_type=media_type)
