"""`tutela screen`: exit codes, JSON lines, standard input, folders, and names made to garble a terminal."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.support.pictures import draw_scene, every_format, mutations
from tests.support.processes import (
    environment,
    printed,
    run_as_nobody_special,
    tutela_process,
    tutela_run,
)
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.cli.output import visible
from tutela.deployment.composition import compose_deployment


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

    def interrupted() -> bool:
        """A signal between two readings is seen by the interpreter after the second, or with another signal."""
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
        return process.poll() is not None

    try:
        wait_until(interrupted, "it ends")
    finally:
        process.stdin.close()
    assert (process.returncode, process.stderr.read()) == (130, b"")


@pytest.mark.slow
def test_a_reader_that_goes_away_is_neither_a_match_nor_none(filled, many):
    process = tutela_process(filled, "screen", "--json", many)
    assert json.loads(process.stdout.readline())["decision"] == "block"
    process.stdout.close()
    assert (process.wait(PATIENCE_S), process.stderr.read()) == (141, b"")


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


def test_a_link_to_a_folder_elsewhere_is_not_passed_over_in_silence(call, filled, pictures, tmp_path):
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "elsewhere").symlink_to(pictures)
    answer = call("screen", folder)
    assert (answer.code, answer.rows) == (2, [])
    assert f"{folder / 'elsewhere'} leads to another folder, which was not read" in answer.err


def test_an_empty_folder_holds_nothing_to_match(call, filled, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = call("screen", "--json", empty)
    assert (answer.code, answer.out, answer.err) == (0, "", "")


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


def test_a_command_and_an_open_deployment_share_a_home(call, filled, pictures):
    with compose_deployment(filled, decoders=1) as deployment:
        content = (pictures / "known.png").read_bytes()
        assert deployment.screener.screen(content).decision == "block"
        assert call("bank", "withdraw", "1", "2", "--reason", "x").code == 0
        deployment.refresh()
        assert deployment.screener.screen(content).decision == "allow"
