"""`tutela selftest --url`: a service that runs follows a list that has just changed."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tutela.cli.selftest import service
from tutela.deployment.selftest import BANK, CANARY_MATCHES, canary

FOLLOWS = ((), ("md5",), ("md5", "pdq"), ("md5", "pdq", "sha1", "sha256"))
"""What a service matches, asked again and again: it takes in one type of signal after another."""


@pytest.fixture
def following() -> Iterator[str]:
    answers = iter(FOLLOWS)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            matches = [{"signal": signal, "bank": BANK} for signal in next(answers)]
            body = json.dumps({"decision": "allow", "matches": matches}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_waits_until_the_service_matches_by_every_type(following: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTELA_KEY", "a-key")
    assert service(following)(canary()).matched == CANARY_MATCHES
