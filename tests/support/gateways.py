"""Gateways as the tests meet them: in a thread of the test's own process, and in a process that can be killed."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support.pictures import file_of, photos
from tests.support.preloaded import start_tutela
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.content.media.limits import Limits
from tutela.content.signals.registry import signal_type
from tutela.deployment.composition import Deployment
from tutela.deployment.settings import load_settings
from tutela.gateways.base import Options
from tutela.gateways.capacity import Capacity, Semaphore
from tutela.gateways.outcome import reason
from tutela.gateways.service import Gateways, listen
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.screening.reason_codes import GatewayFault

Address = str | tuple[str, int]
Packet = bytes | Callable[[socket.socket], object]
END = bytes(4)
PATIENT = Limits(max_bytes=32 * 1024 * 1024, timeout_s=120.0)
"""With these no verdict follows from how busy the machine is."""

KNOWN = file_of(photos()[0].resize((256, 256)), "PNG")
"""Stands for known material."""
COPY = file_of(photos()[0].resize((300, 300)), "JPEG", quality=60)
"""A smaller, altered copy of it."""
OTHER = file_of(photos()[1].resize((300, 300)), "JPEG", quality=80)
DAMAGED = OTHER[: len(OTHER) // 2]


BANK, FILE = "zilpzalp", "holiday-of-anna"
"""The name of the bank that knows the picture, and of files that are refused: words that stand nowhere else."""
TOLD_AT: set[int] = set()
"""Ports at which gateways were asked."""
TOLD_IN: set[Path] = set()
"""Logs of gateways."""


def form(*contents: bytes) -> bytes:
    """A form of the boundary `xyz` with each content as a file."""
    parts = (
        b'--xyz\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n\r\n%s\r\n'
        % (FILE.encode() if content in (COPY, DAMAGED) else b"a", content)
        for content in contents
    )
    return b"".join(parts) + b"--xyz--\r\n"


def described(gateways: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Options]:
    """The options of gateways, as settings have them."""
    return load_settings(environment={"TUTELA_GATEWAYS": json.dumps(gateways)}).named("gateways")


def list_known(deployment: Deployment) -> None:
    """Have the known picture blocked."""
    verdict = deployment.screener.screen(KNOWN)
    entries = [
        NewEntry(item.signal, signal_type(item.signal).parse(item.value))
        for item in verdict.hashes
        if item.view == "whole" and not item.part
    ]
    deployment.banks.create(BANK, policy=Policy(Action.BLOCK), actor="test")
    deployment.banks.add(BANK, entries, actor="test", reason="for the test")
    deployment.refresh()


def never_told(deployment: Deployment, *refused: bytes) -> list[bytes]:
    """What nobody may be told of refused contents, in small letters."""
    words, pieces = [BANK, FILE, "distance", *(reason(fault).message for fault in GatewayFault)], []
    for content in refused:
        verdict = deployment.screener.screen(content)
        words += [each.message for each in verdict.reasons]
        words += [item.value for item in verdict.hashes]
        # From where on files differ that begin alike.
        pieces += [content[at : at + 60] for at in range(1_500, len(content) - 60, 1_500)]
    told = [word.encode() for word in words] + [piece[:24] for piece in pieces]
    return [each.lower() for each in (*told, *(base64.b64encode(piece) for piece in pieces))]


class Running:
    """Gateways over a deployment, in an event loop of their own."""

    def __init__(self, deployment: Deployment, settings: Mapping[str, Mapping[str, Any]], places: int = 8) -> None:
        self._options = described(settings)
        self._sockets = listen(self._options)
        self.ports = {
            name: [each.getsockname()[1] for each in sockets if each.family != socket.AF_UNIX]
            for name, sockets in self._sockets.items()
        }
        TOLD_AT.update(port for ports in self.ports.values() for port in ports)
        self._deployment = deployment
        self._places = places
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._up.wait(PATIENCE_S)

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        with ThreadPoolExecutor(self._places) as threads:
            places = Semaphore(self._places)
            self.gateways = Gateways(self._deployment, self._options, self._sockets, places, threads)
            await self.gateways.start()
            self._up.set()
            await self._end.wait()
            await self.gateways.stop()

    @property
    def capacity(self) -> Capacity:
        return self.gateways._capacity

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._end.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


class GatewayProcess:
    """`tutela gateway run NAME` in a home, to be stopped and killed."""

    def __init__(self, home: Path, name: str, settings: Mapping[str, Mapping[str, Any]], **environment: str) -> None:
        self.home = home
        self.log = home / f"{name}.log"
        TOLD_IN.add(self.log)
        TOLD_AT.update(each.port for each in getattr(described(settings)[name], "listen", ()) if each.port)
        self._arguments = ["--home", str(home), "gateway", "run", name]
        patient = {"TUTELA_DECODERS": "1", "TUTELA_LIMITS__TIMEOUT_S": "120"}
        self._environment = os.environ | patient | {"TUTELA_GATEWAYS": json.dumps(settings)} | environment
        self.start()

    def start(self) -> None:
        self.log.write_bytes(b"")
        with self.log.open("ab") as log:
            self.process = start_tutela(
                self._arguments, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )
        wait_until(self._is_up, "the gateway is up")

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        return "gateway up" in self.log.read_text()

    def kill(self) -> None:
        """As a power cut does it, decoding workers and all."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


def frames(content: bytes, size: int = 8188) -> bytes:
    """The content in INSTREAM's frames, without the end."""
    parts = (content[begin : begin + size] for begin in range(0, len(content), size))
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def connected(address: Address, timeout_s: float = 60.0) -> socket.socket:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    connection = socket.socket(family)
    connection.connect(address)  # waits where the other side's queue is full
    connection.settimeout(timeout_s)
    return connection


def everything(connection: socket.socket) -> tuple[bytes, str]:
    """What comes until the end, and how it ends: `closed`, `open` where it does not within the time, or `reset`."""
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except TimeoutError:
        return received, "open"
    except OSError:
        return received, "reset"
    return received, "closed"


def talk(
    address: Address, *packets: Packet, half_close: bool = False, gap_s: float = 0.0, timeout_s: float = 60.0
) -> tuple[bytes, str]:
    """Send packets over a new connection, and what comes back."""
    with connected(address, timeout_s) as connection:
        try:
            for packet in packets:
                if isinstance(packet, bytes):
                    connection.sendall(packet)
                else:
                    packet(connection)
                time.sleep(gap_s)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has answered before it read all
        return everything(connection)


def instream(address: Address, content: bytes, size: int = 8188) -> str:
    """What clamd's word about some content is."""
    answer, how = talk(address, b"zINSTREAM\0" + frames(content, size) + END)
    assert how == "closed" and answer.startswith(b"stream: ") and answer.endswith(b"\0"), (answer, how)
    return answer[8:-1].decode()


def handing(path: Path, flags: int = os.O_RDONLY, message: bytes = b"\0") -> Callable[[socket.socket], object]:
    """Hands over a descriptor, as FILDES takes it."""

    def hand(connection: socket.socket) -> None:
        descriptor = os.open(path, flags)
        try:
            socket.send_fds(connection, [message], [descriptor])
        finally:
            os.close(descriptor)

    return hand


@contextlib.contextmanager
def many(address: Address, count: int) -> Iterator[list[socket.socket]]:
    """So many open connections."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connected(address)) for _ in range(count)]
