"""Lists that networks block by, over HTTP: what grew as no list does is refused until somebody accepts it."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.deployment.composition import Deployment


@pytest.fixture
def client(deployment: Deployment) -> Iterator[TestClient]:
    key = Keys(deployment.store).create("curator", [Scope.CURATE], by="test")[1]
    client = TestClient(create_app(deployment), headers={"Authorization": f"Bearer {key}"})
    bank = {"name": "isp", "policy": {"action": "block"}, "uses": ["dns", "proxy"]}
    assert client.post("/v1/banks", json=bank).status_code == 201
    yield client


def imported(client: TestClient, *lines: str, **more: str):
    where = {"format": "csv", "source": "hotline", **more}
    return client.post("/v1/banks/isp/import", params=where, content="\n".join(("type,value", *lines)) + "\n")


def listed(client: TestClient) -> int:
    return int(client.get("/v1/banks/isp").json()["counts"]["active"])


def test_a_list_that_grew_is_a_problem_until_its_growth_is_accepted(client):
    assert imported(client, *(f"domain,a{number}.example" for number in range(200))).json()["added"] == 200
    grown = [f"domain,b{number}.example" for number in range(150)]
    refused = imported(client, *grown)
    assert (refused.status_code, refused.json()["type"], refused.json()["code"]) == (409, "/problems/conflict", "grown")
    assert refused.headers["content-type"] == "application/problem+json"
    assert listed(client) == 200
    assert imported(client, *grown, accept_growth="maybe").status_code == 422
    assert imported(client, *grown, accept_growth="false").status_code == 409
    accepted = imported(client, *grown, accept_growth="true")
    assert (accepted.status_code, accepted.json()["added"]) == (200, 150)
    assert listed(client) == 350


def test_a_list_that_turned_pages_into_domains_is_a_problem_until_that_is_accepted(client):
    pages = [f"url,host{number}.example/page" for number in range(50)]
    assert imported(client, *pages).json()["added"] == 50
    domains = [f"domain,host{number}.example" for number in range(50)]
    refused = imported(client, *domains)
    assert (refused.status_code, refused.json()["type"], refused.json()["code"]) == (409, "/problems/conflict", "grown")
    assert "domains of which it named pages" in refused.json()["detail"]
    assert listed(client) == 50
    assert imported(client, *domains, accept_growth="true").json()["added"] == 50
