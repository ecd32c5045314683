"""The HTTP service, run as operators run it: a real server, real keys, hostile clients."""

import collections
import contextlib
import hashlib
import itertools
import json
import os
import random
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.support.effort import effort
from tests.support.feeds import random_hashes
from tests.support.pictures import draw_scene, every_format, file_of, mutations, photos
from tests.support.service import Service
from tests.support.waiting import PATIENCE_S, is_read, wait_until
from tutela.api.bodies import read_context
from tutela.api.keys import Scope
from tutela.api.problems import Problem
from tutela.casework.evidence.objects import Objects
from tutela.casework.evidence.seal import ReviewKey, new_identity
from tutela.casework.evidence.vault import Vault
from tutela.foundation.store.case_tables import case_item
from tutela.foundation.store.database import Store

HEX = [row.tobytes().hex() for row in random_hashes(500, seed=21)]
PICTURE = file_of(photos()[0], "JPEG")
COPY = file_of(photos()[0].resize((300, 280)), "WEBP")
MUTATIONS = effort(300, 10_500)
KILLS = effort(2, 80)
"""On each of the two databases."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(
        tmp_path_factory.mktemp("service") / "home",
        TUTELA_LIMITS__MAX_BYTES=str(8 * 1024 * 1024),
        TUTELA_JOBS__MAX_BYTES="1",
    )
    with service.client() as client:
        made = client.post("/v1/banks", json={"name": "known", "policy": {"action": "block"}})
        assert made.status_code == 201, made.text
        verdict = client.post("/v1/screen", content=PICTURE).json()
        value = next(item["value"] for item in verdict["hashes"] if item["signal"] == "pdq")
        listed = client.post("/v1/banks/known/entries", json={"entries": [{"signal": "pdq", "value": value}]})
        assert listed.status_code == 201, listed.text
        wait_until(
            lambda: client.post("/v1/screen", content=PICTURE).json()["decision"] == "block", "the entry is matched"
        )
    yield service
    service.stop()


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def problem(answer: httpx.Response, status: int, kind: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"/problems/{kind}"
    assert document["status"] == status
    assert "Traceback" not in answer.text
    return document


# --- screening


def test_a_raw_body_is_screened(client):
    answer = client.post("/v1/screen", content=COPY, headers={"Tutela-Context": '{"item": "upload-1"}'})
    assert answer.status_code == 200
    verdict = answer.json()
    assert verdict["decision"] == "block"
    assert verdict["matches"][0]["bank"] == "known"
    assert verdict["context"]["item"] == "upload-1"
    assert client.get(f"/v1/verdicts/{verdict['id']}").json()["decision"] == "block"


def test_a_form_is_screened(client):
    form = {"files": {"file": ("x.bin", COPY)}, "data": {"context": '{"item": "upload-2", "details": {"user": "u"}}'}}
    verdict = client.post("/v1/screen", **form).json()
    assert (verdict["decision"], verdict["context"]) == ("block", {"item": "upload-2", "details": {"user": "u"}})


def test_what_is_no_picture_is_held_with_status_200(client):
    answer = client.post("/v1/screen", content=b"words", headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == 200
    assert answer.json()["decision"] == "hold"
    assert client.post("/v1/screen", content=b"").json()["reasons"][0]["code"] == "empty"


def test_hashes_are_screened_and_looked_up(client):
    value = client.post("/v1/screen", content=PICTURE).json()["matches"][0]["value"]
    verdict = client.post("/v1/screen/hashes", json={"hashes": [{"signal": "pdq", "value": value}]}).json()
    assert verdict["decision"] == "block"
    queries = [{"signal": "pdq", "value": text} for text in (HEX[0], value)]
    results = client.post("/v1/lookup", json={"hashes": queries}).json()["results"]
    assert [[match["distance"] for match in matches] for matches in results] == [[], [0]]


def test_an_error_of_a_context_names_field_and_rule():
    """Header and form are read by the same."""
    contexts = {
        '{"item": 3}': ("context/item", "string"),
        '{"other": "x"}': ("context/other", "not permitted"),
        json.dumps({"details": {"uploader": "x" * 1001}}): ("context/details/uploader", "1000 characters"),
        json.dumps({"details": {"age": 7}}): ("context/details/age", "string"),
    }
    for text, (at, rule) in contexts.items():
        with pytest.raises(Problem) as raised:
            read_context(text)
        (error,) = cast(list[dict[str, str]], raised.value.extra["errors"])
        assert error["at"] == at
        assert rule in error["what"]
        assert error["what"] in raised.value.detail
    with pytest.raises(Problem, match="it is not JSON"):
        read_context("{")


@pytest.mark.parametrize(
    "headers_and_form",
    [
        ({"Tutela-Context": "{"}, None),
        ({"Tutela-Context": "[]"}, None),
        ({"Tutela-Context": '{"item": 3}'}, None),
        ({"Tutela-Context": '{"other": "x"}'}, None),
        ({"Tutela-Context": "[" * 5000}, None),
        ({}, {"files": {"other": b"x"}}),
        ({}, {"data": {"file": "no file"}, "files": {"x": b""}}),
    ],
)
def test_a_malformed_context_or_form_is_said(client, headers_and_form):
    headers, form = headers_and_form
    answer = client.post("/v1/screen", headers=headers, **(form or {"content": COPY}))
    assert problem(answer, 400, "malformed-form" if form else "malformed-context")


def test_a_broken_multipart_body_is_said(client):
    for body in (b"", b"--x", b"--x\r\n\r\n\r\n--x--", os.urandom(500), b"--x\r\n" + b"a: b\r\n" * 5000):
        answer = client.post("/v1/screen", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert problem(answer, 400, "malformed-form")
    answer = client.post("/v1/screen", content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert problem(answer, 400, "malformed-form")


def test_a_body_over_the_limit_is_refused_before_it_is_read(service, client):
    assert problem(client.post("/v1/screen", content=bytes(8 * 1024 * 1024 + 1)), 413, "too-long")

    def endless() -> Iterator[bytes]:
        for _ in range(400):
            yield bytes(64 * 1024)

    assert problem(client.post("/v1/screen", content=endless()), 413, "too-long")
    big = {"files": {"file": bytes(9 * 1024 * 1024)}}
    assert problem(client.post("/v1/screen", **big), 413, "too-long")
    with socket.create_connection(("127.0.0.1", service.port)) as raw:
        lying = f"POST /v1/screen HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.admin}\r\n"
        raw.sendall((lying + "Content-Length: 99999999999\r\n\r\n").encode())
        assert b" 413 " in raw.recv(200)


def test_a_client_that_goes_away_or_lies_disturbs_nobody(service, client):
    for head in (
        b"Content-Length: 1000\r\n\r\nshort",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x00\r\n\r\n",
        b"",
    ):
        with socket.create_connection(("127.0.0.1", service.port)) as raw:
            start = f"POST /v1/screen HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.admin}\r\n".encode()
            raw.sendall(start + head)
    assert client.post("/v1/screen", content=COPY).json()["decision"] == "block"


def test_an_upload_that_breaks_off_is_no_fault_of_ours(tmp_path):
    service = Service(tmp_path / "home", TUTELA_DECODERS="1")
    start = f"POST /v1/screen HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.admin}\r\n"
    form = "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 5000\r\n\r\n--b\r\n"
    for head in ("Content-Length: 5000\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", form):
        for parting in (b"", struct.pack("ii", 1, 0)):  # politely, or by a reset
            with socket.create_connection(("127.0.0.1", service.port)) as raw:
                raw.sendall((start + head).encode())
                wait_until(lambda: is_read(raw), "what came is read")
                if parting:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, parting)
    log = service.home / "log"
    wait_until(lambda: log.read_text().count('"/v1/screen"') >= 6, "all six are logged")
    assert service.stop() in (0, -signal.SIGTERM)
    assert set(re.findall(r'"status": (\d+)', log.read_text())) <= {"200", "499", "400", "503"}
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("path", ["/v1/screen/", "/v1/banks/", "/healthz/"])
def test_no_address_leads_elsewhere(client, path):
    answer = client.post(path, content=COPY, headers={"Host": "elsewhere.example"})
    assert answer.status_code in (404, 405)
    assert "location" not in answer.headers
    assert "elsewhere" not in answer.text


@pytest.mark.parametrize(
    "hosts", ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n"], ids=["no", "one twice", "two"]
)
def test_a_request_names_one_host(service, hosts):
    with socket.create_connection(("127.0.0.1", service.port)) as raw:
        raw.sendall(f"GET /healthz HTTP/1.1\r\n{hosts}\r\n".encode())
        assert raw.recv(100).split(b" ")[1] == b"400"


def test_the_api_document_names_every_status_that_is_answered(service, client):
    document = client.get("/openapi.json").json()
    weak = service.client(service.keys.create("weak", [Scope.FOLLOW], by="test")[1])
    bare = httpx.Client(base_url=service.address)
    seen: dict[int, int] = {}
    for path, operations in document["paths"].items():
        if not path.startswith("/v1/"):
            continue
        address = re.sub(r"\{[^}]*\}", "999999", path)
        for method, operation in operations.items():
            documented = set(operation["responses"])
            assert documented >= {"401", "403", "429"}, (method, path)
            assert "404" in documented or "{" not in path, (method, path)
            assert "409" in documented or method == "get", (method, path)
            for somebody in (bare, weak, client):
                answer = somebody.request(method, address, json={} if method != "get" else None)
                assert str(answer.status_code) in documented, (method, path, answer.status_code, answer.text[:200])
                seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
    assert {401, 403, 404, 422} <= set(seen), seen


# --- keys


def test_every_route_but_the_operators_needs_a_key(service):
    document = httpx.get(f"{service.address}/openapi.json").json()
    with httpx.Client(base_url=service.address) as nobody:
        for path, operations in document["paths"].items():
            for method in operations:
                answer = nobody.request(method, path.replace("{", "").replace("}", ""))
                if path.startswith("/v1/"):
                    assert answer.status_code in (401, 422), (path, answer.text)
                    assert answer.status_code == 401 or "tutela" not in answer.text
                else:
                    assert answer.status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic dXNlcjpwYXNz", "Bearer tutela_0123456789abcdef_x"])
def test_a_wrong_key_is_refused_with_a_challenge(service, header):
    answer = httpx.get(f"{service.address}/v1/signals", headers={"Authorization": header})
    assert problem(answer, 401, "key-unknown" if " " in header and "Bearer" in header else "key-needed")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_key_does_what_its_scopes_say(service):
    screening = service.keys.create("site", [Scope.SCREEN], by="test")[1]
    curating = service.keys.create("desk", [Scope.CURATE], by="test")[1]
    with service.client(screening) as client:
        assert client.post("/v1/screen", content=COPY).status_code == 200
        assert problem(client.get("/v1/banks"), 403, "scope-missing")
        assert problem(client.post("/v1/banks/known/entries", json={"entries": []}), 403, "scope-missing")
    with service.client(curating) as client:
        assert client.get("/v1/banks").status_code == 200
        assert problem(client.post("/v1/screen", content=COPY), 403, "scope-missing")


def test_a_revoked_or_expired_key_stops(service):
    from datetime import UTC, datetime, timedelta

    key, text = service.keys.create("short", [Scope.SCREEN], by="test")
    with service.client(text) as client:
        assert client.get("/v1/signals").status_code == 200
        service.keys.revoke(key.id, by="test")
        wait_until(lambda: client.get("/v1/signals").status_code == 401, "the key is refused")
    _, expired = service.keys.create(
        "old", [Scope.SCREEN], expires_at=datetime.now(UTC) - timedelta(seconds=1), by="test"
    )
    with service.client(expired) as client:
        assert client.get("/v1/signals").status_code == 401


def test_secrets_are_kept_only_as_hashes(service):
    _, text = service.keys.create("site", [Scope.SCREEN], by="test")
    database = b"".join(path.read_bytes() for path in service.home.glob("tutela.db*"))
    assert text.encode() not in database
    assert text.split("_", 2)[2].encode() not in database


def test_a_key_that_asks_too_often_is_told_to_wait(tmp_path):
    service = Service(tmp_path / "home", TUTELA_SERVICE__RATE="5/hour")
    try:
        with service.client() as client:
            answers = [client.get("/v1/signals") for _ in range(8)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
        assert problem(answers[-1], 429, "rate-limited")
        assert answers[-1].headers["retry-after"]
    finally:
        service.stop()


# --- banks and entries


def test_banks_and_entries_are_curated(client):
    assert client.post("/v1/banks", json={"name": "desk", "label": "B1"}).status_code == 201
    assert problem(client.post("/v1/banks", json={"name": "desk"}), 409, "conflict")
    assert problem(client.post("/v1/banks", json={"name": "No Slug"}), 400, "invalid-input")
    assert problem(client.post("/v1/banks", json={"name": "x", "kinds": 1}), 422, "invalid-request")
    assert problem(client.get("/v1/banks/nothing"), 404, "not-found")
    changed = client.patch("/v1/banks/desk", json={"description": "d", "policy": {"thresholds": {"pdq": 10}}})
    assert changed.json()["policy"]["thresholds"] == {"pdq": 10}
    entries = [{"signal": "pdq", "value": text, "reference": str(i)} for i, text in enumerate(HEX[:5])]
    added = client.post("/v1/banks/desk/entries", json={"entries": entries}).json()
    assert (added["added"], added["unchanged"]) == (5, 0)
    page = client.get("/v1/banks/desk/entries", params={"limit": 3}).json()
    rest = client.get("/v1/banks/desk/entries", params={"limit": 3, "after": page["next"]}).json()
    assert [entry["value"] for entry in page["entries"] + rest["entries"]] == HEX[:5]
    assert rest["next"] is None
    entry_id = added["entry_ids"][0]
    withdrawn = client.patch(f"/v1/entries/{entry_id}", json={"state": "withdrawn", "reason": "a mistake"})
    assert withdrawn.json()["state"] == "withdrawn"
    assert client.get(f"/v1/entries/{entry_id}").json()["reason"] == "a mistake"
    assert [event["action"] for event in client.get(f"/v1/entries/{entry_id}/history").json()] == [
        "listed",
        "withdrawn",
    ]
    assert client.get("/v1/banks/desk").json()["counts"]["active"] == 4
    assert [event["action"] for event in client.get("/v1/banks/desk/history").json()] == ["created", "changed"]
    assert {bank["name"] for bank in client.get("/v1/banks").json()} >= {"known", "desk"}
    assert {label["name"] for label in client.get("/v1/labels").json()} >= {"A1", "A"}
    assert {kind["name"] for kind in client.get("/v1/signals").json()} >= {"pdq", "photodna"}


def test_what_is_computed_here_is_told_from_what_is_only_looked_up(client):
    computed = {kind["name"]: kind["computed"] for kind in client.get("/v1/signals").json()}
    assert {name for name, here in computed.items() if here} == {"pdq", "md5", "sha1", "sha256", "vpdq"}
    assert computed.keys() >= {"photodna", "tmk", "embedding"}  # no model is named


def test_a_video_is_looked_up_by_its_frames_and_aligned(client):
    def frames(numbers, shift=0.0):
        return ";".join(f"{i},100,{HEX[100 + number]},{i / 2 + shift:.3f}" for i, number in enumerate(numbers))

    client.post("/v1/banks", json={"name": "films"})
    listed = {"signal": "vpdq", "value": frames(range(40))}
    assert client.post("/v1/banks/films/entries", json={"entries": [listed]}).status_code == 201
    clip, other = frames(range(10, 24)), frames(range(200, 220))
    queries = {"hashes": [{"signal": "vpdq", "value": value} for value in (clip, other, clip)]}

    def looked_up() -> list[list[dict]]:
        return client.post("/v1/lookup", json=queries).json()["results"]

    wait_until(lambda: looked_up()[0], "the entry is matched")
    (match,), none, again = looked_up()
    assert (match["signal"], match["bank"], match["distance"]) == ("vpdq", "films", 0)
    assert (match["span"]["entry_begin"], match["span"]["entry_end"]) == (5.0, 11.5)
    assert (none, again) == ([], [match])
    identity = {"hashes": [{"signal": "vpdq", "value": HEX[0]}]}
    assert "frame" in problem(client.post("/v1/lookup", json=identity), 400, "invalid-input")["detail"]


def test_one_bad_entry_keeps_its_call_out(client):
    client.post("/v1/banks", json={"name": "strict"})
    entries = [{"signal": "pdq", "value": HEX[10]}, {"signal": "pdq", "value": "junk"}]
    assert problem(client.post("/v1/banks/strict/entries", json={"entries": entries}), 400, "invalid-input")
    assert client.get("/v1/banks/strict/entries").json()["entries"] == []


def test_what_is_too_plain_to_match_is_told_when_it_is_listed(client):
    client.post("/v1/banks", json={"name": "plain"})
    entries = [{"signal": "pdq", "value": HEX[11]}, {"signal": "pdq", "value": "0" * 64}]
    answer = client.post("/v1/banks/plain/entries", json={"entries": entries}).json()
    (warning,) = answer["warnings"]
    assert (answer["added"], warning[:68]) == (2, f"pdq {'0' * 64}")
    asked = {"format": "csv", "source": "partner"}
    body = f"pdq,md5,sha512\n{'f' * 64},{'1' * 32},{'0' * 128}\n"
    imported = client.post("/v1/banks/plain/import", params=asked, content=body).json()
    assert (imported["added"], imported["plain"], imported["left_out"]) == (2, 1, ["sha512"])


def test_lists_are_imported_and_exported(client):
    client.post("/v1/banks", json={"name": "imported"})
    body = "hash,type,id\n" + "".join(f"{text},pdq,{i}\n" for i, text in enumerate(HEX[20:60])) + "junk,pdq,x\n"
    answer = client.post(
        "/v1/banks/imported/import", params={"format": "csv", "source": "partner"}, content=body
    ).json()
    assert (answer["added"], answer["rejected"], answer["rejects"][0]["line"]) == (40, 1, 42)
    exported = client.get("/v1/banks/imported/export", params={"format": "text"}).text
    assert exported.split() == HEX[20:60]
    missing = client.post("/v1/banks/nothing/import", params={"format": "csv", "source": "p"}, content=body)
    assert problem(missing, 404, "not-found")


# --- problems, operation


def test_unknown_routes_and_methods_are_problems_too(client):
    assert problem(client.get("/v2/nothing"), 404, "not-found")
    assert problem(client.delete("/v1/screen"), 405, "method-not-allowed")
    assert problem(client.get("/v1/verdicts/..%2F..%2Fetc"), 404, "not-found")


def test_what_was_sent_is_never_repeated_in_an_error(client):
    answer = client.post("/v1/lookup", json={"hashes": [{"signal": "pdq", "value": ["a secret"]}]})
    assert problem(answer, 422, "invalid-request")
    assert "a secret" not in answer.text


@settings(max_examples=effort(60, 600), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(
        ["/v1/lookup", "/v1/screen/hashes", "/v1/banks", "/v1/banks/known/entries", "/v1/banks/known", "/v1/entries/1"]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["hashes", "signal", "value", "name", "entries", "policy", "label", "state", "reason"])
                | st.text(max_size=8),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
)
def test_no_json_makes_the_service_fail(client, path, body):
    method = "PATCH" if path in ("/v1/banks/known", "/v1/entries/1") else "POST"
    answer = client.request(method, path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code < 500, (path, body, answer.text)
    client.patch("/v1/banks/known", json={"policy": {"action": "block"}, "enabled": True})


def test_the_description_has_examples_and_unique_names(service):
    document = httpx.get(f"{service.address}/openapi.json").json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    screen = document["paths"]["/v1/screen"]["post"]
    assert screen["security"] == [{"key": ["screen"]}]
    assert screen["responses"]["200"]["content"]["application/json"]["example"]["decision"] == "block"
    page = httpx.get(f"{service.address}/docs")
    assert page.status_code == 200
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(assets) >= 2
    for asset in assets:
        assert asset.startswith(service.address), "the page loads nothing from elsewhere"
        assert httpx.get(asset).status_code == 200


def test_health_readiness_and_metrics(service, client):
    client.post("/v1/screen", content=COPY)
    assert httpx.get(f"{service.address}/healthz").json() == {"status": "up"}
    assert httpx.get(f"{service.address}/readyz").json() == {"ready": True, "missing": []}
    metrics = httpx.get(f"{service.address}/metrics").text
    assert re.search(r'tutela_verdicts_total\{decision="block"\} [1-9]', metrics)
    assert re.search(r'tutela_index_values\{signal="pdq"\} [1-9]', metrics)
    assert 'route="/v1/screen"' in metrics
    assert "tutela_stage_seconds_bucket" in metrics


def test_the_log_is_structured_and_holds_no_content(service, client):
    assert client.post("/v1/screen?note=querysecret", content=COPY).status_code == 422
    verdict = client.post(
        "/v1/screen",
        files={"file": ("secret-name.jpg", COPY)},
        data={"context": '{"item": "ctx-secret"}'},
    ).json()
    wait_until(lambda: verdict["id"] in (service.home / "log").read_text(), "the request is logged")
    text = (service.home / "log").read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    (logged,) = [line for line in lines if line.get("verdict") == verdict["id"]]
    assert (logged["route"], logged["status"], logged["decision"]) == ("/v1/screen", 200, "block")
    for secret in ("secret-name", "ctx-secret", "querysecret", service.admin):
        assert secret not in text
    assert all(line.startswith("{") for line in text.splitlines()), text


def test_broken_files_are_all_answered(service):
    seeds = list(every_format(draw_scene(1, (48, 40))).values())
    with service.client() as client:

        def one(content: bytes) -> str:
            answer = client.post("/v1/screen", content=content)
            assert answer.status_code == 200, answer.text
            return answer.json()["decision"]

        with ThreadPoolExecutor(4) as executor:
            decisions = list(executor.map(one, mutations(seeds, MUTATIONS, seed=17)))
        assert set(decisions) <= {"allow", "hold", "block"}
        assert min(decisions.count("allow"), decisions.count("hold")) > MUTATIONS / 20
        assert client.post("/v1/screen", content=COPY).json()["decision"] == "block"


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
def test_a_json_body_without_end_is_refused_before_there_is_a_key(service, declared):
    parts = [b" " * (1 << 20)] * 20
    body = b"".join(parts) if declared else iter(parts)
    with httpx.Client(base_url=service.address) as client:
        problem(client.post("/v1/lookup", content=body, headers={"Content-Type": "application/json"}), 413, "too-long")


def test_a_change_of_a_policy_leaves_the_rest_of_it(client):
    policy = {"action": "block", "thresholds": {"pdq": 20}, "min_quality": 40}
    client.post("/v1/banks", json={"name": "policy-change", "policy": policy})
    changed = client.patch("/v1/banks/policy-change", json={"policy": {"min_quality": 60}})
    assert changed.status_code == 200, changed.text
    assert changed.json()["policy"] == policy | {"min_quality": 60}
    changed = client.patch("/v1/banks/policy-change", json={"policy": {"thresholds": {}}})
    assert changed.json()["policy"] == {"action": "block", "thresholds": {}, "min_quality": 60}


def test_wrong_keys_brake_wrong_keys_only(tmp_path):
    service = Service(tmp_path / "home")
    with service.client("tutela_0123456789abcdef_wrong") as wrong, service.client() as right:
        assert [wrong.get("/v1/banks").status_code for _ in range(25)] == [401] * 20 + [429] * 5
        problem(wrong.get("/v1/banks"), 429, "too-many-attempts")
        assert right.get("/v1/banks").status_code == 200
    service.stop()


def test_the_service_ends_its_deployment_when_it_is_stopped(tmp_path):
    service = Service(tmp_path / "home")
    threads = Path(f"/proc/{service.process.pid}/task").glob("*/children")
    children = [child for thread in threads for child in thread.read_text().split()]
    assert children
    service.stop()
    wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "its workers end")


def test_every_problem_is_explained():
    root = Path(__file__).parents[2]
    sources = "".join(path.read_text() for path in (root / "tutela" / "api").glob("*.py"))
    kinds = set(re.findall(r"(?:Problem|problem_response)\(\s*\d{3},\s*\"([a-z-]+)\"", sources))
    assert len(kinds) > 10
    assert kinds <= set(re.findall(r"^## ([a-z-]+)$", (root / "docs" / "problems.md").read_text(), re.MULTILINE))


# --- several processes, killed processes


def test_a_change_through_one_process_is_seen_by_all(tmp_path):
    service = Service(tmp_path / "home", workers=2, TUTELA_DECODERS="1")
    query = {"hashes": [{"signal": "pdq", "value": HEX[0]}]}
    asked = 0

    def found() -> bool:
        """By a fresh connection each time, so that both processes answer."""
        nonlocal asked
        asked += 1
        answer = httpx.post(f"{service.address}/v1/lookup", json=query, headers=headers, timeout=PATIENCE_S)
        return bool(answer.json()["results"][0])

    headers = {"Authorization": f"Bearer {service.admin}"}
    try:
        with service.client() as client:
            client.post("/v1/banks", json={"name": "known", "policy": {"action": "block"}})
            added = client.post(
                "/v1/banks/known/entries", json={"entries": [{"signal": "pdq", "value": HEX[0]}]}
            ).json()
            wait_until(lambda: all(found() for _ in range(30)), "both processes find it")
            reason = {"state": "withdrawn", "reason": "x"}
            client.patch(f"/v1/entries/{added['entry_ids'][0]}", json=reason)
            wait_until(lambda: not any(found() for _ in range(30)), "neither process finds it any longer")
            metrics = client.get("/metrics").text
            counted = re.search(
                r'tutela_requests_total\{method="POST",route="/v1/lookup",status="200"\} (\d+)', metrics
            )
            assert counted and int(counted[1]) == asked
    finally:
        assert service.stop() in (0, -signal.SIGTERM)


def test_what_was_answered_survives_kill_nine(tmp_path, database):
    """The whole service, under load: what it answered is there, once, and the evidence of what it blocked."""
    secret, public = new_identity()
    # It starts twice as fast where freed memory is left as it is, and it starts often.
    keeping = f'["{public}"]'
    service = Service(tmp_path / "home", database=database, TUTELA_MEMORY="clean", TUTELA_EVIDENCE__RECIPIENTS=keeping)
    rng, accepted, verdicts, blocked = random.Random(5), [], [], []
    with service.client() as client:
        client.post("/v1/banks", json={"name": "known", "policy": {"action": "block"}})
        known = {"signal": "md5", "value": hashlib.md5(b"known words").hexdigest()}
        client.post("/v1/banks/known/entries", json={"entries": [known]})
    for round_ in range(KILLS):
        answered, killed = threading.Event(), threading.Event()

        def write(number: int, round_: int, answered: threading.Event, killed: threading.Event) -> None:
            with service.client() as client, contextlib.suppress(httpx.HTTPError):
                for turn in itertools.takewhile(lambda _: not killed.is_set(), itertools.count()):
                    value, name = HEX[rng.randrange(500)], f"{round_}-{number}-{turn}"
                    body = {"entries": [{"signal": "pdq", "value": value, "reference": name}]}
                    if client.post("/v1/banks/known/entries", json=body).status_code == 201:
                        accepted.append((value, name))
                    context = {"Tutela-Context": json.dumps({"item": name})}
                    answer = client.post("/v1/screen", content=b"known words", headers=context)
                    if answer.status_code == 200 and answer.json()["decision"] == "block":
                        blocked.append(answer.json()["id"])
                    answer = client.post("/v1/screen", content=b"words")
                    if answer.status_code == 200:
                        verdicts.append(answer.json()["id"])
                        answered.set()

        with ThreadPoolExecutor(3) as executor:
            futures = [executor.submit(write, number, round_, answered, killed) for number in range(3)]
            assert answered.wait(PATIENCE_S)
            time.sleep(rng.random() * 0.25)
            service.kill()
            killed.set()
            for future in futures:
                future.result()
        service.start()
    with service.client() as client:
        text = client.get("/v1/banks/known/export", params={"format": "jsonl"}).text
        kept = collections.Counter((item["value"], item["reference"]) for item in map(json.loads, text.splitlines()))
        assert len(accepted) >= KILLS
        assert all(kept[each] == 1 for each in accepted)
        assert max(kept.values()) == 1
        assert len(verdicts) >= KILLS
        assert all(client.get(f"/v1/verdicts/{each}").status_code == 200 for each in rng.sample(verdicts, KILLS))
        queries = {"hashes": [{"signal": "pdq", "value": value} for value, _ in accepted[-200:]]}
        assert all(client.post("/v1/lookup", json=queries).json()["results"])
    assert service.stop() in (0, -signal.SIGTERM)
    evidence_is_whole(service, blocked, secret)
    print(f"{KILLS} kills: {len(accepted)} entries, {len(verdicts)} verdicts and {len(blocked)} blocks were answered")


def evidence_is_whole(service: Service, blocked: list[str], secret: str) -> None:
    """Every block that was answered has one item of a case with sealed evidence that opens; no upload has two."""
    store = Store.open(service.database)
    vault = Vault(store, Objects(f"file://{service.home / 'evidence'}"), None)
    with store.read() as connection:
        items = connection.execute(select(case_item)).all()
    assert len(blocked) >= KILLS
    found = {row.verdict_id: row.evidence_id for row in items}
    assert set(blocked) <= found.keys()
    assert max(collections.Counter(row.item for row in items if row.item).values()) == 1
    for each in blocked[:: max(1, len(blocked) // 10)]:
        assert vault.content(found[each], ReviewKey(secret), actor="t", purpose="t") == b"known words"
    store.close()
