"""`tutela report`, `tutela notice` and `tutela transparency` as somebody at a terminal has them."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.containers import unpacked
from tests.support.incidents import US
from tests.support.pictures import draw_scene, file_of
from tests.support.standins.cybertipline import SCHEMA_FILE, CyberTiplineStandIn
from tests.support.waiting import wait_until
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.evidence.seal import new_identity
from tutela.cli.commands import app
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import compose_deployment
from tutela.errors import ConflictError, InputError, TutelaError
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.screening.verdict import Context

PRIVATE, PUBLIC = new_identity()
PICTURE = file_of(draw_scene(1, (320, 240)), "PNG")


@pytest.fixture
def ncmec(cybertipline: tuple[CyberTiplineStandIn, str]) -> CyberTiplineStandIn:
    cybertipline[0].reset()
    return cybertipline[0]


@dataclass(frozen=True)
class Desk:
    """A home with one decided case, the review key beside it, and the settings of both."""

    home: Path
    key: Path
    case: str
    environment: dict[str, str]

    def run(self, *arguments: str | Path, code: int = 0, **changes: str) -> str:
        result = CliRunner().invoke(app, list(map(str, arguments)), env=self.environment | changes)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output


@pytest.fixture
def desk(tmp_path: Path, ncmec: CyberTiplineStandIn, cybertipline: tuple[object, str]) -> Desk:
    return made_desk(tmp_path, cybertipline[1])


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, cybertipline: tuple[object, str]) -> Desk:
    """A desk that a test only asks."""
    return made_desk(tmp_path_factory.mktemp("untouched"), cybertipline[1])


def made_desk(tmp_path: Path, address: str) -> Desk:
    home, key = tmp_path / "home", tmp_path / "review.key"
    key.write_text(PRIVATE)
    with compose_deployment(home, decoders=1, casework=CaseworkOptions(EvidenceOptions((PUBLIC,)))) as deployment:
        deployment.banks.create("known", label="A1", policy=Policy(Action.BLOCK), actor="me")
        deployment.banks.add("known", [NewEntry("md5", hashlib.md5(PICTURE).digest())], actor="me")
        deployment.refresh()
        verdict = deployment.screener.screen(PICTURE, Context("item-1", {"uploader": "user-77"}))
        item = deployment.casework.cases.of_verdict(verdict.id)
        assert item is not None
        deployment.casework.cases.decide(item.case_id, Outcome.CONFIRM, by="reviewer:1", reason="seen", label="A1")
    reports = {
        "organisation": {"name": US.name, "contact_email": US.contact_email},
        "user": "esp",
        "password": "secret",
        "address": address,
        "xsd": str(SCHEMA_FILE),
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUTELA_")} | {
        "TUTELA_HOME": str(home),
        "TUTELA_EVIDENCE": json.dumps({"recipients": [PUBLIC]}),
        "TUTELA_REPORTS": json.dumps(reports),
        "COLUMNS": "300",
    }
    return Desk(home, key, item.case_id, environment)


def test_a_report_is_looked_at_filed_and_sent(desk, ncmec):
    shown = desk.run("report", "preview", desk.case, "--key", desk.key)
    assert "<espIdentifier>user-77</espIdentifier>" in shown
    assert "is ready" in desk.run("report", "file", desk.case, "--key", desk.key)
    assert ncmec.calls == []
    desk.run("report", "run", "--once", "--key", desk.key)
    (report,) = ncmec.finished()
    (listed,) = [json.loads(line) for line in desk.run("report", "list", "--json").splitlines()]
    assert (listed["state"], listed["number"], listed["case_id"]) == ("finished", report.number, desk.case)
    assert "user-77" not in desk.run("report", "show", listed["id"])
    steps = json.loads(desk.run("report", "show", listed["id"], "--json"))["steps"]
    assert [step[2] for step in steps][-1] == "finished"
    desk.run("report", "alarms")
    with pytest.raises(ConflictError):
        desk.run("report", "retract", listed["id"], "--reason", "too late")


def test_a_changed_draft_is_filed_as_it_was_changed(desk, ncmec, tmp_path):
    draft = json.loads(desk.run("report", "preview", desk.case, "--key", desk.key, "--json"))
    draft["report"]["incident_summary"]["escalate_to_high_priority"] = "a child is named"
    (tmp_path / "draft.json").write_text(json.dumps(draft))
    desk.run("report", "file", desk.case, "--draft", tmp_path / "draft.json")
    desk.run("report", "run", "--once", "--key", desk.key)
    assert ncmec.finished()[0].text("incidentSummary/escalateToHighPriority") == "a child is named"


def test_a_report_that_needs_a_person_is_an_exit_code(desk, ncmec):
    desk.run("report", "file", desk.case, "--key", desk.key)
    ncmec.failures = [("submit", 4100)]
    desk.run("report", "run", "--once", "--key", desk.key, code=1)
    assert "4100" in desk.run("report", "alarms", code=1)
    filing = json.loads(desk.run("report", "list", "--state", "attention", "--json"))
    desk.run("report", "resume", filing["id"])
    desk.run("report", "run", "--once", "--key", desk.key)
    assert len(ncmec.finished()) == 1


def test_the_worker_sends_what_is_filed_while_it_runs(desk, ncmec):
    command = [Path(sys.executable).with_name("tutela"), "report", "run", "--key", desk.key]
    worker = subprocess.Popen(command, env=desk.environment)
    try:
        desk.run("report", "file", desk.case, "--key", desk.key)

        def is_finished() -> bool:
            assert worker.poll() is None
            return '"finished"' in desk.run("report", "list", "--json")

        wait_until(is_finished, "the report is finished")
    finally:
        worker.kill()
        worker.wait()
    assert len(ncmec.finished()) == 1


def test_a_draft_that_the_schema_refuses_is_not_filed(desk, ncmec, tmp_path):
    draft = json.loads(desk.run("report", "preview", desk.case, "--key", desk.key, "--json"))
    draft["report"]["additional_info"] = " "
    (tmp_path / "draft.json").write_text(json.dumps(draft))
    with pytest.raises(InputError, match="blank"):
        desk.run("report", "file", desk.case, "--draft", tmp_path / "draft.json")
    assert desk.run("report", "list", "--json") == ""


def test_a_report_is_retracted_with_its_reason(desk, ncmec):
    desk.run("report", "file", desk.case, "--key", desk.key)
    filing = json.loads(desk.run("report", "list", "--json"))
    assert "retracting" in desk.run("report", "retract", filing["id"], "--reason", "wrong")
    desk.run("report", "run", "--once", "--key", desk.key)
    assert ncmec.calls == []


def test_credentials_and_schema_are_checked(desk, ncmec):
    assert "the schema is theirs" in desk.run("report", "check")
    ncmec.accounts.clear()
    with pytest.raises(TutelaError, match="2000"):
        desk.run("report", "check")


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        (["report", "preview", "CASE"], {}, "review key"),
        (["report", "preview", "nothing", "--key", "KEY"], {}, "no case"),
        (["report", "preview", "CASE", "--key", "KEY"], {"TUTELA_REPORTS": "{}"}, "who reports"),
        (["report", "preview", "CASE", "--key", "KEY"], {"TUTELA_EVIDENCE": ""}, "[evidence]"),
        (["report", "run", "--once", "--key", "KEY"], {"TUTELA_REPORTS": "{}"}, "credentials"),
        (["report", "preview", "CASE", "--key", "/nowhere"], {}, "cannot be read"),
        (["report", "list", "--state", "lost"], {}, "no state"),
        (["report", "show", "nothing"], {}, "no report"),
        (["transparency", "--since", "x", "--until", "y"], {}, "no time"),
        (["transparency", "--since", "2026-01-02", "--until", "2026-01-01"], {}, "period"),
        (["transparency", "--since", "2026-01-01", "--until", "2026-02-01", "--form", "pdf"], {}, "form"),
        (["notice", "show", "nothing"], {}, "no notice"),
        (["notice", "list", "--state", "lost"], {}, "state"),
        (["notice", "answer", "x", "--outcome", "gone"], {}, "no outcome"),
    ],
)
def test_what_is_missing_is_said(untouched, arguments, changes, message):
    given = [{"CASE": untouched.case, "KEY": str(untouched.key)}.get(one, one) for one in arguments]
    kept = {name: value for name, value in untouched.environment.items() if name not in changes}
    settings = {name: value for name, value in changes.items() if value}
    with pytest.raises(InputError, match=message):
        replace(untouched, environment=kept).run(*given, **settings)


def test_a_review_key_inside_the_home_is_refused(desk):
    (desk.home / "review.key").write_text(PRIVATE)
    with pytest.raises(InputError, match="lies in the home"):
        desk.run("report", "preview", desk.case, "--key", desk.home / "review.key")


def test_a_package_is_written_for_an_authority(desk, tmp_path):
    path = tmp_path / "nca.zip"
    said = desk.run("report", "package", desk.case, path, "--to", "nca", "--password", "--key", desk.key)
    password = said.rsplit("password ", 1)[1].strip()
    found = unpacked(path.read_bytes(), password)
    assert PICTURE in found.values()
    assert json.loads(found["referral.json"])["account"] == {"uploader": "user-77"}
    assert hashlib.sha256(path.read_bytes()).hexdigest() in said
    figures = desk.run("transparency", "--since", "2020-01-01", "--until", "2100-01-01")
    assert "reports,packaged,,1" in figures
    assert "decisions,items decided,confirm,1" in figures


def test_a_notice_goes_its_way(desk):
    made = desk.run(
        "notice", "add", "--authority", "Authority", "--reference", "R-1", "--within", "24h",
        "--target", "url=https://example.test/1", "--target", f"sha256={hashlib.sha256(PICTURE).hexdigest()}",
    )  # fmt: skip
    notice = json.loads(desk.run("notice", "list", "--json"))
    assert notice["id"] in made
    assert f"case {desk.case}" in desk.run("notice", "show", notice["id"])
    assert "is open" in desk.run("notice", "answer", notice["id"], "--outcome", "0=removed")
    assert "is answered" in desk.run("notice", "answer", notice["id"], "--outcome", "1=not-found")
    assert json.loads(desk.run("notice", "show", notice["id"], "--json"))["state"] == "answered"
    assert "answered" in desk.run("notice", "list")
    with pytest.raises(ConflictError):
        desk.run("notice", "withdraw", notice["id"], "--reason", "x")


def test_figures_are_written_to_a_file(desk, tmp_path):
    path = tmp_path / "figures.html"
    desk.run("transparency", "--since", "2020-01-01", "--until", "2100-01-01", "--form", "html", "--output", path)
    assert "<svg" in path.read_text()
