"""An HTTP application that takes uploads and remembers what it got, byte for byte."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.serving import serving


@dataclass
class Application:
    """A running one."""

    port: int
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    """Method, target, headers and body of each request."""

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, _, _, body in self.requests]


@contextlib.contextmanager
def application() -> Iterator[Application]:
    """Answers 201 to every upload, with its length."""
    running: Application

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            try:
                body = self._chunks() if "transfer-encoding" in self.headers else self._plain()
            except (ConnectionError, ValueError):  # what is cut short is nothing
                self.close_connection = True
                return
            running.requests.append((self.command, self.path, dict(self.headers.items()), body))
            answer = b"taken %d" % len(body)
            self.send_response(201 if body else 200)
            self.send_header("X-Application", "yes")
            self.send_header("Set-Cookie", "a=1")
            self.send_header("Set-Cookie", "b=2")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        def _plain(self) -> bytes:
            length = int(self.headers.get("content-length", "0"))
            body = self.rfile.read(length)
            if len(body) < length:
                raise ConnectionError("the request is cut short")
            return body

        def _chunks(self) -> bytes:
            body = b""
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return body

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _take

        def log_message(self, *arguments: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with serving(Server(("127.0.0.1", 0), Handler)) as server:
        running = Application(server.server_port)
        yield running
