"""Synapse with our module, and the content scanner before it; `make test-peers`."""

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.clamd_clients import PEERS
from tests.support.encrypted_attachments import encrypted
from tests.support.gateways import COPY, DAMAGED, OTHER, PATIENT, Running, described, list_known
from tests.support.service import free_port
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.gateways.check import check_gateways

pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("nothing_is_told")]

MODULE = Path(__file__).parents[2] / "integrations" / "synapse"
LOOSE = {"overrides": {"unknown-type": "allow"}}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with compose_deployment(tmp_path_factory.mktemp("matrix") / "home", decoders=1, limits=PATIENT) as deployment:
        list_known(deployment)
        yield deployment


@dataclass
class Synapse:
    """A running home server with one user."""

    port: int
    folder: Path
    asks: int
    """The port at which its module asks."""
    client: httpx.Client

    def upload(self, content: bytes) -> httpx.Response:
        headers = {"Content-Type": "application/octet-stream"}
        return self.client.post("/_matrix/media/v3/upload", content=content, headers=headers)

    def stored(self) -> int:
        """How many files its media repository keeps."""
        with contextlib.closing(sqlite3.connect(self.folder / "synapse.db")) as database:
            return int(database.execute("select count(*) from local_media_repository").fetchone()[0])


@pytest.fixture(scope="module")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    python = PEERS / "synapse" / "bin" / "python"
    if not python.exists():
        pytest.skip("Synapse is not installed: run .ci/peers")
    folder, port, asks = tmp_path_factory.mktemp("synapse"), free_port(), free_port()
    (folder / "homeserver.yaml").write_text(
        f"server_name: example.org\nsigning_key_path: {folder}/signing.key\nmedia_store_path: {folder}/media\n"
        f"pid_file: {folder}/pid\nreport_stats: false\ntrusted_key_servers: []\nmacaroon_secret_key: words\n"
        f"database: {{name: sqlite3, args: {{database: {folder}/synapse.db}}}}\n"
        f"listeners: [{{port: {port}, type: http, bind_addresses: [127.0.0.1], resources: [{{names: [client]}}]}}]\n"
        "enable_registration: true\nenable_registration_without_verification: true\nmax_upload_size: 50M\n"
        f"modules: [{{module: tutela_synapse.TutelaModule, config: {{url: 'http://127.0.0.1:{asks}'}}}}]\n"
    )
    command = [str(python), "-m", "synapse.app.homeserver", "-c", str(folder / "homeserver.yaml")]
    environment = os.environ | {"PYTHONPATH": str(MODULE)}
    subprocess.run([*command, "--generate-keys"], check=True, env=environment, cwd=folder, capture_output=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S)

    def up() -> bool:
        assert process.poll() is None, (folder / "log").read_text()[-3000:]
        with contextlib.suppress(httpx.HTTPError):
            return client.get("/_matrix/client/versions").status_code == 200
        return False

    try:
        wait_until(up, "Synapse answers")
        named = {"username": "anna", "password": "words that nobody guesses", "auth": {"type": "m.login.dummy"}}
        token = client.post("/_matrix/client/v3/register", json=named).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield Synapse(port, folder, asks, client)
    finally:
        client.close()
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def asked(deployment: Deployment, synapse: Synapse, **options: object) -> Iterator[Running]:
    """The gateway that the module asks, and the one that clients ask."""
    asks = {"kind": "askers", "listen": [f"127.0.0.1:{synapse.asks}"], "answer_s": 120} | options
    scans = {"kind": "matrix", "listen": ["127.0.0.1:0"], "homeserver": f"127.0.0.1:{synapse.port}", "answer_s": 120}
    running = Running(deployment, {"module": asks, "rooms": scans})
    try:
        yield running
    finally:
        running.stop()


def test_synapse_keeps_only_what_is_allowed(deployment, synapse):
    sealed, _ = encrypted(OTHER, "example.org/x")
    with asked(deployment, synapse):
        assert synapse.upload(OTHER).status_code == 200
        for content in (COPY, DAMAGED, sealed):
            answer = synapse.upload(content)
            assert answer.status_code == 400, answer.text
        assert synapse.stored() == 1
    assert synapse.upload(OTHER + b"!").status_code == 500  # nobody answers
    assert synapse.stored() == 1
    assert described({"x": {"kind": "askers", "listen": ["127.0.0.1:1"]}})["x"].warnings() == []


def test_of_encrypted_rooms_synapse_keeps_everything_and_clients_are_told(deployment, synapse, monkeypatch):
    with asked(deployment, synapse, **LOOSE) as running:
        scanner = f"http://127.0.0.1:{running.ports['rooms'][0]}/_matrix/media_proxy/unstable"
        for content, clean in ((OTHER, True), (COPY, False), (DAMAGED, False)):
            sealed, file = encrypted(content, "")
            address = synapse.upload(sealed).json()["content_uri"]
            asked_about = {"file": file | {"url": address}}
            headers = {"Authorization": synapse.client.headers["Authorization"]}
            said = httpx.post(f"{scanner}/scan_encrypted", json=asked_about, headers=headers, timeout=PATIENCE_S)
            assert said.json()["clean"] is clean, said.text
            given = httpx.post(f"{scanner}/download_encrypted", json=asked_about, headers=headers, timeout=PATIENCE_S)
            assert given.status_code == (200 if clean else 403)
            assert (given.content == sealed) is clean
        monkeypatch.setenv("TEST_TOKEN", synapse.client.headers["Authorization"].removeprefix("Bearer "))
        rooms = {"kind": "matrix", "listen": [f"127.0.0.1:{running.ports['rooms'][0]}"]}
        rooms |= {"homeserver": f"127.0.0.1:{synapse.port}", "check_token": "env:TEST_TOKEN"}
        assert all(check.ok for check in check_gateways(described({"rooms": rooms})))
    (warning,) = described({"x": {"kind": "askers", "listen": ["127.0.0.1:1"]} | LOOSE})["x"].warnings()
    assert "unknown-type" in warning
