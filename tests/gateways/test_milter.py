"""The milter gateway as a mail server meets it: refused, quarantined, to come again; and what no server may say."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.gateways import COPY, DAMAGED, OTHER, Running, connected, everything
from tutela.deployment.composition import Deployment
from tutela.errors import InputError
from tutela.gateways.intake import Body
from tutela.gateways.milter.packets import MilterTerms, client_address, header_line, macros, packet
from tutela.gateways.milter.service import KIND

ALL_ACTIONS, ALL_STEPS = 0x1FF, 0x1FFFFF


@pytest.fixture(scope="module")
def running(knowing: Deployment) -> Iterator[Running]:
    listen = {"kind": "milter", "listen": ["127.0.0.1:0"]}
    named = {"details": {"uploader": "{auth_authen}", "address": "client_addr"}}
    running = Running(knowing, {"mail": listen | named, "defers": listen | {"quarantines": False, "body_s": 1}})
    yield running
    running.stop()


class Server:
    """A mail server, as far as its filters see it."""

    def __init__(self, port: int, actions: int = ALL_ACTIONS, steps: int = ALL_STEPS, version: int = 6) -> None:
        self.connection = connected(("127.0.0.1", port))
        self.connection.sendall(packet("O", struct.pack(">III", version, actions, steps)))
        letter, data = self.answer()
        assert letter == "O"
        self.version, self.actions, self.steps = struct.unpack(">III", data)

    def answer(self) -> tuple[str, bytes]:
        head = self._exactly(4)
        data = self._exactly(struct.unpack(">I", head)[0])
        return chr(data[0]), data[1:]

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self.connection.recv(length - len(data))
            assert part, "the gateway closed the connection"
            data += part
        return data

    def say(self, letter: str, data: bytes = b"", silent: int = 0) -> None:
        """Say something; unless the filter is silent to it, it says to go on."""
        self.connection.sendall(packet(letter, data))
        if silent and not self.steps & silent:
            assert self.answer() == ("c", b"")

    def send(self, mail: bytes, size: int = 65_535) -> list[tuple[str, bytes]]:
        """A whole mail, and what is said of it."""
        head, _, body = mail.partition(b"\n\n")
        self.say("D", b"Mi\x004XqZ\x00{auth_authen}\x00anna\x00")
        self.say("M", b"<a@example.org>\x00", 0x4000)
        self.say("R", b"<b@example.org>\x00", 0x8000)
        self.say("T", b"", 0x10000)
        for line in head.replace(b"\n ", b"\x01 ").split(b"\n"):
            name, _, value = line.replace(b"\x01", b"\n").partition(b":")
            self.say("L", name + b"\0" + (value if self.steps & 0x100000 else value.lstrip()) + b"\0", 0x80)
        self.say("N", b"", 0x40000)
        body = body.replace(b"\n", b"\r\n")
        for at in range(0, len(body), size):
            self.say("B", body[at : at + size], 0x80000)
        self.say("E")
        said = [self.answer()]
        while said[-1][0] == "q":
            said.append(self.answer())
        return said


def mail(content: bytes, kind: str = "octet-stream") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "words"
    message.set_content("words\n")
    message.add_attachment(content, maintype="application", subtype=kind, filename="f.bin")
    return message.as_bytes()


def test_a_listed_picture_is_refused_and_what_cannot_be_screened_is_quarantined(running):
    server = Server(running.ports["mail"][0])
    assert (server.version, server.actions) == (6, 0x20)
    for size in (65_535, 100):
        for content, letters in ((OTHER, "c"), (COPY, "y"), (DAMAGED, "qc")):
            said = server.send(mail(content), size)
            assert "".join(letter for letter, _ in said) == letters
            if letters == "y":
                assert said[0][1].startswith(b"550 5.7.1 Tutela.Blocked.") and said[0][1].endswith(b"\0")
            if letters == "qc":
                assert said[0][1].startswith(b"Tutela.Held.")
    server.say("Q")
    assert everything(server.connection) == (b"", "closed")


def test_an_old_server_is_answered_at_every_step_and_has_no_quarantine(running):
    for port, actions in ((running.ports["mail"][0], 0x1F), (running.ports["defers"][0], ALL_ACTIONS)):
        server = Server(port, actions, 0x7F, version=2)
        assert server.steps == 0
        assert server.version == 2
        server.say("C", b"mail.example.org\x004\x00\x19127.0.0.1\x00", 0x1000)
        server.say("H", b"mail.example.org\x00", 0x2000)
        ((letter, text),) = server.send(mail(DAMAGED))
        assert letter == "y" and text.startswith(b"451 4.7.1 Tutela.Held.")
        assert server.send(mail(OTHER)) == [("c", b"")]
        server.connection.close()


def test_a_mail_that_is_given_up_leaves_nothing_behind_for_the_next(running):
    server = Server(running.ports["mail"][0])
    held = running.capacity.held_bytes
    server.say("M", b"<a@example.org>\x00")
    server.say("L", b"Subject\x00 words\x00")
    server.say("B", COPY)
    server.say("A")
    assert server.send(mail(OTHER)) == [("c", b"")]
    server.say("K")
    server.say("C", b"mail.example.org\x004\x00\x19127.0.0.1\x00")
    assert server.send(mail(OTHER)) == [("c", b"")]
    assert running.capacity.held_bytes == held


def test_what_is_kept_with_evidence_is_what_macros_say(running, monkeypatch):
    server = Server(running.ports["mail"][0])
    server.say("C", b"mail.example.org\x006\x00\x19IPv6:2001:db8::1\x00")
    heard: list[object] = []
    intake = running.gateways._gateways[0].intake
    begin = intake.begin

    def hear(item: str = "", **details: str) -> Body:
        heard.append((item, details))
        return begin(item, **details)

    monkeypatch.setattr(intake, "begin", hear)
    server.send(mail(OTHER))
    assert heard == [("4XqZ", {"uploader": "anna", "address": "2001:db8::1"})]


@pytest.mark.parametrize(
    "bad",
    [
        struct.pack(">I", 0),
        struct.pack(">I", 0xFFFFFFFF) + b"B",
        packet("x"),
        packet("L", b"no value"),
        packet("L", b"a\0b\0c\0d"),
        packet("O", b"short"),
        packet("O", struct.pack(">III", 1, 0, 0)),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_whoever_says_what_is_not_in_the_protocol_is_told_nothing(running, bad):
    server = Server(running.ports["mail"][0])
    server.connection.sendall(bad)
    server.connection.shutdown(socket.SHUT_WR)
    assert everything(server.connection)[0] == b""


def test_half_a_mail_and_a_silent_server_get_no_answer(running):
    server = Server(running.ports["defers"][0])
    server.say("L", b"Subject\x00 words\x00")
    assert everything(server.connection) == (b"", "closed")


def test_the_gateway_is_checked_through_its_own_protocol(running):
    options = KIND.options.model_validate({"kind": "milter", "listen": [f"127.0.0.1:{running.ports['mail'][0]}"]})
    asks = KIND.asking(options)
    assert asks(OTHER) and not asks(COPY) and not asks(DAMAGED)
    careless = {"kind": "milter", "listen": ["127.0.0.1:1"], "clients": ["postfix", "sendmail"]}
    assert len(KIND.options.model_validate(careless).warnings()) == 2


@given(st.binary(max_size=60))
def test_any_packet_is_read_or_is_an_error(data):
    macros(data)
    client_address(data)
    for read in (MilterTerms.agreed, lambda given: header_line(given, has_space=True)):
        with contextlib.suppress(InputError):
            read(data)
