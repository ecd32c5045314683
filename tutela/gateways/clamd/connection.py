"""One connection of a clamd client: commands, streams, descriptors, and the answers to them.

The reader works on the raw socket. It looks before it takes, and leaves the last bytes of what asks for a verdict in
the kernel until the answer is there: when this process dies before, the peer's connection is reset, which every client
reports as an error, where a silent end is "clean" to most.
"""

import asyncio
import errno
import logging
import os
import socket
import stat
import time
from array import array
from collections.abc import Coroutine
from enum import Enum
from typing import Any, Protocol

from tutela.gateways.beneath import Roots
from tutela.gateways.clamd.commands import BY_PATH, IN_SESSION, MAX_COMMAND, Asked, Command, parse
from tutela.gateways.clamd.frames import FrameGatherer, InstreamFrames, ReceivedFrames
from tutela.gateways.clamd.options import ClamdOptions
from tutela.gateways.intake import BUFFER, Body, Intake, wipe
from tutela.gateways.listeners import user_of
from tutela.gateways.outcome import GatewayOutcome
from tutela.screening.reason_codes import GatewayFault

log = logging.getLogger(__name__)

_RATED_AFTER_S = 10.0
_DRAINED_S = 5.0
_SEND_S = 30.0
_LONG = 8 * 1024
"""A body of more is gathered."""
_DESCRIPTORS = 4
_ANCILLARY = socket.CMSG_SPACE(_DESCRIPTORS * 4)
_ONLY_FIRST = frozenset({Command.SCAN, Command.ALL_MATCHES_SCAN})
_FAILURES = {errno.ENOENT: b"No such file or directory", errno.ENOTDIR: b"Not a directory"}


class ConnectionStage(Enum):
    """What a connection is at."""

    COMMAND = "command"
    BODY = "body"
    DESCRIPTOR = "descriptor"
    ANSWER = "answer"
    END = "end"
    """The answer is sent; what still comes is thrown away, so that it does not reset the answer."""
    CLOSED = "closed"


_WITH_DESCRIPTORS = (ConnectionStage.COMMAND, ConnectionStage.DESCRIPTOR)
"""When descriptors may come. The kernel closes those that come along with anything else, where nobody asks for them."""


class ClamdHost(Protocol):
    """What a connection asks of its gateway."""

    options: ClamdOptions
    intake: Intake
    loop: asyncio.AbstractEventLoop
    roots: Roots | None
    gatherer: FrameGatherer

    def busy(self, connection: "ClamdConnection", /) -> None:
        """A connection has asked something."""

    def waits(self, connection: "ClamdConnection", /) -> None:
        """A connection has nothing more to be answered."""

    def gone(self, connection: "ClamdConnection", /) -> None:
        """A connection is closed."""

    def word(self, outcome: GatewayOutcome, /) -> bytes:
        """What is said of content after its name."""

    def answer(self, command: Command | None, /) -> bytes:
        """What is said to a command that asks nothing about content."""

    async def reload(self) -> None:
        """Make every committed list change count now."""


class ClamdConnection:
    """Belongs to the gateway's event loop."""

    __slots__ = (
        "_asked",
        "_begun",
        "_body",
        "_came",
        "_descriptors",
        "_fault",
        "_frames",
        "_gateway",
        "_number",
        "_reading",
        "_room",
        "_session",
        "_socket",
        "_task",
        "_unix",
        "_unread",
        "stage",
    )

    def __init__(self, gateway: ClamdHost, connection: socket.socket) -> None:
        self.stage = ConnectionStage.COMMAND
        self._gateway = gateway
        self._socket = connection
        self._unix = connection.family == socket.AF_UNIX
        self._begun = time.monotonic()
        self._came = b""
        """Of a command whose end is not there yet."""
        self._session = False
        self._number = 0
        self._asked: Asked | None = None
        self._body: Body | None = None
        self._frames: InstreamFrames | None = None
        self._fault: GatewayFault | None = None
        """Why the body is held as soon as it can be answered."""
        self._descriptors: list[int] = []
        self._unread = 0
        """Bytes that stay in the kernel until the answer is ready."""
        self._task: asyncio.Task[None] | None = None
        self._reading = False
        self._room: memoryview | None = None
        """While a long body is gathered: where it comes into."""

    def start(self) -> None:
        """Begin to answer. Most often the command is there already, and some of what follows."""
        self._readable()
        self._read_on()

    @property
    def idle(self) -> bool:
        """Whether nothing was asked that is not answered."""
        return self.stage is ConnectionStage.COMMAND

    def check(self, now: float) -> None:
        """Enforce the deadlines: absolute ones, which no trickle of bytes puts off."""
        elapsed_s, options = now - self._begun, self._gateway.options
        if self.stage is ConnectionStage.COMMAND and elapsed_s > options.first_s:
            if not self._session:
                self._send_now(b"COMMAND READ TIMED OUT\n")
            self.close()
        elif (self.stage is ConnectionStage.END and elapsed_s > _DRAINED_S) or (
            self.stage is ConnectionStage.DESCRIPTOR and elapsed_s > options.first_s
        ):
            self.close()
        elif self.stage is ConnectionStage.BODY and self._body is not None:
            expected = (
                self._reading or self._room is not None
            )  # rather than that there is no room for what it would send
            if self._room is not None:
                self._body.came(self._room, self._gateway.gatherer.count(self._socket))
            slow = expected and elapsed_s > _RATED_AFTER_S and self._body.length < options.min_rate * elapsed_s
            if slow or elapsed_s > options.body_s:
                self.interrupt(GatewayFault.TOO_SLOW)

    def interrupt(self, fault: GatewayFault) -> None:
        """Answer a body that is not whole as held."""
        body = self._body
        if self.stage is not ConnectionStage.BODY or body is None:
            return
        if self._task is None:
            self._session = False
            self._work(self._answer_body(body, fault))
        elif self._fault is None:
            self._fault = fault
            body.stop_waiting()

    def close(self) -> None:
        """Let go of everything."""
        if self.stage is ConnectionStage.CLOSED:
            return
        self.stage = ConnectionStage.CLOSED
        self._pause()
        self._socket.close()
        self._forget()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._gateway.gone(self)

    # What comes

    def _readable(self) -> None:
        try:
            match self.stage:
                case ConnectionStage.COMMAND:
                    self._take_command()
                    if self._frames is not None:
                        self._take_body()
                case ConnectionStage.BODY:
                    self._take_body()
                case ConnectionStage.DESCRIPTOR:
                    self._take_descriptor()
                case ConnectionStage.END:
                    self._throw_away()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._cut()

    def _take_command(self) -> None:
        count = self._socket.recv_into(BUFFER, MAX_COMMAND + 1 - len(self._came), socket.MSG_PEEK)
        came, data = len(self._came), self._came + bytes(BUFFER[:count])
        wipe(count)
        if not count:
            self.close()
            return
        asked = parse(data)
        if asked is None:
            self._take(count)
            self._came = data
            if len(data) > MAX_COMMAND:
                self.close()
            return
        self._came = b""
        self._asked = asked
        length = asked.length - came
        self._unread = 1 if asked.command in BY_PATH else 0
        self._take(length - self._unread)
        self._gateway.busy(self)
        self._run(asked)

    def _run(self, asked: Asked) -> None:
        if self._session:
            self._number += 1
            if asked.bare:
                self._say(b"Only nCMDS\\n and zCMDS\\0 are accepted inside IDSESSION. ERROR", last=True)
                return
            if asked.command not in IN_SESSION:
                self._say(b"Command invalid inside IDSESSION. ERROR", last=True)
                return
        match asked.command:
            case Command.SESSION:
                self._session = True
                self._next()
            case Command.END if self._session:
                self.close()
            case Command.STREAM:
                self._begin(ConnectionStage.BODY)
                self._frames = InstreamFrames()
            case Command.DESCRIPTOR if self._unix:
                self._begin(ConnectionStage.DESCRIPTOR)
                if self._descriptors:  # it came with the command
                    self._work(self._answer_descriptor())
            case command if command in BY_PATH:
                self._begin(ConnectionStage.ANSWER)
                self._work(self._answer_paths(asked))
            case Command.RELOAD:
                self._begin(ConnectionStage.ANSWER)
                self._work(self._reload())
            case command:
                self._say(self._gateway.answer(command))

    def _begin(self, stage: ConnectionStage) -> None:
        self.stage = stage
        self._begun = time.monotonic()
        if stage is ConnectionStage.BODY:
            self._body = self._gateway.intake.begin(**user_of(self._socket))

    def _take_body(self) -> None:
        body, frames = self._body, self._frames
        assert body is not None and frames is not None
        room, began = body.room(), time.perf_counter()
        received = frames.receive(self._socket, room, in_session=self._session)
        body.came(room, received.content)
        if self._goes_on(body, frames, received) and body.length > _LONG:
            self._gather(body, frames, received.there, time.perf_counter() - began)

    def _goes_on(self, body: Body, frames: InstreamFrames, received: ReceivedFrames) -> bool:
        """Whether more of a body is to be taken; else it is answered, or waits for room."""
        if not received.there:
            self._cut()
        elif received.rest:
            self._unread = received.rest
            self._work(self._answer_body(body, None))
        elif frames.announced > self._gateway.intake.max_job_bytes or body.fault is not None:
            self._session = False
            self._work(self._answer_body(body, body.fault or GatewayFault.OVER_LIMIT))
        elif body.stalled:
            self._work(self._settle(body))
        else:
            return True
        return False

    def _gather(self, body: Body, frames: InstreamFrames, there: int, took_s: float) -> None:
        """Have what comes of a long body gathered."""
        self._pause()
        room = body.room()
        self._room = BUFFER[:0] if room is BUFFER else room
        self._gateway.gatherer.add(
            self._socket,
            frames,
            self._room,
            self._gathered,
            in_session=self._session,
            most=self._gateway.intake.max_job_bytes,
            there=there,
            took_s=took_s,
        )

    def _gathered(self, received: ReceivedFrames, error: int) -> None:
        """Go on with a body of which so much came meanwhile."""
        room, self._room = self._room, None
        body, frames = self._body, self._frames
        assert body is not None and frames is not None and room is not None
        body.came(room, received.content)
        if error not in (0, errno.EAGAIN, errno.EINTR):
            self._cut()
        elif error:
            self._read()
        elif self._goes_on(body, frames, received):
            self._readable()
            self._read_on()

    def _stop_gathering(self) -> None:
        """Count what was gathered."""
        room, self._room = self._room, None
        if room is not None and self._body is not None:
            self._body.came(room, self._gateway.gatherer.remove(self._socket))

    def _take_descriptor(self) -> None:
        """Look for a descriptor: a look receives a copy of it, and the byte it comes with stays where it is."""
        if not self._receive(1, socket.MSG_PEEK):
            self.close()
        elif not self._descriptors:
            self._say(b"No file descriptor received. ERROR", last=True)
        else:
            self._unread = 1
            self._work(self._answer_descriptor())

    def _take(self, length: int) -> None:
        """Take bytes that a look has shown. Descriptors that come with a command are kept."""
        while length > 0:
            if self._unix and self.stage in _WITH_DESCRIPTORS:
                taken = self._receive(length)
            else:
                taken = self._socket.recv_into(BUFFER, min(length, len(BUFFER)))
            if not taken:
                return
            wipe(taken)
            length -= taken

    def _receive(self, length: int, flags: int = 0) -> int:
        taken, ancillary, state, _ = self._socket.recvmsg_into(
            [BUFFER[: min(length, len(BUFFER))]], _ANCILLARY, flags | socket.MSG_CMSG_CLOEXEC
        )
        given = array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                given.frombytes(data[: len(data) - len(data) % given.itemsize])
        expected = self._asked is not None and self._asked.command is Command.DESCRIPTOR
        if expected and not state & socket.MSG_CTRUNC:
            self._descriptors += given
        else:
            for descriptor in given:
                os.close(descriptor)
        return taken

    def _cut(self) -> None:
        """The peer is gone, or will send no more, before the end: there is no answer to half a content."""
        if self.stage is ConnectionStage.BODY:
            self._gateway.intake.counts.cut.inc()
        self.close()

    # What is answered

    async def _settle(self, body: Body) -> None:
        await body.settle()
        self._task = None
        if self._fault is not None or body.fault is not None:
            self._session = False
            self._work(self._answer_body(body, self._fault or body.fault))
        else:
            self._read()

    async def _answer_body(self, body: Body, fault: GatewayFault | None) -> None:
        self.stage = ConnectionStage.ANSWER
        intake = self._gateway.intake
        outcome = await (intake.judge(body) if fault is None else intake.hold(body, fault))
        self._say(b"stream: " + self._gateway.word(outcome), last=fault is not None)

    async def _answer_descriptor(self) -> None:
        self.stage = ConnectionStage.ANSWER
        descriptor = self._descriptors[0]
        label = b"fd[%d]: " % descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            self._say(label + b"Not a regular file ERROR")
        else:
            self._say(label + self._gateway.word(await self._judged(descriptor)))

    async def _answer_paths(self, asked: Asked) -> None:
        roots = self._gateway.roots
        if roots is None or not self._unix:
            self._say(b"COMMAND UNAVAILABLE", last=True)
            return
        path, on_disk = os.fsdecode(asked.argument), self._gateway.intake.on_disk
        found, refused = roots.files(path), False
        try:
            while (file := await on_disk(next, found, None)) is not None:
                outcome = await self._judged(file.descriptor)
                if outcome.allowed:
                    continue
                refused = True
                line = os.fsencode(file.path) + b": " + self._gateway.word(outcome)
                if asked.command in _ONLY_FIRST:
                    self._say(line)
                    return
                await self._send(self._numbered(line))
        except OSError as error:
            why = _FAILURES.get(error.errno or 0, b"Permission denied")
            self._say(asked.argument + b": File path check failure: " + why + b". ERROR")
            return
        finally:
            await on_disk(found.close)
        self._say(b"" if refused else asked.argument + b": OK")

    async def _judged(self, descriptor: int | None) -> GatewayOutcome:
        """What is said of an open file, which is copied first: whoever handed it over may still write to it."""
        intake = self._gateway.intake
        body = intake.begin(**user_of(self._socket))
        try:
            given = descriptor is not None and await body.copy(descriptor)
            return await (intake.judge(body) if given else intake.hold(body, body.fault or GatewayFault.NOT_GIVEN))
        finally:
            body.close()

    async def _reload(self) -> None:
        await self._gateway.reload()
        self._say(b"RELOADING")

    def _say(self, text: bytes, *, last: bool = False) -> None:
        """Answer, and go on or end."""
        if self.stage is ConnectionStage.CLOSED:
            return
        try:
            self._take(self._unread)
            self._unread = 0
            if text:
                self._send_now(self._numbered(text))
        except OSError:
            self._cut()
            return
        self._forget()
        if self._session and not last:
            self._next()
        else:
            self._end(whole=not last)

    def _numbered(self, text: bytes) -> bytes:
        end = self._asked.end if self._asked is not None else b"\n"
        return (b"%d: " % self._number if self._session and self._number else b"") + text + end

    def _send_now(self, data: bytes) -> None:
        """Send an answer; a peer that lets so many pile up that it does not fit is let go of."""
        if self._socket.send(data) < len(data):
            raise ConnectionAbortedError

    async def _send(self, data: bytes) -> None:
        async with asyncio.timeout(_SEND_S):
            await asyncio.get_running_loop().sock_sendall(self._socket, data)

    def _next(self) -> None:
        self.stage = ConnectionStage.COMMAND
        self._begun = time.monotonic()
        self._task = None
        self._gateway.waits(self)
        self._read()

    def _end(self, *, whole: bool) -> None:
        """Say that nothing more comes, and throw away what the peer still sends until it has read that.

        At a UNIX socket an answer stays where it is: nobody waits there for a peer that has said all it had to say.
        """
        self.stage = ConnectionStage.END
        self._begun = time.monotonic()
        try:
            if whole and self._unix and not self._is_anything_there():
                self.close()
                return
            self._socket.shutdown(socket.SHUT_WR)
            self._read()
            self._throw_away()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()

    def _is_anything_there(self) -> bool:
        try:
            count = self._socket.recv_into(BUFFER, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        wipe(count)
        return count > 0

    def _throw_away(self) -> None:
        count = self._socket.recv_into(BUFFER)
        wipe(count)
        if not count:
            self.close()

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that takes its time; nothing is read meanwhile."""
        self._pause()
        self._task = asyncio.ensure_future(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (OSError, TimeoutError):
            self._cut()
        except Exception:
            log.exception("a connection failed")
            self.close()

    def _read_on(self) -> None:
        """Be woken by the next bytes, unless something is under way that comes back to them."""
        if self._task is None and self._room is None and self.stage is not ConnectionStage.CLOSED:
            self._read()

    def _read(self) -> None:
        if not self._reading:
            self._gateway.loop.add_reader(self._socket, self._readable)
            self._reading = True

    def _pause(self) -> None:
        self._stop_gathering()
        if self._reading:
            self._gateway.loop.remove_reader(self._socket)
            self._reading = False

    def _forget(self) -> None:
        """Let go of what the answered request held."""
        if self._body is not None:
            self._body.close()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._body, self._frames, self._descriptors, self._fault = None, None, [], None
