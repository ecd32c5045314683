"""The review key: one rule reads it for every door, and asks for its passphrase where it is locked."""

import base64
import contextlib
import fcntl
import json
import os
import pty
import subprocess
import sys
import termios
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.support.locked_keys import lightly_locked
from tests.support.waiting import PATIENCE_S
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.review_key import DESCRIPTOR, read_review_key
from tutela.casework.evidence.seal import EvidenceError, new_identity
from tutela.cli.commands import app as command_line
from tutela.deployment.casework import CaseworkOptions, opened_casework
from tutela.errors import InputError

pytestmark = pytest.mark.slow

SECRET, PUBLIC = new_identity()
WORDS = "correct horse battery staple"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    path = tmp_path / "locked.key"
    path.write_bytes(lightly_locked(SECRET.encode(), WORDS))
    return path


def descriptor_with(text: str) -> int:
    """The reading end of a pipe that has this text."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    return reading


def test_a_locked_key_is_opened_with_what_is_asked_for(locked, home):
    assert read_review_key(locked, home, ask=lambda path: WORDS).recipients == (PUBLIC,)
    with pytest.raises(EvidenceError, match="passphrase"):
        read_review_key(locked, home, ask=lambda path: "wrong")


def test_the_passphrase_comes_from_a_descriptor(locked, home, monkeypatch):
    monkeypatch.setenv(DESCRIPTOR, str(descriptor_with(WORDS + "\n")))
    assert read_review_key(locked, home).recipients == (PUBLIC,)
    for wrong in ("99", "three", ""):
        monkeypatch.setenv(DESCRIPTOR, wrong)
        with pytest.raises(InputError, match=DESCRIPTOR):
            read_review_key(locked, home)


READ = """
import sys
from pathlib import Path
from tutela.casework.evidence.review_key import read_review_key
print(read_review_key(Path(sys.argv[1]), Path(sys.argv[2])).recipients[0])
"""


def test_the_passphrase_comes_from_the_terminal_and_is_not_shown_there(locked, home):
    terminal, child_side = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", READ, str(locked), str(home)],
        stdin=child_side, stdout=subprocess.PIPE, stderr=child_side, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(child_side)
    shown = b""
    while b"passphrase of" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, WORDS.encode() + b"\n")
    said, _ = child.communicate(timeout=PATIENCE_S)
    assert (child.returncode, said.decode().strip()) == (0, PUBLIC)
    os.set_blocking(terminal, False)
    with contextlib.suppress(OSError):
        shown += os.read(terminal, 1000)
    assert WORDS.encode() not in shown
    os.close(terminal)


def test_without_a_terminal_it_is_said_how_to_hand_the_passphrase_over(locked, home):
    done = subprocess.run(
        [sys.executable, "-c", READ, str(locked), str(home)],
        input=WORDS, capture_output=True, text=True, start_new_session=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert DESCRIPTOR in done.stderr


def test_a_key_that_opens_nothing_here_is_refused_at_once(tmp_path, home):
    path = tmp_path / "other.key"
    path.write_text(new_identity()[0])
    with pytest.raises(InputError, match="sealed to other public keys"):
        read_review_key(path, home, recipients=[PUBLIC])
    path.write_text(f"{new_identity()[0]}\n{SECRET}\n")
    assert PUBLIC in read_review_key(path, home, recipients=[PUBLIC, new_identity()[1]]).recipients


def test_pyrage_reads_what_age_writes_in_letters(tmp_path, home):
    """`age -p -a` writes a locked key in letters; it is the same key."""
    data = lightly_locked(SECRET.encode(), WORDS)
    lines = textwrap.wrap(base64.b64encode(data).decode(), 64)
    path = tmp_path / "armoured.key"
    path.write_text("\n".join(["-----BEGIN AGE ENCRYPTED FILE-----", *lines, "-----END AGE ENCRYPTED FILE-----", ""]))
    assert read_review_key(path, home, ask=lambda path: WORDS).recipients == (PUBLIC,)


# --- every door


def commands_with_the_key() -> list[str]:
    """Every command that takes the review key."""

    def below(command: Any, path: tuple[str, ...]) -> Iterator[str]:
        for parameter in command.params:
            if parameter.name == "key" and "review key" in (parameter.help or ""):
                yield " ".join(path)
        for name, child in getattr(command, "commands", {}).items():
            yield from below(child, (*path, name))

    return list(below(typer.main.get_command(command_line), ()))


def filled(command: str, file: Path) -> list[str]:
    """What the command needs beside the key: something of its form."""
    found: Any = typer.main.get_command(command_line)
    for word in command.split():
        found = found.commands[word]
    given = []
    for parameter in found.params:
        kind = str(getattr(parameter.type_descriptor, "annotation", ""))
        if command == "risk train" and parameter.name == "ordinary":  # it may be left out only with --back
            file.write_text("an ordinary line\n")
        elif not parameter.required or parameter.name == "key":
            continue
        value = str(file) if "Path" in kind or parameter.name == "ordinary" else "1" if "int" in kind else "something"
        given += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
    return given


@pytest.mark.parametrize("command", commands_with_the_key())
def test_every_command_that_takes_the_key_asks_for_its_passphrase(locked, home, tmp_path, monkeypatch, command):
    settings = {"recipients": [PUBLIC]}
    monkeypatch.setenv("TUTELA_EVIDENCE", json.dumps(settings))
    monkeypatch.setenv("TUTELA_REPORTS", json.dumps({"organisation": {"name": "Test Company"}}))
    monkeypatch.setenv(DESCRIPTOR, "99")
    arguments = ["--home", str(home), *command.split(), *filled(command, tmp_path / "out"), "--key", str(locked)]
    answer = CliRunner().invoke(command_line, arguments)
    assert isinstance(answer.exception, InputError), f"{answer.output} {answer.exception!r}"
    assert str(answer.exception) == f"{DESCRIPTOR}='99' is not an open descriptor with a passphrase"


@pytest.mark.parametrize("known_by", ["the settings", "what is kept"])
@pytest.mark.parametrize("command", commands_with_the_key())
def test_every_command_that_takes_the_key_refuses_a_wrong_one_at_its_start(
    home, tmp_path, monkeypatch, command, known_by
):
    wrong, out = tmp_path / "wrong.key", tmp_path / "out"
    wrong.write_text(new_identity()[0])
    monkeypatch.setenv("TUTELA_REPORTS", json.dumps({"organisation": {"name": "Test Company"}}))
    monkeypatch.setenv("TUTELA_EVIDENCE", json.dumps({"recipients": [PUBLIC]}))
    if known_by == "what is kept":
        if not command.startswith("evidence "):
            pytest.skip("the other commands work only where new items can be kept")
        keep_one_item(home)
        monkeypatch.delenv("TUTELA_EVIDENCE")
    arguments = ["--home", str(home), *command.split(), *filled(command, out), "--key", str(wrong)]
    answer = CliRunner().invoke(command_line, arguments)
    assert isinstance(answer.exception, InputError), f"{answer.output} {answer.exception!r}"
    assert "does not open evidence" in str(answer.exception)
    assert answer.output == "", "nothing was done before"


def keep_one_item(home: Path) -> None:
    """An item sealed to the known key."""
    options = CaseworkOptions(EvidenceOptions((PUBLIC,)))
    with opened_casework(home, None, options) as casework:
        assert casework.vault is not None
        sealed = casework.vault.seal(b"content", b"{}")
        with casework.store.write() as connection:
            casework.vault.record(connection, sealed, content_sha256=None, actor="test")


def test_a_key_of_before_opens_what_was_sealed_before(home, tmp_path, monkeypatch):
    """Keys are changed in the settings first: the old one is then no recipient, and still rotates what is kept."""
    keep_one_item(home)
    monkeypatch.setenv("TUTELA_EVIDENCE", json.dumps({"recipients": [new_identity()[1]]}))
    old = tmp_path / "old.key"
    old.write_text(SECRET)
    arguments = ["--home", str(home), "evidence", "rotate", "--key", str(old), "--to", new_identity()[1]]
    answer = CliRunner().invoke(command_line, arguments)
    assert (answer.exit_code, answer.output) == (0, "1 items are sealed to the new keys\n"), answer.exception


def test_the_commands_that_take_the_key_are_those():
    assert {"evidence open", "evidence drill", "report preview", "report file"} <= set(commands_with_the_key())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "said"), [("locked", "is not an open descriptor"), ("another", "does not open evidence")]
)
def test_the_console_asks_for_the_passphrase_and_refuses_a_wrong_key(locked, home, tmp_path, monkeypatch, key, said):
    another = tmp_path / "another.txt"
    another.write_text(new_identity()[0])
    monkeypatch.setenv("TUTELA_MEMORY", "clean")
    monkeypatch.setenv("TUTELA_EVIDENCE", json.dumps({"recipients": [PUBLIC]}))
    monkeypatch.setenv("TUTELA_CONSOLE__IDENTITY", str(locked if key == "locked" else another))
    monkeypatch.setenv("TUTELA_CONSOLE__ORIGIN", "http://localhost:9")
    monkeypatch.setenv(DESCRIPTOR, "99")
    command = [sys.executable, "-m", "tutela", "--home", str(home), "console", "serve", "--port", "9"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr
