"""A home that an earlier version made is brought up to this one, and goes on where it was."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, inspect, select

from tutela.api.keys import Keys, Scope
from tutela.casework.audit.verification import Verification, verify_log
from tutela.casework.cases.model import CaseState
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.evidence.seal import ReviewKey
from tutela.casework.reports.model import FilingState
from tutela.deployment.casework import CaseworkOptions, opened_casework
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.errors import StoreError
from tutela.foundation.store.database import Store
from tutela.foundation.store.revisions import head_revision
from tutela.foundation.store.tables import metadata
from tutela.screening.jobs.service import JobState

HOMES = Path(__file__).parents[1] / "homes"


@pytest.fixture(scope="module")
def facts() -> Mapping[str, Any]:
    """What was in the home when it was made."""
    found: Mapping[str, Any] = json.loads((HOMES / "revision-0011" / "facts.json").read_text())
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the home, not migrated yet."""
    home = tmp_path_factory.mktemp("earlier") / "home"
    shutil.copytree(HOMES / "revision-0011", home)
    with sqlite3.connect(home / "tutela.db") as database:
        database.executescript((home / "tutela.sql").read_text())
    for name in ("tutela.sql", "facts.json"):
        (home / name).unlink()
    with pytest.raises(StoreError, match="run `tutela store migrate`"):
        Store.open(f"sqlite:///{home / 'tutela.db'}")
    return home


@dataclass(frozen=True)
class Opened:
    """The home, opened by this version, and what was in it then."""

    deployment: Deployment
    revision: str
    tables: set[str]
    rows: Mapping[str, int]
    audit: Verification


@pytest.fixture(scope="module")
def opened(home: Path, facts: Mapping[str, Any]) -> Iterator[Opened]:
    options = CaseworkOptions(EvidenceOptions((facts["public"],)))
    with compose_deployment(home, decoders=1, casework=options) as deployment:
        with deployment.store.read() as connection:
            revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
            tables = set(inspect(connection).get_table_names())
            rows = {
                name: connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
                for name in facts["rows"]
            }
        yield Opened(deployment, revision, tables, rows, verify_log(deployment.casework.audit))


@pytest.fixture
def deployment(opened: Opened) -> Deployment:
    return opened.deployment


def test_every_row_is_still_there(opened, facts):
    assert opened.revision == head_revision()
    assert opened.tables - {"alembic_version"} == set(metadata.tables)
    marks = {"meta"}  # opening writes marks of its own there
    assert {name: rows for name, rows in opened.rows.items() if name not in marks} == {
        name: rows for name, rows in facts["rows"].items() if name not in marks
    }
    assert opened.rows["meta"] >= facts["rows"]["meta"]


def test_the_audit_log_is_whole_and_its_checkpoint_holds(opened):
    assert opened.audit.faults == ()
    assert opened.audit.rows == 20


def test_sealed_evidence_and_reports_open_with_the_review_key(home, deployment, facts):
    options = deployment.casework.options
    with opened_casework(home, None, options, ReviewKey(facts["review_key"])) as casework:
        (item,) = casework.cases.get(facts["confirmed"]).items
        evidence = casework.evidence("test", "test")
        assert hashlib.sha256(evidence.read(item.evidence_id)).hexdigest() == facts["known_sha256"]
        assert evidence.context(item.evidence_id).details["uploader"] == "user-1"
        assert [file.evidence for file in casework.ledger.draft(facts["report"]).files] == [item.evidence_id]
        assert casework.ledger.get(facts["report"]).state is FilingState.READY
        assert casework.ledger.unreported_cases() == []


def test_what_was_listed_is_matched(deployment, facts):
    found = deployment.banks.find("sha256", bytes.fromhex(facts["known_sha256"]))
    assert [entry.bank for entry in found if entry.bank == "known"] == ["known"]


def test_what_waited_to_be_screened_is_screened(deployment, facts):
    assert deployment.jobs.get(facts["job"]).state is JobState.PENDING
    assert deployment.job_runner.run_due() == 1
    job = deployment.jobs.get(facts["job"])
    assert job.state is JobState.DONE
    assert job.verdict is not None
    assert job.verdict["sha256"] == facts["known_sha256"]


def test_people_go_on_deciding(deployment, facts):
    cases = deployment.casework.cases
    states = [cases.get(facts[name]).state for name in ("confirmed", "rejected", "held")]
    assert states == [CaseState.DECIDED, CaseState.DECIDED, CaseState.OPEN]
    assert cases.decide(facts["held"], Outcome.AGAINST_RULES, by="r", reason="why").state is CaseState.DECIDED
    assert cases.reopen(facts["rejected"], by="lead", reason="a complaint").state is CaseState.OPEN


def test_who_had_a_key_gets_in(deployment, facts):
    key = Keys(deployment.store).verify(facts["api_key"])
    assert key is not None
    assert key.may(Scope.REVIEW)
    assert not key.may(Scope.CURATE)
