"""What people behind a proxy ask for is nowhere: blocked requests over ICAP, and `/metrics` read over HTTP."""

import base64
import contextlib
import json
import logging
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI
from typer.testing import CliRunner

from tests.support.effort import effort
from tests.support.service import free_port
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.api.app import create_app
from tutela.api.options import ApiOptions
from tutela.cli.commands import app as command_line
from tutela.deployment.settings import load_settings
from tutela.foundation.store.database import Store
from tutela.gateways.service import listen
from tutela.lists.banks.model import Action, BankUse, Policy
from tutela.lists.banks.values import new_entry
from tutela.screening.check.counts import LEAST, CheckCounts, What, read_counts

REQUESTS, ADDRESSES = effort(300, 10_000), 100
MANY, FEW = "aviary", "thicket"
"""Banks whose names stand nowhere else: one is asked for often, one less than twenty times."""
PERSONAL = (
    "127.7.0.",
    "198.51.100.",
    "customer",
    "free-of-",
    "secret-path",
    base64.b64encode(b"customer")[:8].decode(),
)


class Clock:
    """A clock whose hour can be over."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> int:
        return int(self.at.timestamp() * 1e6)


@contextlib.contextmanager
def served(app: FastAPI, port: int) -> Iterator[None]:
    """The application over HTTP, with the protocol that `tutela serve` gives it."""
    protocol = "tutela.foundation.receiver:Receiver"
    server = uvicorn.Server(uvicorn.Config(app, port=port, http=protocol, ws="none", access_log=False, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, "it is served")
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)


def asked(icap: int, person: int, url: str) -> bytes:
    """What a proxy is answered that asks for a person at an address of their own, and says everything of them."""
    http = (
        f"GET {url} HTTP/1.1\r\nHost: {url.split('/')[2]}\r\nUser-Agent: customer{person}\r\n"
        f"Cookie: id=customer{person}\r\nX-Forwarded-For: 198.51.100.{person}\r\nReferer: {url}\r\n\r\n"
    ).encode()
    name = base64.b64encode(f"customer{person}".encode()).decode()
    icap_head = (
        f"REQMOD icap://edge/tutela ICAP/1.0\r\nHost: edge\r\nAllow: 204\r\nConnection: close\r\n"
        f"X-Client-IP: 198.51.100.{person}\r\nX-Client-Username: {name}\r\n"
        f"Encapsulated: req-hdr=0, null-body={len(http)}\r\n\r\n"
    ).encode()
    source = (f"127.7.0.{person + 1}", 0)
    with socket.create_connection(("127.0.0.1", icap), PATIENCE_S, source) as connection:
        connection.sendall(icap_head + http)
        return connection.makefile("rb").read()


def test_nothing_of_who_was_refused_over_icap_is_in_a_file_a_row_a_log_or_a_metric(
    tmp_path: Path, monkeypatch, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    clock = Clock()
    monkeypatch.setattr("tutela.deployment.edge.CheckCounts", lambda store, _: CheckCounts(store, clock))
    home, port, icap = tmp_path / "home", free_port(), free_port()
    home.mkdir(mode=0o700)
    (home / "tutela.toml").write_text(
        f"""decoders = 1
[stop_page]
dry_run_minutes = 0
organisation = "Example Net"
[gateways.edge]
kind = "icap"
listen = ["127.0.0.1:{icap}"]
pages = true
trusted = ["127.0.0.0/8"]
details = {{ uploader = "X-Client-Username" }}
"""
    )
    settings = load_settings(home=home)
    gateways = settings.named("gateways")
    with settings.open() as deployment:
        for bank, page in ((MANY, "gardens.example/roses"), (FEW, "ponds.example/reeds")):
            deployment.banks.create(bank, policy=Policy(Action.BLOCK), uses={BankUse.PROXY}, actor="test")
            deployment.banks.add(bank, [new_entry("url", page)], actor="test")
        deployment.refresh()
        application = create_app(deployment, ApiOptions(), gateways=gateways, gateway_sockets=listen(gateways))
        with served(application, port):
            for number in range(REQUESTS):
                person = number % ADDRESSES
                assert b"HTTP/1.1 451 " in asked(icap, person, f"http://gardens.example/roses?customer={person}"), (
                    number
                )
            for person in range(ADDRESSES):
                free = asked(icap, person, f"http://free-of-{person}.example/secret-path?customer={person}")
                assert free.startswith(b"ICAP/1.0 204 ")
            for person in range(LEAST - 1):
                assert b"HTTP/1.1 451 " in asked(icap, person, f"http://ponds.example/reeds?customer={person}")
            answer = httpx.get(f"http://127.0.0.1:{port}/metrics", headers={"User-Agent": "monitor"})
            clock.at += timedelta(hours=1)
    measured = answer.raise_for_status().text
    total = REQUESTS + ADDRESSES + LEAST - 1
    assert f'tutela_gateway_connections_total{{gateway="edge"}} {total}.0' in measured.splitlines()
    shown = CliRunner().invoke(command_line, ["--home", str(home), "stop-page", "counts", "--json"])
    counted = {(one["list"], one["what"]): one["requests"] for one in map(json.loads, shown.output.splitlines())}
    assert counted == {(MANY, "refused"): REQUESTS, (MANY, "shown"): REQUESTS}, "nothing below twenty is shown"
    with contextlib.closing(Store.open(f"sqlite:///{home / 'tutela.db'}")) as store:
        assert {(one.rule_set, one.what) for one in read_counts(store)} == {(MANY, What.REFUSED), (MANY, What.SHOWN)}
    ours = "\n".join(line for line in caplog.text.splitlines() if "HTTP Request" not in line)  # the test's own client
    logged = ours + "".join(capfd.readouterr())
    for text in (measured, logged):
        for one in (*PERSONAL, "gardens", "ponds", MANY, FEW):
            assert one not in text, one
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert home / "tutela.db" in files
    for path in files:
        content = path.read_bytes()
        assert not any(one.encode() in content for one in PERSONAL), path
