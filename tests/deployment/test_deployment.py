"""A whole deployment: opened, shared, refreshed and closed; its index rebuilt aside; its labels and its settings."""

import fcntl
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.feeds import random_hashes
from tests.support.pictures import draw_scene, file_of
from tests.support.preloaded import loaded_processes
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.content.media import fork_server
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Sample
from tutela.deployment import composition as deployment_module
from tutela.deployment.composition import REFRESH_S, Deployment, compose_deployment, start_builder
from tutela.errors import InputError, StoreError
from tutela.foundation.outbox.webhooks import new_secret
from tutela.foundation.store.database import Store
from tutela.lists.banks.labels import Label, labels_of, read_labels, standard_labels
from tutela.lists.banks.model import Action, EntryState, NewEntry, Policy
from tutela.lists.banks.service import Banks
from tutela.lists.index.manifest import read_manifest
from tutela.screening.decision import Decision
from tutela.screening.options import ScreeningPolicy

KNOWN = bytes(range(32))
WEBHOOK = {"url": "https://platform.example/hook", "secrets": [new_secret()], "events": ["case.opened"]}
MAIL = {"host": "mail.example", "sender": "tutela@site.example", "security": "tls"}


def children() -> dict[int, list[str]]:
    """The processes that this one started and that run: their command lines."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                line = Path(f"/proc/{child}/cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if line:
                found[int(child)] = line.decode().rstrip("\0").split("\0")
    return found


def kept() -> set[int]:
    """What this process keeps: its fork servers, of which another is started when one has forked often, and what the
    tests fork them from."""
    servers = {server._process.pid for kept in (fork_server._servers, fork_server._next) for server in kept.values()}
    return servers | loaded_processes()


def list_known(deployment: Deployment, value: bytes = KNOWN) -> None:
    deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="me")
    deployment.banks.add("known", [NewEntry("pdq", value)], actor="me")


def decision_of(deployment: Deployment, value: bytes = KNOWN) -> Decision:
    return deployment.screener.screen_hashes([Sample("pdq", value)]).decision


# --- opened and closed


def test_a_home_is_made_for_its_user_alone(tmp_path):
    home = tmp_path / "some" / "where" / "home"
    before = os.umask(0)
    try:
        with compose_deployment(home, decoders=1):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert (home / "tutela.db").is_file()


def test_a_home_that_cannot_be_made_is_wrong_input(tmp_path):
    (tmp_path / "file").write_text("x")
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="cannot be made"):
            compose_deployment(home)
    assert (tmp_path / "file").read_text() == "x"


def test_a_database_that_does_not_answer_is_said_and_leaves_nothing_running(tmp_path):
    before = set(threading.enumerate())
    with pytest.raises(StoreError, match="does not answer"):
        compose_deployment(tmp_path / "home", database="postgresql://somebody:s3cret@127.0.0.1:1/tutela")
    assert set(threading.enumerate()) <= before


def test_a_picture_goes_through_a_deployment_from_one_end_to_the_other(tmp_path, database):
    picture = draw_scene(5, (320, 240))
    with compose_deployment(tmp_path / "home", database=database, decoders=1) as deployment:
        verdict = deployment.screener.screen(file_of(picture, "PNG"))
        assert verdict.decision is Decision.ALLOW
        (pdq,) = [found.value for found in verdict.hashes if found.signal == "pdq"]
        list_known(deployment, bytes.fromhex(pdq))
        deployment.refresh()
        verdict = deployment.screener.screen(file_of(picture, "JPEG", quality=70))
        assert (verdict.decision, [match.bank for match in verdict.matches]) == (Decision.BLOCK, ["known"])
        assert deployment.journal.get(verdict.id)["decision"] == "block"
    with compose_deployment(tmp_path / "home", database=database, decoders=1) as again:
        assert decision_of(again, bytes.fromhex(pdq)) is Decision.BLOCK
        assert again.journal.get(verdict.id)["sha256"] == verdict.sha256


def test_closing_ends_every_thread_and_process_and_can_be_done_twice(tmp_path):
    threads, processes = set(threading.enumerate()), set(children())
    deployment = compose_deployment(tmp_path / "home", decoders=2)
    deployment.pool.warm()
    assert len(set(children()) - processes - kept()) == 2
    assert [thread.name for thread in set(threading.enumerate()) - threads] == ["tutela-refresh"]
    deployment.close()
    deployment.close()
    assert set(children()) - processes - kept() == set()
    assert set(threading.enumerate()) - threads == set()
    assert not list((tmp_path / "home").glob("*-wal"))


def test_a_closed_deployment_holds_what_it_is_given(tmp_path):
    with compose_deployment(tmp_path / "home", decoders=1) as deployment:
        pass
    verdict = deployment.screener.screen(file_of(draw_scene(5, (320, 240)), "PNG"))
    assert (verdict.decision, [reason.code for reason in verdict.reasons]) == (Decision.HOLD, ["engine-fault"])


def test_the_limits_and_the_policy_given_are_the_ones_that_count(tmp_path):
    policy = ScreeningPolicy({"too-many-pixels": Decision.BLOCK})
    content = file_of(draw_scene(5, (320, 240)), "PNG")
    with compose_deployment(tmp_path / "home", decoders=1, limits=Limits(max_pixels=1000), policy=policy) as deployment:
        verdict = deployment.screener.screen(content)
    assert (verdict.decision, [reason.code for reason in verdict.reasons]) == (Decision.BLOCK, ["too-many-pixels"])


# --- kept current


def test_what_one_deployment_lists_another_finds_by_itself(tmp_path, database):
    with (
        compose_deployment(tmp_path / "home", database=database, decoders=1) as one,
        compose_deployment(tmp_path / "home", database=database, decoders=1) as other,
    ):
        assert decision_of(other) is Decision.ALLOW
        list_known(one)
        wait_until(lambda: decision_of(other) is Decision.BLOCK, "the other deployment finds what is listed")
        one.banks.update("known", policy=Policy(Action.HOLD), actor="me")
        wait_until(lambda: decision_of(other) is Decision.HOLD, "the other deployment follows the bank's policy")
        (entry,) = one.banks.entries("known")
        one.banks.set_state(entry.id, EntryState.WITHDRAWN, reason="x", actor="me")
        wait_until(lambda: decision_of(other) is Decision.ALLOW, "the other deployment no longer finds it")


def test_a_refresh_shows_a_change_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(deployment_module, "REFRESH_S", 3600.0)
    with (
        compose_deployment(tmp_path / "home", decoders=1) as one,
        compose_deployment(tmp_path / "home", decoders=1) as other,
    ):
        list_known(one)
        assert decision_of(other) is Decision.ALLOW
        other.refresh()
        assert decision_of(other) is Decision.BLOCK


def test_a_deployment_is_ready_once_its_workers_are_up(deployment):
    wait_until(lambda: deployment.shortcomings() == ["the decoding workers are not up yet"], "only they are missing")
    deployment.pool.warm()
    wait_until(lambda: deployment.shortcomings() == [], "it is ready")


def test_lists_that_cannot_be_read_make_a_deployment_not_ready_until_they_can(deployment, monkeypatch, caplog):
    monkeypatch.setattr(deployment_module, "STALE_S", 0.5)
    deployment.pool.warm()
    wait_until(lambda: deployment.shortcomings() == [], "it is ready")
    connection = sqlite3.connect(deployment.home / "tutela.db", isolation_level=None)
    connection.execute("ALTER TABLE clock RENAME TO clock_elsewhere")
    told = "the lists could not be refreshed: the database (sqlite) does not answer"
    wait_until(lambda: told in caplog.text, "it tells of it")
    stale = "the lists could not be read for"
    wait_until(lambda: any(why.startswith(stale) for why in deployment.shortcomings()), "it is no longer ready")
    connection.execute("ALTER TABLE clock_elsewhere RENAME TO clock")
    connection.close()
    wait_until(lambda: deployment.shortcomings() == [], "it is ready again")


def test_an_error_while_refreshing_does_not_end_the_refreshing(deployment, monkeypatch, caplog):
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise RuntimeError("an error of ours")

    with monkeypatch.context() as patch:
        patch.setattr(deployment.indexes, "refresh", fail)
        assert failed.wait(PATIENCE_S)
    list_known(deployment)
    wait_until(lambda: decision_of(deployment) is Decision.BLOCK, "it goes on refreshing")
    assert "an error of ours" in caplog.text


# --- rebuilt aside


@pytest.fixture
def many() -> list[bytes]:
    """More values than are read through without a build."""
    return [row.tobytes() for row in random_hashes(10_500, seed=81)]


@pytest.fixture
def builders(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started to build the index."""
    started: list[subprocess.Popen[bytes]] = []

    def start(home: Path, database: str) -> subprocess.Popen[bytes]:
        started.append(start_builder(home, database))
        return started[-1]

    monkeypatch.setattr(deployment_module, "start_builder", start)
    return started


@pytest.mark.slow
def test_many_changes_are_built_into_the_index_by_a_process_aside(deployment, many, builders):
    deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="me")
    deployment.banks.add(
        "known", [NewEntry("pdq", value, reference=str(i)) for i, value in enumerate(many)], actor="me"
    )
    index = deployment.indexes.by_signal["pdq"]

    def built() -> bool:
        assert index.fault is None
        return read_manifest(index.directory) is not None and index.changed == 0

    wait_until(built, "the index is built")
    (builder,) = builders
    assert "tutela.lists.rebuild" in builder.args
    wait_until(lambda: builder.poll() is not None, "it ends")
    time.sleep(3 * REFRESH_S)
    assert builders == [builder], "once is enough"
    assert len(index) == len(many)
    for value in (many[0], many[5_000], many[-1]):
        assert decision_of(deployment, value) is Decision.BLOCK
    assert read_manifest(deployment.home / "index" / "md5") is None  # nothing was due there


def test_closing_while_the_index_is_built_ends_the_builder(tmp_path, many, builders):
    with compose_deployment(tmp_path / "home", decoders=1) as deployment:
        deployment.banks.create("known", actor="me")
        deployment.banks.add("known", [NewEntry("pdq", value) for value in many], actor="me")
        wait_until(lambda: builders, "a build begins")
    assert all(process.poll() is not None for process in builders)
    with compose_deployment(tmp_path / "home", decoders=1) as deployment:
        assert len(deployment.indexes.by_signal["pdq"]) == len(many)
        assert deployment.indexes.faults() == {}


@pytest.mark.slow
def test_a_damaged_index_is_never_served_and_heals_by_itself(tmp_path):
    home = tmp_path / "home"
    with compose_deployment(home, decoders=1) as deployment:
        list_known(deployment)
        assert deployment.indexes.build("pdq")
    (segment,) = (home / "index" / "pdq").glob("*.segment")
    segment.write_bytes(segment.read_bytes()[:-1])
    with (home / "index" / "pdq" / "build.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # so that nobody heals it yet
        deployment = compose_deployment(home, decoders=1)
        try:
            assert any(why.startswith("index of pdq: ") for why in deployment.shortcomings())
            assert decision_of(deployment) is Decision.HOLD
            assert (
                decision_of(deployment, bytes(32)) is Decision.HOLD
            )  # what it does not list is not let through either
            fcntl.flock(lock, fcntl.LOCK_UN)
            wait_until(lambda: decision_of(deployment) is Decision.BLOCK, "the index is built anew")
            assert decision_of(deployment, bytes(32)) is Decision.ALLOW
            assert deployment.indexes.faults() == {}
        finally:
            deployment.close()


def test_a_builder_is_told_of_the_database_where_nobody_else_sees_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        process = start_builder(tmp_path, f"postgresql://somebody:s3cret@127.0.0.1:{server.getsockname()[1]}/tutela")
        connection, _ = server.accept()  # the builder runs, and waits for what its database says
        with connection:
            command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    status = process.wait(PATIENCE_S)
    assert b"tutela.lists.rebuild" in command
    assert b"s3cret" not in command
    assert status != 0
    assert list(tmp_path.iterdir()) == []


def rebuild(home: Path, database: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TUTELA_BUILD_HOME": str(home), "TUTELA_BUILD_DATABASE": database}
    command = [sys.executable, "-m", "tutela.lists.rebuild"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_the_rebuild_process_builds_what_is_due_and_only_that(tmp_path):
    home, database = tmp_path / "home", f"sqlite:///{tmp_path / 'home' / 'tutela.db'}"
    with compose_deployment(home, decoders=1) as deployment:
        list_known(deployment)
        deployment.banks.add("known", [NewEntry("md5", bytes(16))], actor="me")
    answer = rebuild(home, database)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert not list((home / "index").rglob("*.segment"))  # so few changes are no reason
    with compose_deployment(home, decoders=1) as deployment:
        for signal in ("pdq", "md5"):
            assert deployment.indexes.build(signal)
    (torn,) = (home / "index" / "pdq").glob("*.segment")
    (whole,) = (home / "index" / "md5").glob("*.segment")
    torn.write_bytes(b"")
    answer = rebuild(home, database)
    assert (answer.returncode, answer.stdout) == (0, "")
    assert list((home / "index" / "md5").glob("*.segment")) == [whole]
    (new,) = (home / "index" / "pdq").glob("*.segment")
    assert new != torn
    with compose_deployment(home, decoders=1) as deployment:
        assert decision_of(deployment) is Decision.BLOCK


def test_a_rebuild_that_reaches_no_database_leaves_what_is_served(tmp_path):
    home = tmp_path / "home"
    with compose_deployment(home, decoders=1) as deployment:
        list_known(deployment)
        assert deployment.indexes.build("pdq")
    before = {path: path.read_bytes() for path in (home / "index").rglob("*") if path.is_file()}
    assert len(before) >= 2
    answer = rebuild(home, "postgresql://somebody:s3cret@127.0.0.1:1/tutela")
    assert answer.returncode != 0
    assert "s3cret" not in answer.stderr
    assert {path: path.read_bytes() for path in (home / "index").rglob("*") if path.is_file()} == before


# --- labels


def test_the_labels_that_come_along_are_ordered_by_severity():
    labels = standard_labels()
    assert {"A1", "A2", "B1", "B2"} <= set(labels)
    industry = [label for label in labels.values() if label.scheme == labels["A1"].scheme]
    assert [label.severity for label in industry] == list(range(len(industry)))
    assert industry[0].name == "A1"
    assert all(label.meaning and label.name == name for name, label in labels.items())


def test_an_operators_own_labels_come_beside_ours_and_can_be_given(tmp_path):
    text = '[ours]\ntitle = "Ours"\n[ours.labels]\nX1 = "worst"\nX2 = "less bad"\n'
    assert read_labels(text) == {"X1": Label("ours", "X1", "worst", 0), "X2": Label("ours", "X2", "less bad", 1)}
    assert labels_of(None) == labels_of(tmp_path) == standard_labels()
    (tmp_path / "labels.toml").write_text(text)
    assert labels_of(tmp_path) == {**standard_labels(), **read_labels(text)}
    store = Store.create("sqlite://")
    banks = Banks(store, tmp_path)
    assert banks.create("known", label="X1", actor="me").label == "X1"
    banks.add("known", [NewEntry("pdq", KNOWN, label="X2")], actor="me")
    with pytest.raises(InputError, match="unknown label 'X3'"):
        banks.add("known", [NewEntry("pdq", bytes(32), label="X3")], actor="me")
    with pytest.raises(InputError, match="unknown label 'X1'"):
        Banks(store).create("elsewhere", label="X1", actor="me")
    store.close()


@pytest.mark.parametrize(
    "text",
    [
        "[ours",
        "ours = 3",
        'ours = "labels"',
        "[ours]\ntitle = 'without labels'",
        "[ours]\nlabels = 3",
        "[ours]\nlabels = ['X1']",
        "[[ours]]\nlabels = {X1 = 'x'}",
        "[ours.labels]\nX1 = 'x'\nX1 = 'y'",
        "\x00",
    ],
)
def test_a_malformed_file_of_labels_is_wrong_input(tmp_path, text):
    (tmp_path / "labels.toml").write_text(text)
    with pytest.raises(
        InputError, match=r"not a file of labels \(\[scheme\] title, \[scheme.labels\] name = meaning\)"
    ):
        labels_of(tmp_path)
    store = Store.create("sqlite://")
    with pytest.raises(InputError, match="not a file of labels"):
        Banks(store, tmp_path).create("known", label="A1", actor="me")
    store.close()


@given(st.text(alphabet=st.sampled_from("[]{}.=\"'\n ab1#,\\\x00"), max_size=60) | st.text(max_size=60))
def test_no_text_makes_the_reader_of_labels_fail(text):
    try:
        labels = read_labels(text)
    except InputError:
        return
    assert all(isinstance(label, Label) for label in labels.values())
