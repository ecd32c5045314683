"""A relay before a port or a UNIX socket, which keeps every byte that passes."""

import contextlib
import socket
import threading
from pathlib import Path


class Relay:
    """Listens at a port or a path of its own while it is needed; use it as a context manager."""

    def __init__(self, target: int | Path, pause_after: int | None = None) -> None:
        """Where it pauses, what comes back after so many bytes stays where it is until `go_on`."""
        self._target = target
        self._pause_after = pause_after
        self.paused = threading.Event()
        self._goes_on = threading.Event()
        if isinstance(target, Path):
            self._listener = socket.socket(socket.AF_UNIX)
            self.path = target.with_suffix(".relay")
            self._listener.bind(str(self.path))
            self._listener.listen()
        else:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port: int = self._listener.getsockname()[1]
        self.sent = bytearray()
        """All that the other side said, over all connections."""
        self.asked = bytearray()
        """All that whoever came here said."""
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Relay":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.go_on()

    def go_on(self) -> None:
        """Pass on everything again."""
        self._goes_on.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(self._listener.family)
                if self._pause_after is not None:
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
                server.connect(str(self._target) if isinstance(self._target, Path) else ("127.0.0.1", self._target))
                threading.Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, kept: bool) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                if kept:
                    self.sent += data
                    if self._pause_after is not None and len(self.sent) > self._pause_after:
                        self.paused.set()
                        self._goes_on.wait()
                else:
                    self.asked += data
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)
