"""A relay before a port, which keeps every byte that comes back."""

import contextlib
import socket
import threading


class Relay:
    """Listens at a port of its own while it is needed; use it as a context manager."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent = bytearray()
        """All that the other side said, over all connections."""
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Relay":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, kept: bool) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                if kept:
                    self.sent += data
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
