"""What a key may do: every operation is asked with a key of each scope, and with none."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.deployment.composition import Deployment, compose_deployment

NEEDS = {
    Scope.SCREEN: """
        POST /v1/screen, POST /v1/screen/hashes, POST /v1/lookup, POST /v1/check, GET /v1/jobs/{job_id},
        GET /v1/signals, GET /v1/labels, POST /v1/events, POST /v1/cases/{case_id}/context,
        POST /v1/streams/signals, POST /v1/streams/{stream_id}/signals
    """,
    Scope.CURATE: """
        GET /v1/verdicts/{verdict_id}, GET /v1/banks, POST /v1/banks, GET /v1/banks/{name}, PATCH /v1/banks/{name},
        GET /v1/banks/{name}/history, GET /v1/banks/{name}/entries, POST /v1/banks/{name}/entries,
        GET /v1/entries/{entry_id}, PATCH /v1/entries/{entry_id}, GET /v1/entries/{entry_id}/history,
        POST /v1/banks/{name}/import, GET /v1/banks/{name}/export
    """,
    Scope.REVIEW: """
        GET /v1/cases, GET /v1/cases/{case_id}, POST /v1/cases/{case_id}/claim, DELETE /v1/cases/{case_id}/claim,
        POST /v1/cases/{case_id}/decision, GET /v1/cases/{case_id}/similar, POST /v1/cases/{case_id}/similar/decision,
        GET /v1/cases/{case_id}/alarms, GET /v1/appeals, GET /v1/appeals/{appeal_id},
        POST /v1/appeals/{appeal_id}/suspension, GET /v1/streams, GET /v1/streams/{stream_id},
        POST /v1/streams/{stream_id}/cut, POST /v1/streams/{stream_id}/release
    """,
    Scope.LEAD: "POST /v1/cases/{case_id}/ruling, POST /v1/cases/{case_id}/reopening",
    Scope.RISK: "GET /v1/risk/{account}",
    Scope.REPORT: """
        GET /v1/reports, GET /v1/reports/alarms, GET /v1/reports/unreported, GET /v1/reports/{report_id},
        GET /v1/reports/{report_id}/history, POST /v1/reports/{report_id}/resume, POST /v1/reports/{report_id}/retract,
        POST /v1/reports/{report_id}/refile, POST /v1/reports/{report_id}/confirm, POST /v1/notices, GET /v1/notices,
        GET /v1/notices/{notice_id}, GET /v1/notices/{notice_id}/matches, POST /v1/notices/{notice_id}/answer,
        POST /v1/notices/{notice_id}/withdraw, GET /v1/transparency
    """,
    Scope.FLAG: "POST /v1/intake",
    Scope.FOLLOW: "GET /v1/feeds/{name}/records, POST /v1/feeds/{name}/feedback, POST /v1/feeds/{name}/share",
    Scope.ADMIN: """
        GET /v1/exchanges, POST /v1/exchanges, GET /v1/exchanges/{name}, PATCH /v1/exchanges/{name},
        DELETE /v1/exchanges/{name}, POST /v1/exchanges/{name}/test, POST /v1/exchanges/{name}/pull,
        POST /v1/exchanges/{name}/push, POST /v1/exchanges/{name}/lookup, GET /v1/feeds, POST /v1/feeds,
        PUT /v1/feeds/{name}/members/{key_id}, DELETE /v1/feeds/{name}/members/{key_id}, GET /v1/feeds/{name}/returns
    """,
}
"""What each scope opens; `admin` opens everything. Written by hand: a route that needs another must say so here."""

OPERATIONS = {each.strip(): scope for scope, operations in NEEDS.items() for each in operations.split(",")}
OPEN = {"GET /healthz", "GET /readyz", "GET /metrics"}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with compose_deployment(tmp_path_factory.mktemp("scopes") / "home", decoders=1) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def client(deployment: Deployment) -> Iterator[TestClient]:
    with TestClient(create_app(deployment), raise_server_exceptions=False) as client:
        yield client


def described(client: TestClient) -> dict[str, list[str] | None]:
    """Every operation of the OpenAPI document, and the scopes that it says; None for those that need no key."""
    return {
        f"{method.upper()} {path}": operation["security"][0]["key"] if "security" in operation else None
        for path, operations in client.get("/openapi.json").json()["paths"].items()
        for method, operation in operations.items()
    }


def test_the_document_says_which_scope_each_operation_needs(client: TestClient) -> None:
    needed = {operation: [scope.value] for operation, scope in OPERATIONS.items()}
    assert described(client) == needed | dict.fromkeys(OPEN)


@pytest.mark.parametrize("scope", list(Scope))
def test_a_key_opens_what_its_scope_opens_and_nothing_else(
    deployment: Deployment, client: TestClient, scope: Scope
) -> None:
    _, secret = Keys(deployment.store).create(f"only-{scope.value}", [scope], by="test")
    for operation, needed in OPERATIONS.items():
        answer = ask(client, operation, f"Bearer {secret}")
        assert answer.status_code < 500 or answer.json()["type"].endswith("not-ready"), (operation, answer.text)
        refused = answer.status_code == 403 and answer.json()["type"].endswith("scope-missing")
        assert refused == (scope not in (needed, Scope.ADMIN)), (operation, answer.status_code, answer.text)


@pytest.mark.parametrize("header", [None, "", "Bearer ", "Basic Zm9yOmJhcg=="])
def test_without_a_key_nothing_is_opened(client: TestClient, header: str | None) -> None:
    for operation in OPERATIONS:
        answer = ask(client, operation, header)
        assert (answer.status_code, answer.headers.get("www-authenticate")) == (401, 'Bearer realm="tutela"'), operation


def ask(client: TestClient, operation: str, authorization: str | None) -> Any:
    """The answer to an operation with something in the places of its address."""
    method, path = operation.split()
    headers = {} if authorization is None else {"Authorization": authorization}
    return client.request(method, re.sub(r"\{\w+\}", "0" * 32, path), json={}, headers=headers)
