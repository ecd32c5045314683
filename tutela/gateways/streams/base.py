"""What the gate needs of a kind of media server.

To add one: write its option class (a subclass of `ServerOptions`), a class that keeps `MediaServer`, and a function
that reads its hooks; put them together in a `MediaServerKind` and name that in `registry.py`. Three rules hold for
each: a hook that cannot be read is refused, in the server's own word; an answer says no more than yes or no; what a
server does while its hooks are not answered is said in `fails_open`, from having run it or from its source.
"""

import base64
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, quote

from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import Response

from tutela.foundation.http import Http, HttpError, Patience
from tutela.foundation.secrets import check_reference, resolve
from tutela.gateways.streams.segments import SegmentFolder
from tutela.screening.streams.gate import StreamGate
from tutela.screening.streams.model import Channel, MediaServer, Running

TOKEN = "watcher"  # noqa: S105  (the name of a parameter)
"""The parameter by which a server's play hook hears the watcher's token."""
PATIENCE = Patience(timeout_s=3.0, connect_s=1.0, deadline_s=5.0, attempts=1)


class ServerOptions(BaseModel):
    """What every media server is told: `[media_servers.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    address: str = Field(
        description="Where its streams are read: rtmp://host:1935, or with places, https://host/hls/{app}/{name}.m3u8"
    )

    @field_validator("address")
    @classmethod
    def _places(cls, address: str) -> str:
        if "{" in address:
            try:
                address.format(app="app", name="name")
            except (KeyError, IndexError, ValueError):
                raise ValueError("has places {app} and {name}, and no other braces") from None
        return address

    control: str = Field(default="", description="Where its publishers are listed and cut: http://host:port/…")
    publisher: str = Field(
        default="", description="Parameter of the publisher's address that carries the platform's own opaque id of it."
    )
    segments: Path | None = Field(
        default=None, description="Folder of its HLS segments, from which a cut removes what was not cleared."
    )

    def secret_of(self, reference: str, key: str) -> str:
        """A secret by its reference. Raises InputError."""
        check_reference(reference, key)
        return resolve(reference, key)


OptionsT = TypeVar("OptionsT", bound=ServerOptions)


@dataclass(frozen=True, slots=True)
class Hook:
    """One call of a media server."""

    path: str
    """What follows the server's name in the address."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    peer: str


Answering = Callable[[Hook, StreamGate], Response]
"""Answers a hook. May take as long as an admission does; called in a thread. ValueError and KeyError say that the hook
is not of its form."""


@dataclass(frozen=True, slots=True)
class MediaServerKind(Generic[OptionsT]):
    """A kind of media server."""

    name: str
    summary: str
    """A line for people."""
    options: type[OptionsT]
    open: Callable[[str, Any], "Door"]


@dataclass(frozen=True, slots=True)
class Door:
    """One media server: how it is asked, and how it is answered."""

    server: MediaServer
    answer: Answering
    settles: str = ""
    """What must be set there so that it fails closed, as a line for `tutela stream check`."""


class HttpServer:
    """What servers have in common that are asked over HTTP."""

    fails_open = False
    subscribes_first = False
    adopts = False
    keeps_viewers_out = False
    piece: re.Pattern[str] | None = None
    """As `SegmentFolder.piece`."""

    def __init__(self, name: str, options: ServerOptions) -> None:
        self.name = name
        self.options = options
        self._http: Http | None = None

    @property
    def http(self) -> Http:
        """The client; made when it is first needed."""
        if self._http is None:
            self._http = Http(patience=PATIENCE, trust_env=False)
        return self._http

    def address(self, channel: Channel, token: str) -> str:
        """As `MediaServer.address`."""
        if "{name}" in self.options.address:
            return self.options.address.format(app=quote(channel.app), name=quote(channel.name))
        return f"{self.options.address.rstrip('/')}/{channel.app}/{channel.name}"

    def ask(
        self, method: str, path: str, document: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status and the JSON of an answer of its API; None where that has none. Raises HttpError."""
        body = None if document is None else json.dumps(document).encode()
        sent = {"Content-Type": "application/json", **self.credentials(), **(headers or {})}
        answer = self.http.ask(method, f"{self.options.control.rstrip('/')}{path}", body, headers=sent)
        try:
            return answer.status, json.loads(answer.body) if answer.body.strip() else None
        except ValueError:
            raise HttpError(
                "media server {name!r} answers something that is not JSON", name=self.name, status=answer.status
            ) from None

    def asked(self, method: str, path: str, document: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """As `ask`, where only success counts. Raises HttpError otherwise."""
        status, answer = self.ask(method, path, document, headers)
        if not 200 <= status < 300:
            raise HttpError("media server {name!r} answers {answered}", name=self.name, answered=status, status=status)
        return answer

    def credentials(self) -> dict[str, str]:
        """The headers by which its API knows us."""
        return {}

    def dismiss(self, channel: Channel, viewers: Sequence[str]) -> None:
        """As `MediaServer.dismiss`: nothing, unless a server can."""

    def purge(self, channel: Channel, since: float, others: Collection[Channel] = ()) -> int:
        """As `MediaServer.purge`."""
        folder = self.options.segments
        return 0 if folder is None else SegmentFolder(folder, self.piece).purge(channel, since, others)

    def running(self) -> Sequence[Running]:
        """As `MediaServer.running`."""
        return ()

    def close(self) -> None:
        """Let go of connections."""
        if self._http is not None:
            self._http.close()


def text(status: int, body: str = "") -> Response:
    """A plain answer."""
    return Response(body, status, media_type="text/plain")


def yes(allowed: bool) -> Response:
    """200 or 403."""
    return text(200 if allowed else 403)


def answer_json(status: int, document: Mapping[str, object]) -> Response:
    """A JSON answer."""
    return Response(json.dumps(document), status, media_type="application/json")


def document_of(hook: Hook) -> dict[str, Any]:
    """The JSON object of a hook. Raises ValueError where it is none."""
    document = json.loads(hook.body)
    if not isinstance(document, dict):
        raise ValueError("a hook is a JSON object")
    return document


def form_of(hook: Hook) -> dict[str, str]:
    """The form of a hook. Raises ValueError where a field comes twice.

    Servers write their own fields and those of a publisher's address side by side: of two, one is a stranger's.
    """
    fields = parse_qsl(hook.body.decode("utf-8", "replace"), keep_blank_values=True)
    form = dict(fields)
    if len(form) < len(fields):
        raise ValueError("a field comes twice")
    return form


def basic(user: str, password: str) -> dict[str, str]:
    """The header of HTTP's basic authentication (RFC 7617)."""
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
