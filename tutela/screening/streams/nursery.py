"""Receivers as the watching process has them: forked by a nursery process that is loaded before the first stream."""

import contextlib
import json
import logging
import socket
import subprocess
import threading

from tutela.errors import TutelaError
from tutela.foundation.processes import start_module
from tutela.screening.streams.reading import StreamReading
from tutela.screening.streams.wire import WireLine

log = logging.getLogger(__name__)

_SEND_S = 2.0


class Nursery:
    """Starts receivers. Thread-safe; a nursery that died is started anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Start the nursery process; it is ready for requests at once and answers them when it is loaded."""
        with self._lock:
            self._started()

    def receiver(self, asked: StreamReading) -> WireLine:
        """The line to a new receiver. Raises TutelaError where none can be started."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            for _ in range(2):
                control = self._started()
                try:
                    control.settimeout(_SEND_S)
                    socket.send_fds(control, [json.dumps(asked.fields()).encode()], [theirs.fileno()])
                    return WireLine(ours)
                except OSError as error:
                    log.error("the nursery of receivers is gone: %s", error)
                    self._end()
        ours.close()
        raise TutelaError("no receiver could be started")

    @property
    def pid(self) -> int | None:
        """The nursery's process."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the nursery, and with it every receiver."""
        with self._lock:
            self._end()

    def _started(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._control is None:
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = start_module(
                    "tutela.screening.streams.receiver", str(theirs.fileno()), descriptors=(theirs.fileno(),)
                )
        return self._control

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5.0)
            self._process = None
