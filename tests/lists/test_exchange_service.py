"""Exchanges in a running service: the schedule, the feed between two Tutelas, giving back, hygiene, the self-test."""

import base64
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pdqhash
import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image, ImageDraw
from sqlalchemy import select

from tests.support.exchange_tools import QUICK, expected, exported, filled, listed, opened, puller
from tests.support.feeds import random_hashes
from tests.support.pictures import file_of, photos
from tests.support.preloaded import run_tutela
from tests.support.service import Service
from tests.support.standins.ncmec import NcmecEntry, NcmecStandIn
from tests.support.standins.server import served
from tests.support.standins.stopncii import StopNciiStandIn
from tests.support.standins.threatexchange import TOKEN, ThreatExchangeStandIn
from tests.support.waiting import wait_until
from tutela.api.keys import Scope
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.evidence.seal import new_identity
from tutela.content.signals.base import Sample
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.deployment.selftest import selftest
from tutela.errors import ConflictError, InputError
from tutela.foundation.leases import Leases
from tutela.foundation.outbox.service import DeliveryState, Outbox
from tutela.foundation.outbox.worker import Dispatcher
from tutela.foundation.store.exchange_tables import entry_opinion
from tutela.lists.banks.model import BankKind, BankUse, EntryState, NewEntry
from tutela.lists.banks.plain_pictures import low_detail
from tutela.lists.banks.values import new_entry
from tutela.lists.exchanges.base import Opinion
from tutela.lists.exchanges.feed_wire import (
    BEGINNING,
    FeedError,
    FeedPage,
    check_follows,
    next_chain,
    public_key,
    public_text,
    sign,
    verify,
)
from tutela.lists.exchanges.feedback import Decided, Deliveries, feedback_for, share_new
from tutela.lists.exchanges.feeds import Feeds, read_record
from tutela.lists.exchanges.hygiene import Flag, clear_flag, note_opinion
from tutela.lists.exchanges.service import Exchanges, Giving
from tutela.screening.decision import Decision

PDQ = [row.tobytes().hex() for row in random_hashes(300, seed=91)]


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for prefix in ("", "TUTELA_SECRET_"):
        monkeypatch.setenv(f"{prefix}NCMEC_USER", "esp")
        monkeypatch.setenv(f"{prefix}NCMEC_PASSWORD", "right-password")


def ncmec_options(address: str, prefix: str = "") -> dict[str, str]:
    user, password = f"env:{prefix}NCMEC_USER", f"env:{prefix}NCMEC_PASSWORD"
    return {"user": user, "password": password, "url": f"{address}/hashsharing", "range_days": "5000"}


# --- the schedule, in the service


def test_the_service_pulls_what_is_due_and_running_workers_follow(tmp_path):
    source = filled(300)
    with served(source.app()) as address:
        service = Service(tmp_path / "home", workers=2)
        try:
            with service.client() as client:
                assert client.post("/v1/banks", json={"name": "known"}).status_code == 201
                body = {"name": "ncmec", "kind": "ncmec", "bank": "known", "interval_s": 3600}
                options = ncmec_options(address, "TUTELA_SECRET_")
                made = client.post("/v1/exchanges", json={**body, "options": options})
                assert made.status_code == 201, made.text

                def row() -> dict:
                    return client.get("/v1/exchanges/ncmec").json()

                wait_until(lambda: row()["listed"] == 300, "what is listed is pulled")
                entry = next(e for e in source.current().values() if dict(e.fingerprints).get("pdq"))
                value = dict(entry.fingerprints)["pdq"]

                def matched() -> bool:
                    asked = client.post("/v1/screen/hashes", json={"hashes": [{"signal": "pdq", "value": value}]})
                    return bool(asked.json()["matches"])

                wait_until(matched, "the workers follow")
                source.delete(entry, int(time.time()) - 60)
                assert client.post("/v1/exchanges/ncmec/pull").status_code == 202
                wait_until(lambda: not matched(), "the workers follow")
                assert row()["unknown_fingerprints"] == {"netclean": 42}
                text = client.get("/metrics").text
                assert 'tutela_exchange_entries{exchange="ncmec",kind="ncmec"} 299.0' in text
                assert 'tutela_exchange_stale{exchange="ncmec",kind="ncmec"} 0.0' in text
                assert client.post("/v1/exchanges/ncmec/test").json() == {"answer": "A service (member 1)"}
                assert client.request("DELETE", "/v1/exchanges/ncmec").json()["withdrawn"] > 299
                assert client.get("/v1/exchanges").json() == []
        finally:
            assert service.stop() == 0
    log = (tmp_path / "home" / "log").read_text()
    assert "right-password" not in log


def test_from_afar_no_file_or_variable_of_the_machine_can_be_named(tmp_path):
    service = Service(tmp_path / "home")
    try:
        curator = service.keys.create("desk", [Scope.CURATE], by="test")[1]
        with service.client() as client, service.client(curator) as other:
            client.post("/v1/banks", json={"name": "known"})
            base = {"name": "evil", "bank": "known"}
            for kind, options in (
                ("files", {"url": "https://evil.example/list", "token": "file:/etc/passwd"}),
                ("files", {"path": "/etc/passwd"}),
                ("ncmec", {"user": "env:HOME", "password": "env:PATH"}),
            ):
                answer = client.post("/v1/exchanges", json={**base, "kind": kind, "options": options})
                assert answer.status_code == 400 and "over HTTP" in answer.json()["detail"]
            assert other.get("/v1/exchanges").status_code == 403
            assert other.get("/v1/feeds/x/records?nonce=12345678").status_code == 403
    finally:
        service.stop()


def test_one_of_many_processes_holds_a_lease_and_a_dead_one_loses_it(store):
    leases = Leases(store)
    with leases.holding("work") as first, leases.holding("work") as second:
        assert (first, second) == (True, False)
    assert not leases.held("work")
    assert leases.take("work", "busy", seconds=3600)
    assert not leases.take("work", "alive")
    assert leases.take("left", "dead", seconds=0.01)
    wait_until(lambda: leases.take("left", "alive"), "the lease has ended")


def test_of_two_pulls_of_one_exchange_only_the_later_one_writes(exchanges):
    source = filled(500, page_size=50)
    with served(source.app()) as address:
        exchanges.add("ncmec", "ncmec", "known", ncmec_options(address), actor="test")
        begun = []

        def another(_) -> None:
            if not begun:
                begun.append(puller(exchanges).pull("ncmec", actor="second"))

        with pytest.raises(ConflictError, match="another pull"):
            puller(exchanges).pull("ncmec", actor="first", on_page=another)
        assert listed(exchanges) == expected(source.current())
        assert exchanges.get("ncmec").error is None


@pytest.mark.slow
def test_a_list_that_was_not_pulled_for_too_long_is_an_alarm(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with opened(f"sqlite:///{home / 'tutela.db'}") as exchanges:
        exchanges.add("ncmec", "ncmec", "known", ncmec_options("http://127.0.0.1:1"), actor="test")
        exchanges.update("ncmec", stale_after_s=3600)
    database = sqlite3.connect(home / "tutela.db")
    database.execute("UPDATE exchange SET created_at = created_at - 3 * 3600 * 1000000")
    database.commit()
    database.close()
    doctor = run_tutela(["--home", home, "doctor", "--json"])
    found = [json.loads(line) for line in doctor.stdout.splitlines()]
    assert {"state": "fail", "what": "exchange ncmec", "detail": "not pulled for 3.0 h"} in found
    assert doctor.returncode == 1
    status = run_tutela(["--home", home, "exchange", "status"])
    assert status.returncode == 1
    monkeypatch.delenv("NCMEC_PASSWORD")
    pull = run_tutela(["--home", home, "exchange", "pull", "ncmec"])
    assert pull.returncode == 2 and "env:NCMEC_PASSWORD is empty or not set" in pull.stderr


# --- one Tutela follows another


def test_a_tutela_follows_another_and_both_end_equal(tmp_path, monkeypatch):
    key = Ed25519PrivateKey.generate()
    monkeypatch.setenv("FEED_KEY", base64.b64encode(key.private_bytes_raw()).decode())
    service = Service(tmp_path / "publisher", TUTELA_SECRET_FEED=os.environ["FEED_KEY"])
    try:
        member, text = service.keys.create("member", [Scope.FOLLOW], by="test")
        stranger = service.keys.create("stranger", [Scope.FOLLOW], by="test")[1]
        monkeypatch.setenv("MEMBER_KEY", text)
        with service.client() as admin, opened(f"sqlite:///{tmp_path / 'member.db'}") as follower:
            admin.post("/v1/banks", json={"name": "confirmed"})
            entries = [{"signal": "pdq", "value": value, "label": "A1", "source": "desk"} for value in PDQ]
            assert admin.post("/v1/banks/confirmed/entries", json={"entries": entries}).status_code == 201
            foreign = {"signal": "md5", "value": "0a" * 16, "source": "exchange:ncmec", "reference": "1/2"}
            admin.post("/v1/banks/confirmed/entries", json={"entries": [foreign]})
            feed = {"name": "hotline", "bank": "confirmed", "signing_key": "env:TUTELA_SECRET_FEED"}
            assert admin.post("/v1/feeds", json=feed).status_code == 201
            assert admin.put(f"/v1/feeds/hotline/members/{member.id}").status_code == 204
            options = {"url": service.address, "feed": "hotline", "key": "env:MEMBER_KEY"}
            options["public_key"] = public_text(key)
            follower.add("hotline", "tutela", "known", options, actor="test")
            assert puller(follower).pull("hotline", actor="test").listed == len(PDQ)
            assert {value.hex() for _, _, value, _ in listed(follower)} == set(PDQ), "another list's are not given on"
            first = admin.get("/v1/banks/confirmed/entries?limit=3").json()["entries"]
            for state, entry in zip(("withdrawn", "disabled", "withdrawn"), first, strict=True):
                admin.patch(f"/v1/entries/{entry['id']}", json={"state": state, "reason": "a mistake"})
            admin.patch(f"/v1/entries/{first[2]['id']}", json={"state": "active", "reason": "no mistake"})
            result = puller(follower).pull("hotline", actor="test")
            assert (result.withdrawn, result.pages) == (2, 1)
            assert {value.hex() for _, _, value, _ in listed(follower)} == set(PDQ[2:])
            before = exported(follower)
            puller(follower).pull("hotline", actor="test", full=True)
            assert exported(follower) == before
            with service.client(stranger) as other:
                assert other.get("/v1/feeds/hotline/records?nonce=12345678").status_code == 404
    finally:
        service.stop()


@pytest.fixture
def feed(exchanges, tmp_path) -> Iterator[tuple[Feeds, Ed25519PrivateKey]]:
    key, path = Ed25519PrivateKey.generate(), tmp_path / "feed.key"
    path.write_text(base64.b64encode(key.private_bytes_raw()).decode())
    path.chmod(0o600)
    exchanges.banks.create("confirmed", actor="test")
    exchanges.banks.add("confirmed", [NewEntry("pdq", bytes.fromhex(v)) for v in PDQ[:20]], actor="test")
    feeds = Feeds(exchanges.banks)
    feeds.create("hotline", "confirmed", f"file:{path}", actor="test")
    yield feeds, key


def test_a_page_that_a_middleman_touched_is_refused(feed):
    feeds, key = feed
    body, signature = feeds.page("hotline", 0, "nonce-one")
    public = public_key(public_text(key))
    page = verify(body, signature, public, feed="hotline", nonce="nonce-one")
    assert len(page.records) == 20 and page.head == 20
    assert check_follows(page, 0, BEGINNING).hex() == page.chain
    broken = [body[:-1], body.replace(b"false", b"true ", 1), body[: len(body) // 2]]
    for changed in broken:
        with pytest.raises(FeedError, match="not signed"):
            verify(changed, signature, public, feed="hotline", nonce="nonce-one")
    with pytest.raises(FeedError, match="another question"):
        verify(body, signature, public, feed="hotline", nonce="nonce-two")
    with pytest.raises(FeedError, match="not signed"):
        verify(body, signature, Ed25519PrivateKey.generate().public_key(), feed="hotline", nonce="nonce-one")


def test_a_signed_feed_carries_links_in_clear_where_resolvers_and_proxies_need_them(feed, exchanges, tmp_path):
    feeds, key = feed
    entries = [new_entry("domain", "Listed.example"), new_entry("url", "example.org/page?x&id=1 keys=id")]
    values = {}
    for bank, uses in (("edge", {BankUse.DNS, BankUse.PROXY}), ("posts", {BankUse.PLATFORM})):
        exchanges.banks.create(bank, uses=uses, actor="test")
        exchanges.banks.add(bank, entries, actor="test")
        feeds.create(bank, bank, f"file:{tmp_path / 'feed.key'}", actor="test")
        body, signature = feeds.page(bank, 0, "nonce-one")
        page = verify(body, signature, public_key(public_text(key)), feed=bank, nonce="nonce-one")
        found = [read_record(record) for record in page.records]
        values[bank] = [str(record["value"]) for record in found]
        read = [new_entry(str(record["signal"]), str(record["value"])) for record in found]
        assert [(one.value, one.keys) for one in read] == [(one.value, one.keys) for one in entries]
    assert values["edge"] == ["listed.example", "example.org/page?id=1 keys=id"]
    assert values["posts"] == [entries[0].value.hex(), f"{entries[1].value.hex()} keys=id"]
    body, signature = feeds.page("edge", 0, "nonce-one")
    with pytest.raises(FeedError, match="not signed"):
        changed = body.replace(b"listed.example", b"lasted.example")
        verify(changed, signature, public_key(public_text(key)), feed="edge", nonce="nonce-one")


def test_a_page_that_does_not_follow_what_is_known_is_refused(feed):
    feeds, key = feed
    public = public_key(public_text(key))

    def page(after: int, limit: int) -> FeedPage:
        body, signature = feeds.page("hotline", after, "nonce-one", limit)
        return verify(body, signature, public, feed="hotline", nonce="nonce-one")

    chain = check_follows(page(0, 5), 0, BEGINNING)
    assert check_follows(page(5, 5), 5, chain)
    for wrong in (page(6, 5), page(0, 5), replace(page(5, 5), chain_before="00")):
        with pytest.raises(FeedError, match="does not follow"):
            check_follows(wrong, 5, chain)
    good = page(5, 5)
    for records in (good.records[:-1], good.records[::-1], (*good.records, good.records[0])):
        with pytest.raises(FeedError, match="not those of its chain"):
            check_follows(replace(good, records=records), 5, chain)


def test_the_chain_of_a_feed_is_that_of_its_records(feed):
    feeds, key = feed
    body, signature = feeds.page("hotline", 0, "nonce-one")
    chain = BEGINNING
    for record in json.loads(body)["records"]:
        chain = next_chain(chain, record)
    assert chain.hex() == json.loads(body)["chain"]
    again, _ = sign(verify(body, signature, key.public_key(), feed="hotline", nonce="nonce-one"), key)
    assert again == body


# --- giving back


@pytest.fixture
def giving(exchanges) -> Iterator[tuple[Exchanges, NcmecStandIn, Dispatcher]]:
    source = filled(30)
    with served(source.app()) as address:
        options = ncmec_options(address)
        exchanges.add("ncmec", "ncmec", "known", options, giving=Giving(feedback=True), actor="test")
        puller(exchanges).pull("ncmec", actor="test")
        dispatcher = Dispatcher(Outbox(exchanges.store), Deliveries(exchanges.banks, QUICK).handlers)
        yield exchanges, source, dispatcher


def decide(exchanges: Exchanges, entry_id: int, opinion: Opinion, reason: str = "", name: str = "case-1") -> int:
    with exchanges.store.write() as connection:
        return feedback_for(connection, exchanges, Decided(name, opinion, (entry_id,), reason))


def test_a_decision_becomes_a_vote_once(giving):
    exchanges, source, dispatcher = giving
    entry = next(e for e in exchanges.banks.entries("known") if e.signal == "pdq")
    assert decide(exchanges, entry.id, Opinion.REJECTED, "Not apparent") == 1
    assert decide(exchanges, entry.id, Opinion.REJECTED, "Not apparent") == 0
    assert dispatcher.run_due() == 1
    assert source.feedback == {(entry.reference, "PDQ", "esp"): "negative"}
    assert decide(exchanges, entry.id, Opinion.CONFIRMED, name="case-2") == 1
    dispatcher.run_due()
    assert source.feedback == {(entry.reference, "PDQ", "esp"): "affirmative"}


def test_nothing_is_given_unless_the_policy_says_so(giving):
    exchanges, source, dispatcher = giving
    exchanges.update("ncmec", giving=Giving(feedback=False))
    entry = exchanges.banks.entries("known")[0]
    assert decide(exchanges, entry.id, Opinion.CONFIRMED) == 0
    with pytest.raises(InputError, match="share"):
        share_new(exchanges, "ncmec")
    exchanges.update("ncmec", giving=Giving(feedback=True))
    assert decide(exchanges, entry.id, Opinion.CONFIRMED) == 1
    exchanges.update("ncmec", giving=Giving(feedback=False))
    dispatcher.run_due()
    assert source.feedback == {}, "what waits is not sent once the policy forbids it"


def test_a_vote_that_can_never_be_taken_ends_and_one_that_may_is_tried_again(giving, monkeypatch):
    exchanges, _, dispatcher = giving
    entry = next(e for e in exchanges.banks.entries("known") if e.signal == "pdq")
    decide(exchanges, entry.id, Opinion.REJECTED, "no such reason", "case-1")
    dispatcher.run_due()
    other = next(e for e in exchanges.banks.entries("known") if e.signal == "md5")
    monkeypatch.setenv("NCMEC_PASSWORD", "ran out")
    decide(exchanges, other.id, Opinion.CONFIRMED, name="case-2")
    dispatcher.run_due()
    states = [delivery.state for delivery in Outbox(exchanges.store).all()]
    assert states == [DeliveryState.DEAD, DeliveryState.PENDING]


def test_confirmed_entries_are_shared_once_and_never_those_of_another_list(giving):
    exchanges, source, dispatcher = giving
    exchanges.banks.create("ours", label="A1", actor="test")
    ours = [NewEntry("pdq", bytes.fromhex(value), "desk", label="A1") for value in PDQ[:3]]
    theirs = [NewEntry("pdq", bytes.fromhex(PDQ[4]), "exchange:other", "9/9", "A1")]
    other_label = [NewEntry("pdq", bytes.fromhex(PDQ[5]), "desk", label="B2")]
    exchanges.banks.add("ours", [*ours, *theirs, *other_label], actor="test")
    exchanges.update("ncmec", giving=Giving(share_bank="ours", share_labels=("A1",)))
    assert share_new(exchanges, "ncmec") == 3
    assert share_new(exchanges, "ncmec") == 0
    dispatcher.run_due()
    bodies = b"".join(source.submitted.values())
    assert len(source.submitted) == 3 and all(value.encode() in bodies for value in PDQ[:3])


def test_a_decided_case_becomes_a_vote_and_changing_ones_mind_another(tmp_path):
    source, picture = filled(3), file_of(photos()[0], "JPEG")
    digest = hashlib.sha1(picture).hexdigest()
    source.put(NcmecEntry(42, "listed", int(time.time()) - 90, fingerprints=(("sha1", digest),)))
    evidence = EvidenceOptions(recipients=(str(pyrage.x25519.Identity.generate().to_public()),))
    with (
        served(source.app()) as address,
        compose_deployment(tmp_path / "home", decoders=1, casework=CaseworkOptions(evidence)) as deployment,
    ):
        deployment.banks.create("known", actor="test")
        exchanges, cases = Exchanges(deployment.banks), deployment.casework.cases
        options = {**ncmec_options(address), "reject_reason": "Not apparent"}
        exchanges.add("ncmec", "ncmec", "known", options, giving=Giving(feedback=True), actor="test")
        puller(exchanges).pull("ncmec", actor="test")
        deployment.refresh()
        assert deployment.screener.screen(picture).decision is Decision.HOLD
        dispatcher = Dispatcher(deployment.outbox, Deliveries(deployment.banks, QUICK).handlers)
        case_id = cases.queue()[0].id
        cases.claim(case_id, by="reviewer")
        cases.decide(case_id, Outcome.CONFIRM, label="A1", by="reviewer", reason="it is, says a name")
        (asked,) = deployment.outbox.all(state=DeliveryState.PENDING)
        assert asked.payload and "says a name" not in str(asked.payload)
        dispatcher.run_due()
        assert source.feedback == {("42/listed", "SHA1", "esp"): "affirmative"}
        cases.reopen(case_id, by="lead", reason="a complaint")
        cases.claim(case_id, by="other")
        cases.decide(case_id, Outcome.REJECT, by="other", reason="it is not")
        dispatcher.run_due()
        assert source.feedback == {("42/listed", "SHA1", "esp"): "negative"}
        with deployment.store.read() as connection:
            opinions = list(connection.execute(select(entry_opinion.c.opinion)).scalars())
        assert opinions == ["rejected"]


@pytest.fixture
def seeing(tmp_path, monkeypatch) -> Iterator[tuple[Deployment, StopNciiStandIn, ThreatExchangeStandIn, Dispatcher]]:
    """A deployment that follows two lists, which both have the hash PDQ[0], and tells them of first matches."""
    stopncii, threatexchange = StopNciiStandIn(), ThreatExchangeStandIn()
    stopncii.put("ImagePDQ", PDQ[0])
    threatexchange.put(100, "HASH_PDQ", PDQ[0], int(time.time()) - 300)
    for name, secret in {"SUBSCRIPTION": "subscription-key", "FETCH": "fk", "FEEDBACK": "bk", "TOKEN": TOKEN}.items():
        monkeypatch.setenv(name, secret)
    evidence = EvidenceOptions(recipients=(str(pyrage.x25519.Identity.generate().to_public()),))
    with (
        served(stopncii.app()) as one,
        served(threatexchange.app()) as other,
        compose_deployment(tmp_path / "home", decoders=1, casework=CaseworkOptions(evidence)) as deployment,
    ):
        keys = {"subscription_key": "env:SUBSCRIPTION", "fetch_key": "env:FETCH", "feedback_key": "env:FEEDBACK"}
        group = {"token": "env:TOKEN", "privacy_group": threatexchange.group, "url": f"{other}/v26.0"}
        exchanges = Exchanges(deployment.banks)
        for name, options in (("stopncii", {**keys, "url": f"{one}/v1"}), ("threatexchange", group)):
            deployment.banks.create(name, actor="test")
            giving = Giving(feedback=True, seen=True)
            exchanges.add(name, name, name, options, giving=giving, actor="test")
            puller(exchanges).pull(name, actor="test")
        deployment.refresh()
        dispatcher = Dispatcher(deployment.outbox, Deliveries(deployment.banks, QUICK).handlers)
        yield deployment, stopncii, threatexchange, dispatcher


def screen_listed(deployment: Deployment) -> None:
    sample = Sample("pdq", bytes.fromhex(PDQ[0]))
    assert deployment.screener.screen_hashes([sample]).decision is Decision.HOLD


def test_a_first_match_is_told_once_and_does_not_replace_what_reviewers_found(seeing):
    deployment, stopncii, threatexchange, dispatcher = seeing
    screen_listed(deployment)
    assert dispatcher.run_due() == 2
    assert stopncii.feedback[PDQ[0]]["feedbackValue"] == "PendingReview"
    assert threatexchange.reactions == {"7100": "SAW_THIS_TOO"}
    screen_listed(deployment)
    assert dispatcher.run_due() == 0, "how often it is seen is nobody's business"
    for summary in deployment.casework.cases.queue():
        deployment.casework.cases.claim(summary.id, by="reviewer")
        deployment.casework.cases.decide(summary.id, Outcome.CONFIRM, label="A1", by="reviewer", reason="it is")
    assert dispatcher.run_due() > 0
    screen_listed(deployment)
    dispatcher.run_due()
    assert stopncii.feedback[PDQ[0]]["feedbackValue"] == "Blocked"
    assert threatexchange.reactions == {"7100": "HELPFUL"}


def test_a_first_match_is_told_only_where_the_policy_says_so(seeing):
    deployment, stopncii, threatexchange, dispatcher = seeing
    exchanges = Exchanges(deployment.banks)
    exchanges.update("stopncii", giving=Giving(feedback=True))
    screen_listed(deployment)
    exchanges.update("threatexchange", giving=Giving(feedback=True))
    assert dispatcher.run_due() == 1, "what waits is not sent once the policy forbids it"
    assert (stopncii.feedback, threatexchange.reactions) == ({}, {})


def test_a_first_match_after_a_decision_is_not_told(seeing):
    deployment, stopncii, _, dispatcher = seeing
    exchanges = Exchanges(deployment.banks)
    exchanges.update("stopncii", giving=Giving(feedback=True))
    entry = deployment.banks.entries("stopncii")[0]
    with deployment.store.write() as connection:
        note_opinion(connection, [entry.id], "an earlier case", Opinion.CONFIRMED, actor="test")
    exchanges.update("stopncii", giving=Giving(feedback=True, seen=True))
    screen_listed(deployment)
    dispatcher.run_due()
    assert stopncii.feedback == {}


# --- hygiene


def hash_of(picture: Image.Image) -> bytes:
    return np.packbits(pdqhash.compute(np.asarray(picture.convert("RGB")))[0]).tobytes()


def plain_pictures(rng: np.random.Generator) -> Iterator[Image.Image]:
    """Blank ones, and ones of a single shape."""
    for shade in (0, 1, 50, 128, 254, 255):
        yield Image.new("RGB", (300, 200), (shade,) * 3)
    for number in range(20):
        picture = Image.new("RGB", (400, 300), (20 + number, 90, 200))
        ImageDraw.Draw(picture).rectangle((40, 30, 100 + 7 * number, 120 + 5 * number), fill=(220, 180 - number, 20))
        yield picture
    y, x = np.mgrid[0:300, 0:400]
    for _ in range(20):
        distance = np.hypot(x - rng.uniform(120, 280), y - rng.uniform(90, 210))
        yield Image.fromarray((rng.uniform(130, 255) * (1 - distance / distance.max())).astype(np.uint8))


def detailed_pictures(rng: np.random.Generator) -> Iterator[Image.Image]:
    """Photos, and pieces of them."""
    for photo in photos():
        yield photo
        for _ in range(25):
            width, height = (int(side * rng.uniform(0.5, 0.9)) for side in photo.size)
            left, top = int(rng.integers(photo.width - width)), int(rng.integers(photo.height - height))
            yield photo.crop((left, top, left + width, top + height))


def test_hashes_of_plain_pictures_are_flagged_and_those_of_photos_are_not():
    rng = np.random.default_rng(7)
    plain, detailed = (
        low_detail(np.frombuffer(b"".join(map(hash_of, pictures(rng))), np.uint8).reshape(-1, 32))
        for pictures in (plain_pictures, detailed_pictures)
    )
    assert plain.mean() > 0.97
    assert not any(detailed)
    assert low_detail(random_hashes(20_000, seed=3)).mean() < 0.0005


def test_what_a_list_brings_is_examined_and_marked_and_still_counts(exchanges, tmp_path):
    blank = hash_of(Image.new("RGB", (300, 200), "white")).hex()
    allowed = PDQ[0]
    near = (int(allowed, 16) ^ 0b111).to_bytes(32).hex()
    exchanges.banks.create("false-matches", kind=BankKind.ALLOW, actor="test")
    exchanges.banks.add("false-matches", [NewEntry("pdq", bytes.fromhex(allowed))], actor="test", reason="a logo")
    path = tmp_path / "list.txt"
    path.write_text("\n".join([blank, near, *PDQ[1:50]]))
    exchanges.add("list", "files", "known", {"path": str(path), "signal": "pdq"}, actor="test")
    assert puller(exchanges).pull("list", actor="test").flagged == 2
    flags = {(exchanges.banks.entry(entry).value.hex(), flag) for entry, flag, _ in exchanges.flags("list")}
    assert flags == {(blank, Flag.LOW_DETAIL), (near, Flag.ALLOW_LIST)}
    assert len(listed(exchanges)) == 51
    entry_id = exchanges.flags("list")[0][0]
    with exchanges.store.write() as connection:
        clear_flag(connection, entry_id, Flag.LOW_DETAIL, actor="operator")
    puller(exchanges).pull("list", actor="test", full=True)
    assert len(exchanges.flags("list")) == 1, "what was looked at is not marked again"


def test_an_entry_that_reviewers_keep_rejecting_is_set_aside_for_a_second_look(exchanges):
    entry_id = exchanges.banks.add("known", [NewEntry("pdq", bytes.fromhex(PDQ[0]))], actor="test").entry_ids[0]

    def review(name: str, opinion: Opinion) -> list[int]:
        with exchanges.store.write() as connection:
            return note_opinion(connection, [entry_id], name, opinion, actor="reviewer")

    assert review("case-0", Opinion.CONFIRMED) == []
    for _ in range(10):
        assert review("case-1", Opinion.REJECTED) == [], "one decision counts once"
    for number in (2, 3):
        assert review(f"case-{number}", Opinion.REJECTED) == []
    assert review("case-4", Opinion.REJECTED) == [], "four of five"
    assert review("case-5", Opinion.REJECTED) == [entry_id]
    assert exchanges.banks.entry(entry_id).state is EntryState.DISABLED
    exchanges.banks.set_state(entry_id, EntryState.ACTIVE, reason="it is right", actor="lead")
    with exchanges.store.write() as connection:
        clear_flag(connection, entry_id, Flag.REJECTED, actor="lead")
    assert review("case-6", Opinion.REJECTED) == [], "it is judged anew"
    assert exchanges.banks.entry(entry_id).state is EntryState.ACTIVE
    history = [event.action for event in exchanges.banks.history(entry_id)]
    assert history == ["listed", "disabled", "active"]


# --- the self-test


def test_the_self_test_passes_where_matching_works_and_fails_where_it_does_not(tmp_path):
    with compose_deployment(tmp_path / "home", decoders=1) as deployment:
        assert all(check.ok for check in selftest(deployment))
        exchanges = Exchanges(deployment.banks)
        deployment.banks.create("known", actor="test")
        path = tmp_path / "list.txt"
        path.write_text("\n".join(PDQ[:5]))
        canaries = f"pdq:{PDQ[0]},pdq:{PDQ[9]}"
        options = {"path": str(path), "signal": "pdq", "canaries": canaries}
        exchanges.add("list", "files", "known", options, actor="test")
        puller(exchanges).pull("list", actor="test")
        deployment.refresh()
        failed = [check for check in selftest(deployment) if not check.ok]
        assert [check.detail for check in failed] == ["not matched in bank known"]
        entry = deployment.banks.entries("tutela-canary")
        for item in entry:
            deployment.banks.set_state(item.id, EntryState.DISABLED, reason="test", actor="test")
        deployment.refresh()
        assert [check.ok for check in selftest(deployment)][:2] == [False, False]


def test_the_self_test_asks_a_running_service_and_opens_a_case_only_where_that_is_asked(tmp_path):
    service = Service(tmp_path / "home", TUTELA_EVIDENCE=json.dumps({"recipients": [new_identity()[1]]}))
    try:
        key = service.keys.create("selftest", [Scope.SCREEN], by="test")[1]
        command = ["--home", str(service.home), "selftest", "--url", service.address]
        environment = os.environ | {"TUTELA_KEY": key}
        for further, checks, cases in (((), 3, 0), (("--holds",), 4, 1)):
            done = run_tutela([*command, "--json", *further], env=environment)
            assert done.returncode == 0, done.stdout + done.stderr
            assert [json.loads(line)["state"] for line in done.stdout.splitlines()] == ["ok"] * checks
            with service.client() as client:
                assert len(client.get("/v1/cases").json()["cases"]) == cases
    finally:
        service.stop()
