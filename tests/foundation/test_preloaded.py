"""What is forked from a loaded process is to the tests what a program is that was started."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.preloaded import _USUAL, ROOT, SCRIPT, _Forked, run_tutela, start_python, start_tutela
from tests.support.waiting import PATIENCE_S
from tutela.content.media import fork_server
from tutela.content.media.isolation import WorkerPool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")

_ITSELF = """
import json, os, resource, signal, sys
found = {
    "arguments": sys.argv,
    "original": sys.orig_argv[1:],
    "environment": {name: os.environ[name] for name in ("TUTELA_OF_THIS_TEST", "PATH")},
    "of_the_library": os.popen("echo $TUTELA_OF_THIS_TEST").read(),
    "gone": "TUTELA_OF_THE_TESTS" in os.environ,
    "folder": os.getcwd(),
    "processors": sorted(os.sched_getaffinity(0)),
    "files": resource.getrlimit(resource.RLIMIT_NOFILE),
    "parent": os.getppid(),
    "leads_a_session": os.getsid(0) == os.getpid(),
    "said": sys.stdin.read(),
    "streams": [
        [stream.encoding, stream.errors, stream.line_buffering, stream.write_through]
        for stream in (sys.stdin, sys.stdout, sys.stderr)
    ],
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
    "name": __name__,
    "descriptors": [number for number in range(64) if os.path.exists(f"/proc/self/fd/{number}")],
}
os.write(int(sys.argv[2]), b"over a descriptor")
sys.stderr.write("a complaint")
print(json.dumps(found))
raise SystemExit(41)
"""


def test_a_fork_differs_in_nothing_from_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    start_python("").wait(PATIENCE_S)  # it is loaded before the variables and the limits change
    processors, (soft, hard) = os.sched_getaffinity(0), resource.getrlimit(resource.RLIMIT_NOFILE)
    request.addfinalizer(partial(os.sched_setaffinity, 0, processors))
    request.addfinalizer(partial(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard)))
    os.sched_setaffinity(0, {min(processors)})
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    monkeypatch.setenv("TUTELA_OF_THE_TESTS", "1")
    environment = {name: value for name, value in os.environ.items() if name != "TUTELA_OF_THE_TESTS"}
    environment["TUTELA_OF_THIS_TEST"] = "a value"
    found = []
    for kind in (subprocess.Popen, partial(_Forked, _USUAL)):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = kind(
                [sys.executable, "-c", _ITSELF, "first", str(theirs.fileno())],
                env=environment,
                cwd=tmp_path,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                text=True,
            )
            out, err = process.communicate("words", timeout=PATIENCE_S)
            said = json.loads(out)
            said["arguments"][2] = said["original"][3] = "number"
            said["descriptors"] = [number for number in said["descriptors"] if number != theirs.fileno()][:3]
            found.append((process.returncode, err, ours.recv(100), said))
    started, forked = found
    differing = {name for name, value in started[3].items() if forked[3][name] != value}
    assert (started[:3], differing) == (forked[:3], set()), [(started[3][name], forked[3][name]) for name in differing]
    assert forked[0] == 41
    assert forked[3]["parent"] == os.getpid()


def test_a_process_that_forks_its_commands_has_them_as_it_starts_them(tmp_path: Path) -> None:
    code = f"""
import os, subprocess, sys
os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
command = [sys.executable, "-m", "tutela", "--home", {str(tmp_path)!r}]
started = subprocess.run([*command, "bank", "list"], capture_output=True, text=True)
from tests.support.preloaded import _Forked, commands_are_forked
commands_are_forked()
forked = subprocess.run([*command, "bank", "list"], capture_output=True, text=True)
assert (started.returncode, started.stdout, started.stderr) == (forked.returncode, forked.stdout, forked.stderr)
with subprocess.Popen([*command, "no-such"], stderr=subprocess.PIPE, text=True) as wrong:
    assert type(wrong) is _Forked
    assert "No such command" in wrong.communicate()[1]
assert wrong.returncode == 2
with subprocess.Popen([*command, "--version"], preexec_fn=os.getpid) as other:
    assert type(other) is not _Forked
assert type(subprocess.Popen(["true"])) is not _Forked
"""
    assert start_python(code).wait(PATIENCE_S) == 0


def test_a_signal_ends_it_and_is_told() -> None:
    process = start_python("import time; print('up', flush=True); time.sleep(600)", stdout=subprocess.PIPE)
    assert isinstance(process, _Forked)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == -signal.SIGTERM
    process.stdout.close()


def test_what_is_forked_has_nothing_of_what_was_forked_before() -> None:
    code = "import sys, tutela; print(hasattr(tutela, 'left')); tutela.left = 1"
    for _ in range(2):
        with start_python(code, stdout=subprocess.PIPE, text=True) as process:
            assert process.communicate(timeout=PATIENCE_S)[0] == "False\n"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"env": {"TUTELA_SIMD": "scalar"}}, "the native core reads it when it is loaded"),
        ({"env": {"PYTHONIOENCODING": "ascii"}}, "the interpreter reads it"),
        ({"preexec_fn": os.getpid}, "something is to happen before"),
    ],
)
def test_where_a_start_may_differ_it_is_started_anew(options, why) -> None:
    options = options | ({"env": os.environ | options["env"]} if "env" in options else {})
    with start_tutela(["--version"], stdout=subprocess.PIPE, **options) as process:
        assert type(process) is subprocess.Popen, why
        assert process.communicate(timeout=PATIENCE_S)[0]


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit",
        "raise SystemExit(300)",
        "raise SystemExit('a reason')",
        "import atexit; atexit.register(print, 'at the end'); print('before')",
        "import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('last'))).start()",
        "import threading, time; threading.Thread(target=time.sleep, args=[600], daemon=True).start()",
        "import os; print('said to nobody'); os.close(1)",
        "import sys; print('said', end=''); sys.stdout.close()",
        "import os, signal; print('not flushed'); os.kill(os.getpid(), signal.SIGTERM)",
    ],
)
def test_it_ends_as_what_is_started_ends(code: str) -> None:
    ends = []
    for kind in (subprocess.Popen, partial(_Forked, _USUAL)):
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = kind([sys.executable, "-c", code], **pipes, text=True)
        ends.append((*process.communicate(timeout=PATIENCE_S), process.returncode))
    assert ends[0] == ends[1]


def test_workers_of_a_service_and_of_the_tests_are_confined_as_those_of_a_started_fork_server() -> None:
    code = (
        "from tutela.content.media import fork_server; from tutela.content.media.isolation import WorkerPool\n"
        "with WorkerPool('tests.support.isolated_tasks:misbehave', size=1) as pool:\n"
        "    print(pool.refusals(), pool.run(b'fine', {}), pool.run(b'sockets', {}), flush=True)\n"
        "    print(*{type(server._process).__name__ for server in fork_server._servers.values()})\n"
    )
    found = []
    for environment in (os.environ | {"PYTHONPATH": str(ROOT)}, os.environ):
        with start_python(code, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            found.append(process.communicate(timeout=PATIENCE_S)[0].splitlines())
    started, forked = found
    assert (started[0], started[1], forked[1]) == (forked[0], "Popen", "_Forked")
    with WorkerPool("tests.support.isolated_tasks:misbehave", size=1) as pool:
        assert f"{pool.refusals()} fine 1" == forked[0]
        assert _Forked in {type(server._process) for server in fork_server._servers.values()}


@pytest.mark.parametrize("columns", [None, "50", "200"])
def test_a_command_says_what_it_says_when_it_is_started(tmp_path: Path, columns: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environment |= {"COLUMNS": columns} if columns else {}
    for arguments in (
        ["--version"],
        ["bank", "no-such"],
        ["bank", "list"],
        ["gateway", "run", "none"],
        ["key", "--help"],
    ):
        command = ["--home", str(tmp_path / "home"), *arguments]
        forked = run_tutela(command, cwd=ROOT, env=environment)
        started = subprocess.run(
            [SCRIPT, *command], capture_output=True, text=True, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL
        )
        said = [(each.returncode, each.stdout, each.stderr) for each in (forked, started)]
        assert said[0] == said[1], arguments


def test_the_tests_own_surroundings_make_no_difference() -> None:
    """Else everything would be started anew, and nothing would show it but the time."""
    with start_python("", env=os.environ | {"TUTELA_HOME": "/nowhere"}) as process:
        assert isinstance(process, _Forked)
