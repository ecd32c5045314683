"""`tutela risk`: what an account's level rests on, what a policy would have raised, budgets, approval, forgetting."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.talk import requests
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.seal import new_identity
from tutela.cli.commands import app
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import compose_deployment
from tutela.errors import InputError, NotFoundError
from tutela.screening.conversations import ConversationOptions, Event

_, PUBLIC = new_identity()
OWN = """author = "kim"

[[rule]]
name = "few"
when = "minors_day >= 2"
level = "review"
reason = "minors-contacted"
state = "live"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUTELA_CONVERSATIONS__ENABLED", "true")
    monkeypatch.setenv("TUTELA_EVIDENCE__RECIPIENTS", json.dumps([PUBLIC]))
    monkeypatch.setenv("TUTELA_DECODERS", "1")
    home = tmp_path / "home"
    judge(home, requests("adult", 25, accepted=6, at=_now() - 20_000, moves=6))
    return home


def judge(home: Path, events: list[Event]) -> None:
    casework = CaseworkOptions(evidence=EvidenceOptions(recipients=(PUBLIC,)))
    on = ConversationOptions(enabled=True)
    with compose_deployment(home, decoders=1, casework=casework, conversations=on) as deployment:
        deployment.conversations.observe(events)
        deployment.conversations.drain()


def _now() -> float:
    import time

    return time.time()


def risk(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--home", str(home), "risk", *arguments])


def test_an_account_is_explained_and_forgotten(home: Path):
    said = json.loads(risk(home, "explain", "adult", "--json").output)
    assert said["level"] == "review"
    assert {reason["code"] for reason in said["reasons"]} >= {"minors-contacted", "moved-elsewhere"}
    shown = risk(home, "explain", "adult").output
    assert "minors-contacted" in shown
    assert "never a ground for a penalty" in shown
    assert "89 of 100 are wrong" in shown
    assert "records of the ledger" in risk(home, "forget", "adult").output
    assert isinstance(risk(home, "explain", "adult").exception, NotFoundError)


def test_a_policy_is_replayed_and_its_rules_wait_for_another_person(
    home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    own = tmp_path / "next.toml"
    own.write_text(OWN)
    assert "few" in risk(home, "replay", "--policy", str(own)).output
    groups = tmp_path / "accounts.csv"
    groups.write_text("account,language,region\nadult,de,north\nadult-to-1,fr,north\n")
    said = risk(home, "replay", "--groups", str(groups)).output
    assert re.search(r"language.*alarmed.*\n(.*\n)*.*de.*1 of 1", said)
    assert re.search(r"north.*1 of 2", said)
    assert isinstance(risk(home, "replay", "--groups", str(tmp_path / "none.csv")).exception, InputError)
    (home / "risk.toml").write_text(OWN)
    assert "few" in risk(home, "shadow").output
    refused = risk(home, "approve", "--by", "kim").exception
    assert isinstance(refused, InputError)
    assert "somebody else approves it" in str(refused)
    assert "waits for an approval" not in caplog.text
    judge(home, [])
    assert "waits for an approval" in caplog.text
    caplog.clear()
    assert "approved by ada" in risk(home, "approve", "--by", "ada").output
    judge(home, [])
    assert caplog.text == ""
    assert "no rule is in shadow" in risk(home, "shadow").output


def test_what_there_is_nothing_of_yet_is_said(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fresh = tmp_path / "fresh"
    assert "send events first" in risk(fresh, "replay").output
    assert "no events yet; in shadow: wording" in risk(fresh, "shadow").output
    assert "0 records" in risk(fresh, "forget", "nobody").output
    for arguments, why in {
        ("approve", "--by", "ada"): "need no approval",
        ("edge", str(tmp_path / "model")): "no model yet",
        ("train", str(tmp_path / "none.txt"), "--key", "key"): "No such file",
        ("train", "--back"): "no model before",
        ("consume",): "[conversations.source]",
        ("calibrate", "--budget", "1000"): "0 accounts are too few",
    }.items():
        refused = risk(fresh, *arguments).exception
        assert isinstance(refused, InputError), arguments
        assert why in str(refused)


def test_a_budget_that_so_few_accounts_cannot_support_is_refused(home: Path):
    refused = risk(home, "calibrate", "--budget", "1000", "--feature", "contact").exception
    assert isinstance(refused, InputError)
    assert "999" in str(refused)
    assert "of 100 such alarms are wrong" in risk(home, "calibrate", "--budget", "200000").output
