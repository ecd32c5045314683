"""`tutela hash` and `tutela tmk`."""

import hashlib
import re

import numpy as np
import pytest
from PIL import Image

from tests.support.tmks import tmk_of, walk


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
