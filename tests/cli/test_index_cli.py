"""`tutela index`."""

import re
from pathlib import Path

from tutela.content.signals.registry import signal_types


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
