"""The one HTTP client: requests to other services, bounded in time and size, retried where that helps, silent about
secrets.

An address is named in errors by its host and path alone: queries and headers carry credentials.
"""

import functools
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlencode, urlsplit

from tutela.errors import InputError, TutelaError
from tutela.foundation.backoff import BackOff, http_date, retry_after_s
from tutela.foundation.outward import check_address

if TYPE_CHECKING:
    import ssl

    import httpx

# It writes whole addresses at level INFO, and an address may carry a token.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_CHUNK = 64 * 1024
MAX_BYTES = 64 * 1024 * 1024
"""An answer is not longer, unless its caller says so."""


class HttpError(TutelaError):
    """A service did not answer, or refused."""

    code = "http"

    def __init__(
        self, sentence: str, /, *, status: int | None = None, retry_after_s: float | None = None, **values: object
    ) -> None:
        super().__init__(sentence, **values)
        self.status = status
        """The answer's status, None where there was none."""
        self.retry_after_s = retry_after_s
        """How long the service asks to be left alone."""


class RefusedError(HttpError):
    """The service answered that the request is wrong or not allowed: asking again does not help."""

    code = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def date(self) -> float | None:
        """The service's own clock, seconds since the epoch."""
        return http_date(self.headers.get("date"))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for whom."""

    timeout_s: float = 30.0
    """For a connection, and for the next byte."""
    connect_s: float | None = None
    """For a connection, where that is to be less."""
    deadline_s: float = 300.0
    """For a whole answer: a service that sends a byte now and then does not hold us."""
    attempts: int = 5
    pause_s: float = 1.0
    """Before the second attempt; doubled for each further one."""
    longest_pause_s: float = 60.0

    @property
    def back_off(self) -> BackOff:
        """The pauses between attempts."""
        return BackOff(self.pause_s, self.longest_pause_s)


def trusted_authorities(*, trust_env: bool = True) -> "ssl.SSLContext":
    """The authorities that httpx trusts by default, read once for all clients until they change: it takes 20 ms.

    SSL_CERT_FILE and SSL_CERT_DIR of the environment count, unless `trust_env` is False.
    """
    import certifi

    file = os.environ.get("SSL_CERT_FILE") if trust_env else None
    folder = os.environ.get("SSL_CERT_DIR") if trust_env and not file else None
    place = file or folder or certifi.where()
    status = os.stat(place)  # noqa: PTH116 - what httpx gives to OpenSSL as it is
    return _authorities(place, folder is not None, (status.st_ino, status.st_mtime_ns))


@functools.lru_cache(maxsize=4)
def _authorities(place: str, is_folder: bool, _state: tuple[int, int]) -> "ssl.SSLContext":
    import ssl

    return ssl.create_default_context(capath=place) if is_folder else ssl.create_default_context(cafile=place)


class Http:
    """A client of one service. Close it."""

    def __init__(
        self,
        *,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        transport: "httpx.BaseTransport | None" = None,
        trust_env: bool = True,
        public_only: bool = False,
    ) -> None:
        """`proxy` is an address; without one HTTPS_PROXY and its kin of the environment count, unless `trust_env` is
        False. `transport` stands in for the network. `public_only` is for addresses that do not come from the
        operator's own settings: https, and public but where the operator permits a network."""
        import httpx

        from tutela.foundation.pinned import checked

        self.patience = patience or Patience()
        self._sleep = sleep
        self._public_only = public_only
        try:
            self._client = httpx.Client(
                auth=auth,
                headers={"User-Agent": "tutela", **(headers or {})},
                proxy=proxy or None,
                timeout=httpx.Timeout(
                    self.patience.timeout_s, connect=self.patience.connect_s or self.patience.timeout_s
                ),
                transport=transport,
                trust_env=trust_env,
                verify=trusted_authorities(trust_env=trust_env),
                follow_redirects=False,  # credentials go to the address that the operator named, and to no other
            )
            if public_only and not proxy:
                checked(self._client)
        except (ValueError, httpx.InvalidURL):
            raise InputError("the proxy's address cannot be read") from None

    def with_identity(self, *, auth: tuple[str, str] | None = None, headers: Mapping[str, str] | None = None) -> "Http":
        """This client, sending these credentials."""
        import httpx

        if auth is not None:
            self._client.auth = httpx.BasicAuth(*auth)
        self._client.headers.update(headers or {})
        return self

    def get(
        self,
        url: str,
        parameters: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
        sink: Callable[[bytes], object] | None = None,
    ) -> Answer:
        """As `send`, with a query. A `sink` is given the body piece by piece, and the answer has none."""
        if parameters:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
        return self.send("GET", url, headers=headers, max_bytes=max_bytes, sink=sink)

    def get_fresh(self, url: str, parameters: Mapping[str, str] | None = None) -> Answer:
        """As `get`, from the service itself: a cache's answer to an earlier question is refused (RFC 9111, Age)."""
        answer = self.get(url, parameters, headers={"Cache-Control": "no-cache"})
        if answer.headers.get("age", "0").strip() != "0":
            raise HttpError("{url}: a cache between us and the service answers in its place", url=place(url))
        return answer

    def send(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
        sink: Callable[[bytes], object] | None = None,
    ) -> Answer:
        """The answer with status 2xx or 304. What may pass is tried again, but never after a sink was given bytes.

        Raises RefusedError for other statuses, HttpError when the service does not answer well.
        """
        _check_scheme(url)
        if self._public_only:
            check_address(url, place(url))
        attempt = 0
        while True:
            attempt += 1
            request = self._client.build_request(method, url, content=body, headers=dict(headers or {}))
            try:
                return self._once(request, max_bytes, sink, _refuse)
            except RefusedError:
                raise
            except HttpError as error:
                pause = self._pause(attempt, error)
                if pause is None:
                    raise
                self._sleep(pause)

    def ask(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        *,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, BinaryIO]] | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Answer:
        """The answer of one attempt, whatever its status: for services that say in the body what they mean, and for
        callers that have a queue of their own.

        The body is `body`, or a form, with files where there are any. Raises HttpError where there is no whole answer,
        RefusedError where it is too long.
        """
        _check_scheme(url)
        request = self._client.build_request(
            method, url, content=body, data=dict(form) if form else None, files=files, headers=dict(headers or {})
        )
        return self._once(request, max_bytes, None, lambda response, where: None)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def __enter__(self) -> "Http":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pause(self, attempt: int, error: HttpError) -> float | None:
        """How long to wait before the next attempt; None when there is none."""
        asked = error.retry_after_s or 0.0
        if (
            attempt >= self.patience.attempts
            or asked > self.patience.longest_pause_s
            or isinstance(error, _HalfReadError)
        ):
            return None
        return self.patience.back_off.wait_s(attempt, asked)

    def _once(
        self,
        request: "httpx.Request",
        max_bytes: int,
        sink: Callable[[bytes], object] | None,
        judge: Callable[["httpx.Response", str], None],
    ) -> Answer:
        import httpx

        where = place(str(request.url))
        received = _Received(sink)
        try:
            response = self._client.send(request, stream=True)
            try:
                judge(response, where)
                self._receive(response, received, max_bytes, where)
            finally:
                response.close()
        except httpx.HTTPError as error:
            kind = _HalfReadError if received.given else HttpError
            raise kind("{where} does not answer: {kind}", where=where, kind=type(error).__name__) from None
        except (httpx.InvalidURL, ValueError):
            raise RefusedError("{where} is no address", where=where) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, b"".join(received.pieces))

    def _receive(self, response: "httpx.Response", received: "_Received", max_bytes: int, where: str) -> None:
        deadline = time.monotonic() + self.patience.deadline_s
        for piece in response.iter_bytes(_CHUNK):
            received.take(piece)
            if received.length > max_bytes:
                raise RefusedError(
                    "{where}: the answer is longer than {max_bytes:,} bytes", where=where, max_bytes=max_bytes
                )
            if time.monotonic() > deadline:
                kind = _HalfReadError if received.given else HttpError
                raise kind(
                    "{where}: the answer took longer than {deadline_s:.0f} s",
                    where=where,
                    deadline_s=self.patience.deadline_s,
                )


class _HalfReadError(HttpError):
    """The answer broke off after a part of it was given away."""

    code = "half-read"


@dataclass(slots=True)
class _Received:
    sink: Callable[[bytes], object] | None
    pieces: list[bytes] = field(default_factory=list)
    length: int = 0
    given: bool = False

    def take(self, piece: bytes) -> None:
        self.length += len(piece)
        if self.sink is None:
            self.pieces.append(piece)
        else:
            self.given = True
            self.sink(piece)


def place(url: str) -> str:
    """An address without what may be secret in it."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError:
        return "the address"


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses are of the same service, so that one's credentials may go to the other."""
    a, b = urlsplit(one), urlsplit(other)
    return (a.scheme, a.hostname, a.port) == (b.scheme, b.hostname, b.port) and not (b.username or b.password)


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError("{url} is not an http address", url=place(url))


def _refuse(response: "httpx.Response", where: str) -> None:
    status = response.status_code
    if response.is_success or status == 304:
        return
    if status in _RETRIED:
        raise HttpError(
            "{where} answers {answered}",
            where=where,
            answered=status,
            status=status,
            retry_after_s=retry_after_s(response.headers.get("retry-after")),
        )
    if status in (401, 403):
        raise RefusedError(
            "{where} refuses our credentials (status {answered})", where=where, answered=status, status=status
        )
    raise RefusedError("{where} answers {answered}", where=where, answered=status, status=status)
