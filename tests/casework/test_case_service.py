"""Evidence and cases in the running service and on the command line: who may do what, and what a thief would find."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from PIL import Image
from sqlalchemy import select
from typer.testing import CliRunner

from tests.support.memory import children_of, memory_of, needs_root, stretches, traces
from tests.support.pictures import file_of, photos
from tests.support.service import Service
from tutela.api.keys import Scope
from tutela.casework.audit.log import AuditLog
from tutela.casework.audit.verification import verify_log
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.cases.outcomes import Effect, Outcome
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.age_header import file_key, split_headers
from tutela.casework.evidence.seal import ReviewKey, new_identity
from tutela.cli.commands import app
from tutela.deployment.settings import load_settings
from tutela.errors import InputError, TutelaError
from tutela.foundation.outbox.service import Outbox
from tutela.foundation.store.database import Store
from tutela.foundation.store.evidence_tables import evidence as evidence_table

ROOT = Path(__file__).parents[2]
SECRET, PUBLIC = new_identity()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that seals evidence, with one photo listed."""
    home = tmp_path_factory.mktemp("home")
    service = Service(home, TUTELA_EVIDENCE=json.dumps({"recipients": [PUBLIC]}))
    with service.client() as client:
        known = client.post("/v1/screen", content=photo()).json()
        pdq = next(one["value"] for one in known["hashes"] if one["signal"] == "pdq")
        policy = {"action": "block"}
        assert client.post("/v1/banks", json={"name": "known", "label": "A1", "policy": policy}).status_code == 201
        listed = {"entries": [{"signal": "pdq", "value": pdq}]}
        assert client.post("/v1/banks/known/entries", json=listed).status_code == 201
    yield service
    service.stop()


def photo() -> bytes:
    return file_of(photos()[0], "JPEG", quality=90)


def blocked(service: Service, **details: str) -> dict:
    """The case of an upload that is blocked; its uploader is new."""
    details = {"uploader": os.urandom(8).hex()} | details
    context = json.dumps({"item": "upload-" + os.urandom(4).hex(), "details": details})
    with service.client() as client:
        while True:  # until the bank is seen by the service
            verdict = client.post("/v1/screen", content=photo(), headers={"Tutela-Context": context}).json()
            if verdict["decision"] == "block":
                break
        cases = client.get("/v1/cases", params={"limit": 1000}).json()["cases"]
        for case in cases:
            found = client.get(f"/v1/cases/{case['id']}").json()
            if verdict["id"] in {item["verdict"] for item in found["items"]}:
                return found
    pytest.fail("the upload opened no case")


def key(service: Service, *scopes: Scope) -> str:
    return service.keys.create("k", scopes, by="test")[1]


def test_a_case_is_listed_claimed_decided_and_reopened_over_http(service):
    case = blocked(service)
    assert (case["state"], case["label"]) == ("open", "A1")
    one, other = (service.client(key(service, Scope.REVIEW)) for _ in range(2))
    path = f"/v1/cases/{case['id']}"
    claimed = one.post(f"{path}/claim").json()
    assert (claimed["state"], claimed["items"][0]["matches"][0]["bank"]) == ("claimed", "known")
    assert other.post(f"{path}/claim").status_code == 409
    decision = {"outcome": "confirm", "label": "A2", "reason": "seen", "items": [case["items"][0]["id"]]}
    assert other.post(f"{path}/decision", json=decision).status_code == 409
    assert one.post(f"{path}/decision", json=decision | {"label": None}).status_code == 400
    assert one.post(f"{path}/decision", json=decision | {"items": [10**9]}).status_code == 404
    decided = one.post(f"{path}/decision", json=decision).json()
    assert (decided["state"], decided["label"]) == ("decided", "A2")
    assert one.post(f"{path}/decision", json=decision).status_code == 409
    lead = service.client(key(service, Scope.LEAD))
    assert lead.post(f"{path}/reopening", json={"reason": "a complaint"}).json()["state"] == "open"
    history = [event["action"] for event in one.get(path).json()["history"]]
    assert history == ["case.opened", "case.claimed", "case.decision", "case.decided", "case.reopened"]
    assert one.delete(f"{path}/claim").json()["claim"] is None
    assert one.get("/v1/cases/nothing").status_code == 404
    assert one.get("/v1/cases", params={"queue": "match", "state": "open", "limit": 1}).json()["next"]


def test_what_is_known_of_items_is_told_to_who_has_the_case(service):
    case = blocked(service)
    path = f"/v1/cases/{case['id']}"
    one, other = (service.client(key(service, Scope.REVIEW)) for _ in range(2))
    reports, admin = service.client(key(service, Scope.REVIEW, Scope.REPORT)), service.client()

    def told() -> list[bool]:
        answers = [client.get(path).json()["items"][0] for client in (one, other, reports, admin)]
        for answer in answers:
            assert ("sha256" in answer) == ("matches" in answer) == ("item" in answer)
        return ["sha256" in answer for answer in answers]

    assert told() == [False] * 4
    assert "sha256" not in other.delete(f"{path}/claim").json()["items"][0], "not by giving back what one never had"
    one.post(f"{path}/claim")
    assert told() == [True, False, False, False]
    decision = {"outcome": "confirm", "label": "A2", "reason": "seen", "items": [case["items"][0]["id"]]}
    assert "sha256" in one.post(f"{path}/decision", json=decision).json()["items"][0]
    assert told() == [True, False, True, True], "who decided, who reports, who leads"


CALLS = [
    ("GET", "", None, Scope.REVIEW),
    ("GET", "/ID", None, Scope.REVIEW),
    ("POST", "/ID/claim", None, Scope.REVIEW),
    ("DELETE", "/ID/claim", None, Scope.REVIEW),
    ("POST", "/ID/decision", {"outcome": "reject", "reason": "r", "items": [1]}, Scope.REVIEW),
    ("POST", "/ID/ruling", {"outcome": "reject", "reason": "r", "items": [1]}, Scope.LEAD),
    ("POST", "/ID/reopening", {"reason": "r"}, Scope.LEAD),
]


def test_every_call_needs_its_own_scope(service):
    case = blocked(service)
    keys = {scope: key(service, scope) for scope in Scope if scope is not Scope.ADMIN}
    for method, path, body, needed in CALLS:
        address = f"/v1/cases{path.replace('ID', case['id'])}"
        for scope, text in keys.items():
            if scope is not needed:
                with service.client(text) as client:
                    assert client.request(method, address, json=body).status_code == 403, (method, path, scope)
        with service.client("tutela_0000000000000000_wrong") as client:
            assert client.request(method, address, json=body).status_code in (401, 429)
    with service.client() as client:
        assert client.get(f"/v1/cases/{case['id']}").json()["decisions"] == []


def test_metrics_say_how_many_cases_wait(service):
    blocked(service)
    with service.client() as client:
        text = client.get("/metrics").text
    assert re.search(r'tutela_cases\{queue="match",state="open"\} [1-9]', text)
    assert re.search(r"tutela_case_oldest_seconds \d", text)


@needs_root
def test_whoever_takes_all_files_and_the_memory_of_the_service_opens_no_evidence(service):
    marker = "person-" + os.urandom(8).hex()
    content = b"text-" + os.urandom(8).hex().encode() + b" "
    context = json.dumps({"item": "upload-x", "details": {"uploader": marker, "address": "198.51.100.77"}})
    with service.client() as client:
        for size in (50, 20_000):
            response = client.post("/v1/screen", content=content * size, headers={"Tutela-Context": context})
            assert response.json()["decision"] == "hold"
        blocked(service)
        # The last request is the one whose bytes would still be there.
        response = client.post("/v1/screen", content=content * 20_000, headers={"Tutela-Context": context})
        assert response.json()["decision"] == "hold"
    pieces = [photo()[at : at + 64] for at in range(1_000, len(photo()) - 64, len(photo()) // 12)]
    store = Store.open(f"sqlite:///{service.home / 'tutela.db'}")
    with store.read() as connection:
        wrapped = [bytes(one) for one in connection.execute(select(evidence_table.c.wrapped_key)).scalars()]
    keys = {file_key(header, [SECRET]) for one in wrapped for header in split_headers(one)}
    assert len(keys) >= 4
    for memory in memory_of(service.process.pid, "r"):
        assert not re.search(rb"AGE-SECRET-KEY-1(?i:[0-9a-z]{20})", memory)
        for file_key_ in keys:
            assert file_key_ not in memory  # the key inside an age file, which only the review key unwraps
        assert marker.encode() not in memory
        assert b"198.51.100.77" not in memory
        assert content not in memory
        assert not any(piece in memory for piece in pieces)
    for path in service.home.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for secret in (marker.encode(), content, b"198.51.100.77", SECRET.encode()):
                assert secret not in data, path
    store.close()


@needs_root
def test_no_worker_of_the_service_keeps_anything_of_what_was_held(service):
    """The picture that was held is the last one that its worker saw, as a file, in grey and in colour."""
    blocked(service)
    with Image.open(io.BytesIO(photo())) as picture:
        forms = (photo(), picture.convert("L").tobytes(), picture.convert("RGB").tobytes())
    searched = [stretch for form in forms for stretch in stretches(form, 4)]
    workers = children_of(service.process.pid)
    assert len(workers) >= 2
    for worker in workers:
        assert traces(worker, searched) == []


def test_what_the_service_has_does_not_open_what_it_sealed(service):
    """Everything in the home, put together by somebody who knows the code, with keys of their own."""
    case = blocked(service)
    store = Store.open(f"sqlite:///{service.home / 'tutela.db'}")
    vault = EvidenceOptions((PUBLIC,)).vault(store, service.home)
    files = vault.export(case["items"][0]["evidence"], actor="thief", purpose="p")
    guesses = [pyrage.x25519.Identity.generate()]
    for data in files.values():
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(data, guesses)
    assert pyrage.decrypt(files["content.age"], [pyrage.x25519.Identity.from_str(SECRET)]) == photo()
    store.close()


# --- the command line


class Shell:
    """`tutela` on a home of its own, in this process; and scripts that call it, in theirs."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        binaries = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {"TUTELA_DECODERS": "1", "PATH": binaries} | environment

    def __call__(self, *arguments: str, status: int = 0, given: str | None = None) -> str:
        command = ["--home", str(self.home), *arguments]
        done = CliRunner().invoke(app, command, input=given, env=self.environment)
        code, said = done.exit_code, done.output
        if isinstance(done.exception, TutelaError):  # as `tutela.cli.main` answers it
            code, said = (2 if isinstance(done.exception, InputError) else 3), str(done.exception)
        assert code == status, (arguments, said, done.exception)
        return said

    def run(self, *command: str, status: int = 0) -> str:
        environment = os.environ | self.environment
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
        assert done.returncode == status, (command, done.stdout, done.stderr)
        return done.stdout


@pytest.mark.slow
def test_from_the_key_ceremony_to_the_restore_drill(tmp_path):
    """What an officer and an operator do, in its order, with the commands that the pages show."""
    home, officer = tmp_path / "home", tmp_path / "officer"
    officer.mkdir()
    setup = Shell(home)
    public = setup("evidence", "new-key", str(officer / "review.key")).strip()
    assert public.startswith("age1")
    assert (officer / "review.key").stat().st_mode & 0o777 == 0o600
    assert "home" in setup("evidence", "new-key", str(home / "review.key"), status=2)
    assert "cannot be written" in setup("evidence", "new-key", str(officer / "review.key"), status=2)
    audit_key = setup("audit", "new-key", str(officer / "audit.key")).strip()

    tutela = Shell(home, TUTELA_EVIDENCE=json.dumps({"recipients": [public]}))
    (tmp_path / "upload.txt").write_text("held, because it is no picture")
    tutela("screen", "--keep", str(tmp_path / "upload.txt"), status=1)
    case_id = re.search(r"[0-9a-f]{32}", tutela("case", "list"))[0]
    case = json.loads(tutela("case", "show", case_id))
    evidence = case["items"][0]["evidence"]
    tutela("case", "claim", case_id)
    tutela("case", "release", case_id)
    assert "is decided" in tutela("case", "decide", case_id, "against-rules", "--reason", "spam")
    assert "is open" in tutela("case", "reopen", case_id, "--reason", "a complaint")
    assert "none of" in tutela("case", "decide", case_id, "perhaps", "--reason", "r", status=2)
    assert "label" in tutela("case", "decide", case_id, "confirm", "--reason", "r", status=2)

    opening = ("evidence", "open", evidence, "--key", str(officer / "review.key"), "--purpose", "a report")
    tutela(*opening, "--out", str(officer / "opened"))
    assert (officer / "opened").read_text() == "held, because it is no picture"
    tutela(*opening, "--what", "context", "--out", str(officer / "context.json"))
    assert json.loads((officer / "context.json").read_text())["byte_length"] == 30
    assert "exist" in tutela(*opening, "--out", str(officer / "opened"), status=2).lower()

    tutela("evidence", "hold", evidence, "--reference", "court 17", "--reason", "preservation request")
    assert "court 17" in tutela("evidence", "holds")
    assert "legal hold" in tutela("evidence", "destroy", evidence, "--reason", "r", status=2)

    copy = tutela.run("examples/backup/backup.sh", str(home), str(tmp_path / "backup")).splitlines()[-1]
    drill = tutela.run("examples/backup/drill.sh", copy, str(officer / "review.key"))
    assert "0 faults" in drill
    assert "opened 1 items, 0 could not be opened" in drill
    next(Path(copy).rglob("*.age")).unlink()
    assert evidence in tutela.run("examples/backup/drill.sh", copy, str(officer / "review.key"), status=1)
    assert "0 objects" in tutela("evidence", "reconcile")

    successor = tutela("evidence", "new-key", str(officer / "next.key")).strip()
    assert tutela("evidence", "rotate", "--key", str(officer / "review.key"), "--to", successor).startswith("1 items")
    assert "could not be opened" in tutela(*opening, "--out", str(officer / "again"), status=3)

    (tmp_path / "note").write_text(tutela("audit", "checkpoint", "--key", str(officer / "audit.key")))
    verifying = ("audit", "verify", "--public-key", audit_key, "--checkpoint", str(tmp_path / "note"))
    assert "0 faults" in tutela(*verifying)
    proving = ("--checkpoint", str(tmp_path / "note"), "--public-key", audit_key)
    (tmp_path / "proof").write_text(tutela("audit", "prove", "1", *proving))
    assert json.loads(tutela("audit", "check", str(tmp_path / "proof"), "--public-key", audit_key))[0] == 1
    (tmp_path / "proof").write_text((tmp_path / "proof").read_text().replace('"index": 1', '"index": 0'))
    tutela("audit", "check", str(tmp_path / "proof"), "--public-key", audit_key, status=2)

    tutela("evidence", "release", "1", "--reason", "withdrawn")
    assert "is destroyed" in tutela("evidence", "destroy", evidence, "--reason", "ordered", "--reference", "order 4")
    assert json.loads(tutela("evidence", "show", evidence))["state"] == "destroyed"
    assert "evidence.shredded" in tutela("audit", "list", "--subject", f"evidence:{evidence}")
    store = Store.open(f"sqlite:///{home / 'tutela.db'}")
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE audit SET actor = 'nobody' WHERE sequence = 2")
    assert "row 2: the row was changed" in tutela(*verifying, status=1)
    store.close()


@pytest.mark.slow
def test_a_locked_review_key_asks_for_its_passphrase(tmp_path):
    tutela = Shell(tmp_path / "home")
    words = "a long passphrase"
    tutela("evidence", "new-key", str(tmp_path / "k"), "--passphrase", given=f"{words}\n{words}\n")
    data = (tmp_path / "k").read_bytes()
    assert b"AGE-SECRET" not in data
    assert len(ReviewKey(pyrage.passphrase.decrypt(data, words).decode()).recipients) == 1


def test_two_services_and_the_command_line_leave_one_whole_log(service):
    store = Store.open(f"sqlite:///{service.home / 'tutela.db'}")
    blocked(service)
    assert verify_log(AuditLog(store)).faults == ()
    assert Cases(store).queue()
    store.close()


def doctor(tutela: Shell, status: int) -> dict[str, tuple[str, str]]:
    lines = [json.loads(line) for line in tutela("doctor", "--json", status=status).splitlines()]
    return {line["what"]: (line["state"], line["detail"]) for line in lines}


def test_the_doctor_looks_at_evidence_and_at_what_was_given_up(tmp_path):
    home = tmp_path / "home"
    assert doctor(Shell(home), 0)["block without evidence"][0] == "warn"
    two = json.dumps({"recipients": [PUBLIC, new_identity()[1]]})
    good = Shell(home, TUTELA_EVIDENCE=two)
    assert doctor(good, 0)["evidence"] == ("ok", "sealed to 2 public keys, in the home")
    one = doctor(Shell(home, TUTELA_EVIDENCE=json.dumps({"recipients": [PUBLIC]})), 0)
    assert one["evidence"][0] == "warn"
    bad = doctor(Shell(home, TUTELA_EVIDENCE=json.dumps({"recipients": ["age1nothing"]})), 1)
    assert bad["evidence"][0] == "fail"
    home.mkdir(mode=0o700)
    store = Store.create(f"sqlite:///{home / 'tutela.db'}")
    outbox = Outbox(store)
    outbox.enqueue("t", "k", {})
    (taken,) = outbox.take(["t"], lease_s=60, limit=1)
    outbox.fail(taken, "gone", None)
    (home / "kept-by-mistake").write_text(SECRET)
    found = doctor(good, 1)
    assert found["outbox"][0] == "fail"
    assert found["review key"][0] == "fail"
    assert SECRET not in json.dumps(found)
    store.close()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CASES", {"default": {"on_match": ["lock"]}}, "that takes a decision"),
        ("CASES", {"banks": {"b": {"second_opinion": ["escalate"]}}}, "not a final outcome"),
        ("CASES", {"alarm_hours": 3}, "TUTELA_CASES"),
        ("EVIDENCE", {"recipients": ["AGE-SECRET-KEY-1"]}, "age public key"),
        ("EVIDENCE", {"recipients": [PUBLIC], "store": "gopher://x"}, "store"),
        ("MAIL", {"host": "mail.example", "sender": "a@b", "security": "none"}, "use starttls or tls"),
        ("AUDIT__KEY", "/no/such/file", "cannot be read"),
    ],
)
def test_a_setting_that_is_not_safe_is_refused_before_anything_starts(tmp_path, name, value, said):
    text = value if isinstance(value, str) else json.dumps(value)
    tutela = Shell(tmp_path / "home", **{f"TUTELA_{name}": text})
    (tmp_path / "x").write_text("x")
    assert said in tutela("screen", str(tmp_path / "x"), status=2)


def test_policies_are_read_by_bank():
    cases = {
        "banks": {"strict": {"second_opinion": ["confirm"], "on_outcome": {"confirm": ["lock"]}}},
        "retention": {"reported_days": 400},
    }
    policies = load_settings(environment={"TUTELA_CASES": json.dumps(cases)}).cases
    assert policies.needs_second(["known", "strict"], Outcome.CONFIRM)
    assert not policies.needs_second(["known"], Outcome.CONFIRM)
    assert policies.on_outcome(["known", "strict"], Outcome.CONFIRM) == (Effect.LOCK,)
    assert policies.on_match(["strict"]) == (Effect.HIDE,)
    assert policies.retention.reported.days == 400
