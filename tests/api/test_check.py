"""`POST /v1/check` over HTTP, and `tutela check`: links and words before they are posted, sent or answered."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.support.preloaded import Ended, run_tutela
from tests.support.service import Service
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a bank that blocks a page and a domain."""
    service = Service(tmp_path_factory.mktemp("check") / "home")
    with service.client() as client:
        assert client.post("/v1/banks", json={"name": "links", "policy": {"action": "block"}}).status_code == 201
        entries = [
            {"signal": "url", "value": "https://example.org/listed"},
            {"signal": "domain", "value": "bad.example"},
        ]
        assert client.post("/v1/banks/links/entries", json={"entries": entries}).status_code == 201

        def listed() -> bool:
            asked = {"urls": ["https://example.org/listed"], "text": "bad.example"}
            return len(client.post("/v1/check", json=asked).json()["verdict"]["matches"]) == 2

        wait_until(listed, "both entries are matched")
    yield service
    service.stop()


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def test_a_check_answers_a_verdict(client):
    answer = client.post("/v1/check", json={"text": "see example[.]org/listed", "context": {"item": "post-1"}}).json()
    assert answer["answer"] == "block"
    assert answer["deterrence"] is None
    assert {match["signal"] for match in answer["verdict"]["matches"]} == {"url"}
    assert all(match["sentence"].endswith(", by url") for match in answer["verdict"]["matches"])
    assert client.post("/v1/check", json={"urls": ["https://example.org/other"]}).json()["answer"] == "allow"


def test_a_search_is_answered_with_help_in_the_searchers_language_and_country(client):
    asked = {"text": "bad.example", "purpose": "search", "country": "DE"}
    answer = client.post("/v1/check", json=asked, headers={"Accept-Language": "de-DE,en;q=0.5"}).json()
    assert answer["answer"] == "deter"
    assert answer["deterrence"]["language"] == "de"
    assert answer["deterrence"]["help"][0]["name"] == "Kein Täter werden"
    written_down = client.get(f"/v1/verdicts/{answer['verdict']['id']}")
    assert written_down.status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"text": "x", "purpose": "gossip"}, 422),
        ({"urls": ["a"] * 1_001}, 422),
        ({"text": "x", "country": "Germany"}, 422),
        ({"text": "x", "more": 1}, 422),
    ],
)
def test_a_wrong_question_is_an_answer(client, body, status):
    answer = client.post("/v1/check", json=body)
    assert answer.status_code in (status, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_command_line_says_the_same(service: Service):
    def check(*arguments: str, given: str | None = None) -> Ended:
        return run_tutela(["--home", str(service.home), "check", *arguments], given=given, cwd=service.home)

    hit = check("--text", "-", "--json", given="hxxps://example(.)org/listed")
    assert hit.returncode == 1, hit.stderr
    assert json.loads(hit.stdout)["decision"] == "block"
    assert check("https://example.org/other").returncode == 0
    assert check().returncode == 2
    assert check("--purpose", "gossip", "x.example").returncode == 2
