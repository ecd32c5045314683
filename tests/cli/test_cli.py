"""The command line as somebody at a terminal has it: real processes, real files, hostile names, exit codes."""

import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import termios
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

import tutela
from tests.support.feeds import random_hashes
from tests.support.pictures import draw_scene, every_format, file_of, mutations
from tests.support.service import free_port
from tests.support.tmks import tmk_of, walk
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.cli import main
from tutela.cli.commands import app
from tutela.cli.output import visible
from tutela.content.signals.registry import signal_types
from tutela.deployment.composition import compose_deployment
from tutela.foundation.store.database import Store
from tutela.lists.banks.model import Action, BankKind, EntryState, NewEntry, Policy
from tutela.lists.banks.service import Banks

COMMAND = [str(Path(sys.executable).with_name("tutela"))]
LIST = [row.tobytes().hex() for row in random_hashes(20, seed=71)]


def environment(home: Path, **changes: str) -> dict[str, str]:
    """A user's environment: no setting and no terminal of whoever runs the tests."""
    theirs = ("TUTELA_", "PYTHONIOENCODING", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    return kept | {"TUTELA_HOME": str(home)} | changes


def tutela_process(
    home: Path, *args: str | bytes | Path, env: Mapping[str, str] | None = None, **changes: Any
) -> subprocess.Popen[bytes]:
    options: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    } | changes
    return subprocess.Popen([*COMMAND, *args], env=environment(home, **(env or {})), **options | changes)


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[dict]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[list[str]]:
        """Its table, without the head."""
        return [[cell.strip() for cell in line.split("│")] for line in self.out.splitlines()[2:]]


def tutela_run(
    home: Path, *args: str | bytes | Path, stdin: bytes | None = None, env: Mapping[str, str] | None = None, **options
) -> Answer:
    """Run the command as a process of its own."""
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"stdin": subprocess.PIPE}
    with tutela_process(home, *args, env=env, **given, **options) as process:
        try:
            out, err = process.communicate(stdin, timeout=PATIENCE_S)
        finally:
            process.kill()
    return Answer(process.returncode, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape"))


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run the command in this process, from its `main` on: what a process of its own would add nothing to."""
    for name in set(os.environ) - set(environment(home)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("TUTELA_HOME", str(home))

    def run(*args: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["tutela", *map(str, args)])
        monkeypatch.setattr(sys.modules["__main__"], "__package__", None)  # of `python -m pytest` usage would say so
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Answer(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a known picture, its smaller copy, one that is not known, and no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    known = draw_scene(1, (320, 240))
    (folder / "known.png").write_bytes(file_of(known, "PNG"))
    (folder / "copy.jpg").write_bytes(file_of(known.resize((200, 150)), "JPEG", quality=80))
    (folder / "other.png").write_bytes(file_of(draw_scene(2, (320, 240)), "PNG"))
    (folder / "text.jpg").write_bytes(b"no picture\n")
    return folder


@pytest.fixture(scope="session")
def filled_home(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    """A home with one bank, which blocks and lists the known picture."""
    home = tmp_path_factory.mktemp("filled") / "home"
    picture = str(pictures / "known.png")
    for command in (
        ("create", "known", "--action", "block", "--label", "A1"),
        ("add", "known", picture, "--reference", "case-7", "--no-views"),
    ):
        answer = CliRunner().invoke(app, ["--home", str(home), "bank", *command])
        assert answer.exit_code == 0, answer.output
    assert answer.stdout == "listed 2, already there 0: 1 2\n"
    return home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where no home is yet."""
    return tmp_path / "home"


@pytest.fixture
def filled(home: Path, filled_home: Path) -> Path:
    """A copy of the filled home, for one test."""
    shutil.copytree(filled_home, home)
    return home


def banks_of(home: Path) -> Banks:
    return Banks(Store.open(f"sqlite:///{home / 'tutela.db'}"), home)


# --- exit codes and JSON lines


@pytest.mark.slow
def test_screening_says_by_its_exit_code_and_json_lines_what_matched(filled, pictures):
    files = [pictures / name for name in ("other.png", "copy.jpg", "text.jpg", "known.png")]
    answer = tutela_run(filled, "screen", "--json", *files)
    assert (answer.code, answer.err) == (1, "")
    assert [line["path"] for line in answer.documents] == list(map(str, files))
    assert [line["decision"] for line in answer.documents] == ["allow", "block", "hold", "block"]
    other, copy, text, known = answer.documents
    assert (other["matches"], other["matched"]) == ([], False)
    assert [(match["bank"], match["signal"], match["reference"]) for match in copy["matches"]] == [
        ("known", "pdq", "case-7")
    ]
    assert text["reasons"][0]["code"] == "unsupported-type"
    assert {match["signal"] for match in known["matches"]} == {"pdq", "sha256"}
    assert known["sha256"] == hashlib.sha256(files[3].read_bytes()).hexdigest()


@pytest.mark.slow
def test_screening_exits_0_where_nothing_matched(filled, pictures):
    answer = tutela_run(filled, "screen", pictures / "other.png")
    assert (answer.code, answer.err) == (0, "")
    assert [row[:2] for row in answer.rows] == [[str(pictures / "other.png"), "allow"]]


@pytest.mark.slow
def test_standard_input_is_screened(filled, pictures):
    content = (pictures / "known.png").read_bytes()
    answer = tutela_run(filled, "screen", "-", "--json", stdin=content)
    assert answer.code == 1
    assert [(line["path"], line["decision"]) for line in answer.documents] == [("-", "block")]


def test_the_module_is_the_command(filled, pictures):
    with (pictures / "copy.jpg").open("rb") as stdin:
        command = [sys.executable, "-m", "tutela", "screen", "--json", "-"]
        result = subprocess.run(command, stdin=stdin, capture_output=True, env=environment(filled), text=True)
    assert (result.returncode, json.loads(result.stdout)["decision"], result.stderr) == (1, "block", "")


def test_a_match_with_a_bank_that_only_logs_is_allowed_and_exits_1(call, filled, pictures):
    assert call("bank", "update", "known", "--action", "log").code == 0
    answer = call("screen", "--json", pictures / "known.png")
    assert answer.code == 1
    assert [(line["decision"], line["matched"]) for line in answer.documents] == [("allow", True)]


def test_every_bad_file_is_reported_and_the_others_are_screened(call, filled, pictures, tmp_path):
    itself = tmp_path / "itself"
    itself.symlink_to(itself)
    long, missing, below_a_file = "n" * 300, tmp_path / "missing.png", pictures / "known.png" / "below"
    answer = call(
        "screen", "--json", missing, pictures / "known.png", itself, long, pictures / "other.png", below_a_file
    )
    assert answer.code == 2
    assert [line["decision"] for line in answer.documents] == ["block", "allow"]
    complaints = answer.err.splitlines()
    assert len(complaints) == 4
    for path, complaint in zip((missing, itself, long, below_a_file), complaints, strict=True):
        assert complaint.startswith(f"tutela: {path} cannot be read: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["bank", "entries", "nothing"], "no bank named 'nothing'"),
        (["bank", "create", "known"], "exists already"),
        (["bank", "create", "Not A Name"], "no name for a bank"),
        (["bank", "create", "b", "--label", "C9"], "unknown label 'C9'"),
        (["bank", "create", "b", "--threshold", "pdq=300"], "from 0 to"),
        (["bank", "create", "b", "--threshold", "pdq=²"], "write it as pdq=31"),
        (["bank", "create", "b", "--threshold", "pdq=" + "9" * 5000], "write it as pdq=31"),
        (["bank", "create", "b", "--threshold", "nope=3"], "unknown signal type 'nope'"),
        (["bank", "create", "b", "--description", "\udcff"], "cannot be stored"),
        (["bank", "update", "nothing", "--disable"], "no bank named"),
        (["bank", "add", "known"], "give pictures"),
        (["bank", "add", "known", "--value", "0f"], "exactly one --signal"),
        (["bank", "add", "known", "--signal", "md5", "--value", "xyz"], "md5 needs 32 hexadecimal digits"),
        (["bank", "add", "known", "--signal", "nope", "--value", "00"], "unknown signal type"),
        (["bank", "add", "nothing", "--signal", "md5", "--value", "0" * 32], "no bank named"),
        (["bank", "add", "known", "missing.png"], "missing.png cannot be read: No such file"),
        (["bank", "add", "known", "/"], "/ cannot be read: Is a directory"),
        (["bank", "withdraw", "1", "--reason", " "], "give the reason"),
        (["bank", "withdraw", "999", "--reason", "x"], "no entry 999"),
        (["bank", "history"], "name a bank or give --entry"),
        (["bank", "history", "known", "--entry", "1"], "name a bank or give --entry"),
        (["bank", "export", "nothing"], "no bank named"),
        (["bank", "export", "known", "--format", "xml"], "formats are csv, text, json, jsonl"),
        (["bank", "import", "known", "missing.csv"], "missing.csv cannot be read: No such file"),
        (["bank", "import", "known", "/"], "/ cannot be read: Is a directory"),
        (["bank", "import", "known", "text.jpg", "--signal", "nope"], "unknown signal type 'nope'"),
        (["bank", "import", "known", "text.jpg", "--source", "s" * 256], "over the limit of 255"),
        (["bank", "import", "known", "text.jpg", "--column", "hash"], "names no column"),
        (["bank", "import", "known", "text.jpg", "--format", "xml"], "formats are"),
        (
            ["bank", "import", "known", "text.jpg", "--rejects", "/nowhere/bad.csv"],
            "/nowhere/bad.csv cannot be written",
        ),
        (["bank", "import", "nothing", "text.jpg"], "no bank named"),
        (["hash", "--signal", "nope", "text.jpg"], "unknown signal type"),
        (["hash", "--signal", "photodna", "text.jpg"], "photodna hashes cannot be computed here"),
        (["hash", "--signal", "pdq", "text.jpg"], "text.jpg: the content is of no known type"),
        (["tmk", "text.jpg", "text.jpg"], "text.jpg: a .tmk file has 32 to"),
        (["tmk", "missing.tmk", "text.jpg"], "missing.tmk cannot be read: No such file"),
        (["bank", "add", "known", "text.jpg"], "text.jpg: the content is of no known type"),
        (
            ["key", "create", "k", "--scope", "everything"],
            "scopes are screen, curate, follow, review, lead, risk, report, flag, admin",
        ),
        (["key", "create", "\x1b[31m", "--scope", "screen"], "printable name"),
        (["key", "revoke", "nothing"], "no API key 'nothing'"),
        (["index", "build", "--signal", "nope"], "unknown signal type"),
        (["--home", "text.jpg", "bank", "list"], "the home text.jpg cannot be made"),
        (["--home", "/tmp/\udcff", "bank", "list"], "is not UTF-8"),
    ],
    ids=lambda value: " ".join(value)[:60].encode("ascii", "replace").decode() if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line_and_exit_code_2(call, filled, pictures, monkeypatch, args, message):
    monkeypatch.chdir(pictures)
    answer = call(*args)
    assert (answer.code, answer.out) == (2, "")
    assert re.fullmatch(rf"tutela: [^\n]*{re.escape(message)}[^\n]*\n", answer.err)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "Usage: tutela"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["bank"], "Usage: tutela bank"),
        (["bank", "frobnicate"], "No such command"),
        (["screen"], "Missing argument"),
        (["screen", "--frobnicate", "x"], "No such option"),
        (["bank", "create", "b", "--action", "explode"], "Invalid value for '--action'"),
        (["bank", "create", "b", "--min-quality", "101"], "Invalid value for '--min-quality'"),
        (["bank", "entries", "known", "--after", "9" * 30], "Invalid value for '--after'"),
        (["bank", "entries", "known", "--limit", "0"], "Invalid value for '--limit'"),
        (["bank", "withdraw", "9" * 30, "--reason", "x"], "Invalid value"),
        (["bank", "withdraw", "one", "--reason", "x"], "Invalid value"),
        (["bank", "withdraw", "1"], "Missing option '--reason'"),
        (["bank", "history", "--entry", "9" * 30], "Invalid value for '--entry'"),
        (["key", "create", "k", "--scope", "screen", "--days", "9" * 12], "Invalid value for '--days'"),
        (["serve", "--port", "65536"], "Invalid value for '--port'"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_wrong_usage_exits_2_and_says_what_is_wrong(call, filled, args, message):
    answer = call(*args)
    assert answer.code == 2
    assert message in " ".join((answer.out + answer.err).replace("│", " ").split())


def test_tmk_files_are_compared_by_both_levels(call, tmp_path):
    listed, copy, other = (tmp_path / name for name in ("listed.tmk", "copy.tmk", "other.tmk"))
    for path, seed in ((listed, 1), (copy, 1), (other, 2)):
        path.write_bytes(tmk_of(walk(seed), np.arange(50)))
    answer = call("tmk", "--json", listed, copy, other)
    assert answer.code == 1
    assert [document["matches"] for document in answer.documents] == [True, False]
    assert answer.documents[0]["level_1"] == answer.documents[0]["level_2"] == 1
    answer = call("tmk", listed, other)
    assert answer.code == 0
    assert "no match" in answer.out


def test_without_keys_nothing_is_served_to_the_network(call, filled, monkeypatch):
    monkeypatch.setenv("TUTELA_SERVICE__AUTH_REQUIRED", "false")
    answer = call("serve", "--host", "0.0.0.0", "--port", str(free_port()))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "tutela: without keys the service is only served on a loopback address, not on 0.0.0.0\n"


def test_a_setting_that_is_wrong_is_named(call, filled, monkeypatch):
    monkeypatch.setenv("TUTELA_LIMITS__MAX_BYTES", "plenty")
    monkeypatch.setenv("TUTELA_SERVICE__WORKERS", "0")
    answer = call("bank", "list")
    assert answer.code == 2
    assert answer.err == (
        "tutela: TUTELA_SERVICE__WORKERS: must be greater than 0\n"
        "tutela: TUTELA_LIMITS__MAX_BYTES: must be a whole number\n"
    )


def test_a_database_that_does_not_answer_exits_3_and_its_password_stays_unsaid(call, filled):
    answer = call("--database", "postgresql://somebody:s3cret@127.0.0.1:1/tutela", "bank", "list")
    assert (answer.code, answer.out) == (3, "")
    assert re.fullmatch(r"tutela: the database \(postgresql\) does not answer: [^\n]+\n", answer.err)
    assert "s3cret" not in answer.err


def test_a_file_that_is_no_database_exits_3(call, filled):
    (filled / "tutela.db").write_bytes(b"this is no database " * 1000)
    answer = call("bank", "list")
    assert (answer.code, answer.out) == (3, "")
    assert re.fullmatch(r"tutela: the database \(sqlite\) refused: [^\n]*not a database\n", answer.err)


def test_a_fault_of_ours_exits_3_and_is_loud(call, filled, monkeypatch):
    def fail(*_):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Banks, "all", fail)
    answer = call("bank", "list")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.startswith("Traceback")
    assert answer.err.endswith("RuntimeError: a fault of ours\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_exits_3(filled, pictures):
    with Path("/dev/full").open("wb") as full:
        answer = tutela_process(filled, "hash", "--signal", "md5", pictures / "known.png", stdout=full)
        _, err = answer.communicate(timeout=PATIENCE_S)
    assert (answer.returncode, err) == (3, b"tutela: [Errno 28] No space left on device\n")


@pytest.fixture
def many(pictures: Path, tmp_path: Path) -> Path:
    """A folder of 3,000 names of the known picture."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3000):
        os.link(pictures / "known.png", folder / f"{number:04}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", [("screen", "--json", "--profile", "files"), ("hash",)])
def test_no_library_says_anything_on_standard_error(filled, tmp_path, command):
    """Decoders warn of what is broken in a file; what a person reads there is ours."""
    seeds = [*every_format(draw_scene(4)).values()]
    for number, content in enumerate(mutations(seeds, 40, seed=3)):
        (tmp_path / f"{number}.bin").write_bytes(content)
    answer = tutela_run(filled, *command, tmp_path)
    assert [line for line in answer.err.splitlines() if not line.startswith("tutela: ")] == []


@pytest.mark.slow
def test_an_interrupt_ends_a_screening_before_its_next_files(filled, many):
    process = tutela_process(filled, "screen", "--json", many, bufsize=0)
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (130, b"")
    decisions = {json.loads(line)["decision"] for line in (first + out).splitlines()}
    assert decisions == {"block"}
    with sqlite3.connect(filled / "tutela.db") as connection:
        ((screened,),) = connection.execute("SELECT count(*) FROM verdict")
    # Every screening of it is written down, so that this counts those that were begun.
    assert 1 <= screened < 2000


@pytest.mark.slow
def test_an_interrupt_ends_the_wait_for_standard_input(filled):
    process = tutela_process(filled, "screen", "-", stdin=subprocess.PIPE)
    process.stdin.write(b"some")
    process.stdin.flush()

    def unread() -> int:
        return struct.unpack("i", fcntl.ioctl(process.stdin.fileno(), termios.FIONREAD, b"\0" * 4))[0]

    wait_until(lambda: unread() == 0 or process.poll() is not None, "it reads standard input")
    process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE_S)
    finally:
        process.stdin.close()
    assert (process.returncode, process.stderr.read()) == (130, b"")


@pytest.mark.slow
def test_a_reader_that_goes_away_is_neither_a_match_nor_none(filled, many):
    process = tutela_process(filled, "screen", "--json", many)
    assert json.loads(process.stdout.readline())["decision"] == "block"
    process.stdout.close()
    assert (process.wait(PATIENCE_S), process.stderr.read()) == (141, b"")


# --- folders and hostile names


def test_folders_are_screened_with_all_files_below_and_loops_end_nothing(call, filled, pictures, tmp_path):
    folder = tmp_path / "uploads"
    (folder / "b" / "c").mkdir(parents=True)
    for name in ("z.png", "b/-dash.png", "b/c/[bold]x[]\\.png"):
        shutil.copy(pictures / "other.png", folder / name)
    (folder / "b" / "loop").symlink_to(folder)
    (folder / "b" / "c" / "up").symlink_to("..")
    (folder / "gone").symlink_to("nowhere")
    (folder / "itself").symlink_to("itself")
    os.mkfifo(folder / "pipe")
    (folder / "linked.png").symlink_to(pictures / "known.png")
    answer = call("screen", "--json", folder)
    assert (answer.code, answer.err) == (1, "")
    assert [str(Path(line["path"]).relative_to(folder)) for line in answer.documents] == [
        "linked.png",
        "z.png",
        "b/-dash.png",
        "b/c/[bold]x[]\\.png",
    ]
    table = call("screen", folder)
    assert [row[0] for row in table.rows] == [line["path"] for line in answer.documents]


def test_an_empty_folder_holds_nothing_to_match(call, filled, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = call("screen", "--json", empty)
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def as_nobody_special() -> None:
    """In a new process: let permissions count for root, too."""
    if os.geteuid() == 0:
        import ctypes

        drop_from_bounds, override, search = 24, 1, 2
        for capability in (override, search):
            if ctypes.CDLL(None).prctl(drop_from_bounds, capability, 0, 0, 0) != 0:
                os._exit(77)


@pytest.fixture
def closed() -> Iterator[Callable[[Path, int], None]]:
    """Take permissions of a path, and give them back at the end."""
    taken: list[Path] = []

    def close(path: Path, mode: int) -> None:
        path.chmod(mode)
        taken.append(path)

    yield close
    for path in reversed(taken):
        path.chmod(0o700)


def run_as_nobody_special(home: Path, *args: str | Path) -> Answer:
    answer = tutela_run(home, *args, preexec_fn=as_nobody_special)
    if answer.code == 77 or (answer.code == -signal.SIGKILL):
        pytest.skip("this system does not let root do without its powers")
    return answer


@pytest.mark.slow
def test_what_may_not_be_read_is_reported_and_never_passed_over(filled, pictures, tmp_path, closed):
    folder = tmp_path / "uploads"
    for below in ("closed", "unsearchable"):
        (folder / below).mkdir(parents=True)
        shutil.copy(pictures / "known.png", folder / below / "hidden.png")
    shutil.copy(pictures / "known.png", folder / "secret.png")
    shutil.copy(pictures / "other.png", folder / "open.png")
    closed(folder / "closed", 0)
    closed(folder / "unsearchable", 0o400)
    closed(folder / "secret.png", 0)
    answer = run_as_nobody_special(filled, "screen", "--json", folder)
    assert answer.code == 2
    assert [(line["path"], line["decision"]) for line in answer.documents] == [(str(folder / "open.png"), "allow")]
    hidden = ("secret.png", "unsearchable/hidden.png", "closed")
    assert sorted(answer.err.splitlines()) == sorted(
        f"tutela: {folder / name} cannot be read: Permission denied" for name in hidden
    )


HOSTILE = [
    b"line\nbreak.png",
    b"\x1b[31mred\x1b]0;title\x07.png",
    b"undecodable\xff.png",
    b"right\xe2\x80\xaeto-left.png",
    b"return\rback\x08.png",
    b"[red]markup[]\\.png",
    "ümläut-✓.png".encode(),
]


@pytest.fixture
def hostile(pictures: Path, tmp_path: Path) -> Path:
    """A folder of names that were made to garble a terminal."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in HOSTILE:
        shutil.copy(os.fsencode(pictures / "known.png"), os.path.join(os.fsencode(folder), name))  # noqa: PTH118
    return folder


STRICT = {"PYTHONIOENCODING": "utf-8:strict"}
"""As a terminal of any locale but C has it."""


def printed(out: str) -> str:
    """The same text, if a terminal shows it as it is."""
    assert all(character == "\n" or character.isprintable() for character in out)
    return out


@pytest.mark.slow
def test_hostile_names_do_not_garble_the_table(filled, hostile):
    answer = tutela_run(filled, "screen", hostile, env=STRICT)
    assert (answer.code, answer.err) == (1, "")
    printed(answer.out)
    names = sorted(os.fsdecode(name) for name in HOSTILE)
    assert [row[0] for row in answer.rows] == [visible(f"{hostile}/{name}") for name in names]
    assert {row[1] for row in answer.rows} == {"block"}


@pytest.mark.slow
def test_hostile_names_come_back_whole_from_json(filled, hostile):
    answer = tutela_run(filled, "screen", "--json", hostile, env=STRICT)
    assert (answer.code, answer.err) == (1, "")
    assert printed(answer.out).isascii()
    found = {os.fsencode(line["path"]) for line in answer.documents}
    assert found == {os.path.join(os.fsencode(hostile), name) for name in HOSTILE}  # noqa: PTH118
    assert {line["decision"] for line in answer.documents} == {"block"}


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_hostile_names_do_not_garble_hashes(filled, hostile, pictures, encoding):
    answer = tutela_run(filled, "hash", "--signal", "md5", hostile, env={"PYTHONIOENCODING": encoding})
    assert (answer.code, answer.err) == (0, "")
    lines = printed(answer.out).splitlines()
    md5 = hashlib.md5((pictures / "known.png").read_bytes()).hexdigest()
    assert [line[:39] for line in lines] == [f"md5  {md5}  "] * len(HOSTILE)


def test_complaints_about_hostile_names_do_not_garble_the_terminal(filled):
    names = [b"/nowhere/" + name for name in HOSTILE]
    answer = tutela_run(filled, "screen", *names, env=STRICT)
    assert answer.code == 2
    complaints = printed(answer.err).splitlines()
    assert len(complaints) == len(HOSTILE)
    assert all(
        line.startswith("tutela: /nowhere/") and line.endswith("No such file or directory") for line in complaints
    )


def test_what_others_stored_does_not_garble_the_terminal(call, filled):
    banks = banks_of(filled)
    nasty = "a\x1b[2J\r\n[red]b"
    entry = NewEntry("md5", bytes(16), f"source {nasty}", f"reference {nasty}", None, nasty)
    (entry_id,) = banks.add("known", [entry], actor=nasty).entry_ids
    banks.set_state(entry_id, EntryState.DISABLED, reason=nasty, actor=nasty)
    banks.store.close()
    shown = r"a\x1b[2J\r\n[red]b"
    entries = call("bank", "entries", "known", "--state", "disabled")
    assert printed(entries.out) == entries.out
    assert [row[5:] for row in entries.rows] == [[f"source {shown}", f"reference {shown}"]]
    history = call("bank", "history", "--entry", str(entry_id))
    assert printed(history.out) == history.out
    assert [row[1] for row in history.rows] == [shown, shown]
    assert shown in history.rows[1][3]


def test_whoever_acts_is_written_down_whatever_the_name(call, filled, monkeypatch):
    monkeypatch.setenv("LOGNAME", "x\udcff\x1b[31m")
    assert call("bank", "create", "other").code == 0
    ((_, who, what, _),) = call("bank", "history", "other").rows
    assert (who, what) == (r"cli:x\udcff\x1b[31m", "created")


# --- hashes


def test_hashes_are_printed_as_text_and_as_json_lines(call, home, pictures):
    path = pictures / "known.png"
    content = path.read_bytes()
    answer = call("hash", path)
    assert (answer.code, answer.err) == (0, "")
    lines = dict(line.split("  ", 1) for line in answer.out.splitlines())
    assert lines["md5"] == f"{hashlib.md5(content).hexdigest()}  {path}"
    assert lines["sha1"] == f"{hashlib.sha1(content).hexdigest()}  {path}"
    assert lines["sha256"] == f"{hashlib.sha256(content).hexdigest()}  {path}"
    assert re.fullmatch(rf"[0-9a-f]{{64}}  {re.escape(str(path))}  quality \d+", lines["pdq"])
    documents = call("hash", "--json", path).documents
    assert {line["signal"]: line["value"] for line in documents} == {
        name: line.split("  ")[0] for name, line in lines.items()
    }
    assert {(line["path"], line["view"]) for line in documents} == {(str(path), "whole")}
    assert not home.exists()  # hashing needs no home and makes none


def test_a_printed_hash_can_be_listed_and_then_matches(call, home, pictures):
    (document,) = call("hash", "--json", "--signal", "pdq", pictures / "known.png").documents
    assert call("bank", "create", "known", "--action", "block").code == 0
    assert call("bank", "add", "known", "--signal", "pdq", "--value", document["value"]).code == 0
    (verdict,) = call("screen", "--json", pictures / "copy.jpg").documents
    assert (verdict["decision"], verdict["matches"][0]["value"]) == ("block", document["value"])


def test_a_picture_too_plain_to_match_says_so_when_it_is_listed(call, filled, tmp_path):
    blank = tmp_path / "blank.png"
    Image.new("RGB", (300, 200), "white").save(blank)
    answer = call("bank", "add", "known", blank)
    assert answer.code == 0
    assert (
        "blank.png: the picture is too plain to match by what it shows: its quality is 0, and 50 is needed"
        in answer.err
    )
    answer = call("bank", "add", "known", "--signal", "pdq", "--value", "0" * 64)
    assert answer.code == 0
    assert "looks like that of a picture without detail" in answer.err
    listed = tmp_path / "list.csv"
    listed.write_text(f"pdq,sha512\n{'0' * 64},{'0' * 128}\n")
    answer = call("bank", "import", "known", listed)
    assert "the hashes in sha512 were left out" in answer.err
    assert "1 values: the hash looks like that of a picture without detail" in answer.err


def test_hashes_of_a_torn_picture_come_with_a_warning(call, filled, pictures, tmp_path):
    torn = tmp_path / "torn.png"
    torn.write_bytes((pictures / "other.png").read_bytes()[:5000])
    warning = f"tutela: {torn}: the file is damaged: only a part of the picture could be decoded\n"
    answer = call("hash", "--signal", "pdq", torn)
    assert (answer.code, answer.err) == (0, warning)
    assert re.match(r"pdq  [0-9a-f]{64}  ", answer.out)
    answer = call("bank", "add", "known", torn)
    assert (answer.code, answer.err) == (0, warning)


@pytest.mark.parametrize("args", [["hash", "--signal", "pdq"], ["bank", "add", "known"], ["screen", "--json"]])
def test_the_limits_of_the_settings_count_for_every_command(call, filled, pictures, monkeypatch, args):
    monkeypatch.setenv("TUTELA_LIMITS__MAX_PIXELS", "1000")
    answer = call(*args, pictures / "other.png")
    if args[0] == "screen":
        assert [line["decision"] for line in answer.documents] == ["hold"]
    else:
        assert answer.code == 2
        assert re.search(r"other\.png: .*1,000", answer.err)


# --- banks


def test_a_bank_is_made_changed_and_remembered(call, home):
    args = ("--action", "block", "--threshold", "pdq=25", "--min-quality", "40", "--label", "A1")
    assert call("bank", "create", "first", *args, "--description", "of somebody").out == "made bank first\n"
    assert call("bank", "create", "false-matches", "--kind", "allow").code == 0
    assert call("bank", "list").rows == [
        ["false-matches", "allow", "hold", "", "50", "", "yes", "0", "0"],
        ["first", "known", "block", "pdq=25", "40", "A1", "yes", "0", "0"],
    ]
    assert call("bank", "update", "first", "--rename", "second", "--threshold", "pdq=20", "--disable").code == 0
    assert call("bank", "list").rows[1] == ["second", "known", "block", "pdq=20", "40", "A1", "no", "0", "0"]
    assert call("bank", "update", "first", "--enable").code == 2
    assert call("bank", "update", "second", "--enable", "--action", "log", "--label", "B2").code == 0
    assert call("bank", "list").rows[1] == ["second", "known", "log", "pdq=20", "40", "B2", "yes", "0", "0"]
    history = call("bank", "history", "second").rows
    assert [row[2] for row in history] == ["created", "changed", "changed"]
    assert "name: first -> second" in history[1][3]
    assert "enabled: True -> False" in history[1][3]
    assert "action: block -> log" in history[2][3]
    assert {row[1] for row in history} == {history[0][1]}
    banks = banks_of(home)
    bank = banks.get("second")
    assert (bank.kind, bank.description, bank.policy) == (
        BankKind.KNOWN,
        "of somebody",
        Policy(Action.LOG, {"pdq": 20}, 40),
    )
    banks.store.close()


def test_a_disabled_bank_and_a_withdrawn_entry_no_longer_match(call, filled, pictures):
    def decision() -> str:
        (verdict,) = call("screen", "--json", pictures / "copy.jpg").documents
        return verdict["decision"]

    assert decision() == "block"
    assert call("bank", "update", "known", "--disable").code == 0
    assert decision() == "allow"
    assert call("bank", "update", "known", "--enable").code == 0
    assert decision() == "block"
    answer = call("bank", "withdraw", "1", "2", "--reason", "taken back")
    assert answer.out == "entry 1 of bank known is withdrawn\nentry 2 of bank known is withdrawn\n"
    assert decision() == "allow"
    assert call("bank", "disable", "2", "--reason", "set aside").out == "entry 2 of bank known is disabled\n"
    assert decision() == "allow"
    assert call("bank", "enable", "2", "--reason", "an error").out == "entry 2 of bank known is active\n"
    assert decision() == "block"
    assert [row[:2] + row[3:] for row in call("bank", "entries", "known").rows] == [
        ["1", "sha256", "withdrawn", "", "operator", "case-7"],
        ["2", "pdq", "active", "", "operator", "case-7"],
    ]
    assert [row[0] for row in call("bank", "entries", "known", "--state", "active").rows] == ["2"]
    assert [row[0] for row in call("bank", "entries", "known", "--after", "1", "--limit", "1").rows] == ["2"]
    told = call("bank", "history", "--entry", "2").rows
    assert [(row[2], row[3].rpartition("reason: ")[2]) for row in told][1:] == [
        (told[1][2], "taken back"),
        (told[2][2], "set aside"),
        (told[3][2], "an error"),
    ]


def test_an_allow_list_takes_matches_back_and_wants_a_reason(call, filled, pictures):
    assert call("bank", "create", "false-matches", "--kind", "allow").code == 0
    copy = pictures / "copy.jpg"
    assert call("bank", "add", "false-matches", copy).code == 2
    assert call("bank", "add", "false-matches", copy, "--reason", "a lawful look-alike").code == 0
    answer = call("screen", "--json", copy)
    (verdict,) = answer.documents
    assert verdict["decision"] == "allow"
    assert [match["bank"] for match in verdict["matches"] if match["suppressed_by"] is None] == []
    assert [match["bank"] for match in verdict["matches"]] == ["known"]


def test_labels_are_listed_with_the_operators_own(call, filled):
    (filled / "labels.toml").write_text('[ours]\ntitle = "Ours"\n[ours.labels]\nX1 = "the first [red]of ours"\n')
    rows = call("bank", "labels").rows
    assert ["X1", "ours", "the first [red]of ours"] in rows
    assert "A1" in [row[0] for row in rows]
    assert call("bank", "update", "known", "--label", "X1").code == 0
    (filled / "labels.toml").write_text("[ours")
    answer = call("bank", "labels")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("tutela: not a file of labels")


# --- imports and exports


def test_an_import_names_bad_lines_and_takes_the_rest(call, filled, tmp_path):
    path, rejects = tmp_path / "list.csv", tmp_path / "bad.csv"
    rows = [f"{value},pdq,r{number}" for number, value in enumerate(LIST)]
    rows[3], rows[7] = "junk,pdq,x", f"{LIST[7]},nope,y"
    path.write_text("\n".join(["hash,type,id", *rows]))
    answer = call("bank", "import", "known", path, "--rejects", rejects)
    assert (answer.code, answer.out) == (1, "21 lines: 18 listed, 0 already there, 2 rejected\n")
    complaints = answer.err.splitlines()
    assert [line.partition(":")[0] + line.partition(":")[2].partition(":")[0] for line in complaints] == [
        "tutela line 5",
        "tutela line 9",
    ]
    assert [line.split(",")[0] for line in rejects.read_text().splitlines()] == ["5", "9"]
    references = {row[6] for row in call("bank", "entries", "known", "--after", "2").rows}
    assert references == {f"r{number}" for number in range(20) if number not in (3, 7)}
    again = call("bank", "import", "known", path)
    assert (again.code, again.out) == (1, "21 lines: 0 listed, 18 already there, 2 rejected\n")


def test_columns_format_and_source_can_be_said(call, filled, tmp_path):
    path = tmp_path / os.fsdecode(b"list\xff.data")
    path.write_text(f"Number;Finger Print\n7;{LIST[0]}\n")
    answer = call(
        *("bank", "import", "known", path, "--format", "csv", "--signal", "pdq"),
        *("--column", "value=Finger Print", "--column", "reference=number"),
    )
    assert (answer.code, answer.out) == (0, "2 lines: 1 listed, 0 already there, 0 rejected\n")
    assert [row[5:] for row in call("bank", "entries", "known", "--after", "2").rows] == [[r"list\udcff.data", "7"]]


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True])
def test_a_list_is_imported_from_standard_input(filled, packed):
    text = "\n".join(LIST).encode()
    data = gzip.compress(text) if packed else text
    args = ("bank", "import", "known", "-", "--signal", "pdq")
    answer = tutela_run(filled, *args, "--format", "text", "--source", "exchange", stdin=data)
    assert (answer.code, answer.out, answer.err) == (0, "20 lines: 20 listed, 0 already there, 0 rejected\n", "")
    banks = banks_of(filled)
    found = [(entry.value.hex(), entry.source) for entry in banks.entries("known", after=2)]
    banks.store.close()
    assert found == [(value, "exchange") for value in LIST]


@pytest.mark.slow
def test_a_piped_list_needs_its_format_and_is_told_from_a_torn_one(filled, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def through_the_pipe(data: bytes, *args: str) -> Answer:
        (tmp_path / "data").write_bytes(data)
        command = ["sh", "-c", 'exec cat "$1" > "$2"', "sh", tmp_path / "data", pipe]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as writer:
            try:
                return tutela_run(filled, "bank", "import", "known", pipe, "--signal", "pdq", *args)
            finally:
                writer.kill()

    text = "\n".join(LIST).encode()
    answer = through_the_pipe(text)
    assert (answer.code, answer.out) == (2, "")
    assert "say it, as with --format csv" in answer.err
    answer = through_the_pipe(gzip.compress(text)[:-20], "--format", "text")
    assert (answer.code, answer.out) == (2, "")
    assert f"{pipe} is torn" in answer.err
    answer = through_the_pipe(text, "--format", "text")
    assert (answer.code, answer.out) == (0, "20 lines: 20 listed, 0 already there, 0 rejected\n")


def test_a_compressed_list_that_is_damaged_inside_is_wrong_input(call, filled, tmp_path):
    path = tmp_path / "list.txt.gz"
    data = bytearray(gzip.compress("\n".join(LIST).encode()))
    data[30:34] = b"\x00\x00\xff\xff"
    path.write_bytes(data)
    answer = call("bank", "import", "known", path, "--signal", "pdq")
    assert (answer.code, answer.out) == (2, "")
    assert f"tutela: {path} is torn: " in answer.err


@pytest.mark.slow
def test_an_import_that_was_killed_goes_on_where_it_was(call, filled, tmp_path):
    path = tmp_path / "list.csv"
    hashes = random_hashes(45_000, seed=72)
    path.write_text("hash,type,id\n" + "".join(f"{row.tobytes().hex()},pdq,{i}\n" for i, row in enumerate(hashes)))
    process = tutela_process(filled, "bank", "import", "known", path)
    watch = sqlite3.connect(filled / "tutela.db", isolation_level=None)
    wait_until(lambda: watch.execute("SELECT 1 FROM import_run WHERE lines > 0").fetchone(), "a batch is written")
    process.kill()
    process.communicate()
    ((lines, finished),) = watch.execute("SELECT lines, finished FROM import_run")
    watch.close()
    assert 0 < lines < 45_001
    assert not finished
    answer = call("bank", "import", "known", path)
    assert answer.code == 0
    assert answer.out == (f"taken up after line {lines:,}\n45,001 lines: 45,000 listed, 0 already there, 0 rejected\n")
    with sqlite3.connect(filled / "tutela.db") as connection:
        references = {row[0] for row in connection.execute("SELECT reference FROM entry WHERE id > 2")}
    assert references == {str(number) for number in range(45_000)}


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "text"])
def test_an_exported_list_is_imported_again(call, filled, tmp_path, form):
    banks = banks_of(filled)
    banks.add("known", [NewEntry("pdq", bytes.fromhex(value), "s", "ü\u2028", None, "ö") for value in LIST], actor="x")
    banks.store.close()
    exported = call("bank", "export", "known", "--format", form, "--state", "active")
    assert (exported.code, exported.err) == (0, "")
    path = tmp_path / f"list.{form}"
    path.write_bytes(exported.out.encode())
    assert call("bank", "create", "copy").code == 0
    answer = call("bank", "import", "copy", path, *(["--signal", "pdq"] if form == "text" else []))
    banks = banks_of(filled)
    values = {(entry.signal, entry.value.hex()) for entry in banks.entries("copy")}
    wanted = {(entry.signal, entry.value.hex()) for entry in banks.entries("known")}
    banks.store.close()
    if form == "text":  # which tells no types
        wanted = {(signal_name, value) for signal_name, value in wanted if signal_name == "pdq"}
        assert wanted <= values
    else:
        assert (answer.code, values) == (0, wanted)
    assert len(wanted) >= 21


@pytest.mark.slow
def test_an_export_is_utf_8_whatever_the_terminal_is(filled):
    banks = banks_of(filled)
    banks.add("known", [NewEntry("md5", bytes(16), "s", "ü✓", None, None)], actor="x")
    banks.store.close()
    answer = tutela_run(filled, "bank", "export", "known", "--format", "csv", env={"PYTHONIOENCODING": "ascii"})
    assert answer.code == 0
    assert "ü✓" in answer.out


# --- keys


def test_a_key_is_shown_once_and_never_stored(call, filled):
    answer = call("key", "create", "my-site", "--scope", "screen", "--scope", "curate", "--days", "30")
    assert (answer.code, answer.err) == (0, "")
    key = re.fullmatch(r"(tutela_([0-9a-f]{16})_([\w-]{43}))\n", answer.out)
    assert key is not None
    text, key_id, secret = key.groups()
    listed = call("key", "list")
    assert [row[:3] for row in listed.rows] == [[key_id, "my-site", "curate, screen"]]
    assert secret not in listed.out
    files = [path for path in filled.rglob("*") if path.is_file()]
    assert filled / "tutela.db" in files
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert hashlib.sha256(text.encode()).digest() in (filled / "tutela.db").read_bytes()
    created, expires = listed.rows[0][3:5]
    assert created < expires


def test_a_key_is_revoked(call, filled):
    key_id = call("key", "create", "my-site", "--scope", "screen").out.split("_")[1]
    assert call("key", "list").rows[0][5] == ""
    assert call("key", "revoke", key_id).out == f"key {key_id} (my-site) is revoked\n"
    assert call("key", "list").rows[0][5] != ""


# --- the index


def damaged_segment(home: Path) -> Path:
    """Build the index, and flip a bit in what was built for PDQ."""
    (segment,) = (home / "index" / "pdq").glob("*.segment")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    return segment


def test_the_index_is_built_and_agrees_with_the_database(call, filled):
    assert call("index", "build", "--signal", "pdq").out == "pdq: 1 values\n"
    listed = {"pdq": 1, "sha256": 1}
    expected = [f"{name}: {listed.get(name, 0)} values" for name in signal_types()]
    assert call("index", "build").out.splitlines() == expected
    status = call("index", "status")
    assert status.code == 0
    assert [row[:3] for row in status.rows if row[2] != "0"] == [["pdq", "ok", "1"], ["sha256", "ok", "1"]]
    answer = call("index", "verify")
    assert (answer.code, answer.out, answer.err) == (0, "the index holds what the database lists\n", "")


def test_a_damaged_segment_is_told_everywhere_and_mended_by_a_build(call, filled):
    assert call("index", "build").code == 0
    segment = damaged_segment(filled)
    verified = call("index", "verify")
    assert (verified.code, verified.out) == (1, "run: tutela index build\n")
    assert re.fullmatch(rf"tutela: pdq: [^\n]*{re.escape(segment.name)}[^\n]*\n", verified.err)
    status = call("index", "status")
    assert status.code == 1
    assert {row[0]: row[1] for row in status.rows}["pdq"] == "fail"
    assert {row[0]: row[1] for row in status.rows}["sha256"] == "ok"
    examined = call("doctor", "--json")
    assert examined.code == 1
    (finding,) = [line for line in examined.documents if line["state"] == "fail"]
    assert finding["what"] == "index of pdq"
    assert "run: tutela index build --signal pdq" in finding["detail"]
    assert call("index", "build", "--signal", "pdq").out == "pdq: 1 values\n"
    assert call("index", "verify").code == 0


def test_an_index_of_another_database_is_not_taken_for_this_ones(call, filled):
    assert call("index", "build").code == 0
    for path in filled.glob("tutela.db*"):
        path.unlink()
    assert call("store", "migrate").code == 0
    verified = call("index", "verify")
    assert verified.code == 1
    assert "pdq: it was built from another database" in verified.err
    assert call("index", "build").code == 0
    assert call("index", "verify").code == 0


# --- the store


def test_the_store_is_made_and_made_only_once(call, home):
    answer = call("store", "migrate")
    assert answer.code == 0
    assert re.fullmatch(r"the database is at revision \w+\n", answer.out)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    with sqlite3.connect(home / "tutela.db") as connection:
        identity = connection.execute("SELECT value FROM meta WHERE name = 'identity'").fetchall()
    assert len(identity) == 1
    assert call("store", "migrate").out == answer.out
    with sqlite3.connect(home / "tutela.db") as connection:
        assert connection.execute("SELECT value FROM meta WHERE name = 'identity'").fetchall() == identity


def test_the_database_option_names_another_database(call, filled, tmp_path):
    url = f"sqlite:///{tmp_path / 'other.db'}"
    assert call("--database", url, "bank", "create", "elsewhere").code == 0
    assert [row[0] for row in call("--database", url, "bank", "list").rows] == ["elsewhere"]
    assert [row[0] for row in call("bank", "list").rows] == ["known"]


# --- the doctor


def findings(answer: Answer, state: str) -> dict[str, str]:
    return {line["what"]: line["detail"] for line in answer.documents if line["state"] == state}


def test_the_doctor_finds_nothing_wrong_with_a_good_home(call, filled):
    assert call("index", "build").code == 0
    filled.chmod(0o700)
    answer = call("doctor", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert {"native core", "signals", "home", "database", "index of pdq", "fail closed"} <= set(findings(answer, "ok"))
    assert findings(answer, "fail") == {}
    assert findings(answer, "ok")["index of pdq"] == "1 values"
    table = call("doctor")
    assert table.code == 0
    assert [row[0] for row in table.rows] == [line["state"] for line in answer.documents]


def test_the_doctor_says_that_nothing_is_there_yet_and_makes_nothing(call, home):
    answer = call("doctor", "--json")
    assert answer.code == 0
    assert "made on first use" in findings(answer, "warn")["home"]
    assert "made on first use" in findings(answer, "warn")["database"]
    assert not home.exists()


def test_a_home_that_others_read_is_closed_and_the_doctor_warns_of_no_bank(call, filled):
    filled.chmod(0o755)
    assert call("bank", "update", "known", "--disable").code == 0
    assert filled.stat().st_mode & 0o777 == 0o700
    warnings = findings(call("doctor", "--json"), "warn")
    assert "home" not in warnings
    assert warnings["banks"].startswith("no bank is enabled")


def test_the_doctor_says_that_a_home_is_no_folder(call, tmp_path):
    (tmp_path / "file").write_text("x")
    answer = call("--home", tmp_path / "file", "doctor", "--json")
    assert answer.code == 1
    assert findings(answer, "fail") == {
        "home": f"{tmp_path / 'file'} is not a folder; name another: tutela --home, or TUTELA_HOME"
    }
    assert "database" not in findings(answer, "warn")


@pytest.mark.slow
def test_the_doctor_says_that_a_home_belongs_to_somebody_else(filled, closed):
    closed(filled, 0o500)
    answer = run_as_nobody_special(filled, "doctor", "--json")
    assert answer.code == 1
    assert findings(answer, "fail")["home"].endswith(f"chown -R USER {filled}")


@pytest.mark.parametrize(
    ("damage", "what", "detail"),
    [
        (lambda home: (home / "tutela.db").write_bytes(b"no database " * 500), "database", "file is not a database"),
        (lambda home: (home / "labels.toml").write_text("[x"), "labels", "not a file of labels"),
        (
            lambda home: sqlite3.connect(home / "tutela.db", isolation_level=None).execute(
                "DROP TABLE alembic_version"
            ),
            "database",
            "run `tutela store migrate`",
        ),
    ],
    ids=["database", "labels", "revision"],
)
def test_the_doctor_says_what_is_broken_in_a_home(call, filled, damage, what, detail):
    damage(filled)
    answer = call("doctor", "--json")
    assert answer.code == 1
    assert detail in findings(answer, "fail")[what]
    assert set(findings(answer, "fail")) == {what}


def test_the_doctor_says_that_the_database_does_not_answer(call, filled):
    answer = call("--database", "postgresql://somebody:s3cret@127.0.0.1:1/tutela", "doctor", "--json")
    assert answer.code == 1
    assert "(postgresql) does not answer" in findings(answer, "fail")["database"]
    assert "s3cret" not in answer.out + answer.err


# --- the demonstration


def children(pid: int) -> list[int]:
    """The processes that a process started, by /proc."""
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


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


# --- help, version, completion


def commands() -> Iterator[tuple[str, ...]]:
    def below(command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for name, child in getattr(command, "commands", {}).items():
            yield from below(child, (*path, name))

    yield from below(typer.main.get_command(app), ())


@pytest.mark.slow
@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_help_explains_every_option(path):
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert result.exit_code == 0
    assert " ".join(["Usage: tutela", *path]).strip() in result.output.replace("Usage: root", "Usage: tutela")
    assert command.help
    for parameter in command.params:
        assert parameter.help, f"{parameter.name} is not explained"
        if parameter.param_type_name == "option":
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert option in result.output
    for name in getattr(command, "commands", ()):
        assert re.search(rf"│ {name} ", result.output)


HEAVY = ("numpy", "sqlalchemy", "alembic", "fastapi", "uvicorn", "PIL", "asyncio", "tutela._native")

_LOADED = """
import sys
sys.argv = ["tutela", *sys.argv[1:]]
from tutela.cli import main
try:
    main()
except SystemExit as ended:
    assert ended.code in (0, None), ended.code
print("loaded", *sorted(sys.modules))
"""


@pytest.mark.parametrize("args", [["--help"], ["bank", "import", "--help"], ["--version"], ["screen", "--help"]])
def test_help_and_version_load_nothing_heavy(home, args):
    command = [sys.executable, "-c", _LOADED, *args]
    result = subprocess.run(command, capture_output=True, text=True, env=environment(home))
    loaded = result.stdout.splitlines()[-1].split()
    assert (result.returncode, loaded[0]) == (0, "loaded")
    assert {"tutela.cli.commands", "typer"} <= set(loaded)
    assert set(HEAVY) & set(loaded) == set()
    assert not home.exists()


def test_the_version_is_printed(home):
    answer = tutela_run(home, "--version")
    assert (answer.code, answer.out, answer.err) == (0, f"{tutela.__version__}\n", "")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_and_choices(home):
    lines = ["tutela ba", "tutela bank imp", "tutela bank update known --thr", "tutela bank create known --action b"]
    script = 'eval "$(_TUTELA_COMPLETE=source_bash tutela)"\n' + "".join(
        f"COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _tutela_completion tutela;"
        ' echo "${COMPREPLY[*]}"\n'
        for line in lines
    )
    path = f"{Path(COMMAND[0]).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env=environment(home, PATH=path)
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split("\n") == ["bank", "import", "--threshold", "block", ""]


# --- what the command line leaves to the library


def test_a_command_and_an_open_deployment_share_a_home(call, filled, pictures):
    with compose_deployment(filled, decoders=1) as deployment:
        content = (pictures / "known.png").read_bytes()
        assert deployment.screener.screen(content).decision == "block"
        assert call("bank", "withdraw", "1", "2", "--reason", "x").code == 0
        deployment.refresh()
        assert deployment.screener.screen(content).decision == "allow"


@pytest.mark.parametrize("text", ["plain name.png", "ü✓", "a\\b [c]"])
def test_what_can_be_shown_is_shown_as_it_is(text):
    assert visible(text) == text
