"""What is left when the process that watches streams is no more: it ends what runs, and holds up no new start."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import free_port
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow

PROCESS = """
import os, pathlib, sys
from types import SimpleNamespace
from tutela.gateways.streams.warden import guarded

told, gate, ending = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]

class Server:
    name, fails_open = "media", True
    def running(self):
        return [SimpleNamespace(channel=SimpleNamespace(item="media/live/a"), session="s1")]
    def cut(self, channel, session):
        with told.open("a") as file:
            file.write(f"{os.getpid()} {channel.item} {session}\\n")

with guarded({"media": SimpleNamespace(server=Server())}, gate):
    if ending == "error":
        raise RuntimeError("the database is away")
    if ending == "death":
        os.kill(os.getpid(), 9)
"""


def ended(told: Path, port: int, ending: str) -> int:
    """The status of a process that ends so; it ends whatever its warden still does."""
    command = [sys.executable, "-c", PROCESS, str(told), f"http://127.0.0.1:{port}/readyz", ending]
    return subprocess.run(
        command, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL, timeout=PATIENCE_S
    ).returncode


@pytest.mark.parametrize(("ending", "status"), [("error", 1), ("death", -9)])
def test_what_runs_is_ended_until_somebody_watches_again(tmp_path: Path, ending: str, status: int) -> None:
    told, port = tmp_path / "told", free_port()
    assert ended(told, port, ending) == status
    wait_until(lambda: told.exists() and len(told.read_text().splitlines()) >= 2, "it is ended, again and again")
    warden = int(told.read_text().split()[0])
    with socket.create_server(("127.0.0.1", port)) as gate:  # somebody watches again
        gate.settimeout(PATIENCE_S)
        asking, _ = gate.accept()
        asking.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        asking.close()
        wait_until(lambda: not Path(f"/proc/{warden}").exists() or "Z" in state(warden), "the warden is gone")
    assert "media/live/a s1" in told.read_text()


def test_after_an_end_in_order_nothing_is_ended(tmp_path: Path) -> None:
    told = tmp_path / "told"
    assert ended(told, free_port(), "order") == 0
    assert not told.exists()


def state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
