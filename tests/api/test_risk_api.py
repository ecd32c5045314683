"""`POST /v1/events` and what follows, over HTTP: durable before it is answered, once; who sends is told no score."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping

import httpx
import pytest

from tests.support.memory import children_of, needs_root, traces
from tests.support.service import Service
from tests.support.waiting import wait_until
from tutela.api.keys import Scope
from tutela.casework.audit.log import AuditLog
from tutela.casework.evidence.seal import new_identity

_, PUBLIC = new_identity()
CODINGS = ("utf-8", "utf-16-le", "utf-32-le")
"""As Python holds texts, by their widest letter."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("risk") / "home"
    home.mkdir(mode=0o700)
    (home / "phrases.toml").write_text('[[phrase]]\ntext = "blue canary"\nstage = "trust"\n')
    service = Service(
        home,
        TUTELA_CONVERSATIONS__ENABLED="true",
        TUTELA_CONVERSATIONS__CONTENT="true",
        TUTELA_CONVERSATIONS__LEGAL_BASIS="a test",
        TUTELA_CONVERSATIONS__LEGAL_BASIS_SINCE="2026-11-30",
        TUTELA_EVIDENCE__RECIPIENTS=json.dumps([PUBLIC]),
        TUTELA_DECODERS="1",
    )
    yield service
    service.stop()


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def lines(*events: Mapping[str, object]) -> bytes:
    return "\n".join(json.dumps(event) for event in events).encode()


def pressure(name: str) -> list[dict[str, object]]:
    """A fast pattern of abstract events, at times that are now."""
    common: dict[str, object] = {
        "from": name,
        "to": f"{name}-other",
        "to_age": "13-15",
        "to_age_known": "declared",
        "from_age": "adult",
    }
    at = "2026-11-30T12:00:00Z"
    return [
        {"id": f"{name}-1", "type": "contact-request", "at": at} | common,
        {"id": f"{name}-2", "type": "media", "at": at, "asked": True} | common,
        {"id": f"{name}-3", "type": "payment", "at": at, "asked": True} | common,
    ]


def test_events_become_a_case_with_reasons_and_the_answer_tells_no_score(service: Service, client: httpx.Client):
    events = pressure("adult")
    answer = client.post("/v1/events", content=lines(*events, *events))
    assert (answer.status_code, answer.json()) == (202, {"taken": 6})
    wait_until(lambda: client.get("/v1/cases", params={"queue": "contact"}).json()["cases"], "a case is open")
    (case,) = client.get("/v1/cases", params={"queue": "contact"}).json()["cases"]
    (alarm,) = client.get(f"/v1/cases/{case['id']}/alarms").json()["alarms"]
    assert alarm["level"] == "urgent"
    assert {reason["code"] for reason in alarm["reasons"]} >= {"demands", "asked-for-pictures-or-calls"}
    risk = client.get("/v1/risk/adult").json()
    assert risk["level"] == "urgent"
    assert any("penalty" in limit for limit in risk["limits"])
    assert client.get("/v1/risk/adult-other").json()["level"] == "none"
    assert client.get("/v1/risk/nobody").status_code == 404
    said = {"lines": [{"id": "m1", "at": "2026-11-30T12:00:00Z", "by_suspect": True, "text": "a blue canary"}]}
    assert client.post(f"/v1/cases/{case['id']}/context", json=said).json() == {"lines": 1}
    assert b"canary" not in (service.home / "log").read_bytes()
    audited = Counter(row.action for row in AuditLog(service.keys.store).rows())
    assert (audited["risk.raised"], audited["context.given"]) == (1, 1)


@pytest.mark.parametrize(
    "event",
    [
        {"id": "x"},
        {"id": "x", "type": "gossip", "at": "2026-11-30T12:00:00Z", "from": "a"},
        {"id": "x", "type": "message", "at": "2026-11-30T12:00:00Z", "from": "a", "to": "a"},
        {"id": "x", "type": "message", "at": "2026-11-30T12:00:00Z", "from": "a\u0007", "to": "b"},
        {"id": "x", "type": "message", "at": "2026-11-30T12:00:00Z", "from": "a", "to": "b", "score": 1},
        {"id": "x", "type": "message", "at": "2026-11-30T12:00:00", "from": "a", "to": "b"},
        {"id": "x", "type": "message", "at": "0001-01-01T00:00:00+14:00", "from": "a", "to": "b"},
        {"id": "x", "type": "message", "at": "9999-12-31T23:59:59-14:00", "from": "a", "to": "b"},
        {"id": "x" * 129, "type": "message", "at": "2026-11-30T12:00:00Z", "from": "a", "to": "b"},
    ],
)
def test_a_wrong_line_is_named_and_nothing_of_the_body_is_taken(client: httpx.Client, event: dict[str, object]):
    secret = {"id": "ok", "type": "message", "at": "2026-11-30T12:00:00Z", "from": "never-taken", "text": "blue canary"}
    answer = client.post("/v1/events", content=lines(secret, event))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"].startswith("line 2")
    assert "canary" not in answer.text
    assert client.get("/v1/risk/never-taken").status_code == 404


def test_a_body_has_limits_and_a_key_its_scope(service: Service, client: httpx.Client):
    assert client.post("/v1/events", content=b"{}\n" * 1_001).status_code == 413
    assert client.post("/v1/events", content=b"\xff\xfe").status_code == 422
    with service.client(service.keys.create("reader", [Scope.RISK], by="test")[1]) as reader:
        assert reader.post("/v1/events", content=b"").status_code == 403
        assert reader.get("/v1/risk/nobody").status_code == 404
    with service.client(service.keys.create("sender", [Scope.SCREEN], by="test")[1]) as sender:
        assert sender.get("/v1/risk/adult").status_code == 403


@needs_root
@pytest.mark.slow
def test_words_of_messages_are_nowhere_once_they_were_scored(service: Service):
    """Neither in files, logs, metrics and the database, nor in memory: not in the service's, not in its workers'."""
    marker = os.urandom(8).hex()
    texts = [
        f"blue canary {marker}-0",
        f"blue canary {marker}-1 " + "and more of it " * 250,
        f"bluе сanary {marker}-2 \U0001f426",  # four bytes a letter in memory
        f"BLUE canary {marker.upper()}",
    ]
    common = {"type": "message", "at": "2026-11-30T12:00:00Z", "to": "b", "from_age": "adult", "to_age": "13-15"}
    with service.client() as client:
        for number, text in enumerate(texts):
            said = lines({"id": f"m{number}", "from": "a", "text": text} | common)
            assert client.post("/v1/events", content=said).status_code == 202
        wrong = lines({"id": "wrong", "from": "a", "text": f"blue canary {marker}-4", "score": 1} | common)
        assert client.post("/v1/events", content=wrong).status_code == 422
        assert client.post("/v1/check", json={"text": f"blue canary {marker}-5", "purpose": "chat"}).is_success
        wait_until(lambda: client.get("/v1/risk/a").json().get("features", {}).get("trust", 0) > 0, "they are scored")
        client.post("/v1/events", content=lines(*pressure("another")))
        wait_until(lambda: client.get("/v1/cases", params={"queue": "contact"}).json()["cases"], "a case is open")
        case = client.get("/v1/cases", params={"queue": "contact"}).json()["cases"][0]
        line = {"id": "m1", "at": common["at"], "by_suspect": True, "text": f"blue canary {marker}-6"}
        assert client.post(f"/v1/cases/{case['id']}/context", json={"lines": [line]}).is_success
        forms = [form.encode(code) for form in (marker, marker.upper()) for code in CODINGS]
        for process in (service.process.pid, *children_of(service.process.pid)):
            wait_until(lambda: traces(process, forms) == [], "nothing of them is in memory")  # noqa: B023
        assert not any(form in client.get("/metrics").content for form in forms)
    for path in service.home.rglob("*"):
        assert not path.is_file() or not any(form in path.read_bytes() for form in forms), path


@pytest.mark.slow
def test_what_is_not_enabled_says_so(tmp_path):
    service = Service(tmp_path / "home")
    with service.client() as client:
        answer = client.post("/v1/events", content=lines(*pressure("a")))
        assert answer.status_code == 400
        assert "enabled" in answer.json()["detail"]
    service.stop()
