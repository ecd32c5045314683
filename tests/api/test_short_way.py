"""The short way of uploads: it answers as the long one does, and passes by no layer that somebody else added."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.pictures import file_of, photos
from tutela.api.app import create_app, shortened
from tutela.api.options import ApiOptions
from tutela.deployment.composition import Deployment, compose_deployment

PICTURE = file_of(photos()[0].resize((200, 200)), "JPEG")


class CountingLayer:
    """ASGI middleware of an embedding application."""

    calls = 0

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        CountingLayer.calls += scope["type"] == "http"
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    with compose_deployment(tmp_path_factory.mktemp("shortcut") / "home", decoders=1) as deployment:
        yield deployment


def application(deployment: Deployment, **options):
    return create_app(deployment, ApiOptions(**options))


def test_both_ways_give_the_same_answers(deployment):
    short, long = shortened(application(deployment)), application(deployment)
    short_open = shortened(application(deployment, auth_required=False))
    long_open = application(deployment, auth_required=False)
    requests: list[tuple[str, dict[str, Any]]] = [
        ("POST", {"content": PICTURE}),
        ("POST", {"content": b""}),
        ("POST", {"content": PICTURE, "headers": {"Tutela-Context": "no JSON"}}),
        ("POST", {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=y"}}),
        ("GET", {}),
    ]
    for one, other in ((short, long), (short_open, long_open)):
        for method, options in requests:
            answers = [TestClient(app).request(method, "/v1/screen", **options) for app in (one, other)]
            first, second = answers
            assert first.status_code == second.status_code
            assert first.headers["content-type"] == second.headers["content-type"]
            told = [answer.json() for answer in answers]
            assert told[0].keys() == told[1].keys()
            assert told[0].get("decision") == told[1].get("decision")
            assert told[0].get("type") == told[1].get("type")


def test_both_ways_check_alike(deployment):
    short, long = shortened(application(deployment)), application(deployment)
    open_short = shortened(application(deployment, auth_required=False))
    open_long = application(deployment, auth_required=False)
    good = {"urls": ["https://example.org/"], "purpose": "search"}
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/v1/check", {"json": good}),
        ("/v1/check", {"json": good, "headers": {"Content-Type": "application/problem+json; charset=utf-8"}}),
        ("/v1/check", {"json": good, "headers": {"Content-Type": "text/plain"}}),
        ("/v1/check", {"json": good, "headers": {"Accept-Language": "a" * 1_001}}),
        ("/v1/check", {"json": good | {"more": 1}}),
        ("/v1/check", {"json": []}),
        ("/v1/check", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        ("/v1/check", {"content": b'{"text": "\xff"}', "headers": {"Content-Type": "application/json"}}),
        ("/v1/check", {"content": b" " * 17_000_000, "headers": {"Content-Type": "application/json"}}),
        ("/v1/check?purpose=search", {"json": good}),
        ("/v1/check", {}),
    ]
    expected = [200, 200, 422, 422, 422, 422, 422, 422, 413, 422, 422]
    for one, other in ((short, long), (open_short, open_long)):
        found = []
        for path, options in requests:
            first, second = (TestClient(app).post(path, **options) for app in (one, other))
            assert first.status_code == second.status_code, options
            assert first.headers["content-type"] == second.headers["content-type"]
            assert first.json().keys() == second.json().keys()
            found.append(first.status_code)
        assert found == (expected if one is open_short else [401] * len(expected))


def test_a_layer_that_an_embedding_application_added_sees_every_upload(deployment):
    app = application(deployment, auth_required=False)
    app.add_middleware(CountingLayer)
    before = CountingLayer.calls
    assert TestClient(app).post("/v1/screen", content=PICTURE).status_code == 200
    assert CountingLayer.calls == before + 1


def test_a_fault_of_ours_is_a_problem_document_and_loud(deployment, monkeypatch, caplog):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("an error of ours")

    app = shortened(application(deployment, auth_required=False))
    monkeypatch.setattr(deployment.screener, "screen", fail)
    answer = TestClient(app).post("/v1/screen", content=PICTURE)
    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/fault"
    assert "an error of ours" not in answer.text
    assert "an error of ours" in caplog.text
