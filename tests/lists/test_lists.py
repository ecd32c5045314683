"""Lists: every format read a line at a time, bad lines named, imports resumed exactly, exports that read back."""

import base64
import gzip
import io
import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.effort import effort
from tests.support.feeds import random_hashes
from tests.support.preloaded import start_python
from tutela.errors import InputError, NotFoundError
from tutela.foundation.store.database import Store
from tutela.lists.banks.columns import Columns
from tutela.lists.banks.files import Format, read_list, write_list
from tutela.lists.banks.lines import MAX_LINE, BadLine
from tutela.lists.banks.model import BankKind, EntryState, NewEntry
from tutela.lists.banks.service import Banks
from tutela.lists.banks.transfer import Importer, export_list, format_of

PDQ = [row.tobytes() for row in random_hashes(30, seed=12)]
HEX = [value.hex() for value in PDQ]


def read(text: str | bytes, format: Format, **options) -> tuple[list[tuple[int, NewEntry]], dict[int, str]]:
    data = text.encode() if isinstance(text, str) else text
    good, bad = [], {}
    for item in read_list(io.BytesIO(data), format=format, source="test", labels={"A1", "B"}, **options):
        if isinstance(item, BadLine):
            bad[item.line] = item.reason
        else:
            good.append(item)
    return good, bad


def values(text: str | bytes, format: Format, **options) -> list[bytes]:
    good, bad = read(text, format, **options)
    assert bad == {}
    return [entry.value for _, entry in good]


def test_text_has_a_value_a_line_with_comments_and_blanks():
    text = f"# a list\n\n{HEX[0]}\r\n  {HEX[1].upper()}  # twice\n{HEX[2]}"
    assert values(text, Format.TEXT, signal="pdq") == PDQ[:3]


def test_the_type_is_inferred_from_the_length_where_that_is_clear():
    good, bad = read(f"{'0' * 32}\n{'1' * 40}\n{HEX[0]}\n", Format.TEXT)
    assert [entry.signal for _, entry in good] == ["md5", "sha1"]
    assert "not clear" in bad[3]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_columns_are_found_by_name_in_any_order(delimiter):
    rows = [["ID", "Hash Type", "category", "HASH", "comment"], ["7", "PDQ", "A1", HEX[0], "seen"]]
    text = "\n".join(delimiter.join(row) for row in rows)
    ((line, entry),) = read(text, Format.CSV)[0]
    assert (line, entry) == (2, NewEntry("pdq", PDQ[0], "test", "7", "A1", "seen"))


def test_csv_without_a_header_has_its_value_first():
    assert values(f"{HEX[0]},x\n{HEX[1]}\n", Format.CSV, signal="pdq") == PDQ[:2]


def test_csv_columns_can_be_named():
    columns = Columns(value=("fingerprint",), reference=("no",))
    text = f"no,hash,fingerprint\n1,junk,{HEX[0]}\n"
    ((_, entry),) = read(text, Format.CSV, signal="pdq", columns=columns)[0]
    assert (entry.value, entry.reference) == (PDQ[0], "1")


def test_a_first_line_of_several_columns_that_has_a_hash_is_no_header():
    """It would not be listed, and which column is which is not told; but for a hash that stands first."""
    assert values(f"{'0' * 32},md5\n{'1' * 32},md5\n", Format.CSV) == [bytes(16), b"\x11" * 16]
    for line in ("md5,{0}", "a name;{0}{0};pdq"):
        with pytest.raises(InputError, match="line 1 has a hash where columns are named"):
            read(line.format("0" * 32), Format.CSV)


def test_csv_without_a_column_of_hashes_is_refused_whole():
    with pytest.raises(InputError, match="no column"):
        read("name,age\nx,3\n", Format.CSV)


MD5, SHA1 = "0f" * 16, "ab" * 20
EVERY_HASH = {("pdq", HEX[0]), ("md5", MD5), ("sha1", SHA1)}


def hashes(text: str | bytes, format: Format, **options) -> tuple[set[tuple[str, str]], list[str]]:
    """Type and value of what was read, and the columns that were left out. Nothing is bad."""
    left_out: list[str] = []
    good, bad = read(text, format, on_left_out=left_out.append, **options)
    assert bad == {}
    return {(entry.signal, entry.value.hex()) for _, entry in good}, left_out


@pytest.mark.parametrize("names", ["PDQ,MD5,SHA-1", "pdq_hash,Md5 Hash,SHA1", "PDQHash,md5sum_value,sha_1"])
def test_every_column_of_hashes_is_read(names):
    names = names.replace("md5sum_value", "md5-value")
    found, left_out = hashes(f"{names},FileName\n{HEX[0]},{MD5},{SHA1},a.jpg\n", Format.CSV)
    assert (found, left_out) == (EVERY_HASH, [])


def test_the_columns_of_hashes_that_are_not_read_are_named():
    text = f"md5,sha512,ssdeep,fingerprint,size\n{MD5},{'0' * 128},3:a:b,{'7' * 64},17\n"
    assert hashes(text, Format.CSV) == ({("md5", MD5)}, ["sha512", "ssdeep", "fingerprint"])
    columns = Columns(value=("md5",))
    assert hashes(f"pdq,md5\n{HEX[0]},{MD5}\n", Format.CSV, columns=columns) == ({("md5", MD5)}, ["pdq"])


def test_a_bad_hash_of_a_row_keeps_no_other_out():
    good, bad = read(f"md5,sha1\nnothing,{SHA1}\n", Format.CSV)
    assert [(line, entry.signal) for line, entry in good] == [(2, "sha1")]
    assert list(bad) == [2]


def test_a_column_of_links_or_words_is_no_column_of_hashes():
    """Where a picture was found is no known address."""
    assert hashes(f"md5,url,text,domain\n{MD5},https://example.org/,a,example.org\n", Format.CSV)[0] == {("md5", MD5)}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("format", [Format.TEXT, Format.CSV, Format.JSONL])
def test_lines_may_end_as_on_any_system(format, end):
    lines = [json.dumps({"md5": MD5}), json.dumps({"md5": "1" * 32})] if format is Format.JSONL else [MD5, "1" * 32]
    if format is Format.CSV:
        lines.insert(0, "md5")
    assert hashes(end.join(lines) + end, format)[0] == {("md5", MD5), ("md5", "1" * 32)}


def test_lines_are_the_same_wherever_they_are_cut():
    """A line end of two bytes lies across two reads, and lines are longer than a read."""
    lines = [HEX[0], "#" * ((1 << 20) - 66), HEX[1], "#" * (3 << 20), HEX[2]]
    good, bad = read("\r\n".join(lines), Format.TEXT, signal="pdq")
    assert ([line for line, _ in good], bad) == ([1, 3, 5], {})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{MD5}  photo.jpg\n{SHA1} *a  b #1.jpg\n", {("md5", MD5, "photo.jpg"), ("sha1", SHA1, "a  b #1.jpg")}),
        (f"MD5 (photo.jpg) = {MD5}\nSHA1 (b) = {SHA1}\n", {("md5", MD5, "photo.jpg"), ("sha1", SHA1, "b")}),
        (f"SHA256 (photo.jpg) = {HEX[0]}\n", {("sha256", HEX[0], "photo.jpg")}),
        (f"\\{MD5}  line\\nend.jpg\n", {("md5", MD5, "line\\nend.jpg")}),
        (f"{MD5}  # a comment\n", {("md5", MD5, "")}),
    ],
)
def test_the_output_of_checksum_tools_is_read(text, wanted):
    good, bad = read(text, Format.TEXT)
    assert bad == {}
    assert {(entry.signal, entry.value.hex(), entry.reference) for _, entry in good} == wanted


@pytest.mark.parametrize("form", ["base64", "hexadecimal", "numbers"])
def test_photodna_is_read_in_each_form(form):
    value = bytes(range(144))
    text = {
        "base64": base64.b64encode(value).decode(),
        "hexadecimal": value.hex().upper(),
        "numbers": ",".join(map(str, value)),
    }[form]
    ((_, entry),) = read(json.dumps([{"photodna": text}]), Format.JSON)[0]
    assert (entry.signal, entry.value) == ("photodna", value)


MEDIA = [
    {
        "MediaID": number,
        "Category": 1,
        "MD5": f"{number:032X}",
        "SHA1": f"{number:040X}",
        "Comments": 'says "Media": [ of itself',
        "AlternativeHashes": [
            {"HashName": "PhotoDNA", "HashValue": base64.b64encode(bytes([number]) * 144).decode()},
            {"HashName": "SSDEEP", "HashValue": "3:a:b"},
        ],
        "MediaFiles": [{"FileName": "a.jpg"}],
    }
    for number in (1, 2, 3)
]
HASH = f"{5:032x}"
CONTEXT = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/US/$metadata#Cases"


@pytest.mark.parametrize(
    "document",
    [
        {
            "@odata.context": CONTEXT,
            "value": [{"CaseID": "a", "Media": MEDIA[:2]}, {"Media": MEDIA[2:], "CaseID": "b"}],
        },
        {"odata.metadata": CONTEXT, "value": MEDIA},
    ],
    ids=["cases", "media alone"],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_set_of_project_vic_is_read_with_every_hash(document, indent):
    left_out: list[str] = []
    good, bad = read(json.dumps(document, indent=indent), Format.JSON, on_left_out=left_out.append)
    assert (bad, left_out) == ({}, ["SSDEEP"])
    found = {(entry.signal, entry.value, entry.reference) for _, entry in good}
    assert found == {
        (signal, bytes.fromhex(text), str(number))
        for number in (1, 2, 3)
        for signal, text in (("md5", f"{number:032x}"), ("sha1", f"{number:040x}"), ("photodna", f"{number:02x}" * 144))
    }


RECORD = {"MediaID": 7, "MD5": f"{7:032X}"}
NO_MEDIA = [{"Media": []}, {"Media": None}, {"media": [{}]}, {"Media": {}}, {"Cases": [{"Media": []}]}, {"Media": ""}]


@pytest.mark.parametrize("empty", NO_MEDIA, ids=str)
@pytest.mark.parametrize("other", [{}, {"CaseID": "a", "Media": MEDIA[:1]}], ids=["alone", "beside a case"])
def test_an_empty_list_of_media_does_not_hide_a_record_s_own_hashes(empty, other):
    """Whatever stands first in it, and in whichever part of the file."""
    for record in ({**empty, **RECORD}, {**RECORD, **empty}):
        good, _ = read(json.dumps({"value": [record, other] if other else [record]}), Format.JSON)
        assert ("7", "md5") in {(entry.reference, entry.signal) for _, entry in good}
        assert len({entry.reference for _, entry in good}) == (2 if other else 1)
    late = {"value": [{"CaseID": "b" * 1000, "Media": MEDIA[:1]} for _ in range(2000)] + [{**empty, **RECORD}]}
    good, _ = read(json.dumps(late), Format.JSON)
    assert good[-1][1].reference == "7"


def test_a_case_without_media_is_no_entry_and_no_mistake():
    cases = [{"CaseID": "a", "Media": []}, {"CaseID": "b", "Media": None}, {"Media": MEDIA[:1], "Hashes": []}]
    good, bad = read(json.dumps({"value": cases}), Format.JSON)
    assert (len(good), bad) == (3, {})


@pytest.mark.parametrize(
    "record",
    [
        {"value": None, "hash": HASH},
        {"value": [], "hash": HASH, "md5": None},
        {"value": "", "indicator": HASH},
        {"hashes": [], "md5": HASH},
        {"hashes": None, "md5": HASH, "sha1": None},
        {"md5": "", "hashes": {"md5": HASH}},
        {"md5": [], "hashes": [{"md5": HASH}]},
        {"hashes": [HASH]},
        {"hashes": HASH, "AlternativeHashes": None},
        {"hashes": [{}, None, {"type": "md5", "value": HASH}]},
        {"Alternative Hashes": [{"HashName": None, "HashValue": HASH}]},
    ],
    ids=str,
)
@pytest.mark.parametrize("format", [Format.JSON, Format.JSONL])
def test_an_empty_field_does_not_hide_a_hash_that_stands_elsewhere_in_its_record(record, format):
    text = json.dumps([record] if format is Format.JSON else record)
    good, bad = read(text, format)
    assert bad == {}
    assert [(entry.signal, entry.value.hex()) for _, entry in good] == [("md5", HASH)]


def test_hashes_that_cannot_be_read_are_named():
    left_out: list[str] = []
    record = {"md5": HASH, "hashes": [{"ssdeep": "3:a:b"}, {"type": "tlsh", "value": "T1"}], "sha512": "00"}
    assert len(read(json.dumps([record]), Format.JSON, on_left_out=left_out.append)[0]) == 1
    assert set(left_out) == {"ssdeep", "tlsh", "sha512"}
    assert read(json.dumps([{"md5": None, "hashes": []}]), Format.JSON)[1] == {1: "the line has no value"}


@pytest.mark.slow
def test_a_large_set_is_read_without_holding_it():
    media = [{**MEDIA[0], "MediaID": number, "MD5": f"{number:032x}"} for number in range(6000)]
    good, bad = read(json.dumps({"value": [{"Media": media}]}), Format.JSON)
    assert (len(good), bad) == (6000 * 3, {})


def test_the_lists_of_the_field_are_read(shared_field):
    assert hashes((shared_field / "md5sum-output.txt").read_bytes(), Format.TEXT)[0] == {
        ("md5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("md5", "0cc175b9c0f1b6a831c399e269772661"),
    }
    assert hashes((shared_field / "nsrl-like.csv").read_bytes(), Format.CSV)[0] == {
        ("md5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("sha1", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    }


@pytest.fixture
def shared_field() -> Path:
    folder = Path(__file__).parents[3] / "shared" / "field"
    if not folder.is_dir():
        pytest.skip("the files of the field are not here")
    return folder


@pytest.mark.parametrize("format", [Format.JSON, Format.JSONL])
def test_json_items_are_objects_or_texts(format):
    items = [HEX[0], {"hash": HEX[1], "type": "pdq", "id": 5, "label": None}]
    text = json.dumps(items) if format is Format.JSON else "\n".join(map(json.dumps, items))
    good, bad = read(text, format, signal="pdq")
    assert bad == {}
    assert [(entry.value, entry.reference) for _, entry in good] == [(PDQ[0], ""), (PDQ[1], "5")]


def test_a_json_array_longer_than_a_chunk_is_read_item_by_item():
    items = [{"hash": HEX[i % 30], "note": "n" * 1000} for i in range(3000)]
    good, bad = read(json.dumps(items, indent=1), Format.JSON, signal="pdq")
    assert (len(good), bad, good[-1][0]) == (3000, {}, 3000)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[1",
        '{"value": [{"Media": [',
        '{"value": [{"Media" 1',
        '{"value": [',
        '{"value": []} x',
        '{"a": ' * 100,
        '["x",',
        '["x"] y',
        "nothing",
        '["x',
        b"\xff\xfe[",
        "[" * 100_000,
    ],
)
def test_a_broken_json_array_is_refused(text):
    with pytest.raises(InputError):
        read(text, Format.JSON, signal="pdq")


def test_bad_lines_are_named_and_the_rest_is_read():
    lines = [
        HEX[0].encode(),
        b"no hash",
        b"\xff\xfe" + HEX[1].encode(),
        b"x" * (MAX_LINE + 1),
        b"\x00" * 64,
        HEX[2].encode(),
        b"0" * 63,
        HEX[3].encode(),
    ]
    good, bad = read(b"\n".join(lines), Format.TEXT, signal="pdq")
    assert [line for line, _ in good] == [1, 6, 8]
    assert sorted(bad) == [2, 3, 4, 5, 7]
    assert "UTF-8" in bad[3]
    assert "longer" in bad[4]


def test_a_stray_quote_spoils_its_own_line_only():
    text = f'hash,note\n{HEX[0]},"open\n{HEX[1]},"a ""quoted"" note, with comma"\n{HEX[2]},\n'
    good, bad = read(text, Format.CSV, signal="pdq")
    assert [entry.value for _, entry in good] == PDQ[1:3]
    assert good[0][1].note == 'a "quoted" note, with comma'
    assert list(bad) == [2]


def test_an_unknown_label_never_keeps_a_value_out():
    ((_, entry),) = read(f"hash,label\n{HEX[0]},C9\n", Format.CSV, signal="pdq")[0]
    assert (entry.label, entry.note) == (None, "listed as C9")


@pytest.mark.parametrize("format", Format)
def test_an_empty_file_is_an_empty_list(format):
    if format is Format.JSON:
        assert values("[]", format) == []
    else:
        assert values("", format) == []
        assert values("\ufeff", format) == []


@given(st.binary(max_size=400), st.sampled_from(Format))
def test_no_bytes_make_a_reader_fail(data, format):
    try:
        for item in read_list(io.BytesIO(data), format=format, source="s", signal="pdq"):
            assert isinstance(item, BadLine) or item[1].signal
    except InputError:
        pass


def test_the_format_follows_the_name():
    named = {"a.csv": "csv", "a.tsv": "csv", "a.json.gz": "json", "a.jsonl": "jsonl", "a.txt": "text", "a": "text"}
    assert {name: format_of(Path(name)).value for name in named} == named


# --- imports


@pytest.fixture
def banks(store: Store) -> Banks:
    banks = Banks(store)
    banks.create("known", actor="test")
    return banks


def test_a_file_is_imported_with_its_bad_lines_reported(banks, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("hash,type,id\n" + "".join(f"{HEX[i]},pdq,{i}\n" for i in range(30)) + "junk,pdq,1\n\nx,md5,2\n")
    rejected, progress = [], []
    result = Importer(banks).import_file(
        path,
        "known",
        actor="me",
        batch=7,
        on_reject=rejected.append,
        on_progress=lambda result, position: progress.append((result.lines, position)),
    )
    assert (result.added, result.unchanged, result.rejected) == (30, 0, 2)
    assert [bad.line for bad in rejected] == [32, 34]
    assert list(result.rejects) == rejected
    assert progress == sorted(progress)
    assert {entry.reference for entry in banks.entries("known")} == {str(i) for i in range(30)}
    again = Importer(banks).import_file(path, "known", actor="me")
    assert (again.added, again.unchanged, again.resumed_at) == (0, 30, 0)


def test_a_compressed_file_is_read_and_a_torn_one_refused(banks, tmp_path):
    path = tmp_path / "list.txt.gz"
    whole = gzip.compress("\n".join(HEX).encode())
    path.write_bytes(whole)
    assert Importer(banks).import_file(path, "known", actor="me", signal="pdq").added == 30
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        Importer(banks).import_file(path, "known", actor="me", signal="pdq")


def test_an_import_needs_a_bank_and_an_allow_list_a_reason(banks, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text(HEX[0])
    with pytest.raises(NotFoundError):
        Importer(banks).import_file(path, "nothing", actor="me")
    banks.create("false-matches", kind=BankKind.ALLOW, actor="me")
    with pytest.raises(InputError, match="reason"):
        Importer(banks).import_file(path, "false-matches", actor="me", signal="pdq")
    with pytest.raises(InputError, match="cannot be read"):
        Importer(banks).import_file(tmp_path / "missing", "known", actor="me")


_IMPORT = """
import sys
from pathlib import Path
from tutela.lists.banks.service import Banks
from tutela.lists.banks.transfer import Importer
from tutela.foundation.store.database import Store
url, path = sys.argv[1:]
banks = Banks(Store.open(url))
print("ready", flush=True)
result = Importer(banks).import_file(Path(path), "known", actor="test", batch=50)
print("done", flush=True)
"""


@pytest.mark.slow
def test_an_import_killed_at_random_moments_ends_equal_to_its_file(database, tmp_path):
    store = Store.create(database)
    banks = Banks(store)
    banks.create("known", actor="test")
    path = tmp_path / "list.csv"
    hashes = [row.tobytes() for row in random_hashes(4000, seed=13)]
    path.write_text("hash,type,id\n" + "".join(f"{value.hex()},pdq,{i}\n" for i, value in enumerate(hashes)))
    rng, kills, seen, most = random.Random(14), 0, 0, effort(5, 100)
    while True:
        process = start_python(_IMPORT, database, str(path), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if kills < most:
            time.sleep(rng.random() * 0.12)
            process.send_signal(signal.SIGKILL)
            kills += 1
        rest = process.stdout.read()
        process.wait()
        process.stdout.close()
        accepted = banks.counts("known")[EntryState.ACTIVE]
        assert accepted >= seen  # what was accepted is never lost
        assert accepted % 50 == 0 or accepted == 4000  # whole batches only
        seen = accepted
        if rest.endswith("done\n") and kills >= most:
            break
    found = {(entry.value, entry.reference) for entry in banks.entries("known", limit=10_000)}
    assert found == {(value, str(i)) for i, value in enumerate(hashes)}
    assert len(banks.changes("pdq", 0, 10_000)) == 4000
    store.close()


def test_an_import_that_is_taken_up_has_every_hash_of_a_row(banks, tmp_path):
    """A batch ends between two rows, never within one."""
    path = tmp_path / "list.csv"
    path.write_text("md5,sha1,sha512\n" + "".join(f"{i:032x},{i:040x},{'0' * 128}\n" for i in range(20)))

    def stop(result, position):
        if result.lines >= 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Importer(banks).import_file(path, "known", actor="me", batch=5, on_progress=stop)
    result = Importer(banks).import_file(path, "known", actor="me", batch=5)
    assert (result.added, result.left_out) == (40, ("sha512",))
    assert len(banks.entries("known", limit=100)) == 40


def test_a_list_of_plain_pictures_says_so(banks):
    text = "\n".join([HEX[0], "0" * 64, "f" * 64])
    stream = io.BytesIO(text.encode())
    result = Importer(banks).import_stream(stream, "known", actor="me", format=Format.TEXT, source="s", signal="pdq")
    assert (result.added, result.plain) == (3, 2)


def test_an_import_goes_on_after_the_last_batch(banks, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\n".join(HEX))

    def stop(result, position):
        if result.lines >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Importer(banks).import_file(path, "known", actor="me", signal="pdq", batch=10, on_progress=stop)
    result = Importer(banks).import_file(path, "known", actor="me", signal="pdq", batch=10)
    assert (result.resumed_at, result.lines, result.added) == (20, 30, 30)


# --- exports


@pytest.mark.parametrize("format", [Format.CSV, Format.JSON, Format.JSONL])
def test_an_exported_bank_reads_back_the_same(banks, format):
    banks.add(
        "known", [NewEntry("pdq", value, "src", f"r{i}", "A1", 'a "b", c') for i, value in enumerate(PDQ)], actor="x"
    )
    banks.add("known", [NewEntry("md5", bytes([i]) * 16, "src") for i in range(5)], actor="x")
    banks.create("copy", actor="x")
    text = "".join(export_list(banks, "known", format))
    result = Importer(banks).import_stream(io.BytesIO(text.encode()), "copy", actor="x", format=format, source="src")
    assert result.rejected == 0
    shape = lambda entry: (entry.signal, entry.value, entry.reference, entry.label, entry.note)  # noqa: E731
    assert list(map(shape, banks.entries("copy"))) == list(map(shape, banks.entries("known")))


def test_an_export_of_nothing_and_of_no_bank(banks):
    assert json.loads("".join(export_list(banks, "known", Format.JSON))) == []
    with pytest.raises(NotFoundError):
        export_list(banks, "nothing", Format.CSV)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=effort(25, 250))
@given(note=st.text(max_size=60), reference=st.text(max_size=30))
def test_any_note_and_reference_survive_csv(note, reference):
    store = Store.create("sqlite://")
    banks = Banks(store)
    banks.create("known", actor="x")
    try:
        banks.add("known", [NewEntry("pdq", PDQ[0], "s", reference, None, note)], actor="x")
    except InputError:
        return
    lines = "".join(write_list(banks.entries("known"), Format.CSV)).split("\n")
    assert len(lines) == 3
    good, bad = read("\n".join(lines), Format.CSV)
    assert bad == {}
    ((_, entry),) = good
    assert entry.value == PDQ[0]
    assert (entry.note or "").split() == " ".join(note.splitlines()).split()
    store.close()


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (Format.CSV, "PDQ,state\n" + "".join(f"{HEX[i]},{s}\n" for i, s in enumerate(("active", "withdrawn", "")))),
        (
            Format.JSON,
            json.dumps([{"pdq": HEX[0], "state": "active"}, {"pdq": HEX[1], "state": "disabled"}, {"pdq": HEX[2]}]),
        ),
    ],
)
def test_a_column_named_after_a_type_is_of_it_and_only_active_lines_are_listed(form, text):
    lines = list(read_list(io.BytesIO(text.encode()), format=form, source="src"))
    entries = [line[1] for line in lines if not isinstance(line, BadLine)]
    assert [(entry.signal, entry.value.hex()) for entry in entries] == [("pdq", HEX[0]), ("pdq", HEX[2])]
    (bad,) = [line for line in lines if isinstance(line, BadLine)]
    assert "only active entries" in bad.reason
