"""`tutela stream` as moderators and operators have it: what runs, what happened, a person's word, and what does not
answer."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Call, Said, run_command
from tests.support.service import free_port
from tests.support.streams import put_down
from tutela.foundation.store.database import Store
from tutela.screening.streams.model import StreamState
from tutela.screening.streams.records import StreamRecords


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


@pytest.fixture
def records(home: Path) -> Iterator[StreamRecords]:
    with contextlib.closing(Store.create(f"sqlite:///{home / 'tutela.db'}")) as store:
        yield StreamRecords(store)


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run `tutela stream …` from its `main` on."""
    monkeypatch.setenv("TUTELA_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "250")

    def run(*arguments: str) -> Said:
        return run_command(monkeypatch, capsys, "stream", *arguments)

    return run


def test_streams_that_run_and_that_ended_are_listed_and_shown_by_the_beginning_of_their_id(call, records):
    running = put_down(records, "cam-1")
    cut = put_down(records, "cam-2", StreamState.CUT, why="second-match")
    assert "cam-1" in call("list").out and "cam-2" not in call("list").out
    (listed,) = map(json.loads, call("list", "--json").out.splitlines())
    assert (listed["id"], listed["state"], listed["server"], listed["name"]) == (running, "running", "main", "cam-1")
    (ended,) = map(json.loads, call("list", "--ended", "--json").out.splitlines())
    assert (ended["id"], ended["why"]) == (cut, "second-match")
    shown = json.loads(call("show", running[:8], "--json").out)
    assert [event["kind"] for event in shown["time_line"]] == ["admitted", "running"]
    assert "admitted" in call("show", cut[:8]).out and "second-match" in call("show", cut[:8]).out
    assert call("list", "--limit", "0").code == 2
    unknown = call("show", "ffffffffffff")
    assert unknown.code == 2 and "there is no stream" in unknown.err


def test_a_person_cuts_a_stream_and_admits_a_publisher_again(call, records):
    running = put_down(records, "cam-1", StreamState.PAUSED, why="first-match")
    assert call("cut", running[:8], "--by", "officer").out == f"stream {running} is being cut\n"
    assert records.snapshot([]) == [(running, "cut", "officer")]
    assert call("release", running, "--by", "officer").out == f"stream {running}: released\n"
    assert records.snapshot([]) == [(running, "release", "officer")]
    asked = [(event.kind, event.detail["by"]) for event in records.time_line(running) if "by" in event.detail]
    assert asked == [("cut-asked", "officer"), ("release-asked", "officer")]
    ended = put_down(records, "cam-2", StreamState.CUT, why="second-match", refused_s=600)
    refused = call("cut", ended)
    assert refused.code == 2 and "the stream has ended" in refused.err
    assert call("release", ended).out == f"stream {ended}: its publisher may come again\n"
    assert records.get(ended).refused_until is None


def test_what_does_not_answer_or_fails_open_is_said(call, home):
    without = call("check")
    assert without.code == 2 and "no media server is named" in without.err
    nowhere = f"http://127.0.0.1:{free_port()}"
    (home / "tutela.toml").write_text(
        f"""[stream_hooks]
port = {free_port()}
[media_servers.main]
kind = "nginx-rtmp"
address = "rtmp://127.0.0.1:1935"
control = "{nowhere}"
[media_servers.rooms]
kind = "janus"
address = "rtmp://127.0.0.1:1935"
control = "{nowhere}"
"""
    )
    checked = call("check", "--json")
    found = [(one["what"], one["state"]) for one in map(json.loads, checked.out.splitlines())]
    assert checked.code == 1
    assert found == [
        ("gate", "fail"),
        ("media server main", "fail"),
        ("media server main", "ok"),
        ("media server rooms", "fail"),
        ("media server rooms", "warn"),
        ("evidence", "warn"),
    ]
    assert "fails closed with" in call("check").out
