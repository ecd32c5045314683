"""The milter gateway asked by Postfix, by Sendmail, and by PyPI's miltertest; `make test-peers`."""

import io
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clamd_clients import PEERS
from tests.support.gateways import COPY, DAMAGED, OTHER, GatewayProcess, list_known
from tests.support.mail_server import MailServer, mail_server, send, sendmail
from tests.support.service import free_port
from tutela.deployment.composition import compose_deployment

pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("nothing_is_told")]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, int]]:
    """A milter gateway in a process of its own, and its port."""
    home = tmp_path_factory.mktemp("milter") / "home"
    with compose_deployment(home, decoders=1) as deployment:
        list_known(deployment)
    port = free_port()
    options = {"kind": "milter", "listen": [f"127.0.0.1:{port}"], "clients": ["postfix"], "answer_s": 120}
    process = GatewayProcess(home, "mail", {"mail": options})
    yield process, port
    process.stop()


@pytest.fixture(scope="module")
def postfix(gateway: tuple[GatewayProcess, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with mail_server(tmp_path_factory.mktemp("mail") / "postfix", f"inet:127.0.0.1:{gateway[1]}") as server:
        yield server


def nested(content: bytes) -> bytes:
    """An archive in an archive, with the content in it."""
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("beach.jpg", content)
    with tarfile.open(fileobj=outer, mode="w") as archive:
        member = tarfile.TarInfo("inner.zip")
        member.size = len(inner.getvalue())
        archive.addfile(member, io.BytesIO(inner.getvalue()))
    return outer.getvalue()


def test_postfix_refuses_a_listed_picture_and_keeps_what_is_held_in_its_own_quarantine(gateway, postfix, tmp_path):
    attachment = tmp_path / "attachment"
    held = postfix.held()
    for content, code, quarantined in (
        (OTHER, 250, 0),
        (COPY, 550, 0),
        (nested(COPY), 550, 0),
        (nested(OTHER), 250, 0),
        (DAMAGED, 250, 1),
    ):
        attachment.write_bytes(content)
        assert send(postfix.port, attachment) == code
        held += quarantined
        assert postfix.held() == held
    process, _ = gateway
    process.kill()
    try:
        attachment.write_bytes(OTHER)
        assert send(postfix.port, attachment) == 451
    finally:
        process.start()
    assert send(postfix.port, attachment) == 250
    assert postfix.held() == held


def test_sendmail_refuses_a_listed_picture_and_keeps_what_is_held_in_its_own_quarantine(gateway, tmp_path):
    process, milter = gateway
    attachment = tmp_path / "attachment"
    with sendmail(tmp_path / "sendmail", f"inet:{milter}@127.0.0.1") as server:
        for content, code, held in ((OTHER, 250, 0), (COPY, 550, 0), (nested(COPY), 550, 0), (DAMAGED, 250, 1)):
            attachment.write_bytes(content)
            assert send(server.port, attachment) == code
            assert server.held() == held
        process.kill()
        try:
            assert send(server.port, attachment) == 451
        finally:
            process.start()
        assert send(server.port, attachment) == 250
        assert server.held() == 2


_MILTERTEST = """
import base64, socket, sys
from miltertest import MilterConnection, constants as c
port, content = int(sys.argv[1]), base64.encodebytes(open(sys.argv[2], "rb").read()).decode()
for steps in (c.SMFI_V6_PROT, c.SMFI_V2_PROT):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        server = MilterConnection(connection)
        server.optneg_mta(c.SMFI_V6_ACTS, steps)
        silent = server.protocol_flags
        def say(command, flag, **said):
            server._send(command, **said) if silent & flag else server.send(command, **said)
        said = {"hostname": "mail.example.org", "family": c.SMFIA_INET, "port": 25, "address": "192.0.2.1"}
        say(c.SMFIC_CONNECT, c.SMFIP_NR_CONN, **said)
        say(c.SMFIC_HELO, c.SMFIP_NR_HELO, helo="mail.example.org")
        server.send_macro(c.SMFIC_MAIL, i="4XqZ")
        say(c.SMFIC_MAIL, c.SMFIP_NR_MAIL, args=["<a@example.org>"])
        say(c.SMFIC_RCPT, c.SMFIP_NR_RCPT, args=["<b@example.org>"])
        headers = {"MIME-Version": "1.0", "Content-Type": "image/jpeg", "Content-Transfer-Encoding": "base64"}
        for name, value in headers.items():
            say(c.SMFIC_HEADER, c.SMFIP_NR_HDR, name=name, value=value)
        say(c.SMFIC_EOH, c.SMFIP_NR_EOH)
        for at in range(0, len(content), c.MILTER_CHUNK_SIZE):
            say(c.SMFIC_BODY, c.SMFIP_NR_BODY, buf=content[at:at + c.MILTER_CHUNK_SIZE])
        server._send(c.SMFIC_BODYEOB)
        said = []
        while not said or said[-1] == c.SMFIR_QUARANTINE:
            said.append(server.recv()[0])
        print("".join(said))
"""


def test_miltertest_reads_every_answer_with_and_without_steps_that_it_spares(gateway, tmp_path):
    python, file = PEERS / "milter" / "bin" / "python", tmp_path / "content"
    if not python.exists():
        pytest.skip("miltertest is not installed: run .ci/peers")
    for content, expected in ((OTHER, "c"), (COPY, "y"), (DAMAGED, "qc")):
        Path(file).write_bytes(content)
        done = subprocess.run(
            [str(python), "-c", _MILTERTEST, str(gateway[1]), str(file)], capture_output=True, text=True, timeout=120
        )
        assert done.stdout.split() == [expected, expected], done.stderr
