"""What goes wrong: one line that says the rule, and an exit code of its kind."""

import re
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import COMMAND, environment, tutela_process
from tests.support.service import free_port
from tests.support.waiting import PATIENCE_S
from tutela.lists.banks.service import Banks

pytestmark = pytest.mark.slow


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


def test_without_keys_nothing_is_served_to_the_network(call, filled, monkeypatch):
    monkeypatch.setenv("TUTELA_SERVICE__AUTH_REQUIRED", "false")
    answer = call("serve", "--host", "0.0.0.0", "--port", str(free_port()))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "tutela: without keys the service is only served on a loopback address, not on 0.0.0.0\n"


def test_a_port_that_is_taken_is_said_before_anything_starts(call, filled):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = call("serve", "--port", str(port))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"tutela: nothing can listen at 127.0.0.1, port {port}: Address already in use\n"
    elsewhere = call("serve", "--host", "192.0.2.1", "--port", str(port))
    assert (elsewhere.code, "nothing can listen at 192.0.2.1" in elsewhere.err) == (2, True)


def test_no_gateway_is_no_good_gateway(call, filled):
    answer = call("gateway", "check")
    assert (answer.code, answer.err) == (2, "tutela: the settings describe no gateway; see docs/gateways.md\n")


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


@pytest.mark.parametrize(
    ("command", "closed_", "code", "said"),
    [
        ("hash --signal md5 {}", ">&-", 3, "tutela: [Errno 9] Bad file descriptor\n"),
        ("bank list", ">&-", 3, "tutela: [Errno 9] Bad file descriptor\n"),
        ("screen /nowhere", "2>&-", 2, ""),
        ("bank import known - --signal md5", "<&-", 2, None),
        ("bank import known {}.md5 --signal md5", "<&- >&- 2>&-", None, ""),
        ("bank list", "<&- >&- 2>&-", 3, ""),
    ],
)
def test_a_standard_stream_that_is_closed_is_no_place_for_a_database(
    filled, pictures, call, command, closed_, code, said
):
    """Whatever is opened next would have its number, and be printed to."""
    picture = pictures / "known.png"
    Path(f"{picture}.md5").write_text("0123456789abcdef" * 2)
    answer = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed_}', "sh", *COMMAND, *command.format(picture).split()],
        env=environment(filled),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert code is None or answer.returncode == code
    assert said is None or answer.stderr == said
    assert "Traceback" not in answer.stderr
    listed = call("bank", "list")
    assert (listed.code, "known" in listed.out) == (0, True)
    with sqlite3.connect(filled / "tutela.db") as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
