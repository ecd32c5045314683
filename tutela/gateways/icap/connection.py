"""One connection of an ICAP client: requests one after the other, each with a body in chunks, or a preview of it."""

import asyncio
import base64
import binascii
import contextlib
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from tutela.gateways.forms import as_mail, pieces
from tutela.gateways.icap import answers
from tutela.gateways.icap.messages import (
    MAX_HEAD,
    BadRequestError,
    Encapsulated,
    HttpHeads,
    IcapHead,
    Method,
    check_http_head,
    parse_chunk,
    parse_encapsulated,
    parse_head,
)
from tutela.gateways.icap.options import IcapOptions
from tutela.gateways.icap.pages import PageGuard
from tutela.gateways.intake import BUFFER, Body, Intake, Unwrap, wipe
from tutela.gateways.listeners import Peers
from tutela.gateways.outcome import GatewayOutcome
from tutela.gateways.pieced import is_piece
from tutela.screening.decision import Decision
from tutela.screening.reason_codes import GatewayFault

_RATED_AFTER_S = 10.0
_MAX_LINE = 4096
_DRAINED_S = 5.0
_PARTIAL = 206


class IcapTooSlowError(Exception):
    """A body does not come in time."""


class IcapHost(Protocol):
    """What a connection asks of its gateway."""

    options: IcapOptions
    intake: Intake
    trusted: Peers
    pages: PageGuard | None

    def tag(self) -> str:
        """Changes whenever the lists do (RFC 3507, 4.7)."""

    def described(self) -> bytes:
        """The answer to OPTIONS."""

    def busy(self, connection: "IcapConnection", /) -> None:
        """A request has begun."""

    def waits(self, connection: "IcapConnection", /) -> None:
        """No request is under way."""


class IcapConnection:
    """Belongs to the gateway's event loop; `serve` is its whole life."""

    def __init__(self, gateway: IcapHost, connection: socket.socket) -> None:
        self._gateway = gateway
        self._socket = connection
        self._rest = bytearray()
        """What came and is not read yet."""
        self._loop = asyncio.get_running_loop()
        self.idle = True
        """Whether no request is under way."""
        self.task: asyncio.Task[None] | None = None
        self._in_preview = False

    async def serve(self) -> None:
        """Answer until the peer or an error ends it."""
        tag = self._gateway.tag
        try:
            while await self._serve_one():
                pass
        except BadRequestError:
            await self._send(answers.failure(400, tag()))
        except IcapTooSlowError:
            await self._send(answers.failure(408, tag()))
        await self._end()

    def close(self) -> None:
        """Let go of the connection."""
        self._rest[:] = bytes(len(self._rest))
        self._socket.close()

    async def _serve_one(self) -> bool:
        options = self._gateway.options
        self.idle = True
        self._gateway.waits(self)
        try:
            async with asyncio.timeout(options.first_s):
                text = await self._head()
        except TimeoutError:
            return False
        if text is None:
            return False
        self.idle = False
        self._gateway.busy(self)
        head = parse_head(text)
        if head.service not in options.services:
            await self._send(answers.failure(404, self._gateway.tag()))
            return False
        if head.method not in set(Method):
            await self._send(answers.failure(405, self._gateway.tag()))
            return False
        if head.method == Method.OPTIONS:
            parse_encapsulated(head.headers.get("encapsulated", "null-body=0"), head.method)
            await self._send(self._gateway.described())
            return not head.closes
        carried = parse_encapsulated(head.headers.get("encapsulated", ""), head.method)
        return await self._modify(head, carried)

    async def _modify(self, head: IcapHead, carried: Encapsulated) -> bool:
        intake, options = self._gateway.intake, self._gateway.options
        began, preview = time.monotonic(), head.preview
        body = intake.begin(**self._details(head))
        try:
            async with asyncio.timeout(options.body_s):
                http = await self._http_heads(carried)
                if (page := await self._stop_page(head, http)) is not None:
                    body.close()
                    await self._send(page)
                    return False
                unbroken = not carried.has_body or await self._body(head, body, began)
        except TimeoutError:
            body.close()
            raise IcapTooSlowError from None
        except BaseException:
            if body.length:
                intake.counts.cut.inc()
            body.close()
            raise
        try:
            whole = unbroken and body.fault is None
            if not carried.has_body:
                outcome = None
            elif not whole and body.fault is GatewayFault.INTERRUPTED:
                outcome = await intake.hold(body, GatewayFault.INTERRUPTED)
            else:
                outcome = await self._judged(head, http, body)
            may_say_204 = head.allows_204 or (preview is not None and (not carried.has_body or self._in_preview))
            if outcome is None or outcome.allowed:
                await self._pass(carried, http, body, may_say_204=may_say_204, closes=head.closes)
                return not head.closes
            return await self._refuse(outcome, goes_on=whole and not head.closes)
        finally:
            body.close()

    async def _stop_page(self, head: IcapHead, http: HttpHeads) -> bytes | None:
        """The answer to a request for a listed page; None for any other."""
        pages = self._gateway.pages
        if pages is None or head.method != Method.REQMOD or pages.passes(http):
            return None
        return await asyncio.to_thread(pages.answer, http, self._gateway.tag())

    async def _judged(self, head: IcapHead, http: HttpHeads, body: Body) -> GatewayOutcome:
        part = "req-hdr" if head.method == Method.REQMOD else "res-hdr"
        types, codings = (http.header(name, of=part) for name in ("content-type", "content-encoding"))
        media_type = types[0] if len(types) == 1 else "\x00" if types else ""
        if head.method == Method.RESPMOD and http.status == _PARTIAL:
            body.doubts.append(GatewayFault.CUT_SHORT)  # a client puts such parts together
        unwrap: Unwrap | None = partial(pieces, media_type=media_type, coding=", ".join(codings))
        if head.method == Method.REQMOD and is_piece(partial(http.header, of=part), http.query, body.length):
            body.doubts.append(GatewayFault.CUT_SHORT)
            unwrap = None
        body.head = as_mail(media_type)
        return await self._gateway.intake.judge(body, unwrap)

    async def _refuse(self, outcome: GatewayOutcome, *, goes_on: bool) -> bool:
        if not outcome.recorded:
            await self._send(answers.failure(500, self._gateway.tag()))
            return False
        kind = 2 if outcome.decision is Decision.HOLD and self._gateway.options.held_as_error else 0
        await self._send(answers.refusal(self._gateway.tag(), outcome, kind, closes=not goes_on))
        return goes_on

    async def _pass(
        self, carried: Encapsulated, http: HttpHeads, body: Body, *, may_say_204: bool, closes: bool
    ) -> None:
        said = {"ISTag": self._gateway.tag()} | ({"IcapConnection": "close"} if closes else {})
        if may_say_204:
            await self._send(answers.status(204, said | {"Encapsulated": "null-body=0"}))
            return
        # Of a response its own head and body come back, of a request the same.
        names = [name for name in carried.names if name != "req-hdr" or "res-hdr" not in carried.names]
        if "res-body" in names:
            names = [name for name in names if name != "req-hdr"]
        heads, offsets, at = b"", [], 0
        for name in names:
            offsets.append(f"{name}={at}")
            heads += http.heads.get(name, b"")
            at = len(heads)
        head = answers.status(200, said | {"Encapsulated": ", ".join(offsets)}) + heads
        if not carried.has_body:
            await self._send(head)
            return
        if not body.length:
            await self._send(head + b"0\r\n\r\n")
            return
        await self._send(head + b"%x\r\n" % body.length)
        await self._send_content(body)
        await self._send(b"\r\n0\r\n\r\n")

    # What comes

    async def _head(self) -> bytes | None:
        """The head of the next request; None where the peer has ended."""
        searched = 0
        while (at := self._rest.find(b"\r\n\r\n", max(0, searched - 3))) < 0:
            searched = len(self._rest)
            if searched > MAX_HEAD:
                raise BadRequestError("a head is too long")
            if not await self._fill():
                return None
        if at > MAX_HEAD:
            raise BadRequestError("a head is too long")
        return self._taken(at + 4)[:-4]

    async def _http_heads(self, carried: Encapsulated) -> HttpHeads:
        http = HttpHeads()
        for name, length in zip(carried.names, carried.lengths, strict=False):
            while len(self._rest) < length:
                if not await self._fill():
                    raise ConnectionAbortedError
            head = self._taken(length)
            check_http_head(head)
            http.heads[name] = head
        return http

    async def _body(self, head: IcapHead, body: Body, began: float) -> bool:
        """Take the body, with the peer's preview first; False where it was given up half-way."""
        preview = head.preview
        self._in_preview = False
        if preview is not None:
            ended_all = await self._chunks(body, began, preview)
            self._in_preview = ended_all
            if ended_all:
                return True
            if body.fault is not None:
                return False
            await self._send(answers.CONTINUE)
        await self._chunks(body, began, None)
        return body.fault is None

    async def _chunks(self, body: Body, began: float, preview: int | None) -> bool:
        """Take chunks up to the empty one; whether that said that it ends the whole body."""
        options, first = self._gateway.options, body.length
        while True:
            length, is_whole = parse_chunk(await self._line())
            if not length:
                while await self._line():
                    pass  # trailing fields mean nothing here
                return is_whole
            if preview is not None and body.length - first + length > preview:
                raise BadRequestError("a preview is longer than it was said to be")
            while length:
                if not self._rest and not await self._fill():
                    raise ConnectionAbortedError
                part = self._rest[:length]
                body.write(memoryview(part))
                del self._rest[: len(part)]
                length -= len(part)
                part[:] = bytes(len(part))
                if body.stalled:
                    await body.settle()
                if self._gateway.intake.stopping and body.fault is None:
                    body.fault = GatewayFault.INTERRUPTED
                if body.fault is not None:
                    return False
                elapsed_s = time.monotonic() - began
                if elapsed_s > _RATED_AFTER_S and body.length < options.min_rate * elapsed_s:
                    raise IcapTooSlowError
            if await self._line():
                raise BadRequestError("a chunk is longer than it was said to be")

    async def _line(self) -> bytes:
        while (at := self._rest.find(b"\r\n")) < 0:
            if len(self._rest) > _MAX_LINE:
                raise BadRequestError("a line is too long")
            if not await self._fill():
                raise ConnectionAbortedError
        if at > _MAX_LINE:
            raise BadRequestError("a line is too long")
        return self._taken(at + 2)[:-2]

    def _taken(self, length: int) -> bytes:
        taken = bytes(self._rest[:length])
        del self._rest[:length]
        return taken

    async def _fill(self) -> int:
        """Read on; 0 where the peer has ended."""
        while True:
            try:
                count = self._socket.recv_into(BUFFER)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
                continue
            self._rest += BUFFER[:count]
            wipe(count)
            return count

    # What goes

    async def _send(self, data: bytes) -> None:
        async with asyncio.timeout(self._gateway.options.body_s):
            await self._loop.sock_sendall(self._socket, data)

    async def _send_content(self, body: Body) -> None:
        """Straight from where it was gathered: the echo is what was screened."""
        offset = 0
        async with asyncio.timeout(self._gateway.options.body_s):
            while offset < body.length:
                try:
                    sent = body.content.send(self._socket, offset)
                except BlockingIOError:
                    await self._ready(self._loop.add_writer, self._loop.remove_writer)
                    continue
                if not sent:
                    raise ConnectionAbortedError
                offset += sent

    async def _ready(self, add: Callable[..., object], remove: Callable[[socket.socket], object]) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        add(self._socket, _set, future)
        try:
            await future
        finally:
            remove(self._socket)

    async def _end(self) -> None:
        """Say that nothing more comes, and throw away what still does, so that it does not reset the answer."""
        self._socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAINED_S):
                while await self._fill():
                    self._rest.clear()

    def _details(self, head: IcapHead) -> dict[str, str]:
        options = self._gateway.options
        if not options.details or not self._gateway.trusted.hears(self._socket, self._peer()):
            return {}
        named = {detail: head.headers.get(header.lower()) for detail, header in options.details.items()}
        return {detail: _plain(value) for detail, value in named.items() if value}

    def _peer(self) -> object:
        return self._socket.getpeername() if self._socket.family != socket.AF_UNIX else None


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _plain(value: str) -> str:
    """A header's value; what proxies send in base64, such as X-Authenticated-User, as it was."""
    try:
        decoded = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return value
    return decoded if "://" in decoded else value
