"""The milter gateway: Postfix and Sendmail hand every mail over before they accept it.

A mail that is blocked is refused with 550, one that is held goes into the mail server's own quarantine (Postfix' hold
queue), and where nothing can be said it is to come again (451). Own code on asyncio: the libraries wait in threads, or
need Sendmail's.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from tutela.gateways.base import GatewayKind, ListenerOptions, Opening, Passes
from tutela.gateways.channels import ChannelService, GatewayChannel
from tutela.gateways.intake import Body
from tutela.gateways.listeners import ListenAddress
from tutela.gateways.milter.packets import (
    CONTINUE,
    LENGTH,
    MAX_PACKET,
    TEMPORARY_FAILURE,
    MilterAction,
    MilterCommand,
    MilterStep,
    MilterTerms,
    PacketError,
    client_address,
    header_line,
    macros,
    packet,
    quarantine,
    refusal,
)
from tutela.gateways.outcome import GatewayOutcome
from tutela.screening.decision import Decision

_FIRST_LINE = b"Received: by a mail filter\r\n"
"""Servers add this header after their filters; by it a mail is known as one whatever else its head has."""
_SEND_S = 30.0
_RATED_AFTER_S = 10.0
_ASKED_S = 60.0
_LETTERS = frozenset(MilterCommand)
_OF_A_MAIL = frozenset({MilterCommand.HEADER, MilterCommand.END_OF_HEADERS, MilterCommand.BODY, MilterCommand.END})


class MilterOptions(ListenerOptions):
    """What a milter gateway is told."""

    first_s: float = Field(
        default=900.0, gt=0, description="Seconds until the server's next word; its client may be silent for minutes."
    )
    details: dict[str, str] = Field(
        default_factory=dict,
        description="Macro by detail, such as `uploader` by `auth_authen`, `address` by `client_addr`: for evidence.",
    )
    quarantines: bool = Field(
        default=True, description="Whether a held mail is kept in the server's quarantine; else it is to come again."
    )
    advice: ClassVar[Mapping[str, str]] = {
        "postfix": "accepts mail unscreened while the gateway is away where `milter_default_action` is `accept`: keep"
        " `tempfail`; and hands over only what comes by SMTP: set `non_smtpd_milters`, too",
        "sendmail": "accepts mail unscreened while the gateway is away: give INPUT_MAIL_FILTER the flag `F=T`",
    }


class MilterGateway:
    """A milter gateway in one process."""

    def __init__(self, opening: Opening[MilterOptions]) -> None:
        self.intake = opening.intake
        self.options = opening.options
        self._service = ChannelService(opening, self._serve)

    async def start(self) -> None:
        """Begin to answer."""
        self._service.start()

    async def stop(self) -> None:
        """Accept no more; a whole mail is answered, by its verdict or held; half a mail comes again."""
        await self._service.stop()

    async def _serve(self, channel: GatewayChannel) -> None:
        session = _Session(self, channel)
        try:
            while True:
                async with asyncio.timeout(session.patience_s):
                    length, letter = await _begun(channel)
                if letter not in _LETTERS:
                    raise PacketError("the protocol has no {letter!r}", letter=letter)
                command = MilterCommand(letter)
                if command in _OF_A_MAIL:
                    self._service.busy(channel)
                async with asyncio.timeout(self.options.body_s):
                    if await session.take(command, length):
                        return
                if not session.is_at_work:
                    self._service.waits(channel)
        finally:
            session.forget()


class _Session:
    """What one server says over one connection, mail after mail."""

    def __init__(self, gateway: MilterGateway, channel: GatewayChannel) -> None:
        self._gateway = gateway
        self._channel = channel
        self._terms = MilterTerms()
        self._known: dict[str, str] = {}
        """Macros."""
        self._body: Body | None = None
        self._begun = 0.0

    @property
    def is_at_work(self) -> bool:
        """Whether a mail is under way."""
        return self._body is not None

    @property
    def patience_s(self) -> float:
        """Seconds until the next word: no longer than what is left for the mail that is under way."""
        options = self._gateway.options
        left_s = self._begun + options.body_s - time.monotonic() if self.is_at_work else options.first_s
        return max(0.0, min(options.first_s, left_s))

    async def take(self, command: MilterCommand, length: int) -> bool:
        """Do what a packet says whose data comes next; whether it was the last."""
        if command in (MilterCommand.BODY, MilterCommand.END):
            await self._add(length)
            if command is MilterCommand.END:
                await self._send(self._answer(await self._judged()))
                return False
        else:
            data = await self._channel.exactly(length)
            if command is MilterCommand.QUIT:
                return True
            await self._told(command, data)
        if self._terms.is_answered(command):
            await self._send(CONTINUE)
        return False

    def forget(self) -> None:
        """Let go of the mail that is under way."""
        if self._body is not None:
            self._body.close()
            self._body = None

    async def _told(self, command: MilterCommand, data: bytes) -> None:
        match command:
            case MilterCommand.OPTIONS:
                self._terms, answer = MilterTerms.agreed(data)
                await self._send(answer)
            case MilterCommand.MACROS:
                self._known.update(macros(data))
            case MilterCommand.CONNECT:
                self._known["client_addr"] = client_address(data)
            case MilterCommand.HEADER:
                await self._write(header_line(data, has_space=MilterStep.LEADING_SPACE in self._terms.steps))
            case MilterCommand.END_OF_HEADERS:
                await self._write(b"\r\n")
            case MilterCommand.MAIL | MilterCommand.ABORT:
                self.forget()
            case MilterCommand.NEXT:
                self.forget()
                self._known.clear()
            case _:
                return

    async def _write(self, data: bytes) -> None:
        body = self._mail()
        body.write(memoryview(data))
        await self._settle(body)

    async def _add(self, length: int) -> None:
        body = self._mail()
        await self._channel.each(length, body.write)
        await self._settle(body)

    def _mail(self) -> Body:
        if self._body is None:
            named = {detail: self._known.get(macro.strip("{}"), "") for detail, macro in self._details.items()}
            details = {detail: value for detail, value in named.items() if value}
            self._body = self._gateway.intake.begin(self._known.get("i", ""), **details)
            self._body.write(memoryview(_FIRST_LINE))
            self._begun = time.monotonic()
        return self._body

    @property
    def _details(self) -> dict[str, str]:
        return self._gateway.options.details

    async def _settle(self, body: Body) -> None:
        if body.stalled:
            await body.settle()
        elapsed_s, options = time.monotonic() - self._begun, self._gateway.options
        is_slow = elapsed_s > _RATED_AFTER_S and body.length < options.min_rate * elapsed_s
        if is_slow or elapsed_s > options.body_s or self._gateway.intake.stopping:
            self._gateway.intake.counts.cut.inc()
            raise TimeoutError  # half a mail: the server has it come again

    async def _judged(self) -> GatewayOutcome:
        body = self._mail()
        try:
            return await self._gateway.intake.judge(body)
        finally:
            self.forget()

    def _answer(self, outcome: GatewayOutcome) -> bytes:
        if outcome.allowed:
            return CONTINUE
        if not outcome.recorded:
            return TEMPORARY_FAILURE
        if outcome.decision is Decision.BLOCK:
            return refusal(550, "5.7.1", outcome.name)
        if self._gateway.options.quarantines and MilterAction.QUARANTINE in self._terms.actions:
            return quarantine(outcome.name)
        return refusal(451, "4.7.1", outcome.name)

    async def _send(self, data: bytes) -> None:
        await self._channel.send(data, _SEND_S)


async def _begun(channel: GatewayChannel) -> tuple[int, str]:
    """The length of a packet's data, and its letter. Raises PacketError."""
    (length,) = LENGTH.unpack(await channel.exactly(LENGTH.size))
    if not 1 <= length <= MAX_PACKET:
        raise PacketError("a packet is too long")
    return length - 1, (await channel.exactly(1)).decode("latin-1")


class _Asking:
    """Asks as a mail server does, about a mail with an attachment."""

    def __init__(self, address: ListenAddress) -> None:
        self._address = address

    def __call__(self, content: bytes) -> bool:
        with self._address.connect(_ASKED_S) as connection:
            connection.sendall(packet("O", struct.pack(">III", 6, MilterAction.QUARANTINE, 0x1FFFFF)))
            _packet_of(connection)
            head = b"Content-Type\0application/octet-stream\0"
            body = [packet("B", content[at : at + 65_535]) for at in range(0, len(content), 65_535)]
            connection.sendall(b"".join((packet("L", head), packet("N"), *body, packet("E"))))
            answer = _packet_of(connection)
            connection.sendall(packet("Q"))
        if answer[:1] in (b"c", b"a"):
            return True
        if answer[:1] in (b"q", b"y"):
            return False
        raise ValueError(f"the gateway answered {answer[:80]!r}")


def _packet_of(connection: socket.socket) -> bytes:
    file = connection.makefile("rb", buffering=0)
    head = file.read(LENGTH.size) or b""
    if len(head) != LENGTH.size:
        raise ValueError("the gateway gave no answer")
    return file.read(LENGTH.unpack(head)[0]) or b""


def _asking(options: MilterOptions) -> Passes:
    return _Asking(options.listen[0])


KIND = GatewayKind(
    "milter", "Postfix and Sendmail: 550, or their own quarantine", MilterOptions, MilterGateway, _asking
)
