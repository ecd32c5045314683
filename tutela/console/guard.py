"""What surrounds every answer of the console: strict headers, nothing cached, no cross-site request, small bodies."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tutela.foundation.bodies import within

MAX_BODY_BYTES = 256 * 1024
COOKIE = "tutela.cookie"
"""Where a request's scope holds the Set-Cookie of a session whose token was changed."""
_SAFE_METHODS = frozenset({"GET", "HEAD"})

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), display-capture=(), fullscreen=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}
_HTTPS_ONLY = {"strict-transport-security": "max-age=31536000; includeSubDomains"}


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        """`origin` as the browser writes it."""
        self._app = app
        self._origin = origin
        self._host = origin.partition("://")[2]
        self._headers = _HEADERS | (_HTTPS_ONLY if origin.startswith("https:") else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                if cookie := scope.get(COOKIE):
                    headers.append("set-cookie", cookie)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, sending)
            return
        await self._app(scope, within(receive, MAX_BODY_BYTES), sending)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if headers.get("host") != self._host:
            return 421, "this is not the console's address"
        if scope["method"] in _SAFE_METHODS:
            return None
        if scope["method"] != "POST":
            return 405, "this method is not used here"
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return (
                413,
                f"what was sent is longer than {MAX_BODY_BYTES:,} bytes, or of no length; send less at once",
            )
        # Browsers say with every POST where it comes from; one that says nothing is none that we serve.
        if headers.get("origin") != self._origin or headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return 403, "the request comes from another site"
        return None
