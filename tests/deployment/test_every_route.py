"""What holds of every route and command: no unknown parameter is passed over, and the beginning of an id is enough."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from tests.support.held_items import a_held_verdict
from tests.support.waiting import wait_until
from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.casework.cases.model import NewItem, Queue, outcomes_of
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.evidence.seal import new_identity
from tutela.cli.commands import app as command_line
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.errors import ConflictError

PUBLIC = new_identity()[1]
NOTICE = {
    "authority": "Authority",
    "reference": "R-1",
    "within": "24h",
    "targets": [{"kind": "url", "value": "https://example.test/p/1"}],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("routes") / "home"


@pytest.fixture(scope="module")
def deployment(home: Path) -> Iterator[Deployment]:
    casework = CaseworkOptions(EvidenceOptions((PUBLIC,)))
    with compose_deployment(home, decoders=1, casework=casework) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def client(deployment: Deployment) -> Iterator[TestClient]:
    _, secret = Keys(deployment.store).create("admin", list(Scope), by="test")
    headers = {"Authorization": f"Bearer {secret}"}
    with TestClient(create_app(deployment), headers=headers, raise_server_exceptions=False) as client:
        yield client


def routes(client: TestClient) -> Iterator[tuple[str, str, dict]]:
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_an_unknown_parameter_is_refused_by_every_route(client: TestClient) -> None:
    asked = list(routes(client))
    for method, path, _ in asked:
        answer = client.request(method, re.sub(r"\{\w+\}", "1", path), params={"surely_unknown": "1"}, json={})
        assert answer.status_code == 422, f"{method} {path}: {answer.status_code} {answer.text}"
        assert answer.json()["errors"][0]["at"] == "query/surely_unknown", f"{method} {path}: {answer.text}"
    assert len(asked) > 60


# --- ids by their beginning


def made(deployment: Deployment, client: TestClient) -> dict[str, str]:
    """An id of each kind, by the name that it has in the addresses of routes."""
    custody = deployment.casework.custody
    assert custody is not None
    verdict = a_held_verdict("upload-1", "account-1")
    item = custody.keep(b"benign", verdict)
    job = client.post("/v1/screen", content=b"words", headers={"Prefer": "respond-async"}).json()
    wait_until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] == "done", "the job is done")
    notice = client.post("/v1/notices", json=NOTICE)
    assert notice.status_code < 300, notice.text
    key, _ = Keys(deployment.store).create("member", [Scope.FOLLOW], by="test")
    return {
        "verdict_id": verdict.id,
        "case_id": item.case_id,
        "job_id": job["id"],
        "notice_id": notice.json()["id"],
        "key_id": key.id,
    }


ELSEWHERE = {
    "report_id": "tests/casework/test_filing.py makes reports",
    "appeal_id": "tests/casework/test_appeals.py makes appeals",
    "stream_id": "tests/screening/test_streams.py makes streams",
    "entry_id": "a number",
}
"""Ids of addresses that are made elsewhere."""


def test_the_beginning_of_an_id_is_taken_by_every_route_that_reads(deployment: Deployment, client: TestClient) -> None:
    ids = made(deployment, client)
    found = {name for _, path, _ in routes(client) for name in re.findall(r"\{(\w+_id)\}", path)}
    assert found == set(ids) | set(ELSEWHERE)
    tried = 0
    for method, path, operation in routes(client):
        names = re.findall(r"\{(\w+)\}", path)
        needed = any(one["in"] == "query" and one.get("required") for one in operation.get("parameters", []))
        if method != "get" or needed or len(names) != 1 or names[0] not in ids:
            continue
        whole = client.get(path.format(**ids))
        short = client.get(path.format(**{names[0]: ids[names[0]][:8]}))
        assert (whole.status_code, short.status_code) == (200, 200), f"{path}: {whole.text} {short.text}"
        assert short.json() == whole.json(), path
        tried += 1
    assert tried >= 6


def test_the_command_line_takes_the_beginning_of_an_id(deployment: Deployment, client: TestClient, home: Path) -> None:
    ids = made(deployment, client)
    evidence = deployment.casework.cases.get(ids["case_id"]).items[-1].evidence_id
    commands = {
        ("case", "show"): ids["case_id"],
        ("notice", "show"): ids["notice_id"],
        ("evidence", "show"): evidence,
        ("key", "revoke"): ids["key_id"],
    }
    for command, whole in commands.items():
        answer = CliRunner().invoke(command_line, ["--home", str(home), *command, whole[:8]])
        assert (answer.exit_code, answer.exception) == (0, None), f"{command}: {answer.output} {answer.exception!r}"
    answer = CliRunner().invoke(command_line, ["--home", str(home), "job", "retry", ids["job_id"][:8]])
    assert str(answer.exception) == f"job {ids['job_id']} has not failed"


# --- outcomes


@pytest.mark.parametrize("queue", Queue)
@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_is_taken_only_of_cases_that_it_is_for(
    deployment: Deployment, queue: Queue, outcome: Outcome
) -> None:
    cases, vault = deployment.casework.cases, deployment.casework.vault
    assert vault is not None
    sealed = vault.seal(b"benign", b"{}")
    with deployment.store.write() as connection:
        evidence_id = vault.record(connection, sealed, content_sha256=None, actor="test")
        new = NewItem(evidence_id, queue, a_held_verdict("i", "u").at, uploader=f"{queue}-{outcome}")
        case_id = cases.add(connection, new, actor="test").case_id
    label = "A1" if outcome is Outcome.CONFIRM else None
    if outcome in outcomes_of(queue):
        cases.decide(case_id, outcome, by="reviewer", reason="seen", label=label)
        return
    with pytest.raises(ConflictError, match=f"{outcome} is not for cases of queue {queue}; choose"):
        cases.decide(case_id, outcome, by="reviewer", reason="seen", label=label)
    assert cases.get(case_id).decisions == ()
