"""The clamd gateway as its clients meet it, well-behaved and hostile ones."""

import contextlib
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from tests.gateways.conftest import MAX_BYTES, MAX_JOB_BYTES
from tests.support.gateways import (
    COPY,
    DAMAGED,
    END,
    KNOWN,
    OTHER,
    Running,
    connected,
    everything,
    frames,
    handing,
    instream,
    many,
    talk,
)
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.deployment.composition import Deployment
from tutela.screening.jobs.service import JobState

BLOCKED = re.compile(r"Tutela\.Blocked\.[0-9a-f]{12} FOUND")
HELD = re.compile(r"Tutela\.Held\.[0-9a-f]{12} FOUND")
PLAIN = b"words that are no picture\n"


class Clamd:
    """A clamd gateway with patience as small as a test's."""

    def __init__(self, deployment: Deployment, folder: Path, **options: object) -> None:
        self.path = str(folder / "clamd.sock")
        settings = {
            "kind": "clamd",
            "listen": [self.path, "127.0.0.1:0"],
            "overrides": {"unknown-type": "allow"},
        }
        self.running = Running(deployment, {"clamd": settings | options})
        self.port = ("127.0.0.1", self.running.ports["clamd"][0])
        self.deployment = deployment
        self.gateway = self.running.gateways._gateways[0]

    def connections(self) -> int:
        return len(cast(Any, self.gateway)._connections)


@pytest.fixture(scope="module")
def clamd(knowing: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    folder = tmp_path_factory.mktemp("clamd")
    (folder / "root").mkdir()
    clamd = Clamd(knowing, folder, roots=[str(folder / "root")], cut_at=[262_144])
    yield clamd
    clamd.running.stop()


@pytest.fixture(params=["unix", "tcp"])
def address(clamd: Clamd, request: pytest.FixtureRequest) -> str | tuple[str, int]:
    return clamd.path if request.param == "unix" else clamd.port


def test_a_listed_picture_is_found_and_another_is_ok(address):
    assert BLOCKED.fullmatch(instream(address, COPY))
    assert BLOCKED.fullmatch(instream(address, KNOWN, size=1))
    assert BLOCKED.fullmatch(instream(address, COPY, size=1 << 24))
    assert instream(address, OTHER) == "OK"
    assert instream(address, PLAIN) == "OK"
    assert HELD.fullmatch(instream(address, DAMAGED))


def test_the_name_leads_to_the_verdict_and_says_nothing_else(clamd):
    name = instream(clamd.path, COPY)
    number = name.split()[0].rpartition(".")[2]
    with clamd.deployment.store.read() as connection:
        rows = connection.exec_driver_sql(f"select id, decision from verdict where id like '{number}%'").all()
    assert [row.decision for row in rows] == ["block"]


def test_the_end_of_a_stream_may_come_in_any_pieces(address):
    stream = b"nINSTREAM\n" + frames(COPY) + END
    for at in range(len(stream) - 5, len(stream)):
        answer, _ = talk(address, stream[:at], stream[at:], gap_s=0.02)
        assert answer.startswith(b"stream: Tutela.Blocked."), at
    answer, how = talk(address, *(stream[at : at + 1] for at in range(14)), stream[14:], gap_s=0.001, half_close=True)
    assert answer.startswith(b"stream: Tutela.Blocked.") and how == "closed"


def test_a_session_answers_by_number_and_ends_when_it_is_told(address):
    answer, how = talk(
        address,
        b"nIDSESSION\nnPING\nzVERSION\0nINSTREAM\n" + frames(COPY) + END + b"zINSTREAM\0" + frames(PLAIN) + END,
        b"nSTATS\nnEND\n",
    )
    assert how == "closed"
    assert re.fullmatch(
        rb"1: PONG\n2: ClamAV 1\.4\.6/\d+/[^/]+\x003: stream: Tutela\.Blocked\.[0-9a-f]{12} FOUND\n4: stream: OK\x00"
        rb"5: POOLS: 1\n.*END\n",
        answer,
        re.DOTALL,
    ), answer
    for command in (b"nCONTSCAN /x\n", b"nRELOAD\n", b"nIDSESSION\n", b"nBOGUS\n"):
        assert talk(address, b"nIDSESSION\n" + command)[0] == b"1: Command invalid inside IDSESSION. ERROR\n"


def test_what_is_cut_or_half_closed_before_its_end_is_never_answered(address, clamd):
    for stream in (b"nINSTREAM\n", b"nINSTREAM\n" + frames(OTHER), b"nINSTREAM\n" + frames(OTHER) + END[:3]):
        assert talk(address, stream, half_close=True) == (b"", "closed")
    assert talk(address, b"nPIN", half_close=True) == (b"", "closed")
    assert talk(address, half_close=True) == (b"", "closed")
    wait_until(lambda: clamd.connections() == 0, "every connection is let go of")


def test_what_may_not_be_asked_is_refused(address):
    for command in (b"nSHUTDOWN\n", b"nQUIT\n"):
        assert talk(address, command) == (b"COMMAND UNAVAILABLE\n", "closed")
    for command in (b"nFOO\n", b"GET / HTTP/1.0\r\n\r\n", b"INSTREAM\n", b"nEND\n"):
        assert talk(address, command) == (b"UNKNOWN COMMAND\n", "closed")
    assert talk(address, b"n" + b"A" * 5000)[0] == b""
    assert instream(address, PLAIN) == "OK"


def test_the_version_has_three_parts_and_the_statistics_are_as_clamdtop_reads_them(address):
    version = talk(address, b"nVERSION\n")[0].decode()
    assert re.fullmatch(r"ClamAV 1\.4\.6/\d+/\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n", version)
    statistics = talk(address, b"zSTATS\0")[0].decode()
    assert re.search(r"^THREADS: live \d+  idle \d+ max \d+ idle-timeout \d+$", statistics, re.MULTILINE)
    assert statistics.endswith("END\0")
    assert talk(address, b"zRELOAD\0") == (b"RELOADING\0", "closed")


def test_a_descriptor_is_read_from_its_beginning_and_what_cannot_be_read_is_never_ok(clamd, tmp_path):
    listed, other = tmp_path / "listed", tmp_path / "other"
    listed.write_bytes(COPY)
    other.write_bytes(OTHER)
    for packets in ((b"zFILDES\0", handing(listed)), (handing(listed, message=b"zFILDES\0"),)):
        answer, how = talk(clamd.path, *packets)
        assert re.fullmatch(rb"fd\[\d+\]: Tutela\.Blocked\.[0-9a-f]{12} FOUND\0", answer) and how == "closed"
    assert re.fullmatch(rb"fd\[\d+\]: OK\n", talk(clamd.path, b"nFILDES\n", handing(other))[0])
    assert b"Held" in talk(clamd.path, b"nFILDES\n", handing(other, os.O_WRONLY))[0]
    assert b"Held" in talk(clamd.path, b"nFILDES\n", handing(other, os.O_PATH))[0]
    assert b"Not a regular file ERROR" in talk(clamd.path, b"nFILDES\n", handing(tmp_path))[0]
    assert talk(clamd.path, b"nFILDES\n", b"x") == (b"No file descriptor received. ERROR\n", "closed")
    session = (b"nIDSESSION\n", b"nFILDES\n", handing(listed), b"nFILDES\n", handing(other), b"nPING\n", b"nEND\n")
    answer, _ = talk(clamd.path, *session)
    assert re.fullmatch(rb"1: fd\[\d+\]: \S+ FOUND\n2: fd\[\d+\]: OK\n3: PONG\n", answer), answer
    assert talk(clamd.port, b"nFILDES\n")[0] == b"UNKNOWN COMMAND\n"


def test_paths_are_read_below_the_roots_only_and_no_link_is_followed(clamd, tmp_path):
    root = Path(clamd.path).parent / "root"
    (root / "sub").mkdir(exist_ok=True)
    (root / "other.jpg").write_bytes(OTHER)
    (root / "sub" / "listed.jpg").write_bytes(COPY)
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(OTHER)
    assert talk(clamd.path, f"nSCAN {root}/other.jpg\n".encode())[0] == f"{root}/other.jpg: OK\n".encode()
    for command in ("SCAN", "CONTSCAN", "MULTISCAN", "ALLMATCHSCAN"):
        answer = talk(clamd.path, f"z{command} {root}\0".encode())[0].decode()
        assert re.fullmatch(rf"{root}/sub/listed\.jpg: Tutela\.Blocked\.[0-9a-f]{{12}} FOUND\0", answer), command
    assert b"FOUND" in talk(clamd.path, f"MULTISCAN {root}/sub/listed.jpg".encode())[0]
    (root / "link.jpg").symlink_to(outside)
    (root / "away").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    for name in ("link.jpg", "pipe"):
        assert b": Tutela.Held." in talk(clamd.path, f"nSCAN {root}/{name}\n".encode())[0]
    for path in (outside, f"{root}/../clamd.sock", f"{root}/away/outside.jpg", f"{root}/none", "etc/passwd", "/"):
        said = talk(clamd.path, f"nCONTSCAN {path}\n".encode())[0]
        assert said.endswith(b" ERROR\n") and b"OK" not in said, path
    assert talk(clamd.port, f"nSCAN {root}/other.jpg\n".encode())[0] == b"COMMAND UNAVAILABLE\n"
    for name in ("link.jpg", "away", "pipe"):
        (root / name).unlink()


def test_content_over_the_limit_of_an_answer_is_held_and_its_job_finds_what_is_listed(clamd):
    content = COPY + bytes(1) * MAX_BYTES
    clamd.deployment.job_runner.start()
    name = instream(clamd.path, content)
    assert HELD.fullmatch(name)
    number = name.split()[0].rpartition(".")[2]

    def ended() -> bool:
        found = [job for job in clamd.deployment.jobs.all() if job.id.startswith(number)]
        return bool(found) and found[0].state is JobState.DONE and found[0].verdict["decision"] == "block"

    wait_until(ended, "the job comes to its verdict")
    clamd.deployment.job_runner.stop()


def test_streams_in_frames_of_a_byte_from_many_at_once_are_read_to_their_end(address, clamd):
    """Each is left alone for longer the more of them there are; none is forgotten."""
    with ThreadPoolExecutor(8) as threads:
        contents = [COPY, OTHER] * 4
        asked = [b"nINSTREAM\n" + frames(content, 1) + END for content in contents]
        answers = list(threads.map(lambda question: talk(address, question)[0], asked))
    for content, answer in zip(contents, answers, strict=True):
        assert (b" FOUND" in answer) is (content is COPY), answer
    assert clamd.running.capacity.held_bytes == 0


def test_content_over_every_limit_is_held_at_once(address, clamd):
    for size in (0xFFFFFFFF, MAX_JOB_BYTES + 1):
        answer, _ = talk(address, b"nINSTREAM\n" + struct.pack(">I", size))
        assert re.fullmatch(rb"stream: Tutela\.Held\.[0-9a-f]{12} FOUND\n", answer)
    endless = frames(bytes(MAX_JOB_BYTES + 65_536), 65_536)
    answer, _ = talk(address, b"nINSTREAM\n" + endless)
    assert b"Held" in answer
    wait_until(lambda: clamd.running.capacity.held_bytes == 0, "its memory is given back")


def test_a_stream_of_exactly_a_clients_limit_is_held(clamd):
    content = OTHER + bytes(262_144 - len(OTHER))
    answer = instream(clamd.path, content)
    assert HELD.fullmatch(answer)
    number = answer.split()[0].rpartition(".")[2]
    with clamd.deployment.store.read() as connection:
        (row,) = connection.exec_driver_sql(f"select document from verdict where id like '{number}%'").all()
    assert '"cut-short"' in row.document


def test_nothing_is_left_open_by_any_way_a_connection_ends(clamd, tmp_path):
    listed = tmp_path / "listed"
    listed.write_bytes(COPY)
    reset = struct.pack("ii", 1, 0)

    def open_files() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    def storm() -> None:
        for _ in range(40):
            with connected(clamd.path):
                pass
            with connected(clamd.path) as connection:
                connection.sendall(b"nINSTREAM\n" + frames(OTHER)[:3000])
            with connected(clamd.port) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                connection.sendall(b"nINSTREAM\n" + frames(PLAIN) + END)
            with connected(clamd.path) as connection:
                connection.sendall(b"nFILDES\n")
            with connected(clamd.path) as connection:
                handing(listed, message=b"nPING\n")(connection)
                with contextlib.suppress(BrokenPipeError):  # where it is answered and closed already
                    handing(listed, message=b"xx")(connection)

    storm()
    wait_until(lambda: clamd.connections() == 0, "every connection is let go of")
    before = open_files()
    storm()
    wait_until(lambda: clamd.connections() == 0, "every connection is let go of")
    wait_until(lambda: open_files() <= before, "as many files are open as before")
    assert clamd.running.capacity.held_bytes == 0


@pytest.mark.slow
def test_who_says_nothing_or_trickles_is_let_go_of_by_an_absolute_deadline(knowing, tmp_path):
    impatient = Clamd(knowing, tmp_path, first_s=0.5, body_s=1.5)
    try:
        assert talk(impatient.path) == (b"COMMAND READ TIMED OUT\n", "closed")
        assert talk(impatient.port, b"nIDSESSION\nnPING\n") == (b"1: PONG\n", "closed")
        connection = connected(impatient.path)
        connection.sendall(b"nINSTREAM\n")
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - began < PATIENCE_S:
                connection.sendall(frames(b"x"))
                time.sleep(0.02)
        answer, _ = everything(connection)
        assert answer == b"" or b"Held" in answer
        connection.close()
        connection = connected(impatient.path)
        connection.sendall(b"nINSTREAM\n" + frames(PLAIN))
        assert re.fullmatch(rb"stream: Tutela\.Held\.[0-9a-f]{12} FOUND\n", everything(connection)[0])
    finally:
        impatient.running.stop()


def test_of_too_many_idle_connections_the_oldest_makes_room(knowing, tmp_path):
    small = Clamd(knowing, tmp_path, max_idle=50)
    try:
        with many(small.path, 120) as idle:
            assert talk(small.path, b"nPING\n") == (b"PONG\n", "closed")
            assert idle[0].recv(10) == b""
            idle[-1].sendall(b"nPING\n")
            assert idle[-1].recv(10) == b"PONG\n"
            assert small.connections() <= 50
    finally:
        small.running.stop()


def test_where_memory_is_full_a_body_waits_for_room_and_is_answered(knowing, tmp_path):
    tight = Clamd(knowing, tmp_path)
    try:
        tight.running.capacity.max_held_bytes = 100_000
        with connected(tight.path) as slow:
            slow.sendall(b"nINSTREAM\n" + frames(PLAIN * 5000))
            wait_until(lambda: tight.running.capacity.full, "the memory is full")
            answers: list[str] = []
            waiting = threading.Thread(target=lambda: answers.append(instream(tight.path, PLAIN)))
            waiting.start()
            slow.sendall(END)
            assert slow.recv(100) == b"stream: OK\n"
            waiting.join(PATIENCE_S)
            assert answers == ["OK"]
        wait_until(lambda: tight.running.capacity.held_bytes == 0, "the memory is given back")
    finally:
        tight.running.stop()


def test_stopping_answers_what_is_under_way_as_held(knowing, tmp_path):
    stopping = Clamd(knowing, tmp_path)
    with connected(stopping.path) as half, connected(stopping.port) as idle:
        half.sendall(b"nINSTREAM\n" + frames(PLAIN))
        wait_until(lambda: stopping.running.capacity.held_bytes > 0, "half a body is there")
        stopping.running.stop()
        assert re.fullmatch(rb"stream: Tutela\.Held\.[0-9a-f]{12} FOUND\n", everything(half)[0])
        assert everything(idle)[0] == b""


def test_how_a_hold_is_said_can_be_chosen_but_never_as_ok(knowing, tmp_path):
    for held_as, expected in (
        ("limits", r"Heuristics\.Limits\.Exceeded\.Tutela\.[0-9a-f]{12} FOUND"),
        ("error", r"Tutela\.Held\.[0-9a-f]{12} ERROR"),
    ):
        other = Clamd(knowing, tmp_path, held_as=held_as)
        try:
            assert re.fullmatch(expected, instream(other.path, DAMAGED))
            assert BLOCKED.fullmatch(instream(other.path, COPY))
        finally:
            other.running.stop()
