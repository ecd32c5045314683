"""A relay before a port, which keeps every byte that comes back."""

import contextlib
import socket
import threading


class Relay:
    """Listens at a port of its own while it is needed; use it as a context manager."""

    def __init__(self, target: int, pause_after: int | None = None) -> None:
        """Where it pauses, what comes back after so many bytes stays where it is until `go_on`."""
        self._target = target
        self._pause_after = pause_after
        self.paused = threading.Event()
        self._goes_on = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent = bytearray()
        """All that the other side said, over all connections."""
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
                server = socket.socket()
                if self._pause_after is not None:
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
                server.connect(("127.0.0.1", self._target))
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
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)
