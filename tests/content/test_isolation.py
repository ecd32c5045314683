"""Isolation: whatever a decoder does, its content is held with a reason and everything else goes on."""

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from tests.support.containers import every_container
from tests.support.effort import effort
from tests.support.in_pieces import CARRIERS, pieces, put_in_disorder
from tests.support.isolated_tasks import what_is_found
from tests.support.lettered import DRAWINGS, PAGES, TEXTS
from tests.support.letters_apart import APART
from tests.support.memory import needs_root, stretches, traces
from tests.support.outlined import SHOWN
from tests.support.pictures import draw_scene, every_format, file_of, mutations, photos
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.content.media import fork_server
from tutela.content.media.confined.preparation import load
from tutela.content.media.content import Mode
from tutela.content.media.hostile import attempt_everything
from tutela.content.media.isolation import WorkerPool
from tutela.content.media.limits import Limits
from tutela.content.media.sniff import VIDEOS, sniff
from tutela.content.media.worker_process import WorkerProcess
from tutela.errors import TutelaError, UnscreenableError
from tutela.screening.examination import TASK, options, read_examination

MUTATIONS = effort(4_000, 100_000)


@pytest.fixture
def pool():
    limits = Limits(timeout_s=PATIENCE_S, max_memory_bytes=256 * 1024**2)
    with WorkerPool("tests.support.isolated_tasks:misbehave", size=2, limits=limits) as pool:
        pool.warm()
        yield pool


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("abort", "decoder-crash"),
        ("segfault", "decoder-crash"),
        ("exit", "decoder-crash"),
        ("memory", "out-of-memory"),
        ("unscreenable", "made-up"),
    ],
)
def test_a_worker_that_fails_holds_its_content_and_the_next_one_answers(pool, behaviour, reason):
    with pytest.raises(UnscreenableError) as caught:
        pool.run(behaviour.encode(), {})
    assert caught.value.reason == reason
    assert pool.run(b"fine", {}) == "fine"


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["sleep", "spin"])
def test_a_worker_that_does_not_end_is_ended_and_the_next_one_answers(pool, behaviour):
    patient = pool.limits
    pool.limits = replace(patient, timeout_s=0.5)
    with pytest.raises(UnscreenableError) as caught:
        pool.run(behaviour.encode(), {})
    assert caught.value.reason == "timeout"
    pool.limits = patient
    assert pool.run(b"fine", {}) == "fine"


@pytest.mark.parametrize("behaviour", ["raise", "long"])
def test_a_fault_of_the_task_is_ours_and_loud(pool, behaviour):
    with pytest.raises(TutelaError, match="failed in its worker"):
        pool.run(behaviour.encode(), {})
    assert pool.run(b"fine", {}) == "fine"


def test_a_name_that_is_no_text_arrives_with_a_question_mark_and_numbers_as_they_are(pool):
    answer = pool.run(b"name that is no text", {})
    assert answer == {"part": "archive.zip › a?b", "region": [1 / 3, 0.1, 1e-300, 1.0], "length": 2**70}


def test_an_answer_that_is_no_json_ends_its_worker_only(pool):
    with pytest.raises(TutelaError):
        pool.run(b"no-json", {})
    assert pool.run(b"fine", {}) == "fine"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ('{"task": 1, "result": ' + "[" * 50_000 + "]" * 50_000 + "}", "recursion limit"),
        ('{"task": 1, "result": NaN}', "not of its form: expected value"),
        ('{"task": 1, "result": -Infinity}', "not of its form"),
        ('{"task": 1, "result": ' + "9" * 10_000 + "}", "number out of range"),
        ('{"task": 1, "result": "\\uD800"}', "hex escape"),
        ('{"task": 2, "result": "for others"}', "something else"),
        ("[1]", "something else"),
    ],
)
def test_an_answer_that_is_made_to_harm_its_reader_ends_its_worker_only(answer, why):
    with WorkerPool("tests.support.isolated_tasks:misbehave", size=1) as pool:
        with pytest.raises(TutelaError, match=why):
            pool.run(b"answer as told", {"answer": answer})
        assert pool.run(b"fine", {}) == "fine"


def test_a_worker_writes_no_file_and_knows_no_secret(pool, monkeypatch):
    with pytest.raises((UnscreenableError, TutelaError)):
        pool.run(b"write", {})
    monkeypatch.setenv("TUTELA_DATABASE", "postgresql://user:secret@host/name")
    with WorkerPool("tests.support.isolated_tasks:misbehave", size=1) as fresh:
        assert "TUTELA_DATABASE" not in fresh.run(b"environment", {})


def test_a_worker_reaches_no_network(pool):
    if "no-network" not in pool.protections():
        pytest.skip("this system gives no network namespaces to this user")
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(TutelaError):
        pool.run(b"connect", {"port": server.getsockname()[1]})


def test_a_worker_that_starts_says_everything_at_once():
    """Two messages of two processes came in any order, and the later one was taken for an answer on a busy machine."""
    worker = WorkerProcess("tests.support.isolated_tasks:misbehave", Limits())
    try:
        said = worker._receive(lambda: None)
        assert set(said) == {"process", "refusals"}
        assert Path(f"/proc/{said['process']}").is_dir() or sys.platform != "linux"
    finally:
        worker.kill()


def test_the_protections_are_named(pool):
    assert {"core", "file-size", "open-files", "memory"} <= set(pool.protections())


# --- what hostile code gets done


_UNPRIVILEGED = """
import sys
from tutela import _native
if sys.argv[1] == "without namespaces":
    assert _native.leave_namespaces(0x10000000) == 0
    open("/proc/sys/user/max_user_namespaces", "w").write("0")
assert _native.drop_capabilities() == 0
from tutela.content.media import hostile
from tutela.content.media.isolation import WorkerPool
with WorkerPool(hostile.TASK, size=1) as pool:
    print([name for name, why in pool.refusals().items() if why])
print([what for what, why in hostile.attempt_everything().items() if why is None])
"""


def test_hostile_code_in_a_worker_gets_nothing_done():
    answers = attempt_everything()
    assert len(answers) >= 117
    assert [what for what, why in answers.items() if why is None] == []


def test_the_same_attempts_get_through_where_nothing_confines_them():
    """So that each of them can fail: most are things that any process of the user's may do."""
    script = (
        "from tutela.content.media.confined.attempts import ATTEMPTS, Targets, task\n"
        "from tutela.content.media.hostile import _targets\n"
        "tame = {name: attempt for name, attempt in ATTEMPTS.items() if name in %r}\n"
        "ATTEMPTS.clear(); ATTEMPTS.update(tame)\n"
        "with _targets() as options: print(sum(why is None for why in task(memoryview(b''), options).values()))"
    )
    tame = {
        "read a private file", "read the program's own code", "list a folder", "ask about a file", "write a new file",
        "change a file by mapping it", "shorten a file", "link a file", "make a symbolic link", "make a folder",
        "connect by TCP", "connect to a Unix socket", "connect to an abstract Unix socket", "make a pair of sockets",
        "fork", "signal the service", "open another process", "read the service's environment",
        "map executable memory", "make memory executable", "make a file in memory", "make shared memory",
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", script % tame], capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(tame)


@pytest.mark.parametrize("namespaces", ["with namespaces", "without namespaces"])
def test_an_ordinary_user_is_protected_as_well(namespaces):
    """Where the system refuses namespaces, Landlock and the filter of system calls refuse the same things."""
    command = [sys.executable, "-c", _UNPRIVILEGED, namespaces]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    refused, allowed = done.stdout.splitlines()
    assert allowed == "[]"
    gone = ["own-processes", "own-users", "no-network", "empty-root", "few-threads"]
    expected = gone if namespaces == "without namespaces" else []
    assert refused == str(expected)


_DRAWINGS = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90"><text y="50">\xe6\x97\xa5</text>'
    b'<rect x="30" y="40" width="50" height="40" fill="red"/></svg>',
    "cells": b"<table>" + b'<tr><td bgcolor="#f00">a</td><td bgcolor="#00f">b</td></tr>' * 30 + b"</table>",
}


def _shown_in_parts() -> dict[str, bytes]:
    """What is put together, joined, outlined or written before it is a picture."""
    files = [file_of(piece, "PNG") for piece in pieces(4, 4)]
    whole = {f"pieces in a {name}": carry(files) for name, carry in CARRIERS.items()}
    whole["pieces in disorder"] = CARRIERS["archive"]([file_of(put_in_disorder(4, 4), "PNG")])
    written = {**APART, **SHOWN, **PAGES, **DRAWINGS, **{name: "\n".join(text) for name, text in TEXTS.items()}}
    return whole | {name: text if isinstance(text, bytes) else text.encode() for name, text in written.items()}


@pytest.mark.slow
def test_a_worker_finds_what_is_found_without_confinement_and_asks_for_nothing_more():
    """Whatever content of any kind needs is loaded before; what is refused later would be a hold for no reason."""
    limits = Limits(timeout_s=PATIENCE_S)
    asked, different = {}, []
    with WorkerPool("tests.support.isolated_tasks:examine_and_tell", size=1, limits=limits) as pool:
        for name, data in {**every_format(photos()[0]), **every_container(), **_DRAWINGS, **_shown_in_parts()}.items():
            task_options = options(Mode.FAST, limits) | {"watched": sniff(data) in VIDEOS}
            answer = pool.run(data, task_options)
            if answer["opened"]:
                asked[name] = answer["opened"]
            if answer["found"] != what_is_found(memoryview(data), task_options):
                different.append(name)
    assert asked == {}
    assert different == []


def test_a_worker_killed_from_outside_is_replaced(pool):
    """Whoever asks next has nothing to do with the end of a worker that was idle."""
    pool.warm()
    killed = pool.processes()
    for number in killed:
        os.kill(number, signal.SIGKILL)
    idle = [worker for workers in pool._idle.values() for worker in workers]
    wait_until(lambda: not any(worker.alive for worker in idle), "they have ended")
    assert [pool.run(b"fine", {}) for _ in range(4)] == ["fine"] * 4
    assert not set(killed) & set(pool.processes())


def test_content_of_any_size_arrives_whole():
    with WorkerPool("tests.support.isolated_tasks:echo", size=1) as pool:
        for size in (0, 1, 999, 1 << 20, (1 << 20) + 1, 20 << 20, 5):
            content = bytes([7]) * size
            assert pool.run(memoryview(content), {"a": [1]}) == {
                "length": size,
                "sum": 7 * min(size, 1000),
                "options": {"a": [1]},
            }


def test_content_over_the_limit_never_reaches_a_worker():
    with WorkerPool("tests.support.isolated_tasks:echo", size=1, limits=Limits(max_bytes=10)) as pool:
        with pytest.raises(UnscreenableError) as caught:
            pool.run(bytes(11), {})
        assert caught.value.reason == "too-many-bytes"
        assert pool.starts == 0


def test_many_threads_share_few_workers():
    limits = Limits(timeout_s=PATIENCE_S)
    with WorkerPool("tests.support.isolated_tasks:misbehave", size=2, limits=limits, wait_s=PATIENCE_S) as pool:

        def one(number: int) -> str:
            behaviour = "abort" if number % 10 == 0 else f"answer {number}"
            try:
                return str(pool.run(behaviour.encode(), {}))
            except UnscreenableError as error:
                return error.reason

        with ThreadPoolExecutor(8) as executor:
            answers = list(executor.map(one, range(100)))
    assert answers == ["decoder-crash" if n % 10 == 0 else f"answer {n}" for n in range(100)]


def test_the_answer_to_one_content_is_never_taken_for_that_to_another():
    with WorkerPool("tests.support.isolated_tasks:misbehave", size=1) as pool:
        assert pool.run(b"answer twice", {"task": 1}) == "early"  # a decoder that was taken over can lie about its own
        with pytest.raises(TutelaError, match="not of its form"):
            pool.run(b"words", {})
        assert pool.run(b"words", {}) == "words"
        assert pool.starts == 2


def test_waiting_for_a_worker_ends():
    limits = Limits(timeout_s=PATIENCE_S)
    with WorkerPool("tests.support.isolated_tasks:misbehave", size=1, limits=limits, wait_s=0.2) as pool:
        pool.warm()
        (pid,) = pool.processes()
        with ThreadPoolExecutor(1) as executor:
            sleeper = executor.submit(pool.run, b"sleep", {})

            def refused() -> bool:
                """Until the sleeper has taken the worker, there is one."""
                try:
                    assert pool.run(b"fine", {}) == "fine"
                except UnscreenableError as error:
                    assert error.reason == "busy"
                    return True
                return False

            wait_until(refused, "the only worker is busy")
            os.kill(pid, signal.SIGKILL)
            assert isinstance(sleeper.exception(), UnscreenableError)


def test_a_closed_pool_says_so():
    pool = WorkerPool("tests.support.isolated_tasks:echo", size=1)
    pool.close()
    with pytest.raises(TutelaError, match="closed"):
        pool.run(b"", {})


def test_a_task_that_cannot_be_loaded_is_said_at_start():
    with (
        WorkerPool("tests.support.isolated_tasks:missing", size=1) as pool,
        pytest.raises(TutelaError, match="did not start"),
    ):
        pool.warm()


_PARENT = """
import sys, time
from tutela.content.media import fork_server
from tutela.content.media.isolation import WorkerPool
pool = WorkerPool("tests.support.isolated_tasks:misbehave", size=1)
pool.warm()
print(*pool.processes(), *(server._process.pid for server in fork_server._servers.values()), flush=True)
time.sleep(600)
"""


def test_workers_end_with_a_parent_that_is_killed():
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    left = [int(pid) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert len(left) == 2  # the worker and the fork server

    def ended(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    wait_until(lambda: all(map(ended, left)), "the worker and the fork server end after their parent")


def test_a_fork_server_that_is_killed_is_replaced(pool):
    for server in fork_server._servers.values():
        server._process.kill()
    assert pool.run(b"fine", {}) == "fine"
    with WorkerPool("tests.support.isolated_tasks:misbehave", size=1) as fresh:
        assert fresh.run(b"fine", {}) == "fine"


def test_a_fork_server_that_hangs_is_replaced(pool):
    for server in fork_server._servers.values():
        os.kill(server._process.pid, signal.SIGSTOP)
        server._socket.settimeout(0.2)
    with WorkerPool("tests.support.isolated_tasks:misbehave", size=1) as fresh:
        assert fresh.run(b"fine", {}) == "fine"


def test_a_fork_server_is_replaced_before_its_addresses_are_guessed(monkeypatch):
    monkeypatch.setattr(fork_server, "MAX_FORKS", 3)
    with WorkerPool("tests.support.isolated_tasks:misbehave", size=1) as pool:
        servers = set()
        for _ in range(4):
            with pytest.raises(UnscreenableError):
                pool.run(b"exit", {})
            servers |= {server._process.pid for server in fork_server._servers.values()}
        assert len(servers) >= 2
    assert pool.starts == 4


def test_a_worker_can_answer_for_nobody_else(pool):
    assert pool.run(b"sockets", {}) == 1


def test_what_keeps_the_fork_server_from_loading_is_said(tmp_path, monkeypatch):
    about = tmp_path / "plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[tutela.signals]\nbroken = broken_plugin:SIGNAL\n")
    (tmp_path / "broken_plugin.py").write_text("SIGNAL = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with (
        WorkerPool("tests.support.isolated_tasks:misbehave", size=1) as pool,
        pytest.raises(TutelaError, match=r"did not start: .*broken_plugin:SIGNAL.* is not a SignalType"),
    ):
        pool.warm()


def test_a_part_of_our_own_that_is_missing_is_said_and_a_library_that_is_not_installed_is_passed_over(
    tmp_path, monkeypatch
):
    """A native module of before, say: workers started, then held everything for want of a file they may not open."""
    (tmp_path / "of_a_library.py").write_text("import no_such_library\n")
    (tmp_path / "of_ours.py").write_text("from tutela._native import no_such_function\n")
    monkeypatch.syspath_prepend(tmp_path)
    load(["of_a_library"])
    with pytest.raises(TutelaError, match=r"build it anew: .*no_such_function"):
        load(["of_a_library", "of_ours"])


def test_thousands_of_broken_files_are_all_answered():
    """Every answer is an examination or a hold, from a pool that goes on; none is a fault of ours."""
    seeds = list(every_format(draw_scene(1, (48, 40))).values())
    limits = Limits(max_pixels=4_000_000, timeout_s=30)
    task_options = options(Mode.FAST, limits)
    decoded = held = 0
    with WorkerPool(TASK, size=2, limits=limits, wait_s=PATIENCE_S) as pool:

        def one(data: bytes) -> bool:
            try:
                examination = read_examination(pool.run(data, task_options))
            except UnscreenableError:
                return False
            assert bool(examination.samples) or bool(examination.shortcomings)
            return bool(examination.samples)

        with ThreadPoolExecutor(2) as executor:
            for was_decoded in executor.map(one, mutations(seeds, MUTATIONS, seed=7), chunksize=50):
                decoded += was_decoded
                held += not was_decoded
        assert pool.starts <= 2 + MUTATIONS / 100
    assert decoded + held == MUTATIONS
    assert min(decoded, held) > MUTATIONS / 20


# --- what is left in memory


_SAME_DECODER = {"jpeg-444", "jpeg-grey", "png-rgba", "png-palette", "tiff-lzw", "tiff-16-bit", "tiff-cmyk"}


@cache
def decodable() -> dict[str, tuple[bytes, list[bytes]]]:
    """Content of every kind, with stretches of it: as a file, as pixels, and of what is inside it."""
    found = {}
    forms = {name: data for name, data in every_format(photos()[0]).items() if name not in _SAME_DECODER}
    for name, data in forms.items():
        with Image.open(io.BytesIO(data)) as picture:
            pixels = [picture.convert("L").tobytes(), picture.convert("RGB").tobytes()]
        found[name] = data, stretches(data) + [stretch for one in pixels for stretch in stretches(one, 1)]
    for name in ("avif", "png-grey-alpha", "tiff"):
        broken = forms[name][: len(forms[name]) // 2]
        found[f"half of {name}"] = broken, stretches(broken)
    member = stretches(file_of(draw_scene(0, (96, 64)), "JPEG", quality=80))
    for name, data in every_container().items():
        found[name] = data, stretches(data) + member
    return found


def left_in_a_worker(names: Collection[str]) -> dict[str, list[bytes]]:
    """What is found of each content in the memory of the worker that looked at it last, and was not there before it
    looked at anything, as the usual tables of JPEGs are."""
    found = {}
    limits = Limits(timeout_s=PATIENCE_S)
    with WorkerPool(TASK, size=1, limits=limits) as pool:
        pool.warm()
        (process,) = pool.processes()
        known = set(traces(process, {stretch for name in names for stretch in decodable()[name][1]}))
        for name in names:
            data, searched = decodable()[name]
            with contextlib.suppress(UnscreenableError):
                pool.run(data, options(Mode.FAST, limits))
            (process,) = pool.processes()
            found[name] = traces(process, [stretch for stretch in searched if stretch not in known])
    return {name: traces for name, traces in found.items() if traces}


@needs_root
def test_what_a_process_has_written_anywhere_is_found():
    """At every place in pages beside each other, of which the one before and the one after were never written to."""
    code = "import mmap; m = mmap.mmap(-1, 1 << 20)\nfor i in range(64): m[{at} + i] = i\nprint(flush=True); input()"
    for at in (8 * 4096 - 32, 9 * 4096, 12 * 4096 - 64):
        with subprocess.Popen(
            [sys.executable, "-c", code.format(at=at)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            assert traces(process.pid, [bytes(range(64)), bytes(range(1, 64)) + b"?"]) == [bytes(range(64))]
            process.communicate(b"\n")


@pytest.mark.slow
@needs_root
def test_a_worker_that_waits_has_nothing_of_what_it_decoded(monkeypatch):
    monkeypatch.setenv("PYTHONMALLOC", "malloc")  # as a service that keeps evidence has it
    assert left_in_a_worker(decodable()) == {}
    usual = fork_server._environment
    monkeypatch.setattr(fork_server, "_environment", lambda: usual() | {"GLIBC_TUNABLES": ""})
    assert len(left_in_a_worker(["avif", "heic", "png-grey-alpha", "tiff"])) >= 3  # where it would have been found
