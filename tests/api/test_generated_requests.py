"""Requests made from the API's own description, right ones and wrong ones: each is answered as described.

The requests come from schemathesis, which knows nothing of Tutela but the OpenAPI document. It is imported when it is
used: that takes a second, which every process that collects tests would spend.
"""

from __future__ import annotations

import collections
import copy
import json
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from starlette.testclient import TestClient

from tests.support.effort import effort
from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.seal import new_identity
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import compose_deployment

if TYPE_CHECKING:
    import schemathesis

EXAMPLES = effort(6, 55)
"""Right and wrong requests of each operation; 55 make more than 5,456 in all."""


class Site:
    """A service in this process with one of each thing that a path may name."""

    def __init__(self, app: FastAPI, client: TestClient) -> None:
        self.app, self.headers = app, dict(client.headers)
        self.answers: collections.Counter[int] = collections.Counter()
        client.post("/v1/banks", json={"name": "known", "policy": {"action": "block"}})
        entries = {"entries": [{"signal": "md5", "value": "d" * 32}]}
        self.names = {
            "name": "known",
            "entry_id": client.post("/v1/banks/known/entries", json=entries).json()["entry_ids"][0],
            "verdict_id": client.post("/v1/screen", content=b"words").json()["id"],
            "job_id": client.post("/v1/screen", content=b"words", headers={"Prefer": "respond-async"}).json()["id"],
        }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    casework = CaseworkOptions(EvidenceOptions((new_identity()[1],)))
    with compose_deployment(tmp_path_factory.mktemp("requests") / "home", decoders=1, casework=casework) as deployment:
        _, secret = Keys(deployment.store).create("admin", [Scope.ADMIN], by="test")
        headers = {"Authorization": f"Bearer {secret}"}
        app = create_app(deployment)
        with TestClient(app, headers=headers) as client:
            yield Site(app, client)


@pytest.mark.slow
def test_every_request_is_answered_as_the_document_says(site: Site) -> None:
    import schemathesis
    from schemathesis.core.result import Ok

    schema, faults = schemathesis.openapi.from_dict(without_keys(site.app.openapi())), []
    schema.app = site.app
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        modes = list(schemathesis.GenerationMode)
        raw = operation.definition.raw
        if "requestBody" not in raw and all(one["in"] == "path" for one in raw.get("parameters", [])):
            modes.remove(schemathesis.GenerationMode.NEGATIVE)  # any text may stand in a path: nothing could be wrong
        for mode in modes:
            faults += asked(site, operation, mode)
    assert not faults
    assert {200, 400, 404, 422} <= site.answers.keys()
    assert site.answers.total() > 100 * EXAMPLES
    print(site.answers.total(), "requests:", dict(sorted(site.answers.items())))


def without_keys(document: dict[str, Any]) -> dict[str, Any]:
    """The description of the API without its keys, so that every request is sent with a right one and is read."""
    found = copy.deepcopy(document)
    del found["components"]["securitySchemes"]
    for operations in found["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return found


def asked(site: Site, operation, mode: schemathesis.GenerationMode) -> list[str]:
    """What was wrong with the answers to requests of a kind."""
    faults, chance = [], random.Random(operation.label)
    documented = operation.definition.raw["responses"]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        for name in case.path_parameters:
            if name in site.names and chance.random() < 0.7:
                case.path_parameters[name] = site.names[name]
        answer = case.call(headers=site.headers)
        site.answers[answer.status_code] += 1
        if fault := wrong(answer, documented):
            faults.append(f"{case.as_curl_command()}: {fault}: {answer.text[:300]}")

    ask()
    return faults


def wrong(answer: schemathesis.Response, documented: dict[str, object]) -> str | None:
    """What is wrong with an answer, if anything is."""
    if str(answer.status_code) not in documented:
        return f"{answer.status_code} is not documented"
    if answer.status_code < 400:
        return None
    if answer.headers["content-type"] != ["application/problem+json"]:
        return f"{answer.status_code} as {answer.headers['content-type']}"
    problem = json.loads(answer.text)
    if problem["status"] != answer.status_code or not problem["title"] or not problem["type"].startswith("/problems/"):
        return "a problem that says something else"
    return None
