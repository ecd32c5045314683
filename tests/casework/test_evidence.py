"""Evidence: sealed before the answer, opened only with the review key, kept for its time, destroyed for good."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.support.effort import effort
from tests.support.locked_keys import lightly_locked
from tutela.casework.audit.log import AuditLog
from tutela.casework.audit.verification import verify_log
from tutela.casework.evidence import drill
from tutela.casework.evidence.age_header import HeaderError, split_headers
from tutela.casework.evidence.horizon import STEADY_S, Clocks, Horizon
from tutela.casework.evidence.memory import overwrite
from tutela.casework.evidence.objects import Objects
from tutela.casework.evidence.reconciliation import reconcile, remove_orphans
from tutela.casework.evidence.retention import Retention, keep_until
from tutela.casework.evidence.rotation import rotate
from tutela.casework.evidence.seal import (
    IN_MEMORY_BYTES,
    EvidenceError,
    Recipients,
    ReviewKey,
    SealedObject,
    lock_with_passphrase,
    new_identity,
    unlock_with_passphrase,
)
from tutela.casework.evidence.vault import EvidenceState, Vault
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.store.database import Store, microseconds
from tutela.foundation.store.evidence_tables import evidence as table

CONTENT = b"content-that-nobody-may-read " * 4_000
CONTEXT = b'{"details": {"uploader": "a-person-that-nobody-may-name"}}'
MARKERS = (b"content-that-nobody-may-read", b"a-person-that-nobody-may-name")


class Officer:
    """Who has the private key; the serving process has only `recipients`."""

    def __init__(self) -> None:
        secret, public = new_identity()
        self.secret = secret
        self.key = ReviewKey(secret)
        self.recipients = Recipients([public])


@pytest.fixture(scope="module")
def officer() -> Officer:
    return Officer()


@pytest.fixture
def vault(store: Store, tmp_path: Path, officer: Officer) -> Vault:
    return Vault(store, Objects(f"file://{tmp_path / 'evidence'}"), officer.recipients)


def keep(vault: Vault, content: bytes | None = CONTENT, context: bytes = CONTEXT) -> str:
    sealed = vault.seal(content, context)
    with vault.store.write() as connection:
        digest = None if content is None else hashlib.sha256(content).hexdigest()
        return vault.record(connection, sealed, content_sha256=digest, actor="screening")


def retention_at(vault: Vault, later: datetime) -> Retention:
    """The retention at a moment that clocks agree on: they have gone on steadily since they came to it."""
    passed_s = 0.0
    clocks = Clocks(
        wall=lambda: microseconds(later) + int(passed_s * 1e6),
        steady=lambda: passed_s,
        start=lambda: "one",
        database=lambda _: None,
    )
    horizon = Horizon(vault.store, clocks)
    horizon.reach()
    passed_s = STEADY_S
    return Retention(vault, horizon)


def actions(vault: Vault, evidence_id: str) -> list[str]:
    return [row.action for row in AuditLog(vault.store).rows(subject=f"evidence:{evidence_id}")]


# --- sealing


@settings(max_examples=effort(30, 300), deadline=None)
@given(st.one_of(st.none(), st.binary(max_size=200_000)), st.binary(max_size=500))
def test_what_is_sealed_comes_back_as_it_was_and_only_with_the_key(content, context):
    officer, other = Officer(), Officer()
    sealed = officer.recipients.seal(content if content is None else memoryview(content), context)
    assert officer.key.open(sealed.context.header, sealed.context.data) == context
    if content is not None:
        assert sealed.content is not None
        assert officer.key.open(sealed.content.header, sealed.content.data) == content
    with pytest.raises(EvidenceError):
        other.key.open(sealed.context.header, sealed.context.data)


def test_large_content_is_sealed_a_part_at_a_time(vault, officer):
    content = os.urandom(1000) * 9_000
    assert len(content) > IN_MEMORY_BYTES
    sealed = vault.seal(memoryview(content), CONTEXT)
    assert sealed.content is not None
    assert not isinstance(sealed.content.source, bytes)
    with vault.store.write() as connection:
        evidence_id = vault.record(connection, sealed, content_sha256=None, actor="t")
    assert vault.content(evidence_id, officer.key, actor="r", purpose="p") == content
    assert vault.get(evidence_id).content_bytes == len(sealed.content.data)


def test_each_item_has_a_key_of_its_own(officer):
    one, two = (officer.recipients.seal(CONTENT, CONTEXT) for _ in range(2))
    assert one.content is not None
    assert two.content is not None
    assert one.content.sha256 != two.content.sha256
    with pytest.raises(EvidenceError):
        officer.key.open(two.content.header, one.content.data)


def test_a_changed_byte_is_noticed(officer):
    sealed = officer.recipients.seal(CONTENT, CONTEXT)
    assert sealed.content is not None
    whole, head = sealed.content.header + sealed.content.data, len(sealed.content.header)
    for place in (0, 40, 100, head - 5, head, head + 20, len(whole) - 1):
        broken = bytearray(whole)
        broken[place] ^= 1
        with pytest.raises(EvidenceError):
            officer.key.open(bytes(broken[:head]), bytes(broken[head:]))


def test_the_files_are_plain_age_and_open_without_tutela(vault, officer):
    """A disaster drill: what is exported is opened by the library of the format alone."""
    files = vault.export(keep(vault), actor="admin", purpose="drill")
    identity = pyrage.x25519.Identity.from_str(officer.secret)
    assert pyrage.decrypt(files["content.age"], [identity]) == CONTENT
    assert pyrage.decrypt(files["context.json.age"], [identity]) == CONTEXT


def test_a_secret_is_overwritten_in_place():
    secret = bytes(bytearray(b"very secret indeed"))
    overwrite(secret)
    assert secret == bytes(len(secret))


@pytest.mark.parametrize("texts", [[], ["age1nothing"], ["AGE-SECRET-KEY-1"], [""]])
def test_recipients_are_public_keys(texts):
    with pytest.raises(InputError):
        Recipients(texts)


@pytest.mark.parametrize("text_", ["", "# only a comment\n", "nonsense", "age1qqq"])
def test_a_review_key_is_an_identity_file(text_):
    with pytest.raises(InputError):
        ReviewKey(text_)


def test_a_review_key_file_may_have_comments_and_several_keys(officer):
    second = Officer()
    both = ReviewKey(f"# made in 2026\n{officer.secret}\n\n{second.secret}\n")
    for one in (officer, second):
        sealed = one.recipients.seal(None, CONTEXT)
        assert both.open(sealed.context.header, sealed.context.data) == CONTEXT
    assert officer.secret not in repr(both)


@pytest.mark.slow
def test_a_key_is_locked_with_a_passphrase():
    locked = lock_with_passphrase(b"key", "correct horse")
    assert unlock_with_passphrase(locked, "correct horse") == b"key"
    work = int(locked.splitlines()[1].split()[3])
    assert work > 10, "who guesses at words has work with each of them"


def test_a_key_that_another_program_locked_opens_with_its_passphrase_alone():
    locked = lightly_locked(b"key", "correct horse")
    assert unlock_with_passphrase(locked, "correct horse") == b"key"
    with pytest.raises(EvidenceError):
        unlock_with_passphrase(locked, "wrong horse")


# --- the vault


def test_evidence_is_opened_with_a_purpose_and_the_log_knows_it(vault, officer):
    evidence_id = keep(vault)
    with pytest.raises(InputError):
        vault.content(evidence_id, officer.key, actor="r", purpose=" ")
    assert actions(vault, evidence_id) == ["evidence.sealed"]
    assert vault.content(evidence_id, officer.key, actor="r", purpose="review") == CONTENT
    assert vault.context(evidence_id, officer.key, actor="r", purpose="report") == CONTEXT
    rows = list(AuditLog(vault.store).rows(subject=f"evidence:{evidence_id}"))
    assert [(row.action, row.detail.get("what"), row.detail.get("purpose")) for row in rows[1:]] == [
        ("evidence.opened", "content", "review"),
        ("evidence.opened", "context", "report"),
    ]


def test_even_a_failed_opening_is_in_the_log(vault):
    evidence_id = keep(vault)
    with pytest.raises(EvidenceError):
        vault.content(evidence_id, Officer().key, actor="intruder", purpose="curiosity")
    assert actions(vault, evidence_id) == ["evidence.sealed", "evidence.opened"]


def test_a_context_alone_can_be_kept(vault, officer):
    evidence_id = keep(vault, None)
    assert vault.get(evidence_id).content_object is None
    assert vault.context(evidence_id, officer.key, actor="r", purpose="p") == CONTEXT
    with pytest.raises(NotFoundError):
        vault.content(evidence_id, officer.key, actor="r", purpose="p")


def test_a_vault_without_recipients_opens_and_does_not_keep(vault, officer, store, tmp_path):
    evidence_id = keep(vault)
    console = Vault(store, Objects(f"file://{tmp_path / 'evidence'}"), None)
    assert console.content(evidence_id, officer.key, actor="r", purpose="p") == CONTENT
    with pytest.raises(EvidenceError):
        console.seal(b"", b"")


def test_nothing_in_clear_is_on_the_disk(vault, tmp_path, database):
    keep(vault)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".age" for path in files)
    for path in files:
        data = path.read_bytes()
        assert not any(marker in data for marker in MARKERS), path


def test_a_stored_object_that_was_changed_or_is_missing_is_said(vault, officer, tmp_path):
    evidence_id = keep(vault)
    name = vault.get(evidence_id).content_object
    path = next((tmp_path / "evidence").rglob(f"{name}.age"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(EvidenceError, match="changed"):
        vault.content(evidence_id, officer.key, actor="r", purpose="p")
    path.unlink()
    with pytest.raises(EvidenceError, match="cannot be read"):
        vault.content(evidence_id, officer.key, actor="r", purpose="p")
    assert reconcile(vault, actor="a").missing == (evidence_id,)
    path.write_bytes(whole)
    assert reconcile(vault, actor="a").missing == ()


def test_a_drill_of_a_restored_copy_says_what_it_lacks(vault, officer):
    kept, lost = keep(vault), keep(vault, b"another content " * 4_000)
    whole = drill.try_restored(vault, officer.key, sample=10, actor="d")
    assert (whole.sound, whole.opened) == (True, 2)
    elsewhere = drill.try_restored(vault, Officer().key, sample=10, actor="d")
    assert (elsewhere.sound, elsewhere.opened, len(elsewhere.unopened)) == (False, 0, 2)
    vault.objects.delete(vault.get(lost).content_object)
    torn = drill.try_restored(vault, officer.key, sample=10, actor="d")
    assert (torn.sound, torn.missing, torn.opened) == (False, (lost,), 1)
    (fault,) = torn.unopened
    assert fault.startswith(f"{lost}: ")
    lines = list(torn.lines())
    assert lost in lines and fault in lines
    assert not any(kept in line for line in lines)


def test_a_store_that_is_gone_is_never_taken_for_an_object_that_is_not_there(vault, tmp_path):
    evidence_id = keep(vault)
    name = vault.get(evidence_id).content_object
    shutil.rmtree(tmp_path / "evidence")
    (tmp_path / "evidence").write_bytes(b"")
    with pytest.raises(EvidenceError):
        vault.objects.put(SealedObject.of(b"x"))
    with pytest.raises(EvidenceError):
        vault.objects.delete(name)


@pytest.mark.parametrize("name", ["../../../etc/passwd", "nothing", "0" * 64])
def test_an_id_from_outside_leads_to_no_file(vault, officer, name):
    with pytest.raises(NotFoundError):
        vault.content(name, officer.key, actor="r", purpose="p")


def test_a_store_that_cannot_be_written_is_an_error_and_leaves_no_row(store, officer, tmp_path):
    (tmp_path / "evidence").mkdir()
    vault = Vault(store, Objects(f"file://{tmp_path / 'evidence'}"), officer.recipients)
    shutil.rmtree(tmp_path / "evidence")
    (tmp_path / "evidence").write_bytes(b"")  # a file where the folder was: not even root can write below it
    with pytest.raises(EvidenceError):
        vault.seal(CONTENT, CONTEXT)
    with store.read() as connection:
        assert connection.execute(select(table)).first() is None


def test_a_url_that_cannot_be_used_is_said():
    for url in ("nonsense", "ftp://x/y", "file:///proc/version/below"):
        with pytest.raises(InputError):
            Objects(url)


# --- how long


def test_whoever_asks_for_it_no_evidence_is_destroyed_by_a_clock_that_leapt(vault):
    evidence_id = keep(vault)
    with vault.store.write() as connection:
        keep_until(connection, evidence_id, datetime.now(UTC) + timedelta(days=90), actor="a", why="reported")
    leapt = microseconds(datetime.now(UTC) + timedelta(days=100))
    clocks = Clocks(wall=lambda: leapt, steady=lambda: 0.0, start=lambda: "one", database=lambda _: None)
    for _ in range(3):
        assert Retention(vault, Horizon(vault.store, clocks)).destroy_expired(actor="command") == []
    assert Retention(vault).destroy_expired(actor="command") == [], "nor when it has come back"
    assert vault.get(evidence_id).state is EvidenceState.KEPT


def test_evidence_is_destroyed_when_its_time_is_over_and_not_before(vault, officer):
    evidence_id = keep(vault)
    now = datetime.now(UTC)
    assert retention_at(vault, now + timedelta(days=5000)).destroy_expired(actor="upkeep") == []  # undecided: no end
    with vault.store.write() as connection:
        keep_until(connection, evidence_id, now + timedelta(days=365), actor="a", why="reported")
        keep_until(connection, evidence_id, now + timedelta(days=30), actor="a", why="a shorter time changes nothing")
    assert retention_at(vault, now + timedelta(days=364)).destroy_expired(actor="upkeep") == []
    assert vault.content(evidence_id, officer.key, actor="r", purpose="p") == CONTENT
    assert retention_at(vault, now + timedelta(days=366)).destroy_expired(actor="upkeep") == [evidence_id]
    assert vault.get(evidence_id).state is EvidenceState.DESTROYED
    for opening in (vault.content, vault.context):
        with pytest.raises(ConflictError):
            opening(evidence_id, officer.key, actor="r", purpose="p")
    with pytest.raises(ConflictError):
        vault.export(evidence_id, actor="r", purpose="p")
    assert actions(vault, evidence_id) == [
        *("evidence.sealed", "evidence.kept", "evidence.opened", "evidence.shredded", "evidence.destroyed"),
    ]
    assert list(vault.objects.all()) == []


def test_a_legal_hold_outlives_every_time_and_every_order(vault, officer):
    evidence_id = keep(vault)
    retention = Retention(vault)
    with vault.store.write() as connection:
        keep_until(connection, evidence_id, datetime.now(UTC), actor="a", why="w")
    hold = retention.place_hold(evidence_id, reference="court 17", reason="preservation request", actor="lead")
    second = retention.place_hold(evidence_id, reference="court 18", reason="another", actor="lead")
    later = datetime.now(UTC) + timedelta(days=10_000)
    assert retention_at(vault, later).destroy_expired(actor="upkeep") == []
    with pytest.raises(ConflictError, match="court 17, court 18"):
        retention.destroy(evidence_id, why="a mistake", actor="lead")
    assert vault.content(evidence_id, officer.key, actor="r", purpose="p") == CONTENT
    retention.release_hold(hold.id, reason="withdrawn", actor="lead")
    assert retention_at(vault, later).destroy_expired(actor="upkeep") == []
    retention.release_hold(second.id, reason="withdrawn", actor="lead")
    with pytest.raises(ConflictError):
        retention.release_hold(second.id, reason="again", actor="lead")
    assert retention.holds(evidence_id) == []
    assert len(retention.holds(evidence_id, released=True)) == 2
    assert retention_at(vault, later).destroy_expired(actor="upkeep") == [evidence_id]
    with pytest.raises(ConflictError):
        retention.place_hold(evidence_id, reference="court 19", reason="too late", actor="lead")


def test_an_authority_can_have_evidence_destroyed_and_the_proof_names_its_request(vault):
    evidence_id = keep(vault)
    Retention(vault).destroy(evidence_id, why="ordered", actor="lead", reference="order 4711")
    row = next(AuditLog(vault.store).rows(action="evidence.shredded"))
    assert (row.detail["reference"], row.detail["why"], row.actor) == ("order 4711", "ordered", "lead")
    assert row.detail["content_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert Retention(vault).destroy(evidence_id, why="again", actor="lead").state is EvidenceState.DESTROYED
    with pytest.raises(InputError):
        Retention(vault).destroy(keep(vault), why=" ", actor="lead")
    with pytest.raises(NotFoundError):
        Retention(vault).destroy("nothing", why="w", actor="lead")


def test_a_shredded_item_opens_in_no_copy_of_the_objects(vault, officer, tmp_path, database):
    """Copies of the sealed objects outlive the shredding; the key to them is in no file of the home any more."""
    evidence_id = keep(vault)
    shutil.copytree(tmp_path / "evidence", tmp_path / "copy")
    with vault.store.read() as connection:
        wrapped = bytes(connection.execute(select(table.c.wrapped_key)).scalar_one())
    Retention(vault).destroy(evidence_id, why="w", actor="a")
    copied = [path.read_bytes() for path in (tmp_path / "copy").rglob("*.age")]
    assert len(copied) == 2
    if database.startswith("sqlite"):
        for path in tmp_path.glob("test.db*"):
            assert wrapped[-64:] not in path.read_bytes(), path


def test_objects_that_could_not_be_removed_are_removed_later(vault, tmp_path, officer):
    evidence_id = keep(vault)
    broken = Vault(vault.store, _Stuck(f"file://{tmp_path / 'evidence'}"), officer.recipients)
    with pytest.raises(EvidenceError):
        Retention(broken).destroy(evidence_id, why="w", actor="a")
    assert vault.get(evidence_id).state is EvidenceState.SHREDDED
    with pytest.raises(ConflictError):
        vault.content(evidence_id, officer.key, actor="r", purpose="p")
    assert reconcile(vault, actor="a").finished == (evidence_id,)
    assert vault.get(evidence_id).state is EvidenceState.DESTROYED
    assert list(vault.objects.all()) == []


class _Stuck(Objects):
    def delete(self, sha256: str) -> None:
        raise EvidenceError("the store is away")


def test_an_object_that_no_row_knows_is_named_and_removed_only_on_request(vault):
    evidence_id = keep(vault)
    orphan = vault.seal(b"never answered", b"{}")
    assert reconcile(vault, actor="a").orphans == ()  # it may be under way
    found = reconcile(vault, actor="a", recent=timedelta(seconds=-1)).orphans
    assert orphan.content is not None
    assert set(found) == {orphan.content.sha256, orphan.context.sha256}
    remove_orphans(vault, found, actor="a")
    assert reconcile(vault, actor="a", recent=timedelta(seconds=-1)).orphans == ()
    assert len(list(vault.objects.all())) == len(vault.get(evidence_id).objects) == 2


# --- keys


def test_a_new_key_takes_the_place_of_the_old_one(vault, officer):
    ids = [keep(vault) for _ in range(7)]
    gone = keep(vault)
    Retention(vault).destroy(gone, why="w", actor="a")
    successor = Officer()
    assert rotate(vault, officer.key, successor.recipients, actor="admin", batch=3) == 7
    assert rotate(vault, officer.key, successor.recipients, actor="admin", batch=3) == 0
    for evidence_id in ids:
        assert vault.content(evidence_id, successor.key, actor="r", purpose="p") == CONTENT
        with pytest.raises(EvidenceError):
            vault.content(evidence_id, officer.key, actor="r", purpose="p")
    named = [one for row in AuditLog(vault.store).rows(action="evidence.rewrapped") for one in row.detail["items"]]
    assert sorted(named) == sorted(ids)
    assert verify_log(AuditLog(vault.store)).faults == ()


def test_heads_that_were_wrapped_anew_are_plain_age_and_changed_ones_are_refused(officer):
    """Our wrapping is read by the format's own library, for each of several recipients."""
    successors = [Officer(), Officer()]
    sealed = officer.recipients.seal(CONTENT, CONTEXT)
    assert sealed.content is not None
    both = Recipients([one.recipients.texts[0] for one in successors])
    wrapped = officer.key.rewrap(sealed.wrapped_key, both)
    context, content = split_headers(wrapped)
    for one in successors:
        identity = pyrage.x25519.Identity.from_str(one.secret)
        assert pyrage.decrypt(content + sealed.content.data, [identity]) == CONTENT
        assert pyrage.decrypt(context + sealed.context.data, [identity]) == CONTEXT
    place = sealed.wrapped_key.index(b"\n--- ") + 8
    changed = bytearray(sealed.wrapped_key)
    changed[place] = ord("A") if changed[place] != ord("A") else ord("B")
    for bad in (bytes(changed), b"", sealed.wrapped_key[:-1], b"nonsense", wrapped[5:]):
        if bad:
            with pytest.raises((EvidenceError, HeaderError)):
                officer.key.rewrap(bad, both)


def test_a_rotation_with_a_wrong_key_changes_nothing(vault, officer):
    evidence_id = keep(vault)
    with pytest.raises(EvidenceError):
        rotate(vault, Officer().key, Officer().recipients, actor="admin")
    assert vault.content(evidence_id, officer.key, actor="r", purpose="p") == CONTENT


# --- S3


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """A local server that speaks S3, and the options that lead to it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    import httpx

    assert httpx.put(f"http://{host}:{port}/evidence").status_code == 200
    yield {
        "endpoint": f"http://{host}:{port}",
        "region": "us-east-1",
        "access_key_id": "local",
        "secret_access_key": "local",
    }
    server.stop()


def test_evidence_lies_in_an_s3_store_as_well(s3, officer, tmp_path):
    store = Store.create(f"sqlite:///{tmp_path / 'test.db'}")
    vault = Vault(store, Objects("s3://evidence/held", s3), officer.recipients)
    evidence_id = keep(vault)
    assert vault.content(evidence_id, officer.key, actor="r", purpose="p") == CONTENT
    assert len(list(vault.objects.all())) == 2
    assert reconcile(vault, actor="a").missing == ()
    Retention(vault).destroy(evidence_id, why="w", actor="a")
    assert list(vault.objects.all()) == []
    missing = SealedObject.of(b"never stored")
    assert not vault.objects.has(missing.sha256)
    vault.objects.delete(missing.sha256)
    with pytest.raises(EvidenceError):
        vault.objects.get(missing.sha256)
    store.close()


@pytest.mark.slow
def test_an_s3_store_that_does_not_answer_is_an_error(s3, officer, tmp_path):
    gone = s3 | {"endpoint": "http://127.0.0.1:1"}
    with pytest.raises(EvidenceError):
        Objects("s3://evidence/held", gone).put(SealedObject.of(b"x"))
    with pytest.raises(EvidenceError):
        Objects("s3://no-such-bucket/held", s3).put(SealedObject.of(b"x"))
