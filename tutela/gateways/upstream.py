"""The application behind the upload proxy: a request goes to it with the body as it was gathered, the answer comes
back as it is.

A connection serves one request, so that no answer can ever be taken for that to another.
"""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

import httptools

from tutela.gateways.gathered import GatheredContent
from tutela.gateways.listeners import ListenAddress

Headers = Sequence[tuple[bytes, bytes]]
_BLOCK = 256 * 1024
_HEAD_BLOCK = 32 * 1024
"""Nearly every head, and many an answer, is shorter; a larger block is had from the system anew for each."""
_WITHOUT_BODY = frozenset({204, 304})
_OF_ONE_STEP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"content-length",
        b"expect",
    }
)


class UpstreamError(Exception):
    """The application does not answer, or not in HTTP."""


@dataclass(slots=True)
class UpstreamAnswer:
    """The head of an answer, and its body as it comes."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: AsyncGenerator[bytes, None]
    whole: bytes | None = None
    """The body, where all of it came with the head; `body` has it, too."""


class Upstream:
    """An application at one address."""

    def __init__(self, address: ListenAddress, timeout_s: float) -> None:
        self._address = address
        self._place = address.path or (address.host, address.port)
        self._timeout_s = timeout_s

    async def ask(
        self, method: bytes, target: bytes, headers: Headers, content: GatheredContent | None
    ) -> UpstreamAnswer:
        """Send one request with that content. Raises UpstreamError."""
        length = len(content) if content is not None else None
        reading = _Reading()
        connection = self._socket()
        try:
            async with asyncio.timeout(self._timeout_s):
                _connect(connection, self._place)
                await _send(connection, _head(method, target, headers, length), content)
                while not reading.has_head:
                    await reading.more(connection, _HEAD_BLOCK)
        except (OSError, TimeoutError, httptools.HttpParserError, EOFError) as error:
            connection.close()
            raise UpstreamError("the application gave no answer") from error
        except BaseException:
            connection.close()
            raise
        headers = ends_here(reading.headers)
        if not reading.is_done or method == b"HEAD" or reading.status in _WITHOUT_BODY:
            return UpstreamAnswer(reading.status, headers, self._body(connection, reading, method))
        connection.close()
        whole = b"".join(reading.take())
        return UpstreamAnswer(reading.status, headers, _once(whole), whole)

    def _socket(self) -> socket.socket:
        address = self._address
        family = socket.AF_UNIX if address.path else socket.AF_INET6 if ":" in address.host else socket.AF_INET
        connection = socket.socket(family)
        connection.setblocking(False)
        return connection

    async def _body(self, connection: socket.socket, reading: "_Reading", method: bytes) -> AsyncGenerator[bytes, None]:
        try:
            if method == b"HEAD":
                return
            while True:
                for part in reading.take():
                    yield part
                if reading.is_done:
                    return
                try:
                    async with asyncio.timeout(self._timeout_s):
                        await reading.more(connection, _BLOCK)
                except EOFError:
                    if not reading.ends_with_connection:
                        raise UpstreamError("the application's answer is cut short") from None
                    return
                except (OSError, TimeoutError, httptools.HttpParserError) as error:
                    raise UpstreamError("the application's answer is cut short") from error
        finally:
            connection.close()


class _Reading:
    """An answer as it is parsed."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.has_head = False
        self.is_done = False

    @property
    def ends_with_connection(self) -> bool:
        """Whether only the connection's end says where the body ends."""
        names = {name for name, _ in self.headers}
        return not names & {b"content-length", b"transfer-encoding"}

    async def more(self, connection: socket.socket, block: int) -> None:
        """Read on, once more is there. Raises EOFError at the connection's end."""
        data = None
        while data is None:
            await _readable(connection)
            try:
                data = connection.recv(block)
            except BlockingIOError:
                continue
        if not data:
            raise EOFError
        self._parser.feed_data(data)

    def take(self) -> list[bytes]:
        """What came of the body since the last call."""
        parts, self._parts = self._parts, []
        return parts

    def on_message_begin(self) -> None:
        """As httptools calls it, as are the others."""
        self.headers, self.is_done = [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.has_head = self.status >= 200 or self.status == 101

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self.is_done = self.has_head


async def _once(whole: bytes) -> AsyncGenerator[bytes, None]:
    yield whole


def ends_here(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Headers without those that are for one step only (RFC 9110, 7.6.1)."""
    named = {
        token.strip().lower() for name, value in headers if name.lower() == b"connection" for token in value.split(b",")
    }
    return [(name, value) for name, value in headers if name.lower() not in _OF_ONE_STEP and name.lower() not in named]


def _head(method: bytes, target: bytes, headers: Headers, length: int | None) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (method, target), *(b"%s: %s" % header for header in ends_here(headers))]
    if length is not None:
        lines.append(b"content-length: %d" % length)
    return b"\r\n".join([*lines, b"connection: close", b"", b""])


def _connect(connection: socket.socket, place: str | tuple[str, int]) -> None:
    """Begin to connect: what is sent before it is done has to wait, or fails as the connection does. Raises OSError."""
    error = connection.connect_ex(place)
    if error not in (0, errno.EINPROGRESS):
        raise OSError(error, os.strerror(error))


async def _send(connection: socket.socket, head: bytes, content: GatheredContent | None) -> None:
    """The head, and the content straight from where it was gathered: the bytes that were screened, and no others."""
    offset, length = 0, len(content) if content is not None else 0
    while head or offset < length:
        try:
            sent = content.send(connection, offset, head) if content is not None and length else connection.send(head)
        except BlockingIOError:
            await _writable(connection)
            continue
        if not sent:
            raise OSError("the content's file is shorter than it was")
        of_head = min(sent, len(head))
        head, offset = head[of_head:], offset + sent - of_head


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await _until_ready(connection, loop.add_reader, loop.remove_reader)


async def _writable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await _until_ready(connection, loop.add_writer, loop.remove_writer)


async def _until_ready(connection: socket.socket, add: Callable[..., None], remove: Callable[..., bool]) -> None:
    ready = asyncio.get_running_loop().create_future()
    add(connection, _set, ready)
    try:
        await ready
    finally:
        remove(connection)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
