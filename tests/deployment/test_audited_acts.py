"""Acts on evidence, keys, checkpoints and packages, and what the public says: each leaves exactly its audit rows."""

import ast
import functools
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

import tutela
from tests.support.held_items import a_held_verdict
from tests.support.talk import START, requests
from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.casework.audit.checkpoints import SigningKey
from tutela.casework.audit.log import AuditLog
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.seal import new_identity
from tutela.cli.commands import app as command_line
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.deployment.settings import load_settings
from tutela.screening.conversations import ConversationOptions

SOURCE = Path(tutela.__file__).parent


class House:
    """A home with one held upload, and its command line."""

    def __init__(self, folder: Path, deployment: Deployment) -> None:
        self.folder, self.deployment = folder, deployment
        self.audit = AuditLog(deployment.store)
        custody = deployment.casework.custody
        assert custody is not None
        item = custody.keep(b"benign", a_held_verdict("one", "one"))
        self.case = item.case_id
        assert item.evidence_id is not None
        self.evidence = item.evidence_id

    def rows_since(self, size: int) -> Counter[str]:
        return Counter(self.audit.row(number).action for number in range(size, self.audit.head().size))

    def run(self, *arguments: object, code: int = 0) -> tuple[str, Counter[str]]:
        """What a command prints, and the rows that it leaves."""
        size = self.audit.head().size
        done = CliRunner().invoke(command_line, ["--home", str(self.folder / "home"), *map(str, arguments)])
        assert done.exit_code == code, (arguments, done.output, done.exception)
        return done.output, self.rows_since(size)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    secret, public = new_identity()
    (tmp_path / "review.key").write_text(secret)
    (tmp_path / "audit.key").write_text(SigningKey.generate("test").text())
    monkeypatch.setenv("TUTELA_DECODERS", "1")
    monkeypatch.setenv("TUTELA_EVIDENCE", json.dumps({"recipients": [public]}))
    monkeypatch.setenv("TUTELA_REPORTS", json.dumps({"organisation": {"name": "Example"}}))
    with load_settings(home=tmp_path / "home").open() as deployment:
        yield House(tmp_path, deployment)


def test_commands_about_evidence(house, tmp_path):
    key, item = tmp_path / "review.key", house.evidence
    opening = ("evidence", "open", item, "--key", key, "--purpose", "p")
    assert house.run(*opening, "--out", tmp_path / "content")[1] == {"evidence.opened": 1}
    assert house.run(*opening, "--what", "context", "--out", tmp_path / "context")[1] == {"evidence.opened": 1}
    exported = house.run("evidence", "export", item, tmp_path / "sealed", "--purpose", "p")[1]
    assert exported == {"evidence.exported": 1}
    placed, rows = house.run("evidence", "hold", item, "--reference", "court 17", "--reason", "r")
    assert rows == {"hold.placed": 1}
    number = re.findall(r"hold (\d+)", placed)[0]
    assert house.run("evidence", "release", number, "--reason", "r")[1] == {"hold.released": 1}
    rotated = house.run("evidence", "rotate", "--key", key, "--to", new_identity()[1])[1]
    assert rotated == {"evidence.rewrapped": 1}
    for looking in (("show", item), ("holds",), ("reconcile",)):
        assert house.run("evidence", *looking)[1] == {}, looking
    destroyed = house.run("evidence", "destroy", item, "--reason", "r")[1]
    assert destroyed == {"evidence.shredded": 1, "evidence.destroyed": 1}


def test_what_reconciling_finds_and_removes(house):
    folder = house.folder / "home" / "evidence"
    known = next(path for path in folder.rglob("*") if path.is_file())
    orphan = known.with_name("ab" * 32 + known.suffix)
    orphan.write_bytes(b"nobody knows it")
    os.utime(orphan, (1, 1))
    removed = house.run("evidence", "reconcile", "--remove-orphans")[1]
    assert removed == {"evidence.orphans-removed": 1}
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.unlink()
    assert house.run("evidence", "reconcile", code=1)[1] == {"evidence.reconciled": 1}


def test_commands_about_keys_and_checkpoints(house, tmp_path):
    text, rows = house.run("key", "create", "site", "--scope", "screen")
    assert rows == {"key.created": 1}
    assert house.run("key", "revoke", text.split("_")[1])[1] == {"key.revoked": 1}
    assert house.run("key", "revoke", text.split("_")[1])[1] == {}, "it was useless already"
    assert house.run("key", "list")[1] == {}
    assert house.run("audit", "checkpoint", "--key", tmp_path / "audit.key")[1] == {"audit.checkpoint": 1}
    assert house.run("audit", "verify")[1] == {}
    invited = house.run("console", "invite", "Ada", "--role", "admin")[1]
    assert invited == {"console.person-added": 1, "console.invited": 1}


def test_a_package_for_an_authority(house, tmp_path):
    decided = ("case", "decide", house.case, "confirm", "--label", "A1", "--reason", "why")
    assert house.run(*decided)[1] == {"case.decision": 1, "case.decided": 1}
    path, key = tmp_path / "package.zip", tmp_path / "review.key"
    packed = house.run("report", "package", house.case, path, "--to", "nca", "--password", "--key", key)[1]
    assert packed == {"evidence.opened": 3, "report.packaged": 1}, "what was said, its hashes, and the file itself"


def test_what_a_flagger_says(house):
    key = Keys(house.deployment.store).create("flagger", [Scope.FLAG], by="test")[1]
    client = TestClient(create_app(house.deployment), headers={"Authorization": f"Bearer {key}"})
    size = house.audit.head().size
    body = {"category": "grooming", "links": ["https://site.example/1"], "text": "words"}
    assert client.post("/v1/intake", json=body).status_code == 201
    assert house.rows_since(size) == {"evidence.sealed": 1, "case.opened": 1, "intake.received": 1}
    refused = client.post("/v1/intake", json=body | {"links": [], "text": ""})
    assert refused.status_code == 400
    assert sum(house.rows_since(size).values()) == 3


def test_what_conversations_leave(tmp_path, monkeypatch):
    monkeypatch.setattr("tutela.screening.conversations.service.received_now_s", lambda: int(START) + 100_000)
    options = ConversationOptions(
        enabled=True,
        content=True,
        legal_basis="Example Act, section 1",
        legal_basis_since="2026-11-30",
        notices=True,
        deterrence=True,
    )
    casework = CaseworkOptions(EvidenceOptions((new_identity()[1],)))
    with compose_deployment(tmp_path / "home", decoders=1, casework=casework, conversations=options) as deployment:
        audit = AuditLog(deployment.store)
        (opened,) = [audit.row(number) for number in range(audit.head().size)]
        assert (opened.action, opened.detail["basis"]) == ("conversations.content", "Example Act, section 1")
        deployment.conversations.observe(requests("adult", 25, accepted=6, moves=6))
        deployment.conversations.drain()
        rows = [audit.row(number) for number in range(1, audit.head().size)]
        raised = [row.subject for row in rows if row.action == "risk.raised"]
        asked = Counter((row.subject, row.detail["effect"]) for row in rows if row.action == "protection.asked")
        assert len(raised) > 0
        assert {effect for _, effect in asked} == {"notice-recipient", "notice-sender"}
        assert set(asked.values()) == {1}
        assert len(asked) == 2 * len(raised)


# --- all of them


def test_every_action_that_the_source_writes_down_is_counted_by_a_test():
    tests = "".join(path.read_text() for path in Path(__file__).parent.parent.rglob("test_*.py"))
    left = {action for action in actions() if f'"{action}"' not in tests}
    assert left == set()


def test_no_row_is_written_beside_its_act():
    """`record` has a transaction of its own: it is for acts that change nothing else, such as looking."""
    found = {(str(path.relative_to(SOURCE)), action) for path, name, action in writings() if name == "record"}
    assert found == {
        ("casework/reports/package.py", "report.packaged"),
        ("console/audit_routes.py", "audit.read"),
        ("console/case_routes.py", "case.viewed"),
        ("deployment/conversations.py", "conversations.content"),
    }


def actions() -> set[str]:
    return {action for _, _, action in writings()}


@functools.cache
def writings() -> Sequence[tuple[Path, str, str]]:
    """Each place that writes a row whose action is a constant."""
    return list(_writings())


def _writings() -> Iterator[tuple[Path, str, str]]:
    for path in SOURCE.rglob("*.py"):
        source = path.read_text()
        if not re.search(r"""["'][a-z-]+\.[a-z-]+["']""", source):
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and (name := _called(node.func)) in ("append", "record"):
                for argument in node.args[1:3]:
                    if isinstance(argument, ast.Constant) and re.fullmatch(r"[a-z-]+\.[a-z-]+", str(argument.value)):
                        yield path, name, str(argument.value)


def _called(function: Any) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
