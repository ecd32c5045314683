"""`tutela bank import` and `export`."""

import gzip
import os
import sqlite3
import subprocess

import pytest

from tests.support.feeds import random_hashes
from tests.support.processes import (
    Answer,
    banks_of,
    tutela_process,
    tutela_run,
)
from tests.support.waiting import wait_until
from tutela.lists.banks.model import NewEntry

LIST = [row.tobytes().hex() for row in random_hashes(20, seed=71)]


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


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", b""), ("a.txt", b"\n\n"), ("a.json", b"[]"), ("a.txt.gz", gzip.compress(b""))]
)
def test_a_list_of_nothing_is_said_to_be_one(call, filled, tmp_path, name, content):
    """A download that broke off looks so."""
    (tmp_path / name).write_bytes(content)
    answer = call("bank", "import", "known", tmp_path / name)
    assert answer.code == 1
    assert f"there is nothing in {tmp_path / name}" in answer.err


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
