"""Exchanges and feeds at their faces: each command of `tutela exchange`, and the routes that give back."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient

from tests.support.commands import Call, Said, run_command
from tests.support.exchange_tools import QUICK, filled, opened
from tests.support.feeds import random_hashes
from tests.support.standins.arachnid import ArachnidStandIn
from tests.support.standins.ncmec import NcmecStandIn
from tests.support.standins.server import served
from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.api.options import ApiOptions
from tutela.deployment.composition import Deployment
from tutela.foundation.outbox.service import Outbox
from tutela.foundation.outbox.worker import Dispatcher
from tutela.foundation.store.database import Store
from tutela.lists.banks.model import EntryState, NewEntry
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges.base import Opinion
from tutela.lists.exchanges.feed_wire import public_text
from tutela.lists.exchanges.feedback import Decided, Deliveries, feedback_for, share_new
from tutela.lists.exchanges.hygiene import Flag, set_flags
from tutela.lists.exchanges.puller import Puller
from tutela.lists.exchanges.service import Exchanges, Giving

PDQ = [row.tobytes().hex() for row in random_hashes(20, seed=55)]
KNOWN = bytes.fromhex(PDQ[0])


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for prefix in ("", "TUTELA_SECRET_"):
        monkeypatch.setenv(f"{prefix}NCMEC_USER", "esp")
        monkeypatch.setenv(f"{prefix}SHIELD_USER", "shield")
        for name in ("NCMEC", "SHIELD"):
            monkeypatch.setenv(f"{prefix}{name}_PASSWORD", "right-password")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One with two banks: `known`, and `ours` with three entries and one that another list gave."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    store = Store.create(f"sqlite:///{home / 'tutela.db'}")
    banks = Banks(store)
    banks.create("known", actor="test")
    banks.create("ours", label="A1", actor="test")
    ours = [NewEntry("pdq", bytes.fromhex(value), "desk") for value in PDQ[1:4]]
    banks.add("ours", [*ours, NewEntry("pdq", bytes.fromhex(PDQ[4]), "exchange:other", "9/9")], actor="test")
    store.close()
    return home


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run `tutela exchange …` from its `main` on."""
    monkeypatch.setenv("TUTELA_HOME", str(home))
    monkeypatch.setenv("TUTELA_DECODERS", "1")

    def run(*arguments: str, group: str = "exchange") -> Said:
        return run_command(monkeypatch, capsys, group, *arguments)

    return run


@pytest.fixture
def ncmec() -> Iterator[tuple[NcmecStandIn, str]]:
    service = filled(30)
    with served(service.app()) as address:
        yield service, f"{address}/hashsharing"


@pytest.fixture
def shield() -> Iterator[tuple[ArachnidStandIn, str]]:
    service = ArachnidStandIn(known={KNOWN: ("0a" * 20, "0b" * 32)})
    with served(service.app()) as address:
        yield service, address


def options_of(name: str, address: str, prefix: str = "") -> dict[str, str]:
    secrets = {"user": f"env:{prefix}{name}_USER", "password": f"env:{prefix}{name}_PASSWORD"}
    return {**secrets, "url": address} | ({"range_days": "5000"} if name == "NCMEC" else {})


def words(options: dict[str, str]) -> list[str]:
    return [word for name, text in options.items() for word in ("-o", f"{name}={text}")]


# --- the command line


def test_a_list_is_added_tested_pulled_shown_and_removed(call, home, ncmec):
    service, address = ncmec
    added = call("add", "ncmec", "--kind", "ncmec", "--bank", "known", *words(options_of("NCMEC", address)))
    assert (added.code, added.out) == (0, "added exchange ncmec; next: tutela exchange test ncmec\n")
    assert call("test", "ncmec").out == "ncmec: A service (member 1)\n"
    pulled = call("pull", "ncmec")
    said = "30 listed, 0 changed, 0 withdrawn, 0 unchanged, 0 not readable, 0 flagged"
    assert (pulled.code, pulled.out) == (0, f"ncmec: {said}\n")
    status = call("status", "--json")
    row = json.loads(status.out)
    assert status.code == 0
    assert (row["name"], row["bank"], row["listed"], row["error"], row["stale"]) == ("ncmec", "known", 30, None, False)
    shown = call("show", "ncmec")
    assert "password = env:NCMEC_PASSWORD" in shown.out and "right-password" not in shown.out
    assert "fingerprints of unknown type netclean: 5 entries, kept raw" in shown.out
    service.delete(next(iter(service.current().values())), int(time.time()) - 60)
    assert "1 withdrawn" in call("pull", "ncmec").out
    removed = call("remove", "ncmec", "--yes")
    assert removed.code == 0 and removed.out.startswith("removed exchange ncmec; ")
    assert call("status", "--json").out == ""
    store = Store.open(f"sqlite:///{home / 'tutela.db'}")
    assert Banks(store).entries("known", state=EntryState.ACTIVE) == []
    store.close()


def test_what_is_shared_is_pushed_once_and_delivered(call, ncmec):
    service, address = ncmec
    options = words(options_of("NCMEC", address))
    call("add", "ncmec", "--kind", "ncmec", "--bank", "known", *options, "--share-bank", "ours")
    assert call("push", "ncmec").out == "3 entries are on their way to ncmec\n"
    assert call("push", "ncmec").out == "0 entries are on their way to ncmec\n"
    assert call("run", group="outbox").out == "3 tried\n"
    assert len(service.submitted) == 3
    call("update", "ncmec", "--share-bank", "")
    refused = call("push", "ncmec")
    assert refused.code == 2 and "its policy names no bank" in refused.err


def test_a_list_that_is_asked_says_what_it_knows_by_the_exit_code(call, shield):
    service, address = shield
    call("add", "shield", "--kind", "arachnid", "--bank", "known", *words(options_of("SHIELD", address)))
    found = call("lookup", "shield", f"pdq:{PDQ[0]}", f"pdq:{PDQ[9]}")
    assert found.code == 1
    assert json.loads(found.out) == {"signal": "pdq", "value": PDQ[0], "label": "csam"}
    assert call("lookup", "shield", f"pdq:{PDQ[9]}") == Said(0, "", "")
    wrong = call("lookup", "shield", "pdq:short")
    assert wrong.code == 2 and "pdq needs 64 hexadecimal digits" in wrong.err
    assert len(service.asked) == 3


def test_a_mark_is_cleared_by_who_looked(call, home, ncmec):
    call("add", "ncmec", "--kind", "ncmec", "--bank", "known", *words(options_of("NCMEC", ncmec[1])))
    call("pull", "ncmec")
    store = Store.open(f"sqlite:///{home / 'tutela.db'}")
    entry = Banks(store).entries("known")[0]
    with store.write() as connection:
        set_flags(connection, {(entry.id, Flag.LOW_DETAIL): "looks plain"}, 1)
    store.close()
    assert "looks plain" in call("show", "ncmec").out
    cleared = call("clear", str(entry.id), "low-detail")
    assert (cleared.code, cleared.out) == (0, f"entry {entry.id} is no longer marked low-detail\n")
    assert "looks plain" not in call("show", "ncmec").out
    again = call("clear", str(entry.id), "low-detail")
    assert again.code == 2 and "no mark 'low-detail' that counts" in again.err
    assert call("clear", str(entry.id), "dull").code == 2


def test_what_is_wrong_is_said_in_a_line(call, ncmec, monkeypatch):
    call("add", "ncmec", "--kind", "ncmec", "--bank", "known", *words(options_of("NCMEC", ncmec[1])))
    asked = call("lookup", "ncmec", f"pdq:{PDQ[0]}")
    assert asked.code == 2 and "cannot be asked" in asked.err
    assert call("test", "nobody").code == 2
    monkeypatch.setenv("NCMEC_PASSWORD", "wrong-password")
    refused = call("test", "ncmec")
    assert refused.code == 3 and "refuses our credentials (status 401)" in refused.err
    assert "wrong-password" not in refused.err
    pulled = call("pull", "ncmec")
    assert pulled.code == 3 and "Traceback" not in pulled.err
    row = json.loads(call("status", "--json").out)
    assert row["failures"] == 1 and "status 401" in row["error"]


# --- HTTP


@pytest.fixture
def admin(deployment: Deployment) -> Iterator[TestClient]:
    deployment.banks.create("known", actor="test")
    key = Keys(deployment.store).create("admin", [Scope.ADMIN], by="test")[1]
    headers = {"Authorization": f"Bearer {key}"}
    yield TestClient(create_app(deployment, ApiOptions()), headers=headers)


def test_over_http_a_list_is_asked_and_given_to(admin, deployment, ncmec, shield):
    deployment.banks.create("ours", label="A1", actor="test")
    deployment.banks.add("ours", [NewEntry("pdq", bytes.fromhex(v), "desk") for v in PDQ[1:4]], actor="test")
    bodies = (
        ("ncmec", "ncmec", options_of("NCMEC", ncmec[1], "TUTELA_SECRET_"), {"share_bank": "ours"}),
        ("shield", "arachnid", options_of("SHIELD", shield[1], "TUTELA_SECRET_"), {}),
    )
    for name, kind, options, giving in bodies:
        body = {"name": name, "kind": kind, "bank": "known", "options": options, "giving": giving}
        assert admin.post("/v1/exchanges", json=body).status_code == 201
    assert admin.post("/v1/exchanges/ncmec/push").status_code == 202
    assert admin.post("/v1/exchanges/ncmec/push").status_code == 202
    assert deployment.dispatcher.run_due() == 3
    assert len(ncmec[0].submitted) == 3
    assert admin.post("/v1/exchanges/shield/push").status_code == 400
    asked = {"hashes": [{"signal": "pdq", "value": value} for value in PDQ[:2]]}
    found = admin.post("/v1/exchanges/shield/lookup", json=asked)
    assert found.json() == [{"signal": "pdq", "value": PDQ[0], "label": "csam"}]
    assert admin.post("/v1/exchanges/ncmec/lookup", json=asked).status_code == 400
    assert admin.post("/v1/exchanges/nobody/lookup", json=asked).status_code == 404
    assert admin.post("/v1/exchanges/shield/test").json()["answer"].startswith("the account is good")


def test_a_member_gives_back_to_a_feed_and_the_same_again_counts_once(admin, deployment, tmp_path):
    key, path = Ed25519PrivateKey.generate(), tmp_path / "home" / "secrets" / "feed"
    path.parent.mkdir(mode=0o700)
    path.write_text(base64.b64encode(key.private_bytes_raw()).decode())
    path.chmod(0o600)
    deployment.banks.add("known", [NewEntry("pdq", KNOWN, "desk", label="A1")], actor="test")
    body = {"name": "hotline", "bank": "known", "signing_key": f"file:{path}"}
    assert admin.post("/v1/feeds", json=body).status_code == 201
    member, secret = Keys(deployment.store).create("member", [Scope.FOLLOW], by="test")
    stranger = Keys(deployment.store).create("stranger", [Scope.FOLLOW], by="test")[1]
    assert admin.put(f"/v1/feeds/hotline/members/{member.id}").status_code == 204
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "one"}
    client = TestClient(create_app(deployment, ApiOptions()), headers=headers)
    opinion = {"entry": "1", "signal": "pdq", "value": PDQ[0], "opinion": "rejected", "reason": "a cat"}
    ours = {"id": "tutela-7", "media": "image", "label": "A1", "fingerprints": [["pdq", PDQ[5]]]}
    assert [client.post("/v1/feeds/hotline/feedback", json=opinion).status_code for _ in range(2)] == [202, 202]
    assert client.post("/v1/feeds/hotline/share", json=ours, headers={"Idempotency-Key": "two"}).status_code == 202
    found = admin.get("/v1/feeds/hotline/returns").json()
    assert [(item["key"], item["kind"]) for item in found] == [(member.id, "feedback"), (member.id, "share")]
    assert found[0]["document"] == opinion and found[1]["document"]["fingerprints"] == [["pdq", PDQ[5]]]
    assert admin.get("/v1/feeds/hotline/returns", params={"after": found[0]["id"]}).json() == found[1:]
    assert client.post("/v1/feeds/hotline/feedback", json={**opinion, "opinion": "perhaps"}).status_code == 422
    other = {"Authorization": f"Bearer {stranger}"}
    assert client.post("/v1/feeds/hotline/share", json=ours, headers=other).status_code == 404
    assert client.get("/v1/feeds/hotline/returns").status_code == 403
    assert admin.delete(f"/v1/feeds/hotline/members/{member.id}").status_code == 204
    assert client.post("/v1/feeds/hotline/feedback", json=opinion).status_code == 404


def test_what_another_tutela_gives_back_arrives_through_both_faces(admin, deployment, tmp_path, monkeypatch):
    key, path = Ed25519PrivateKey.generate(), tmp_path / "home" / "secrets" / "feed"
    path.parent.mkdir(mode=0o700)
    path.write_text(base64.b64encode(key.private_bytes_raw()).decode())
    path.chmod(0o600)
    deployment.banks.add("known", [NewEntry("pdq", KNOWN, "desk", label="A1")], actor="test")
    admin.post("/v1/feeds", json={"name": "hotline", "bank": "known", "signing_key": f"file:{path}"})
    member, secret = Keys(deployment.store).create("member", [Scope.FOLLOW], by="test")
    admin.put(f"/v1/feeds/hotline/members/{member.id}")
    monkeypatch.setenv("MEMBER_KEY", secret)
    with served(create_app(deployment, ApiOptions())) as address, opened_with_ours(tmp_path) as exchanges:
        options = {"url": address, "feed": "hotline", "key": "env:MEMBER_KEY", "public_key": public_text(key)}
        giving = Giving(feedback=True, share_bank="ours")
        exchanges.add("hotline", "tutela", "known", options, giving=giving, actor="test")
        Puller(exchanges).pull("hotline", actor="test")
        entry = exchanges.banks.entries("known")[0]
        with exchanges.store.write() as connection:
            feedback_for(connection, exchanges, Decided("case-1", Opinion.REJECTED, (entry.id,)))
        share_new(exchanges, "hotline")
        dispatcher = Dispatcher(Outbox(exchanges.store), Deliveries(exchanges.banks, QUICK).handlers)
        assert dispatcher.run_due() == 2
        found = {item["kind"]: item["document"] for item in admin.get("/v1/feeds/hotline/returns").json()}
        assert (found["feedback"]["entry"], found["feedback"]["opinion"]) == (entry.reference, "rejected")
        assert found["share"]["fingerprints"] == [["pdq", PDQ[7]]]


@contextmanager
def opened_with_ours(folder: Path) -> Iterator[Exchanges]:
    """A Tutela that follows, with an entry of its own."""
    with opened(f"sqlite:///{folder / 'member.db'}") as exchanges:
        exchanges.banks.create("ours", label="A1", actor="test")
        exchanges.banks.add("ours", [NewEntry("pdq", bytes.fromhex(PDQ[7]), "desk")], actor="test")
        yield exchanges
