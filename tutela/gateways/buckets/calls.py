"""Requests to a store over HTTP, on connections that are kept: a path is sent exactly as it is given, which most
clients do not do, and a body that is cut short is an error.
"""

import http.client
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tutela.errors import InputError
from tutela.gateways.buckets.store import BLOCK, ChangedError, GoneError, StoreUnreachableError

_TIMEOUT_S = 60.0
_MAX_ANSWER = 4 * 1024 * 1024
_MOST_IDLE = 8
_GONE = frozenset({404, 410})
_CHANGED = frozenset({412})


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked."""

    method: str
    target: str
    """Path and query, below the store's own path."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What a store says; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Calls:
    """Requests to one host. Thread-safe."""

    def __init__(self, address: str, timeout_s: float = _TIMEOUT_S) -> None:
        """Raises InputError for what is not the address of a server."""
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise InputError("{address!r} is not the address of a server: give https://host/path", address=address)
        self.path = parts.path.rstrip("/")
        """Of the address, before every target."""
        self._host, self._port, self._tls = parts.hostname, parts.port, parts.scheme == "https"
        self._timeout_s = timeout_s
        self._context = ssl.create_default_context() if self._tls else None
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def ask(self, request: Request) -> StoreAnswer:
        """A short answer. Raises GoneError, ChangedError, StoreUnreachableError."""
        connection, answer = self._answered(request)
        try:
            body = answer.read(_MAX_ANSWER + 1)
            whole = len(body) <= _MAX_ANSWER and _is_whole(request, answer, len(body))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _silent(error) from None
        if not whole:
            connection.close()
            raise StoreUnreachableError("the store's answer is cut short, or too long")
        self._give_back(connection, answer)
        return _good(request, StoreAnswer(answer.status, _headers(answer), body))

    def blocks(self, request: Request) -> Iterator[bytes]:
        """A long answer as it comes. Raises as `ask`, also where it ends before its end."""
        connection, answer = self._answered(request)
        come, whole = 0, False
        try:
            if answer.status != 200:
                _good(request, StoreAnswer(answer.status, _headers(answer)))
                raise StoreUnreachableError("the store gave a part of an object only")
            while block := answer.read(BLOCK):
                come += len(block)
                yield block
            whole = _is_whole(request, answer, come)
            if not whole:
                raise StoreUnreachableError("an object came cut short")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _silent(error) from None
        finally:
            if whole:
                self._give_back(connection, answer)
            else:
                connection.close()

    def _answered(self, request: Request) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Once more, where the other side closed a kept connection meanwhile: whatever is asked may come twice."""
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            connection = kept or self._connection()
            try:
                connection.putrequest(
                    request.method, self.path + request.target, skip_accept_encoding=True, skip_host=False
                )
                for name, value in request.headers.items():
                    connection.putheader(name, value)
                if request.body or request.method in ("PUT", "POST", "PATCH"):
                    connection.putheader("Content-Length", str(len(request.body)))
                connection.endheaders(request.body or None)
                return connection, connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if kept is None:
                    raise _silent(error) from None

    def _connection(self) -> http.client.HTTPConnection:
        if self._context is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)

    def _give_back(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> None:
        with self._lock:
            if answer.will_close or len(self._idle) >= _MOST_IDLE:
                connection.close()
            else:
                self._idle.append(connection)


def _is_whole(request: Request, answer: http.client.HTTPResponse, length: int) -> bool:
    """`http.client` ends a body that is read in parts without a word, wherever it was cut."""
    said = answer.headers.get("Content-Length")
    if request.method == "HEAD" or answer.status in (204, 304):
        return length == 0
    return answer.chunked if said is None else length == int(said)


def _headers(answer: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.getheaders()}


def _good(request: Request, answer: StoreAnswer) -> StoreAnswer:
    if answer.status in _GONE:
        raise GoneError("the object is gone")
    if answer.status in _CHANGED:
        raise ChangedError("another version is there")
    if not 200 <= answer.status < 300:
        raise StoreUnreachableError(
            "the store refused a {method}: status {found}", method=request.method, found=answer.status
        )
    return answer


def _silent(error: Exception) -> StoreUnreachableError:
    return StoreUnreachableError("the store does not answer: {kind}", kind=type(error).__name__)
