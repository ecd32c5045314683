"""The audit log: nothing in it can be changed, removed, reordered or cut off without being found."""

import base64
import functools
import hashlib
import json
import random
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from tests.support.effort import effort
from tests.support.preloaded import start_python
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.casework.audit.checkpoints import CheckpointError, Checkpoints, PublicKey, SigningKey, read_checkpoint
from tutela.casework.audit.log import AuditLog, append
from tutela.casework.audit.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    frontier_root,
    grow,
    inclusion_proof,
    leaf_hash,
    proves_consistency,
    proves_inclusion,
    root_of,
)
from tutela.casework.audit.verification import check_proof, prove_row, verify_log
from tutela.errors import InputError, NotFoundError
from tutela.foundation.store.database import Store
from tutela.foundation.store.evidence_tables import audit, audit_head

ROOT = Path(__file__).parents[2]

# The published test vectors of RFC 6962 trees (certificate-transparency's merkletree tests): eight records and the
# root over the first n of them.
RECORDS = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_roots_are_those_of_the_published_vectors():
    for count, root in enumerate(ROOTS, 1):
        assert root_of([leaf_hash(record) for record in RECORDS[:count]]).hex() == root
    assert root_of([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()


def _plain_root(leaves: list[bytes]) -> bytes:
    """The root by the words of RFC 9162, 2.1.1, and nothing else."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + _plain_root(leaves[:split]) + _plain_root(leaves[split:])).digest()


@settings(max_examples=effort(30, 300), deadline=None)
@given(st.integers(1, 70), st.data())
def test_proofs_hold_for_what_they_prove_and_for_nothing_else(size, data):
    leaves = [leaf_hash(str(number).encode()) for number in range(size)]
    root = _plain_root(leaves)
    assert root_of(leaves) == root
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaves, index)
    assert proves_inclusion(leaves[index], index, size, proof, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda one: one != index)) if size > 1 else 1
    assert not proves_inclusion(leaf_hash(b"another"), index, size, proof, root)
    assert not proves_inclusion(leaves[index], other, size, proof, root)
    assert not proves_inclusion(leaves[index], index, size, [*proof, root], root)
    former = data.draw(st.integers(1, size))
    former_root = _plain_root(leaves[:former])
    grown = consistency_proof(leaves, former)
    assert proves_consistency(former, size, former_root, root, grown)
    assert not proves_consistency(former, size, leaf_hash(b"another"), root, grown)
    if former < size:
        assert not proves_consistency(former, size, former_root, leaf_hash(b"another"), grown)
        assert not proves_consistency(former, size, former_root, root, grown[:-1])


def test_a_proof_of_what_is_in_no_tree_proves_nothing():
    leaves = [leaf_hash(bytes([number])) for number in range(4)]
    root, two = _plain_root(leaves), _plain_root(leaves[:2])
    assert not proves_inclusion(leaves[0], -1, 4, inclusion_proof(leaves, 0), root)
    assert not proves_inclusion(leaves[0], 4, 4, inclusion_proof(leaves, 0), root)
    grown = consistency_proof(leaves, 2)
    assert proves_consistency(2, 4, two, root, grown)
    assert consistency_proof(leaves, 0) == consistency_proof(leaves, 5) == []
    assert not proves_consistency(0, 4, two, root, []), "an empty tree has one root"
    assert not proves_consistency(0, 4, two, root, grown)
    assert not proves_consistency(5, 4, two, root, grown)
    assert not proves_consistency(2, 4, two, root, [])
    assert not proves_consistency(2, 4, two, root, [*grown, root])
    assert not proves_consistency(4, 4, root, root, grown)


def test_a_frontier_gives_the_same_roots_as_the_whole_tree():
    frontier: list[bytes] = []
    leaves = [leaf_hash(str(number).encode()) for number in range(200)]
    for size, leaf in enumerate(leaves):
        frontier = grow(frontier, size, leaf)
        assert frontier_root(frontier) == _plain_root(leaves[: size + 1])


@pytest.fixture
def log(store: Store) -> AuditLog:
    return AuditLog(store)


def fill(log: AuditLog, count: int) -> None:
    for number in range(count):
        log.record(f"person-{number % 3}", "thing.done", f"case:{number % 5}", {"n": number, "ü": "é"})


def test_rows_are_in_order_and_can_be_asked_for(log):
    fill(log, 12)
    rows = list(log.rows())
    assert [row.sequence for row in rows] == list(range(12))
    assert rows[3].detail == {"n": 3, "ü": "é"}
    assert [row.sequence for row in log.rows(subject="case:1")] == [1, 6, 11]
    assert list(log.rows(action="nothing")) == []
    assert [row.sequence for row in log.rows(since=rows[4].at, until=rows[6].at)] == [4, 5]
    assert verify_log(log).faults == ()
    with pytest.raises(NotFoundError):
        log.row(12)


def test_a_row_is_part_of_the_transaction_that_it_tells_of(log, store):
    fill(log, 2)
    with pytest.raises(RuntimeError), store.write() as connection:
        append(connection, "a", "undone", "x")
        raise RuntimeError
    log.record("a", "done", "x")
    assert [row.action for row in log.rows()] == ["thing.done", "thing.done", "done"]
    assert verify_log(log).faults == ()


def test_a_text_that_is_too_long_is_refused(log):
    for actor, action, subject, detail in (
        ("a" * 129, "b", "c", {}),
        ("a", "b" * 65, "c", {}),
        ("a", "b", "c" * 161, {}),
        ("a", "b", "c", {"d": "x" * 70_000}),
    ):
        with pytest.raises(InputError):
            log.record(actor, action, subject, detail)


_WRITER = """
import sys
from tutela.casework.audit.log import AuditLog
from tutela.foundation.store.database import Store
from tutela.foundation.store.evidence_tables import audit, audit_head
log = AuditLog(Store.open(sys.argv[1]))
print("up", flush=True)
for number in range(int(sys.argv[2])):
    log.record(sys.argv[3], "done", "x", {"n": number})
"""


@pytest.mark.slow
def test_many_processes_and_threads_append_without_a_gap(log, database):
    writers = [start_python(_WRITER, database, "15", f"process-{number}") for number in range(2)]
    threads = [threading.Thread(target=fill, args=(log, 10)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [writer.wait(PATIENCE_S) for writer in writers] == [0, 0]
    found = verify_log(log)
    assert (found.rows, found.faults) == (60, ())


TAMPERINGS = {
    "a field is changed": ["UPDATE audit SET actor = 'nobody' WHERE sequence = 7"],
    "a time is changed": ["UPDATE audit SET at = at + 1 WHERE sequence = 0"],
    "a detail is changed": ["UPDATE audit SET detail = '{}' WHERE sequence = 19"],
    "a row is removed": ["DELETE FROM audit WHERE sequence = 7"],
    "the first row is removed": ["DELETE FROM audit WHERE sequence = 0"],
    "a row is removed and the gap closed": [
        "DELETE FROM audit WHERE sequence = 7",
        "UPDATE audit SET sequence = sequence - 1 WHERE sequence = 8",
    ],
    "two rows change places": [
        "UPDATE audit SET sequence = -1 WHERE sequence = 7",
        "UPDATE audit SET sequence = 7 WHERE sequence = 8",
        "UPDATE audit SET sequence = 8 WHERE sequence = -1",
    ],
    "the end is cut off": ["DELETE FROM audit WHERE sequence > 15"],
    "everything is removed": ["DELETE FROM audit"],
    "the head is set back": ["UPDATE audit_head SET size = 15"],
    "the head is removed": ["DELETE FROM audit_head"],
    "the head's frontier is changed": ["UPDATE audit_head SET frontier = '[]'"],
    "a row is put in": [
        "INSERT INTO audit SELECT 20, at, actor, action, subject, detail, chain FROM audit WHERE sequence = 3"
    ],
}


def test_every_tampering_is_found(log, store):
    fill(log, 20)
    tables = (audit, audit_head)
    with store.read() as connection:
        whole = [[dict(row._mapping) for row in connection.execute(select(table))] for table in tables]
    for tampering, statements in TAMPERINGS.items():
        assert verify_log(log).faults == ()
        with store.write() as connection:
            for statement in statements:
                connection.execute(text(statement))
        assert verify_log(log).faults != (), tampering
        with store.write() as connection:
            for table, rows in zip(tables, whole, strict=True):
                connection.execute(table.delete())
                connection.execute(insert(table), rows)


def test_each_changed_row_is_named(log, store):
    fill(log, 20)
    with store.write() as connection:
        connection.execute(text("UPDATE audit SET actor = 'nobody' WHERE sequence IN (3, 11)"))
    assert [fault.sequence for fault in verify_log(log).faults if fault.sequence is not None] == [3, 11]


def _rewrite(store: Store, count: int) -> None:
    """What an intruder does who knows the code: write a shorter, consistent log in the place of the former one."""
    with store.write() as connection:
        connection.execute(text("DELETE FROM audit"))
        connection.execute(text("UPDATE audit_head SET size = 0, frontier = '[]', chain = :zero"), {"zero": bytes(32)})
    fill(AuditLog(store), count)


def test_a_log_that_was_written_anew_as_a_whole_is_found_by_a_checkpoint(log, store):
    fill(log, 20)
    key = SigningKey.generate("site")
    note = Checkpoints(log).make(key, actor="admin")
    assert verify_log(log, key=key.public, notes=[note]).faults == ()
    fill(log, 3)
    assert verify_log(log, key=key.public, notes=[note]) == verify_log(log, key=key.public, notes=[note])
    assert verify_log(log, key=key.public, notes=[note]).faults == ()
    for count in (30, 10):
        _rewrite(store, count)
        with store.write() as connection:
            connection.execute(text("DELETE FROM audit_checkpoint"))
        assert verify_log(log).faults == ()  # by itself it looks right
        assert verify_log(log, key=key.public, notes=[note]).faults != ()


def test_a_checkpoint_of_ours_that_was_changed_is_found(log, store):
    fill(log, 5)
    key = SigningKey.generate("site")
    Checkpoints(log).make(key, actor="admin")
    with store.write() as connection:
        connection.execute(text("UPDATE audit_checkpoint SET note = replace(note, 'time 2', 'time 3')"))
    assert [fault.what for fault in verify_log(log, key=key.public).faults] == [
        "the checkpoint is not signed by this key"
    ]
    with pytest.raises(InputError):
        verify_log(log, notes=["a note without a key"])


def test_checkpoint_keys_are_one_line_each_and_belong_together():
    key = SigningKey.generate("tutela.example/log")
    assert SigningKey.read(key.text() + "\n") == key
    assert PublicKey.read(key.public.text()) == key.public
    assert key.text() not in repr(key.public)
    damaged = key.public.text().replace("tutela.example", "other.example")
    for bad in ("", "a+b", damaged, key.text(), "x+00000000+AAAA"):
        with pytest.raises(InputError):
            PublicKey.read(bad)
    for bad in ("", key.public.text(), "PRIVATE+KEY+a+b+c"):
        with pytest.raises(InputError):
            SigningKey.read(bad)
    for name in ("", "with space", "with+plus"):
        with pytest.raises(InputError):
            SigningKey.generate(name)


def test_a_note_of_another_implementation_is_read():
    """The example of the signed note format's documentation: the key and the signature are golang.org/x/mod's."""
    key = PublicKey.read("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text_ = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    note = f"{text_}\n— PeterNeumann {signature}\n"
    with pytest.raises(CheckpointError, match="no checkpoint of Tutela"):
        read_checkpoint(note, key)  # signed rightly, though it is no checkpoint
    with pytest.raises(CheckpointError, match="not signed"):
        read_checkpoint(note.replace("cryptography", "magic"), key)
    assert PublicKey("PeterNeumann", key.raw).hint.hex() == "c74f20a3"


@settings(max_examples=effort(50, 500), deadline=None)
@given(st.data())
def test_a_note_with_any_change_is_refused(data):
    key, note = _signed()
    place = data.draw(st.integers(0, len(note) - 1))
    changed = note[:place] + data.draw(st.characters(codec="utf-8")) + note[place + 1 :]
    if changed == note:
        return
    try:
        found = read_checkpoint(changed, key.public)
    except CheckpointError:
        return
    # What is outside of the signed text may change as long as the signature line is whole.
    assert found == read_checkpoint(note, key.public)


@functools.cache
def _signed() -> tuple[SigningKey, str]:
    key = SigningKey.generate("site")
    return key, Checkpoints(AuditLog(Store.create("sqlite://"))).make(key, actor="a")


def test_a_proof_shows_a_row_to_whoever_has_the_key_and_nothing_that_is_not_there(log):
    fill(log, 33)
    key = SigningKey.generate("site")
    note = Checkpoints(log).make(key, actor="admin")
    document = prove_row(log, 17, note, key.public)
    row = check_proof(document, key.public)
    assert (row[0], row[2], row[3]) == (17, "person-2", "thing.done")
    fields = json.loads(document)
    record = json.loads(base64.b64decode(fields["record"]))
    record[2] = "somebody else"
    forged = fields | {"record": base64.b64encode(json.dumps(record, separators=(",", ":")).encode()).decode()}
    elsewhere = fields | {"index": 16}
    other = SigningKey.generate("site")
    for bad in (json.dumps(forged), json.dumps(elsewhere), "{}", "[]", "not json", json.dumps(fields | {"proof": []})):
        with pytest.raises(InputError):
            check_proof(bad, key.public)
    with pytest.raises(CheckpointError):
        check_proof(document, other.public)
    fill(log, 2)
    with pytest.raises(InputError, match="came after"):
        prove_row(log, 35, note, key.public)


@pytest.mark.slow
def test_a_killed_writer_leaves_a_whole_log(tmp_path):
    url, rng = f"sqlite:///{tmp_path / 'k.db'}", random.Random(5)
    store = Store.create(url)
    log, size = AuditLog(store), 0
    for _ in range(effort(4, 200)):
        process = start_python(_WRITER, url, "100000", "p", stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        size += 1
        wait_until(lambda size=size: log.head().size >= size, "the log grows")  # type: ignore[misc]
        time.sleep(rng.random() * 0.05)
        process.kill()
        process.wait()
        process.stdout.close()
        assert verify_log(log).faults == ()
        size = log.head().size
    store.close()
