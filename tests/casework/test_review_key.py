"""The review key: one rule reads it for every door, and asks for its passphrase where it is locked."""

import base64
import contextlib
import fcntl
import os
import pty
import subprocess
import sys
import termios
import textwrap
from pathlib import Path

import pyrage
import pytest

from tests.support.waiting import PATIENCE_S
from tutela.casework.evidence.review_key import DESCRIPTOR, read_review_key
from tutela.casework.evidence.seal import EvidenceError, lock_with_passphrase, new_identity
from tutela.errors import InputError

SECRET, PUBLIC = new_identity()
WORDS = "correct horse battery staple"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    path = tmp_path / "locked.key"
    path.write_bytes(lock_with_passphrase(SECRET.encode(), WORDS))
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
    data = pyrage.passphrase.encrypt(SECRET.encode(), WORDS)
    lines = textwrap.wrap(base64.b64encode(data).decode(), 64)
    path = tmp_path / "armoured.key"
    path.write_text("\n".join(["-----BEGIN AGE ENCRYPTED FILE-----", *lines, "-----END AGE ENCRYPTED FILE-----", ""]))
    assert read_review_key(path, home, ask=lambda path: WORDS).recipients == (PUBLIC,)
