"""The clamd gateway beside real clamd, and asked by every client that runs here; `make test-peers`."""

import contextlib
import hashlib
import io
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import pyzipper

from tests.support.clamd_clients import NAMES, Client, client, needs
from tests.support.effort import effort
from tests.support.forked import Forking
from tests.support.gateway_rounds import UP
from tests.support.gateways import (
    BANK,
    COPY,
    DAMAGED,
    END,
    KNOWN,
    OTHER,
    GatewayProcess,
    connected,
    everything,
    frames,
    handing,
    list_known,
    talk,
)
from tests.support.mail_server import answers, mail_server, send
from tests.support.memory import children_of
from tests.support.pictures import draw_scene, file_of, photos
from tests.support.service import free_port
from tests.support.waiting import wait_until
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.lists.banks.model import NewEntry

pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("nothing_is_told")]

LISTED = b"words that stand for known material\n" * 20
WORDS = b"words\n"
STREAM_LIMIT = 1024 * 1024
SETTINGS = {
    "kind": "clamd",
    "overrides": {"unknown-type": "allow"},
    "cut_at": [STREAM_LIMIT, 26_214_400],
    "answer_s": 120,
}


def prepare(home: Path) -> None:
    """A home that blocks a picture and a text."""
    with compose_deployment(home, decoders=1) as deployment:
        list_known(deployment)
        entry = NewEntry("sha256", hashlib.sha256(LISTED).digest())
        deployment.banks.add(BANK, [entry], actor="test", reason="for the test")


class Gateway:
    """A clamd gateway in a process of its own, at a socket and at a port."""

    def __init__(self, home: Path, **options: object) -> None:
        self.home = home
        self.path, self.port = str(home / "clamd.sock"), free_port()
        listen = [self.path, f"127.0.0.1:{self.port}"]
        self.settings = {"clamd": SETTINGS | {"listen": listen} | options}
        self.process = GatewayProcess(home, "clamd", self.settings)

    @property
    def places(self) -> dict[str, str]:
        return {"unix": self.path, "tcp": str(self.port)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[Gateway]:
    home = folder / "home"
    prepare(home)
    (folder / "files").mkdir()
    gateway = Gateway(home, roots=[str(folder / "files")], body_s=60)
    yield gateway
    gateway.process.stop()


@pytest.fixture(scope="module")
def real(folder: Path) -> Iterator[str]:
    """Real clamd, which knows the same text, and its socket."""
    needs("clamd")
    base = folder / "real"
    (base / "db").mkdir(parents=True)
    (base / "db" / "own.hdb").write_text(f"{hashlib.md5(LISTED).hexdigest()}:{len(LISTED)}:Stands.For.Known\n")
    path = str(base / "clamd.sock")
    (base / "clamd.conf").write_text(
        f"LocalSocket {path}\nDatabaseDirectory {base / 'db'}\nForeground yes\nStreamMaxLength 1M\nMaxFileSize 2M\n"
        "CommandReadTimeout 5\n"
    )
    process = subprocess.Popen(["/usr/sbin/clamd", "-c", str(base / "clamd.conf")], stdout=subprocess.DEVNULL)
    wait_until(lambda: Path(path).is_socket() and talk(path, b"nPING\n")[0] == b"PONG\n", "real clamd answers")
    yield path
    process.terminate()
    process.wait(30)


def cases(files: Path) -> dict[str, tuple[list[Any], bool]]:
    """Raw conversations by name: the packets, and whether the gateway may be stricter."""
    listed, words, empty = files / "listed", files / "tree" / "words.txt", files / "empty"
    stream = frames(LISTED) + END
    same: dict[str, list[object]] = {
        "ping z": [b"zPING\0"],
        "ping n": [b"nPING\n"],
        "ping cr": [b"nPING\r\n"],
        "ping bare": [b"PING"],
        "ping bare line": [b"PING\n"],
        "ping bare cr": [b"PING\r\n"],
        "ping bare nul": [b"PING\0"],
        "lower case": [b"nping\n"],
        "lower case bare": [b"ping"],
        "trailing word": [b"nPING x\n"],
        "trailing space": [b"nPING \n"],
        "leading space": [b"n PING\n"],
        "z with line": [b"zPING\n\0"],
        "in two packets": [b"zPI", b"NG\0"],
        "bare in two packets": [b"PI", b"NG\n"],
        "two commands": [b"nPING\nnVERSION\n"],
        "empty n": [b"n\n"],
        "empty z": [b"z\0"],
        "only a line": [b"\n"],
        "only a nul": [b"\0"],
        "http": [b"GET / HTTP/1.0\r\n\r\n"],
        "too long n": [b"n" + b"A" * 5000],
        "too long z": [b"z" + b"A" * 6000 + b"\0"],
        "version n": [b"nVERSION\n"],
        "version z": [b"zVERSION\0"],
        "version bare": [b"VERSION"],
        "statistics bare": [b"STATS\n"],
        "stream bare": [b"INSTREAM\n"],
        "session bare": [b"IDSESSION\n"],
        "end bare": [b"END\n"],
        "all matches bare": [b"ALLMATCHSCAN %s\n" % bytes(listed)],
        "version commands bare": [b"VERSIONCOMMANDS\n"],
        "reload": [b"nRELOAD\n"],
        "end": [b"nEND\n"],
        "no command": [b"nFOO\n"],
        "stream is old": [b"nSTREAM\n"],
        "raw scan is old": [b"nRAWSCAN /x\n"],
        "scan nothing": [b"nSCAN\n"],
        "scan a space": [b"nSCAN \n"],
        "stream ok": [b"zINSTREAM\0" + frames(WORDS) + END],
        "stream listed": [b"nINSTREAM\n", frames(LISTED), END],
        "one byte a frame": [b"nINSTREAM\n" + frames(LISTED, 1) + END],
        "one frame": [b"zINSTREAM\0" + frames(LISTED, 1 << 20) + END],
        "command and stream apart": [b"zINSTREAM", b"\0", stream],
        "header split": [b"nINSTREAM\n" + stream[:2], stream[2:]],
        "end split": [b"nINSTREAM\n" + stream[:-2], stream[-2:]],
        "bytes behind": [b"nINSTREAM\n" + stream + b"trailing"],
        "scan listed": [b"nSCAN %s\n" % bytes(listed)],
        "scan listed z": [b"zSCAN %s\0" % bytes(listed)],
        "scan listed bare": [b"SCAN %s" % bytes(listed)],
        "scan words": [b"nSCAN %s\n" % bytes(words)],
        "scan with a tab": [b"nSCAN\t%s\n" % bytes(listed)],
        "scan nowhere": [b"nSCAN %s/none\n" % bytes(files)],
        "scan below a file": [b"nSCAN %s/none\n" % bytes(listed)],
        "scan words behind": [b"nCONTSCAN %s extra\n" % bytes(listed)],
        "scan a folder": [b"nSCAN %s/tree\n" % bytes(files)],
        "continued": [b"nCONTSCAN %s/tree\n" % bytes(files)],
        "multiple": [b"nMULTISCAN %s/tree\n" % bytes(files)],
        "multiple bare": [b"MULTISCAN %s/tree" % bytes(files)],
        "multiple nowhere": [b"nMULTISCAN %s/none\n" % bytes(files)],
        "all matches": [b"nALLMATCHSCAN %s/tree\n" % bytes(files)],
        "descriptor": [b"zFILDES\0", handing(listed)],
        "descriptor of words": [b"nFILDES\n", handing(words)],
        "no descriptor": [b"zFILDES\0", b"x"],
        "descriptor of a folder": [b"nFILDES\n", handing(files)],
        "descriptor of a device": [b"nFILDES\n", handing(Path("/dev/null"))],
        "session": [b"nIDSESSION\nnPING\nnVERSION\nnEND\n"],
        "session mixed": [b"zIDSESSION\0", b"zPING\0nPING\n", b"zINSTREAM\0" + stream, b"zEND\0"],
        "session scan": [b"nIDSESSION\n", b"nSCAN %s\n" % bytes(listed), b"nEND\n"],
        "session descriptor": [b"nIDSESSION\n", b"nFILDES\n", handing(listed), b"nPING\n", b"nEND\n"],
        "session streams": [b"nIDSESSION\n" + b"nINSTREAM\n" + frames(WORDS) + END, b"nINSTREAM\n" + stream, b"nEND\n"],
        "session unknown": [b"nIDSESSION\n", b"nFOO\n"],
        "session continued": [b"nIDSESSION\n", b"nCONTSCAN %s\n" % bytes(listed)],
        "session reload": [b"nIDSESSION\nnRELOAD\n"],
        "session session": [b"nIDSESSION\nnIDSESSION\n"],
    }
    stricter: dict[str, list[object]] = {
        "stream empty": [b"nINSTREAM\n" + END],
        "length of all ones": [b"nINSTREAM\n\xff\xff\xff\xff"],
        "empty file": [b"nSCAN %s\n" % bytes(empty)],
        "descriptor of an empty file": [b"nFILDES\n", handing(empty)],
        "write-only": [b"zFILDES\0", handing(listed, os.O_WRONLY)],
        "scan a link": [b"nSCAN %s/link\n" % bytes(files)],
        "scan a pipe": [b"nSCAN %s/pipe\n" % bytes(files)],
        "scan a device": [b"nSCAN /dev/null\n"],
        "descriptor with the command": [handing(listed, message=b"zFILDES\0")],
        "descriptor bare": [b"FILDES", handing(listed)],
        "session bare command": [b"nIDSESSION\n", b"PING\n"],
        "encrypted": [b"nINSTREAM\n" + frames(encrypted_archive(files)) + END],
    }
    return {name: (packets, False) for name, packets in same.items()} | {
        name: (packets, True) for name, packets in stricter.items()
    }


def encrypted_archive(folder: Path) -> bytes:
    """A ZIP that opens only with a password, with the listed text in it."""
    path = folder.parent / "encrypted.zip"
    with pyzipper.AESZipFile(path, "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(b"secret")
        archive.writestr("listed", LISTED)
    return path.read_bytes()


def plain(answer: bytes) -> list[bytes]:
    """An answer without what may differ: names, numbers of descriptors, versions; lines of a folder in order."""
    answer = re.sub(rb"ClamAV [^\0\n]*", b"ClamAV", answer)
    answer = re.sub(rb"fd\[\d+\]", b"fd[N]", answer)
    answer = re.sub(rb"\S+ FOUND", b"NAME FOUND", answer)
    return sorted(re.split(rb"(?<=[\0\n])", answer))


def severity(answer: bytes) -> int:
    return 2 if b"FOUND" in answer else 0 if b"OK" in answer and b"ERROR" not in answer else 1


def test_raw_cases_are_answered_as_real_clamd_does_or_more_strictly(gateway, real, folder):
    files = folder / "files"
    (files / "tree" / "sub").mkdir(parents=True)
    for name, data in (("listed", LISTED), ("empty", b""), ("tree/words.txt", WORDS), ("tree/sub/listed", LISTED)):
        (files / name).write_bytes(data)
    (files / "link").symlink_to(files / "tree" / "words.txt")
    os.mkfifo(files / "pipe")
    tried = cases(files)
    assert len(tried) >= 60
    for name, (packets, may_be_stricter) in tried.items():
        theirs, their_end = talk(real, *packets, gap_s=0.02, timeout_s=5)
        ours, our_end = talk(gateway.path, *packets, gap_s=0.02, timeout_s=60)
        if may_be_stricter:
            assert severity(ours) >= severity(theirs) and ours, (name, theirs, ours)
        else:
            assert plain(ours) == plain(theirs), (name, theirs, ours)
            assert (their_end == "open") == (our_end == "open"), (name, their_end, our_end)
    for unfinished in (b"zPING\n", b"nPI", b"nINSTREAM\n" + frames(LISTED), b"nIDSESSION\n"):
        for address in (real, gateway.path):
            assert talk(address, unfinished, timeout_s=0.5) == (b"", "open")
            assert talk(address, unfinished, half_close=True) == (b"", "closed")


@pytest.fixture(scope="module")
def uploads(folder: Path) -> Path:
    """200 benign files, 20 of them altered copies of the listed picture, in two folders."""
    files = folder / "uploads"
    for name in ("clean", "all"):
        (files / name).mkdir(parents=True)
    for number in range(180):
        scene = draw_scene(number + 1000).resize((160, 120))
        data = file_of(scene, ("JPEG", "PNG", "WEBP")[number % 3])
        for name in ("clean", "all"):
            (files / name / f"{number}.bin").write_bytes(data)
    for number in range(20):
        side = 200 + 8 * number
        copy = file_of(photos()[0].resize((side, side)), "JPEG", quality=50 + 2 * number)
        (files / "all" / f"copy-{number}.bin").write_bytes(copy)
    return files


MODES = ("--stream", "--fdpass", "--stream --multiscan", "--fdpass --multiscan")


@pytest.mark.parametrize(("place", "mode"), [("unix", mode) for mode in MODES] + [("tcp", mode) for mode in MODES[::2]])
def test_clamdscan_finds_every_altered_copy_and_nothing_else(gateway, uploads, folder, place, mode):
    needs("clamdscan")
    where = f"LocalSocket {gateway.path}" if place == "unix" else f"TCPSocket {gateway.port}\nTCPAddr 127.0.0.1"
    settings = folder / f"{place}.conf"
    settings.write_text(f"{where}\nStreamMaxLength 100M\n")

    def run(*arguments: str, given: bytes | None = None) -> tuple[int, str]:
        command = ["clamdscan", "-c", str(settings), *arguments]
        done = subprocess.run(command, input=given, capture_output=True, timeout=170)
        return done.returncode, done.stdout.decode()

    assert run(*mode.split(), "--no-summary", str(uploads / "clean"))[0] == 0
    status, said = run(*mode.split(), "--no-summary", str(uploads / "all"))
    assert status == 1
    assert len(re.findall(r"copy-\d+\.bin: Tutela\.Blocked\.[0-9a-f]{12} FOUND", said)) == 20
    assert said.count("FOUND") == 20
    if mode != "--stream":
        return
    assert run("-", given=COPY)[0] == 1
    assert run("-", given=OTHER)[0] == 0
    assert run("--ping", "2") == (0, "PONG\n")
    assert run("--reload")[0] == 0
    assert re.fullmatch(r"ClamAV 1\.4\.6/\d+/.*\n", run("--version")[1])


def test_clamdtop_shows_the_pool(gateway):
    needs("clamdtop", "script")
    shown = subprocess.run(
        ["script", "-qec", f"timeout --foreground 4 clamdtop 127.0.0.1:{gateway.port}", "/dev/null"],
        capture_output=True,
        timeout=60,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "140", "LINES": "40"},
    ).stdout
    plain_text = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\([A-Z0-9]", b"", shown)
    assert b"ClamAV 1.4.6" in plain_text and b"idle" in plain_text.lower(), plain_text[-2000:]


@pytest.mark.parametrize("place", ["unix", "tcp"])
@pytest.mark.parametrize("name", NAMES)
def test_every_client_refuses_a_match_and_a_hold_and_passes_the_rest(gateway, tmp_path, name, place):
    asking = client(name, gateway.places[place])
    for content, expected in ((OTHER, "pass"), (COPY, "refused"), (DAMAGED, "refused"), (WORDS, "pass")):
        file = tmp_path / "upload"
        file.write_bytes(content)
        assert asking.ask(file) == expected, (name, place, content[:20])


@pytest.mark.parametrize("name", NAMES)
def test_every_client_refuses_what_a_killed_decoder_was_at(gateway, tmp_path, name):
    asking = client(name, str(gateway.port))
    file = tmp_path / "upload"
    file.write_bytes(OTHER)
    wait_until(lambda: asking.ask(file) == "pass", "a decoder is up")
    assert killed_while_it_is_asked(gateway, lambda: asking.ask(file)) == "refused"
    assert asking.ask(file) == "pass"


def killed_while_it_is_asked(gateway, ask: Callable[[], str]) -> str:
    """What comes of content whose decoder is stopped, is asked, and is killed."""
    outcome = ""
    for delay_s in (1.0, 4.0, 16.0):  # killed before it was asked, it would be replaced
        workers = children_of(gateway.process.process.pid)
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as executor:
            future = executor.submit(ask)
            time.sleep(delay_s)
            for worker in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            outcome = future.result()
        if outcome != "pass":
            break
    return outcome


@pytest.mark.parametrize("name", NAMES)
def test_no_client_hangs_over_a_length_that_is_screened_later(gateway, tmp_path, name):
    asking = client(name, str(gateway.port))
    file = tmp_path / "upload"
    file.write_bytes(OTHER + bytes(66 * 1024 * 1024))
    assert asking.ask(file) in ("refused", "error")


def test_a_file_that_clamdscan_cuts_at_its_limit_is_held(gateway, tmp_path):
    needs("clamdscan")
    settings, file = tmp_path / "clamd.conf", tmp_path / "long"
    file.write_bytes(WORDS * (STREAM_LIMIT // len(WORDS)) + bytes(100) + COPY)
    command = ["clamdscan", "-c", str(settings), "--stream", str(file)]
    settings.write_text(f"LocalSocket {gateway.path}\nStreamMaxLength 1M\n")
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 1 and b"Tutela.Held." in done.stdout, done.stdout
    file.write_bytes(WORDS * (26_214_400 // len(WORDS)) + bytes(100) + COPY)
    settings.write_text(f"LocalSocket {gateway.path}\nStreamMaxLength 25M\n")
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 1 and b"Tutela.Held." in done.stdout, done.stdout


def test_among_idle_and_trickling_connections_a_newcomer_is_answered(gateway):
    """10,000 that say nothing and 1,000 whose bodies trickle."""
    process = gateway.process.process.pid
    before = resident(process)
    opened: list[socket.socket] = []
    try:
        for number in range(11_000):
            connection = connected(gateway.path if number % 2 else ("127.0.0.1", gateway.port))
            if number % 11 == 0:
                connection.sendall(b"nINSTREAM\n" + frames(b"x"))
            opened.append(connection)
        began = time.monotonic()
        assert talk(gateway.path, b"zINSTREAM\0" + frames(OTHER) + END)[0] == b"stream: OK\0"
        assert talk(("127.0.0.1", gateway.port), b"nPING\n")[0] == b"PONG\n"
        print(f"newcomers answered in {time.monotonic() - began:.3f} s")
        assert resident(process) - before < 100 * 1024 * 1024
    finally:
        for connection in opened:
            connection.close()


def resident(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_hostile_bodies_end_by_deadline_or_limit_and_their_memory_returns(folder):
    home = folder / "hostile"
    prepare(home)
    hostile = Gateway(home, body_s=3, first_s=3)
    try:
        before = resident(hostile.process.process.pid)
        ended: list[bytes] = []

        def attack(size: int, gap_s: float) -> None:
            with connected(("127.0.0.1", hostile.port)) as connection:
                try:
                    connection.sendall(b"nINSTREAM\n")
                    began = time.monotonic()
                    while time.monotonic() - began < 120:
                        connection.sendall(frames(bytes(size)))
                        time.sleep(gap_s)
                except OSError:
                    pass
                ended.append(everything(connection)[0])

        attacks = [
            threading.Thread(target=attack, args=each) for each in ((1, 0.1), (1, 0.0), (65_536, 0.01), (8, 0.5))
        ]
        for each in attacks:
            each.start()
        while any(each.is_alive() for each in attacks):
            assert talk(hostile.path, b"zINSTREAM\0" + frames(WORDS) + END)[0] == b"stream: OK\0"
        assert len(ended) == len(attacks)
        assert all(not answer or b"Held" in answer for answer in ended)
        wait_until(
            lambda: resident(hostile.process.process.pid) - before < 64 * 1024 * 1024, "the memory is given back"
        )
    finally:
        assert hostile.process.stop() == 0


def test_a_long_body_that_trickles_is_ended_by_its_rate(gateway):
    """A few bytes in each of the moments for which a long body is left alone, less than the least rate in all."""
    began = time.monotonic()
    with connected(("127.0.0.1", gateway.port)) as connection:
        connection.sendall(b"nINSTREAM\n" + frames(bytes(20_000)))
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 55:
                connection.sendall(frames(b"x"))
                time.sleep(0.0005)
        answer, _ = everything(connection)
    assert time.monotonic() - began < 45
    assert not answer or b"Held" in answer


def test_a_killed_gateway_is_never_taken_for_clean(folder, tmp_path):
    """Killed in mid body, after the last frame, while decoding, and later: no client says that a file passes."""
    home = folder / "killed"
    prepare(home)
    path, port = str(home / "clamd.sock"), free_port()
    settings = {"clamd": SETTINGS | {"listen": [path, f"127.0.0.1:{port}"]}}
    file = tmp_path / "upload"
    file.write_bytes(COPY)  # is refused, so that no true answer is a pass
    clients = [Client(name, where) for name in NAMES for where in (path, str(port)) if installed(name, where)]
    assert clients
    random_moments = random.Random(1)
    moments = effort(6, 100)
    wrong: list[tuple[str, str, str]] = []
    words: dict[str, int] = {}
    found: list[bytes] = []
    with Forking("tests.support.gateway_rounds", str(home), json.dumps(settings), longest_s=3600) as forking:
        for _ in range(moments):
            (home / UP).unlink(missing_ok=True)
            forking.start()
            wait_until((home / UP).exists, "the gateway is up")
            asked = [(each, each.start(file)) for each in clients]
            raw = [connected(path), connected(("127.0.0.1", port))]
            for connection in raw:
                connection.sendall(b"nINSTREAM\n" + frames(COPY) + END)
            time.sleep(random_moments.choice((0.0, 0.001, 0.005, 0.02, 0.2, 0.5, 1.0)) * random_moments.random())
            forking.kill()
            for connection in raw:
                answer, how = everything(connection)
                assert how == "reset" or b"FOUND" in answer, (answer, how)
                found += re.findall(rb"Tutela\.(?:Held|Blocked)\.([0-9a-f]{12}) FOUND", answer)
                connection.close()
            for each, asking in asked:
                word = each.word(asking)
                words[word] = words.get(word, 0) + 1
                if word in ("pass", "nothing") and each.name not in ("pyclamd", "django-clamd"):
                    wrong.append((each.name, each.where, word))
    print(f"{moments} kills: {words}, {len(found)} raw answers")
    assert not wrong
    with compose_deployment(home, decoders=1) as deployment:
        known = written_down(deployment)
    assert {digits.decode() for digits in found} <= known


def installed(name: str, where: str) -> bool:
    try:
        client(name, where)
    except pytest.skip.Exception:
        return False
    return True


def test_a_stopped_gateway_answers_everybody_and_every_answer_is_written_down(folder, tmp_path):
    home = folder / "stopped"
    prepare(home)
    stopped = Gateway(home)
    answers: list[bytes] = []

    def ask(content: bytes) -> None:
        answers.append(talk(stopped.path, b"nINSTREAM\n" + frames(content) + END)[0])

    asking = [threading.Thread(target=ask, args=(content,)) for content in (COPY, KNOWN, DAMAGED, OTHER) * 6]
    half = connected(stopped.path)
    half.sendall(b"nINSTREAM\n" + frames(OTHER))
    for each in asking:
        each.start()
    time.sleep(0.1)
    assert stopped.process.stop() == 0
    for each in asking:
        each.join(60)
    answers.append(everything(half)[0])
    half.close()
    given = [answer for answer in answers if answer]
    assert given
    with compose_deployment(home, decoders=1) as deployment:
        known = written_down(deployment)
    for answer in given:
        assert re.fullmatch(rb"stream: (OK|Tutela\.(Held|Blocked)\.[0-9a-f]{12} FOUND)\n", answer), answer
        assert b"OK" in answer or answer.split()[1].rpartition(b".")[2].decode() in known, answer


def written_down(deployment: Deployment) -> set[str]:
    """The first digits of every verdict and job."""
    return {row.id[:12] for table in ("verdict", "job") for row in rows(deployment, table)}


def rows(deployment: Deployment, table: str) -> list[Any]:
    with deployment.store.read() as connection:
        return list(connection.exec_driver_sql(f"select id from {table}").all())


def test_resets_and_empty_connections_leave_nothing_open(gateway):
    process = gateway.process.process.pid

    def open_files() -> int:
        return sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())

    def come_and_go(times: int) -> None:
        reset = struct.pack("ii", 1, 0)
        for number in range(times):
            connection = connected(("127.0.0.1", gateway.port) if number % 2 else gateway.path)
            if number % 3 == 0:
                connection.sendall(b"nINSTREAM\n" + frames(WORDS) + (END if number % 9 == 0 else b""))
            if number % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            connection.close()

    come_and_go(500)  # what stays open for good is opened when it is first needed: workers, the database's connections
    before = 0
    while before != (before := open_files()):
        time.sleep(2.0)
    come_and_go(10_000)
    wait_until(lambda: open_files() <= before, "as many files are open as before")


@pytest.fixture(scope="module")
def postfix(gateway, folder) -> Iterator[int]:
    """Postfix with clamav-milter in front of it, and the port that it takes mail at."""
    needs("clamav-milter")
    milter, settings = free_port(), folder / "milter.conf"
    settings.write_text(
        f"MilterSocket inet:{milter}@127.0.0.1\nClamdSocket tcp:127.0.0.1:{gateway.port}\nOnInfected Reject\n"
        "OnFail Defer\nForeground yes\nUser root\n"
    )
    milters = subprocess.Popen(["/usr/sbin/clamav-milter", "-c", str(settings)])
    try:
        wait_until(lambda: answers(milter), "clamav-milter answers")
        with mail_server(folder / "postfix", f"inet:127.0.0.1:{milter}") as server:
            yield server.port
    finally:
        milters.terminate()
        milters.wait(60)


def test_mail_with_a_listed_picture_is_refused_and_deferred_while_nobody_answers(gateway, postfix, tmp_path):
    listed, clean, nested = tmp_path / "listed.jpg", tmp_path / "clean.jpg", tmp_path / "nested.tar"
    listed.write_bytes(COPY)
    clean.write_bytes(OTHER)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("beach.jpg", COPY)
    with tarfile.open(nested, "w") as archive:
        member = tarfile.TarInfo("inner.zip")
        member.size = len(inner.getvalue())
        archive.addfile(member, io.BytesIO(inner.getvalue()))
    assert send(postfix, clean) == 250
    assert send(postfix, listed) == 550
    assert send(postfix, nested) == 550
    gateway.process.stop()
    try:
        assert send(postfix, clean) == 451
    finally:
        gateway.process.start()
    wait_until(lambda: send(postfix, clean) == 250, "the milter has noticed that somebody answers again")
