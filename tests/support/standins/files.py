"""A list at an address: CSV with a checksum beside it and a validator, as hotlines give them, behind a bearer token."""

import hashlib
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass
class FilesStandIn:
    token: str = "list-token"
    lines: list[str] = field(default_factory=list)
    """Below the heading."""

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/list.csv", self._list), Route("/list.csv.sha256", self._checksum)])

    def body(self) -> bytes:
        return "\n".join(["reference,signal,value,label", *self.lines, ""]).encode()

    def _list(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        body = self.body()
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return Response(body, media_type="text/csv", headers={"etag": etag})

    def _checksum(self, request: Request) -> Response:
        return self._refusal(request) or Response(f"{hashlib.sha256(self.body()).hexdigest()}  list.csv\n")

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return Response("a bearer token is needed", 401)
        return None
