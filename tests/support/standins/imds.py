"""The metadata service of Azure's machines (IMDS), as its documentation has it for access tokens: strict about its
header, its versions, and whom a token is for.
"""

import contextlib
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.support.serving import serving

_PATH = "/metadata/identity/oauth2/token"
_VERSIONS = frozenset({"2018-02-01", "2019-08-01", "2021-02-01"})
_STORAGE = "https://storage.azure.com/"


@dataclass
class Imds:
    """A running one."""

    tokens: set[str]
    """Where given tokens are told of."""
    port: int = 0
    lasts_s: int = 86_400
    failures: list[int] = field(default_factory=list)
    """Statuses of the next answers."""
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    given: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    imds: Imds

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        if self.headers.get("Metadata") != "true" or "X-Forwarded-For" in self.headers:
            self._say(400, {"error": "invalid_request", "error_description": "Required metadata header not specified"})
        elif parts.path != _PATH:
            self._say(404, {"error": "not_found"})
        elif query.get("api-version", [""])[0] not in _VERSIONS or query.get("resource") != [_STORAGE]:
            self._say(400, {"error": "invalid_request", "error_description": "Invalid api-version or resource"})
        elif self.imds.failures:
            self._say(self.imds.failures.pop(0), {"error": "unknown"})
        else:
            self._give()

    def _give(self) -> None:
        imds, now = self.imds, int(time.time())
        token = f"words-that-stand-for-a-token-{next(imds.numbers)}"
        imds.tokens.add(token)
        imds.given += 1
        times = {"expires_in": imds.lasts_s, "expires_on": now + imds.lasts_s, "not_before": now - 300}
        told = {"access_token": token, "token_type": "Bearer", "resource": _STORAGE, "client_id": "example"}
        self._say(200, told | {name: str(number) for name, number in times.items()})

    def _say(self, status: int, document: dict[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        return


@contextlib.contextmanager
def imds(tokens: set[str]) -> Iterator[Imds]:
    """A stand-in whose tokens are added to those, while it is needed."""
    running = Imds(tokens)

    class Handler(_Handler):
        imds = running

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        running.port = server.server_port
        yield running
