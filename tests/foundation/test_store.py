"""The store: durable, in one order, brought up from any version, the same in SQLite and PostgreSQL."""

import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, text

import tutela.foundation.store
from tests.support.effort import effort
from tests.support.preloaded import start_python
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.errors import StoreError
from tutela.foundation.outbox.service import enqueue
from tutela.foundation.store import (
    announcements,
    entry_tables,  # noqa: F401 - every table is in the metadata
    tables,
)
from tutela.foundation.store.database import (
    Changes,
    Store,
    advance_banks,
    advance_sequence,
    microseconds,
    moment,
    now,
)
from tutela.foundation.store.revisions import current_revision, head_revision
from tutela.foundation.store.revisions import revisions as known_revisions

ROOT = Path(__file__).parents[2]


def test_the_migrations_make_exactly_the_tables_that_the_code_describes(store):
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert current_revision(connection) == context.get_current_revision() == head_revision()


def test_every_revision_but_the_first_builds_on_another():
    directory = ScriptDirectory(str(Path(tutela.foundation.store.__file__).parent / "migrations"))
    revisions = list(directory.walk_revisions())
    assert [revision.revision for revision in revisions if revision.down_revision is None] == ["0001"]
    assert directory.get_current_head() == revisions[0].revision == head_revision()
    assert [revision.revision for revision in reversed(revisions)] == known_revisions()


def test_opening_a_database_of_no_or_another_version_says_what_to_do(database):
    with pytest.raises(StoreError, match="tutela store migrate"):
        Store.open(database)
    store = Store.create(database)
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(StoreError, match="9999"):
        Store.open(database)


def test_a_store_keeps_its_identity_and_its_rows(database):
    first = Store.create(database)
    with first.write() as connection:
        connection.execute(insert(tables.meta).values(name="kept", value="ü"))
    first.close()
    again = Store.create(database)
    assert again.identity == first.identity
    with again.read() as connection:
        assert connection.execute(select(tables.meta.c.value).where(tables.meta.c.name == "kept")).scalar_one() == "ü"
    again.close()


def test_two_stores_have_two_identities():
    assert Store.create("sqlite://").identity != Store.create("sqlite://").identity


@pytest.mark.slow
def test_many_processes_may_make_the_same_database_at_once(database):
    script = f"from tutela.foundation.store.database import Store; print(Store.create({database!r}).identity)"
    processes = [start_python(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    answers = [process.communicate(timeout=PATIENCE_S) for process in processes]
    assert len({answer for answer, _ in answers}) == 1, answers
    assert answers[0][0].strip()


@pytest.mark.parametrize(
    "url",
    [
        "no url",
        "mysql://host/name",
        "sqlite:////no/such/folder/file.db",
        "postgresql://someone:topsecret@127.0.0.1:1/name?connect_timeout=2",
    ],
)
def test_a_database_that_cannot_be_reached_is_said_without_its_password(url):
    with pytest.raises(StoreError) as caught:
        Store.create(url)
    assert "topsecret" not in str(caught.value)


def test_a_transaction_that_raises_leaves_nothing(store):
    with pytest.raises(RuntimeError), store.write() as connection:
        connection.execute(insert(tables.meta).values(name="gone", value=""))
        raise RuntimeError
    with store.read() as connection:
        assert connection.execute(select(tables.meta).where(tables.meta.c.name == "gone")).first() is None


def test_the_order_of_sequence_numbers_is_the_order_of_commits(store):
    """A reader that has seen a number has seen every smaller one, however writers interleave."""
    seen: list[list[int]] = []
    stop = threading.Event()

    def write(seed: int) -> None:
        rng = random.Random(seed)
        for round_ in range(15):
            with store.write() as connection:
                sequence = advance_sequence(connection, 1)
                time.sleep(rng.random() * 0.004)
                connection.execute(
                    insert(tables.signal).values(
                        id=sequence, type="md5", value=f"{seed} {round_}".encode(), active=True, sequence=sequence
                    )
                )

    def read() -> None:
        while not stop.is_set():
            with store.read() as connection:
                rows = connection.execute(select(tables.signal.c.sequence).order_by(tables.signal.c.sequence)).all()
            seen.append([row[0] for row in rows])

    reader = threading.Thread(target=read)
    reader.start()
    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    reader.join()
    assert seen
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen)
    assert seen == sorted(seen)
    with store.read() as connection:
        assert connection.execute(select(tables.clock.c.sequence)).scalar_one() == 60


def test_what_was_committed_survives_kill_nine(tmp_path):
    script = """
import sys
from sqlalchemy import insert
from tutela.foundation.store import entry_tables  # noqa: F401 - every table is in the metadata
from tutela.foundation.store import tables
from tutela.foundation.store.database import Store
store = Store.create(sys.argv[1])
number = int(sys.argv[2])
while True:
    with store.write() as connection:
        connection.execute(insert(tables.meta).values(name=str(number), value=""))
    print(number, flush=True)
    number += 1
"""
    url, rng, accepted = f"sqlite:///{tmp_path / 'k.db'}", random.Random(3), 0
    Store.create(url).close()
    for _ in range(effort(5, 100)):
        process = start_python(script, url, str(accepted + 1000), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(rng.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.wait()
        process.stdout.close()
        numbers = [int(line) for line in lines if line.endswith("\n")]
        store = Store.open(url)
        with store.read() as connection:
            kept = {row[0] for row in connection.execute(select(tables.meta.c.name))}
        store.close()
        assert {str(number) for number in numbers} <= kept
        accepted = max(int(name) for name in kept if name.isdigit()) - 999


def test_times_are_kept_to_the_microsecond():
    at = now()
    assert moment(at).tzinfo is not None
    assert microseconds(moment(at)) == at


@pytest.mark.parametrize("opening", [Store.open, Store.create])
def test_a_database_of_a_later_version_is_left_alone_with_a_clear_error(database, opening):
    store = Store.create(database)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    with pytest.raises(StoreError, match="later version"):
        opening(database)


# --- changes


def test_a_process_hears_of_what_others_wait_for(store):
    wait_until(lambda: store.version() is not None, "the database says when it changes")
    changes = Changes(store, at_least_every_s=1000.0)
    assert changes.any()
    wait_until(lambda: not changes.any(), "it is quiet")
    writes = (
        lambda connection: advance_sequence(connection, 1),
        advance_banks,
        lambda connection: enqueue(connection, "t", "k", {}),
    )
    for write in writes:
        with store.write() as connection:
            write(connection)
        wait_until(changes.any, "the change is heard of")  # it is asked for every 1000 s only
        assert not changes.any()


def test_where_announcements_do_not_arrive_changes_are_asked_for(postgres_database, monkeypatch):
    monkeypatch.setattr(announcements, "_HEARD_WITHIN_S", 0.1)
    monkeypatch.setattr(announcements, "announce", lambda connection: None)  # as through a pooler of transactions
    store = Store.create(postgres_database)
    for _ in range(3):
        assert store.version() is None
        time.sleep(0.1)
    changes = Changes(store, at_least_every_s=1000.0)
    assert changes.any()
    assert changes.any()
    store.close()
