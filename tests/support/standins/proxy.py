"""A strict forward proxy: absolute addresses for http, CONNECT for https (RFC 9110, section 9.3.6), with a password.

The services that it leads to have names that nothing else knows: who does not go through it does not arrive.
"""

import base64
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.serving import serving

_BLOCK = 64 * 1024


@dataclass
class Proxy:
    """What it leads to, and what went through."""

    hosts: Mapping[str, tuple[str, int]]
    """By name and port, where a service is."""
    user: str = "proxy-user"
    password: str = "proxy-password"
    requests: list[str] = field(default_factory=list)
    """METHOD and the address's host of every request that was let through."""
    address: str = ""

    def allows(self, header: str | None) -> bool:
        return header == "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@contextmanager
def running(hosts: Mapping[str, tuple[str, int]]) -> Iterator[Proxy]:
    """A proxy that runs while the block does; its `address` holds the password."""
    proxy = Proxy(hosts)

    class Handler(_Handler):
        settings = proxy

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.address = f"http://{proxy.user}:{proxy.password}@127.0.0.1:{server.server_address[1]}"
    with serving(server):
        yield proxy


class _Handler(socketserver.StreamRequestHandler):
    settings: Proxy

    def handle(self) -> None:
        """One request; the connection ends with its answer."""
        method, target, version = self.rfile.readline(_BLOCK).decode("latin-1").split()
        headers, parts = self._headers(), urlsplit(target)
        if not self.settings.allows(headers.pop("proxy-authorization", None)):
            self._answer(407, "Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="proxy"')
        elif method == "CONNECT":
            self._tunnel(target)
        elif parts.scheme == "http" and parts.netloc:
            self._forward(method, parts.netloc, parts._replace(scheme="", netloc="").geturl(), version, headers)
        else:
            self._answer(400, "Bad Request")  # a proxy is asked by the whole address

    def _headers(self) -> dict[str, str]:
        headers = {}
        while (line := self.rfile.readline(_BLOCK).strip()) != b"":
            name, _, text = line.decode("latin-1").partition(":")
            headers[name.lower()] = text.strip()
        return headers

    def _service(self, method: str, target: str) -> socket.socket | None:
        place = self.settings.hosts.get(target)
        if place is None:
            self._answer(502, "Bad Gateway")
            return None
        self.settings.requests.append(f"{method} {target}")
        return socket.create_connection(place)

    def _forward(self, method: str, host: str, path: str, version: str, headers: dict[str, str]) -> None:
        service = self._service(method, host)
        if service is None:
            return
        with service:
            headers |= {"connection": "close"}
            head = [f"{method} {path} {version}", *(f"{name}: {text}" for name, text in headers.items()), "", ""]
            service.sendall("\r\n".join(head).encode("latin-1"))
            service.sendall(self.rfile.read(int(headers.get("content-length", "0"))))
            while block := service.recv(_BLOCK):
                self.wfile.write(block)

    def _tunnel(self, target: str) -> None:
        service = self._service("CONNECT", target)
        if service is None:
            return
        self._answer(200, "Connection Established")
        with service:
            back = threading.Thread(target=_copy, args=(service, self.connection), daemon=True)
            back.start()
            _copy(self.connection, service)
            back.join()

    def _answer(self, status: int, reason: str, *headers: str) -> None:
        length = [] if status == 200 else ["Content-Length: 0", "Connection: close"]
        self.wfile.write("\r\n".join([f"HTTP/1.1 {status} {reason}", *headers, *length, "", ""]).encode())


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):  # the other side let go first
        while block := source.recv(_BLOCK):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)
