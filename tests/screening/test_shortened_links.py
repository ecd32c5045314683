"""Shortened links, followed by a process of its own against a hostile server: never to an address that is not
public."""

import contextlib
import ipaddress
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE_S
from tutela.content.signals.registry import signal_type
from tutela.foundation.pinned import is_public
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.screening.check import Checker, CheckQuestion
from tutela.screening.check.expansion import Expander
from tutela.screening.check.redirects import MAX_HOPS, RedirectFollower
from tutela.screening.check.shortened import Led, is_shortened, shorteners
from tutela.screening.decision import Decision

FORBIDDEN = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *("::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
    *("255.255.255.255", "192.0.2.1", "198.18.0.1"),
]


@dataclass
class Hostile:
    """A shortener that answers each path as its author likes, and counts who comes; and another port that nobody
    asks."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)
    slow_s: float = 0.0

    def to(self, location: str) -> bytes:
        cookie = "Set-Cookie: who=you\r\n"
        return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n{cookie}Content-Length: 0\r\n\r\n".encode()

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = connection.recv(65_536)
            path = head.split(b" ")[1].decode()
            self.asked.append(path)
            self.heads.append(head)
            for byte in self.answers.get(path, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
                connection.sendall(bytes([byte]))
                if self.slow_s:
                    time.sleep(self.slow_s)


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    listener = socket.create_server(("127.0.0.1", 0))
    found = Hostile(listener.getsockname()[1])
    threading.Thread(target=found.serve, args=(listener,), daemon=True).start()
    yield found
    listener.close()


@pytest.fixture
def inner() -> Iterator[Hostile]:
    """A machine inside, which nobody may be led to."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Hostile(listener.getsockname()[1])
    threading.Thread(target=found.serve, args=(listener,), daemon=True).start()
    yield found
    listener.close()


def follower(hostile: Hostile, *hosts: str, total_s: float = 3.0) -> RedirectFollower:
    """As the process has it, but that this one port of this machine counts as public."""

    def permits(address: object, port: int) -> bool:
        return port == hostile.port or is_public(ipaddress.ip_address(str(address)))

    return RedirectFollower(frozenset({"127.0.0.1", *hosts}), permits, total_s)


def short(hostile: Hostile, path: str) -> str:
    return f"http://127.0.0.1:{hostile.port}{path}"


def test_a_shortened_link_is_followed_to_its_end_which_is_not_asked(hostile):
    hostile.answers = {"/a": hostile.to(short(hostile, "/b")), "/b": hostile.to("https://gardens.example/roses")}
    led = follower(hostile).follow(short(hostile, "/a"))
    assert led == Led((short(hostile, "/b"), "https://gardens.example/roses"), True)
    assert hostile.asked == ["/a", "/b"]
    assert all(head.startswith(b"HEAD ") and b"cookie" not in head.lower() for head in hostile.heads)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_address_inside_is_public_in_any_spelling(address):
    assert not is_public(ipaddress.ip_address(address))


def test_what_leads_inside_is_never_connected_to(hostile, inner, monkeypatch):
    """Even where the target counts as a shortener, so that it would be asked."""
    spellings = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "127.1", "0.0.0.0"]
    for number, host in enumerate(spellings):
        path = f"/{number}"
        hostile.answers[path] = hostile.to(f"http://{host}:{inner.port}/secret")
        led = follower(hostile, *spellings, "[::ffff:7f00:1]").follow(short(hostile, path))
        assert not led.complete or led.links, host
    hostile.answers["/m"] = hostile.to("http://169.254.169.254/latest/meta-data/")
    tried: list[Any] = []
    connect = socket.socket.connect

    def noted(connection: socket.socket, address: Any) -> None:
        tried.append(address)
        connect(connection, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    assert not follower(hostile, "169.254.169.254").follow(short(hostile, "/m")).complete
    assert tried == [("127.0.0.1", hostile.port)], "it was refused, not tried"
    assert inner.asked == []


def test_a_name_that_changes_its_address_is_asked_where_it_was_checked(hostile, inner, monkeypatch):
    answers = iter([("127.0.0.1", hostile.port), ("127.0.0.1", inner.port)])
    real = socket.getaddrinfo

    def rebinding(host: str, *rest: Any, **more: Any) -> object:
        if host == "rebinding.example":
            resolved.append(host)
            return real(next(answers)[0], *rest, **more)
        return real(host, *rest, **more)

    resolved: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    hostile.answers = {"/a": hostile.to("https://gardens.example/")}
    led = follower(hostile, "rebinding.example").follow(f"http://rebinding.example:{hostile.port}/a")
    assert led.links == ("https://gardens.example/",) and resolved == ["rebinding.example"], "resolved once"
    assert inner.asked == []


def test_endless_hops_odd_schemes_and_slow_bytes_come_to_an_end(hostile):
    hostile.answers = {f"/{number}": hostile.to(f"/{number + 1}") for number in range(100)}
    led = follower(hostile).follow(short(hostile, "/0"))
    assert (len(led.links), led.complete) == (MAX_HOPS, False) and len(hostile.asked) == MAX_HOPS
    for location in ("file:///etc/passwd", "gopher://x/", "javascript:1", "", "http://" + "a" * 20_000):
        hostile.answers["/x"] = hostile.to(location)
        assert follower(hostile).follow(short(hostile, "/x")) == Led((), False), location
    hostile.answers["/y"] = b"not http at all\r\n\r\n"
    assert not follower(hostile).follow(short(hostile, "/y")).complete


def test_the_process_asks_nothing_of_what_is_no_shortener_and_has_no_secrets(monkeypatch):
    monkeypatch.setenv("TUTELA_DATABASE", "postgresql://secret")
    expander = Expander()
    try:
        assert expander.follow("http://gardens.example/roses") == Led()
        process = expander._process
        assert process is not None
        assert b"secret" not in Path(f"/proc/{process.pid}/environ").read_bytes()
        process.kill()
        assert expander.follow("http://gardens.example/") in (Led(), Led(complete=False))
        assert expander.follow("http://gardens.example/") == Led(), "it is started again"
    finally:
        expander.close()


def test_a_shortener_that_answers_a_byte_at_a_time_is_given_up(hostile, monkeypatch):
    """By whoever asks the process: it is ended."""
    from tutela.screening.check import expansion

    monkeypatch.setattr(expansion, "_PATIENCE_S", 1.0)
    expander = Expander()
    expander._process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    slow = expander._process
    assert expander.follow("http://bit.ly/x") == Led(complete=False)
    assert slow.wait(PATIENCE_S) != 0, "it was ended"


def test_a_check_looks_up_where_a_shortened_link_leads_and_holds_what_it_cannot_follow(deployment):
    deployment.banks.create("pages", policy=Policy(Action.BLOCK), actor="test")
    value = signal_type("url").parse("gardens.example/roses")
    deployment.banks.add("pages", [NewEntry("url", value)], actor="test")
    deployment.refresh()
    led = {
        "https://bit.ly/listed": Led(("http://gardens.example/roses",)),
        "https://bit.ly/free": Led(("http://x.example/",)),
    }
    checker = Checker(deployment.screener, deployment.indexes, lambda url: led.get(url, Led(complete=False)))
    decisions = [
        checker.check(CheckQuestion(f"see https://bit.ly/{name}")).verdict.decision
        for name in ("listed", "free", "broken")
    ]
    assert decisions == [Decision.BLOCK, Decision.ALLOW, Decision.HOLD]
    assert deployment.expander is None, "it is off by default"
    assert deployment.checker.check(CheckQuestion("see https://bit.ly/listed")).verdict.decision is Decision.ALLOW
    assert is_shortened("https://www.bit.ly/x") and not is_shortened("https://bit.ly/") and "bit.ly" in shorteners()
