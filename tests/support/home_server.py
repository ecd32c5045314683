"""A home server of Matrix, as far as its media are concerned (client-server API, "Content repository")."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.encrypted_attachments import encrypted
from tests.support.serving import serving

TOKEN = "Bearer syt_of_a_user"


@dataclass
class HomeServer:
    """A running one, that gives files to whoever has the token, and to anybody by the old routes."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cuts: bool = False
    """Whether its answers end before they are whole."""

    def keep(self, content: bytes) -> str:
        """Keep a file: its id."""
        media = hashlib.sha256(content).hexdigest()[:24]
        self.files[media] = content
        return media

    def keep_encrypted(self, content: bytes) -> dict[str, object]:
        """Keep a file as a client encrypts it: what an event says of it."""
        sealed, file = encrypted(content, "")
        return file | {"url": f"mxc://example.org/{self.keep(sealed)}"}


@contextlib.contextmanager
def home_server() -> Iterator[HomeServer]:
    """A home server while it is needed."""
    home = HomeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            good = self.path == "/_matrix/media/v3/upload" and self.headers["Authorization"] == TOKEN
            said = {"content_uri": f"mxc://example.org/{home.keep(body)}"} if good else {"errcode": "M_UNKNOWN_TOKEN"}
            answer = json.dumps(said).encode()
            self.send_response(200 if good else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            home.asked.append(self.path)
            path, _, query = self.path.partition("?")
            parts = path.split("/")
            is_old = parts[1:4] == ["_matrix", "media", "v3"]
            is_new = parts[1:5] == ["_matrix", "client", "v1", "media"] and self.headers["Authorization"] == TOKEN
            route, server, media = parts[-3:]
            small = "-small" if route == "thumbnail" and "width=" in query and "height=" in query else ""
            found = home.files.get(media + small) if server == "example.org" else None
            status = 401 if not is_old and not is_new else 404 if found is None else 200
            body = found or b"" if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("X-Of-The-Server", "yes")
            self.send_header("Content-Length", str(len(body) + (5 if home.cuts else 0)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = home.cuts

        def log_message(self, *arguments: object) -> None:
            return

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        home.port = server.server_port
        yield home
