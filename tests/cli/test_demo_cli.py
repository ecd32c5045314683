"""`tutela demo`: the demonstration."""

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import astuple
from pathlib import Path

import pytest
from PIL import Image

from tests.support.pictures import file_of
from tests.support.processes import tutela_run
from tests.support.service import free_port
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.cli.demo import Addresses


def children(pid: int) -> list[int]:
    """The processes that a process started, by /proc."""
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def test_two_that_start_at_once_do_not_choose_the_same_ports():
    """The second found them free as long as the processes of the first did not listen, and asked those of the first."""
    port = free_port()
    with ExitStack() as one, ExitStack() as other:
        first, second = Addresses.free(port, one), Addresses.free(port, other)
        assert first.service == f"http://127.0.0.1:{port}"
        assert len({*astuple(first), *astuple(second)}) == 6
        one.close()
        with ExitStack() as third:
            assert Addresses.free(port, third).service == first.service


@pytest.mark.slow
def test_the_demonstration_screens_altered_copies_and_stops(home, tmp_path):
    port = free_port()
    # Neither a proxy in the environment nor a database outside the home may come between.
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")
    other = ("--database", f"sqlite:///{tmp_path / 'other.db'}")
    answer = tutela_run(home, *other, "demo", "--port", str(port), env=proxy)
    pid = int((home / "service.pid").read_text())
    try:
        assert (answer.code, answer.err) == (0, "")
        verdicts = dict(re.findall(r"^(\S+\.\w{3,4}) +│ (\w+) ", answer.out, re.MULTILINE))
        assert len(verdicts) == 10
        assert {name: verdict for name, verdict in verdicts.items() if verdict != "block"} == {
            "7-unrelated.jpg": "allow",
            "8-unrelated.png": "allow",
            "9-cut-short.jpg": "hold",
            "a-text-posing-as.jpg": "hold",
        }
        (address,) = re.findall(r"(http://127\.0\.0\.1:\d+)/docs", answer.out)
        assert "waits for people, in 5 cases" in answer.out
        (key,) = re.findall(r"Bearer (\S+)'", answer.out)
        content = (home / "uploads" / "2-known-quality-20.jpg").read_bytes()
        request = urllib.request.Request(f"{address}/v1/screen", content, {"Authorization": f"Bearer {key}"})
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=PATIENCE_S) as reply:
            assert json.load(reply)["decision"] == "block"
        assert not (home / "tutela.db").exists()
        (page,) = re.findall(r"^Drop a picture .* (http://127\.0\.0\.1:\d+)/$", answer.out, re.MULTILINE)
        (link,) = re.findall(r"^Decide the cases .* (http://localhost:\d+/enrol/\S+)$", answer.out, re.MULTILINE)
        with direct.open(link, timeout=PATIENCE_S) as reply:
            assert "Demonstration reviewer" in reply.read().decode()
        pasted = Image.new("RGB", (1200, 1600), "white")
        pasted.paste(Image.open(home / "uploads" / "1-known-again.png").resize((800, 600)), (200, 500))
        with direct.open(urllib.request.Request(f"{page}/screen", file_of(pasted, "PNG")), timeout=PATIENCE_S) as reply:
            shown = json.load(reply)
        assert shown["decision"] == "block"
        (region,) = {tuple(round(edge, 1) for edge in match["region"].values()) for match in shown["matches"]}
        assert region == (0.2, 0.3, 0.8, 0.7)
        for content, headers, status in (
            (b"x", {"Sec-Fetch-Site": "cross-site"}, 403),
            (b"x", {"Host": "another.example"}, 400),
            (bytes(33 * 1024 * 1024), {}, 413),
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                direct.open(urllib.request.Request(f"{page}/screen", content, headers), timeout=PATIENCE_S)
            assert refused.value.code == status
        workers = children(pid)
        assert workers
    finally:
        stopped = tutela_run(home, "demo", "--stop")
    assert (stopped.code, stopped.out) == (0, "the demonstration is stopped\n")
    assert not (home / "service.pid").exists()
    for gone in (f"{address}/readyz", f"{page}/", link):
        with pytest.raises(urllib.error.URLError):
            direct.open(gone, timeout=PATIENCE_S)

    def alive(process: int) -> bool:
        try:
            return bool(Path(f"/proc/{process}/cmdline").read_bytes())
        except (FileNotFoundError, ProcessLookupError):
            return False

    assert not alive(pid)
    wait_until(lambda: not any(map(alive, workers)), "the decoding workers end with their service")
    assert tutela_run(home, "demo", "--stop").out == "no demonstration is running\n"


@pytest.mark.slow
@pytest.mark.parametrize("number", ["{pid}", "-{pid}", "0", "", "99999999999"])
def test_stopping_the_demonstration_ends_no_process_of_somebody_else(home, number):
    def block_signals() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    # It could be taken for the service, but for its home. What is sent to it stays pending, to be seen.
    command = [sys.executable, "-c", "import time; time.sleep(600)", "tutela", "--home", "/another", "serve"]
    with subprocess.Popen(command, start_new_session=True, preexec_fn=block_signals) as bystander:
        try:
            home.mkdir()
            (home / "service.pid").write_text(number.format(pid=bystander.pid))
            answer = tutela_run(home, "demo", "--stop", start_new_session=True)
            status = Path(f"/proc/{bystander.pid}/status").read_text()
        finally:
            bystander.kill()
    assert (answer.code, answer.out) == (0, "no demonstration is running\n")
    assert re.findall(r"^(SigPnd|ShdPnd):\t0+$", status, re.MULTILINE) == ["SigPnd", "ShdPnd"]
