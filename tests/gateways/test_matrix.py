"""Matrix' content scanner: what is in an encrypted room is screened, and comes back as the home server has it."""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.support.gateways import COPY, DAMAGED, OTHER, Running, described
from tests.support.home_server import TOKEN, HomeServer, home_server
from tests.support.service import free_port
from tests.support.waiting import PATIENCE_S
from tutela.deployment.composition import Deployment
from tutela.deployment.selftest import canary
from tutela.gateways.check import check_gateways

PREFIX = "/_matrix/media_proxy/unstable"


@pytest.fixture(scope="module")
def home() -> Iterator[HomeServer]:
    with home_server() as running:
        yield running


@pytest.fixture(scope="module")
def running(knowing: Deployment, home: HomeServer) -> Iterator[Running]:
    settings = {"kind": "matrix", "listen": ["127.0.0.1:0"], "profile": "files"}
    gone = settings | {"homeserver": f"127.0.0.1:{free_port()}"}
    running = Running(knowing, {"rooms": settings | {"homeserver": f"127.0.0.1:{home.port}"}, "gone": gone})
    yield running
    running.stop()


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    address = f"http://127.0.0.1:{running.ports['rooms'][0]}{PREFIX}"
    with httpx.Client(base_url=address, timeout=PATIENCE_S, headers={"Authorization": TOKEN}) as client:
        yield client


def sealed_for(public_key: str, document: object, *, empty_mac: bool) -> dict[str, Any]:
    """What a client encrypts for the scanner alone, written after the specification of key backups."""
    ours = X25519PrivateKey.generate()
    shared = ours.exchange(X25519PublicKey.from_public_bytes(base64.b64decode(public_key + "=")))
    derived = HKDF(hashes.SHA256(), 80, bytes(32), b"").derive(shared)
    padder = padding.PKCS7(128).padder()
    padded = padder.update(json.dumps(document).encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(derived[:32]), modes.CBC(derived[64:])).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    mac = hmac.digest(derived[32:64], b"" if empty_mac else ciphertext, "sha256")[:8]
    raw = ours.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    named = {"ciphertext": ciphertext, "mac": mac, "ephemeral": raw}
    return {"encrypted_body": {name: base64.b64encode(data).decode().rstrip("=") for name, data in named.items()}}


def test_an_encrypted_attachment_is_screened_decrypted_and_handed_on_encrypted(client, home):
    for content, clean in ((OTHER, True), (COPY, False), (DAMAGED, False), (b"words of a room\n" * 9_000, True)):
        file = home.keep_encrypted(content)
        said = client.post("/scan_encrypted", json={"file": file}).json()
        assert said["clean"] is clean
        assert clean or said["info"].startswith("Tutela.")
        answer = client.post("/download_encrypted", json={"file": file})
        if clean:
            assert answer.status_code == 200
            assert answer.content == home.files[file["url"].rpartition("/")[2]] != content
            assert "X-Of-The-Server" not in answer.headers
        else:
            assert answer.status_code == 403 and answer.json()["reason"] == "MCS_MEDIA_NOT_CLEAN"


def test_a_counter_that_runs_over_is_not_decrypted_for_clients_differ_in_what_comes_of_it(client, home):
    key, words = os.urandom(32), b"words of a room\n" * 100
    for before, status in ((100, 200), (99, 400), (1, 400)):
        iv = os.urandom(8) + (2**64 - before).to_bytes(8)
        sealed = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(words)
        said = {"k": base64.b64encode(key).decode(), "alg": "A256CTR", "kty": "oct"}
        hashed = base64.b64encode(hashlib.sha256(sealed).digest()).decode()
        url = f"mxc://example.org/{home.keep(sealed)}"
        file = {"v": "v2", "url": url, "key": said, "iv": base64.b64encode(iv).decode(), "hashes": {"sha256": hashed}}
        for route in ("/scan_encrypted", "/download_encrypted"):
            assert client.post(route, json={"file": file}).status_code == status, before


def test_the_key_may_be_encrypted_for_the_scanner_alone(client, home):
    public_key = client.get("/public_key").json()["public_key"]
    assert public_key == client.get("/public_key").json()["public_key"]
    for empty_mac in (True, False):
        asked = sealed_for(public_key, {"file": home.keep_encrypted(COPY)}, empty_mac=empty_mac)
        assert client.post("/scan_encrypted", json=asked).json()["clean"] is False
        asked = sealed_for(public_key, {"file": home.keep_encrypted(OTHER)}, empty_mac=empty_mac)
        assert client.post("/scan_encrypted", json=asked).json()["clean"] is True
        asked["encrypted_body"]["mac"] = "AAAAAAAAAAA"
        answer = client.post("/scan_encrypted", json=asked)
        assert (answer.status_code, answer.json()["reason"]) == (403, "MCS_BAD_DECRYPTION")


def test_a_file_of_an_open_room_is_handed_on_or_not(client, home, running):
    for content, clean in ((OTHER, True), (COPY, False), (DAMAGED, False)):
        media = home.keep(content)
        home.files[f"{media}-small"] = content
        assert client.get(f"/scan/example.org/{media}").json()["clean"] is clean
        for path in (f"/download/example.org/{media}", f"/thumbnail/example.org/{media}?width=32&height=32&x=1"):
            answer = client.get(path)
            assert answer.status_code == (200 if clean else 403)
            assert (answer.content == content) is clean
    assert home.asked[-1].endswith("?width=32&height=32")
    without_token = httpx.get(f"{client.base_url}download/example.org/{home.keep(OTHER)}", timeout=PATIENCE_S)
    assert without_token.content == OTHER
    assert home.asked[-1].startswith("/_matrix/media/v3/download/")


def test_what_the_home_server_does_not_give_whole_is_not_handed_on(client, home, running):
    assert client.get("/download/example.org/none").json()["reason"] == "M_NOT_FOUND"
    answer = client.get(f"/download/example.org/{home.keep(OTHER)}", headers={"Authorization": "Bearer other"})
    assert (answer.status_code, answer.json()["reason"]) == (502, "MCS_MEDIA_REQUEST_FAILED")
    home.cuts = True
    try:
        for path in ("download", "scan"):
            answer = client.get(f"/{path}/example.org/{home.keep(OTHER)}")
            assert (answer.status_code, answer.json()["reason"]) == (502, "MCS_MEDIA_REQUEST_FAILED")
    finally:
        home.cuts = False
    gone = f"http://127.0.0.1:{running.ports['gone'][0]}{PREFIX}/scan/example.org/x"
    assert httpx.get(gone, timeout=PATIENCE_S).status_code == 502


def test_a_file_that_is_not_the_one_of_its_hash_is_not_handed_on(client, home):
    file = home.keep_encrypted(OTHER)
    home.files[file["url"].rpartition("/")[2]] = os.urandom(5_000)
    for path in ("scan_encrypted", "download_encrypted"):
        answer = client.post(f"/{path}", json={"file": file})
        assert (answer.status_code, answer.json()["reason"]) == (400, "MCS_MEDIA_FAILED_TO_DECRYPT")


def test_what_cannot_be_read_is_an_answer(client, home):
    file = home.keep_encrypted(OTHER)
    wrongs: tuple[dict[str, Any], ...] = (
        {},
        {"file": {}},
        {"file": file | {"url": "mxc://example.org/../x"}},
        {"file": file | {"url": "https://example.org/x"}},
        {"file": file | {"iv": "AAAA"}},
        {"file": file | {"iv": 7}},
        {"file": file | {"key": {"alg": "A128CTR", "k": "AAAA"}}},
        {"file": file | {"key": {"alg": "A256CTR", "k": "AAAA"}}},
        {"encrypted_body": {"ciphertext": "!", "mac": "", "ephemeral": ""}},
        {"file": "x" * 70_000},
    )
    for wrong in wrongs:
        answer = client.post("/scan_encrypted", json=wrong)
        assert (answer.status_code, answer.json()["reason"]) == (400, "MCS_MALFORMED_JSON"), wrong
        assert file["key"]["k"] not in answer.text
    assert client.post("/download_encrypted", content=b"{").status_code == 400
    short = {"encrypted_body": {"ciphertext": "AAAA", "mac": "AAAA", "ephemeral": "AAAA"}}
    assert client.post("/scan_encrypted", json=short).status_code == 403
    for path in ("/x", "/scan/example.org/a%2Fb/c", "/scan/example.org/..%2F..%2Fx"):
        assert client.get(path).status_code == 404


def test_the_gateway_is_checked_with_an_encrypted_file_of_a_user(home, running, monkeypatch):
    monkeypatch.setenv("TEST_TOKEN", TOKEN.removeprefix("Bearer "))
    rooms = {"kind": "matrix", "listen": [f"127.0.0.1:{running.ports['rooms'][0]}"]}
    rooms |= {"homeserver": f"127.0.0.1:{home.port}", "check_token": "env:TEST_TOKEN"}
    kept = len(home.files)
    assert [(each.ok, each.detail) for each in check_gateways(described({"rooms": rooms}))] == [
        (True, "passes"),
        (True, "is refused"),
    ]
    assert len(home.files) == kept + 2 and canary() not in home.files.values()
    monkeypatch.setenv("TEST_TOKEN", "of nobody")
    assert [(each.ok, each.detail) for each in check_gateways(described({"rooms": rooms}))] == [
        (False, "the home server said 401")
    ] * 2
    (first, _) = check_gateways(described({"rooms": rooms | {"check_token": ""}}))
    assert not first.ok and "check_token" in first.detail


def test_a_page_of_any_origin_may_ask(client):
    asked = {"Origin": "https://chat.example.org", "Access-Control-Request-Method": "POST"}
    answer = client.options("/scan_encrypted", headers=asked | {"Access-Control-Request-Headers": "authorization"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert client.get("/public_key", headers={"Origin": "x"}).headers["access-control-allow-origin"] == "*"
