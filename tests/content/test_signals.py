"""Signal types: read, printed, compared; found by entry point; a plug-in is one file."""

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutela import _native
from tutela.content.signals.base import Computable, Digesting, Sample, SignalType
from tutela.content.signals.digests import Digest, digest_samples
from tutela.content.signals.pdq import shows_enough
from tutela.content.signals.photodna import PHOTODNA
from tutela.content.signals.registry import signal_type, signal_types
from tutela.errors import InputError, InvalidSignalError

PLUGIN = Path(__file__).parents[2] / "examples" / "signal_plugin"


def test_the_types_that_come_with_tutela_are_found():
    assert set(signal_types()) >= {"pdq", "md5", "sha1", "sha256", "photodna"}
    assert all(isinstance(kind, SignalType) for kind in signal_types().values())
    assert isinstance(signal_type("pdq"), Computable)
    assert isinstance(signal_type("md5"), Digesting)
    assert not isinstance(signal_type("photodna"), Computable | Digesting)


def test_an_unknown_type_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="pdq"):
        signal_type("phash")


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
@given(st.binary(max_size=200))
def test_digests_are_those_of_the_standard_library(name, data):
    kind = signal_type(name)
    assert isinstance(kind, Digest)
    assert kind.format(kind.digest(data)) == hashlib.new(name, data).hexdigest()
    assert kind.parse(kind.format(kind.digest(memoryview(data)))) == kind.digest(data)


@pytest.mark.parametrize("instructions", [True, False])
def test_digests_in_one_pass_are_those_of_the_standard_library(instructions, monkeypatch):
    if not instructions:
        monkeypatch.setattr(_native, "digests", lambda _: None)
    data = np.random.default_rng(1).bytes(70_001)
    for length in (*range(260), 4095, 4096, 4097, len(data)):
        for part in (data[:length], memoryview(data)[1 : length + 1]):
            made = {sample.signal: sample.value.hex() for sample in digest_samples(part)}
            assert made == {name: hashlib.new(name, part).hexdigest() for name in ("md5", "sha1", "sha256")}


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
@pytest.mark.parametrize("text", ["", "zz", "0" * 31, "\x00" * 32])
def test_a_text_that_is_no_digest_is_refused(name, text):
    with pytest.raises(InvalidSignalError, match=name):
        signal_type(name).parse(text)


@given(st.binary(min_size=144, max_size=144), st.binary(min_size=144, max_size=144))
def test_photodna_values_are_read_in_both_forms_and_compared(a, b):
    assert PHOTODNA.parse(PHOTODNA.format(a)) == a
    assert PHOTODNA.parse(",".join(map(str, a))) == a
    expected = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    assert PHOTODNA.distance(a, b) == PHOTODNA.distance(b, a) == expected
    rows = np.frombuffer(a + b, np.uint8).reshape(2, 144)
    assert PHOTODNA.distances(rows, b).tolist() == [expected, 0]


@pytest.mark.parametrize("text", ["", "AAAA", "1,2,3", ",".join(["256"] * 144), "a," * 144, "é" * 192])
def test_a_text_that_is_no_photodna_value_is_refused(text):
    with pytest.raises(InvalidSignalError, match="photodna"):
        PHOTODNA.parse(text)


def test_photodna_base64_of_another_length_is_refused():
    with pytest.raises(InvalidSignalError, match="144"):
        PHOTODNA.parse(base64.b64encode(bytes(143)).decode())


_USE_PLUGIN = """
import sys, tempfile
import tutela
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.content.signals.registry import signal_type
from tests.support.pictures import file_of, photos
kind = signal_type("averagehash")
with tutela.open_deployment(tempfile.mkdtemp(), decoders=1) as t:
    first = t.screener.screen(file_of(photos()[0], "PNG"))
    value = next(hash.value for hash in first.hashes if hash.signal == "averagehash")
    t.banks.create("known", policy=Policy(Action.BLOCK), actor="test")
    t.banks.add("known", [NewEntry("averagehash", kind.parse(value))], actor="test")
    t.refresh()
    again = t.screener.screen(file_of(photos()[0].resize((300, 300)), "JPEG"))
    other = t.screener.screen(file_of(photos()[1], "JPEG"))
    print(again.decision, again.matches[0].signal, other.decision)
"""


@pytest.mark.slow
def test_a_plug_in_of_one_file_is_installed_and_matches(tmp_path):
    """As the example's README says, but into a folder of the test's own."""
    site = tmp_path / "site"
    information = site / "tutela_averagehash-1.0.0.dist-info"
    information.mkdir(parents=True)
    (site / "tutela_averagehash.py").write_bytes((PLUGIN / "tutela_averagehash.py").read_bytes())
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: tutela-averagehash\nVersion: 1.0.0\n")
    project = (PLUGIN / "pyproject.toml").read_text()
    line = next(line for line in project.splitlines() if line.startswith("averagehash = "))
    (information / "entry_points.txt").write_text("[tutela.signals]\n" + line.replace('"', "") + "\n")
    root = Path(__file__).parents[2]
    finished = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(site)!r}, {str(root)!r}]\n" + _USE_PLUGIN],
        capture_output=True,
        text=True,
    )
    assert finished.stdout == "block averagehash allow\n", finished.stderr


def test_only_of_pdq_is_it_known_whether_a_view_shows_enough():
    one_shape = bytes(32)
    assert shows_enough(Sample("pdq", one_shape))
    assert not shows_enough(Sample("pdq", one_shape, "mirrored", 100))
    assert shows_enough(Sample("embedding", bytes(64), "mirrored"))
