"""The pages' server: three files, and one route that passes an upload on."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

MAX_BYTES = 32 * 1024 * 1024
_FOLDER = Path(__file__).parent
_FILES = {
    "/": "drop.html",
    "/drop.css": "drop.css",
    "/drop.js": "drop.js",
    "/icon.svg": "../../console/static/icon.svg",
}
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_TIMEOUT_S = 60.0


def create_app(service: str, key: str) -> Starlette:
    """The page before a service, with an API key of it."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/octet-stream"}
        async with httpx.AsyncClient(base_url=service, headers=headers, timeout=_TIMEOUT_S, trust_env=False) as client:
            app.state.client = client
            yield

    routes = [Route(path, show) for path in _FILES]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])  # no other name of this address
    return Starlette(
        routes=[*routes, Route("/screen", screen, methods=["POST"])], middleware=[hosts], lifespan=lifespan
    )


async def show(request: Request) -> Response:
    """A file of the page."""
    return FileResponse(_FOLDER / _FILES[request.url.path], headers=_HEADERS)


async def screen(request: Request) -> Response:
    """The verdict on a body, or one line that says why there is none."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return _refused(403, "only this page may ask")
    content = bytearray()
    async for part in request.stream():  # to its end, or whoever still sends would not hear why it is refused
        if len(content) <= MAX_BYTES:
            content += part
    if len(content) > MAX_BYTES:
        return _refused(413, f"the page takes files of up to {MAX_BYTES // 1024 // 1024} MiB")
    context = json.dumps({"item": "dropped", "details": {"uploader": "visitor"}})
    try:
        answer = await request.app.state.client.post(
            "/v1/screen", content=bytes(content), headers={"Tutela-Context": context, "Prefer": "wait=60"}
        )
        verdict = answer.json()
    except (httpx.HTTPError, ValueError):
        return _refused(502, "the service does not answer; see service.log in the demonstration's home")
    if answer.status_code != 200:
        return _refused(502, str(verdict.get("detail") or verdict.get("title") or "the service refuses it"))
    return JSONResponse(_shown(verdict), headers=_HEADERS)


def _shown(verdict: dict[str, object]) -> dict[str, object]:
    """What the page needs of a verdict."""
    return {name: verdict[name] for name in ("decision", "reasons", "matches", "timings")}


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status, headers=_HEADERS)


def main() -> None:
    """Serve on a port of this machine; the environment says where, and the service's address and key."""
    port = int(os.environ["TUTELA_DEMONSTRATION_PORT"])
    app = create_app(os.environ["TUTELA_URL"], os.environ.pop("TUTELA_KEY"))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, server_header=False)


if __name__ == "__main__":
    main()
