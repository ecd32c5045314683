"""The one HTTP client: credentials go to the address that the operator named."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import certifi
import pytest

from tests.support.serving import serving
from tutela.foundation.http import Http, HttpError, Patience, trusted_authorities


@contextmanager
def listening(status: int, **headers: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that answers so, and the headers of what it was asked."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(dict(self.headers))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}", asked


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("way", ["Location", "Refresh", "Content-Location", "Link"])
def test_no_answer_takes_credentials_elsewhere(status, way):
    with listening(200) as (elsewhere, taken):
        values = {"Refresh": f"0; url={elsewhere}/", "Link": f"<{elsewhere}/>; rel=next"}
        answer = {way: values.get(way, f"{elsewhere}/")}
        with listening(status, **answer) as (named, asked):
            http = Http(auth=("esp", "secret"), headers={"X-Key": "secret"}, patience=Patience(attempts=1))
            for method, body in (("GET", None), ("POST", b"content"), ("PUT", b"content")):
                with pytest.raises(HttpError):
                    http.send(method, f"{named}/entries", body)
                assert http.ask(method, f"{named}/entries", body).status == status
            http.close()
            assert len(asked) == 6
            assert all("Authorization" in one for one in asked)
    assert taken == []


def test_the_authorities_are_read_once_for_all_clients_until_they_change(tmp_path, monkeypatch):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    usual = trusted_authorities()
    assert len(usual.get_ca_certs()) > 50
    assert usual.check_hostname
    assert trusted_authorities() is usual
    bundle, one = Path(certifi.where()).read_text(), tmp_path / "one.pem"
    first, second = (part + "-----END CERTIFICATE-----\n" for part in bundle.split("-----END CERTIFICATE-----\n")[:2])
    one.write_text(first)
    monkeypatch.setenv("SSL_CERT_FILE", str(one))
    own = trusted_authorities()
    assert len(own.get_ca_certs()) == 1
    assert trusted_authorities() is own
    assert trusted_authorities(trust_env=False) is usual
    renewed = tmp_path / "renewed.pem"
    renewed.write_text(first + second)
    renewed.replace(one)
    assert len(trusted_authorities().get_ca_certs()) == 2
    assert len(own.get_ca_certs()) == 1
