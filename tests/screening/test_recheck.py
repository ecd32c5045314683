"""Second opinions: what screening allowed is asked about afterwards, and only ever becomes more of a match."""

from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from PIL import Image
from sqlalchemy import update

from tests.support.exchange_tools import QUICK
from tests.support.pictures import draw_scene, file_of
from tests.support.standins.arachnid import ArachnidStandIn
from tests.support.standins.server import Fault, Faulty, served
from tests.support.waiting import wait_until
from tutela.casework.cases.model import Case
from tutela.casework.cases.options import EvidenceOptions
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.foundation.outbox.service import DeliveryState, Outbox
from tutela.foundation.outbox.worker import Dispatcher
from tutela.foundation.store.outbox_tables import outbox as outbox_table
from tutela.lists.banks.model import BankKind, NewEntry
from tutela.lists.exchanges.service import Exchanges
from tutela.screening.decision import Decision
from tutela.screening.recheck import TOPIC, SecondOpinions
from tutela.screening.verdict import Context

PICTURE = file_of(draw_scene(31, (320, 240)), "PNG")
OTHER = file_of(draw_scene(32, (320, 240)), "PNG")
DIGESTS = ("0a" * 20, "0b" * 32)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIELD_USER", "shield")
    monkeypatch.setenv("SHIELD_PASSWORD", "right-password")


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    evidence = EvidenceOptions(recipients=(str(pyrage.x25519.Identity.generate().to_public()),))
    with compose_deployment(tmp_path / "home", decoders=1, casework=CaseworkOptions(evidence)) as deployment:
        deployment.banks.create("shield", actor="test")
        yield deployment


@pytest.fixture
def shield() -> ArachnidStandIn:
    return ArachnidStandIn()


def follow(deployment: Deployment, address: str, asks: str = "allowed") -> Exchanges:
    options = {"user": "env:SHIELD_USER", "password": "env:SHIELD_PASSWORD", "url": address, "asks_about": asks}
    exchanges = Exchanges(deployment.banks)
    exchanges.add("shield", "arachnid", "shield", options, actor="test")
    deployment.second_opinions.turn()
    return exchanges


def quick(deployment: Deployment) -> Dispatcher:
    """What delivers the questions of a deployment, with a test's patience."""
    ask = SecondOpinions(deployment.banks, QUICK).answering(deployment.screener, deployment.journal, deployment.refresh)
    return Dispatcher(Outbox(deployment.store), {TOPIC: ask})


def only_case(deployment: Deployment) -> Case:
    (summary,) = deployment.casework.cases.queue()
    return deployment.casework.cases.get(summary.id)


def know(shield: ArachnidStandIn, deployment: Deployment, picture: bytes) -> str:
    """Have Shield know the picture; its hash."""
    hashes = deployment.screener.screen(picture).hashes
    value = next(one.value for one in hashes if one.signal == "pdq" and one.view == "whole")
    shield.known[bytes.fromhex(value)] = DIGESTS
    return value


def test_what_shield_knows_of_an_allowed_picture_opens_a_case_and_matches_from_then_on(deployment, shield):
    value = know(shield, deployment, PICTURE)
    with served(shield.app()) as address:
        follow(deployment, address)
        first = deployment.screener.screen(PICTURE, Context(item="upload-7"))
        deployment.screener.screen(OTHER, Context(item="upload-8"))
        assert first.decision is Decision.ALLOW, "nobody waits for Shield"
        assert deployment.second_opinions.turn() == 2
        dispatcher = quick(deployment)
        assert dispatcher.run_due() == 1, "one question about both"
    assert len(shield.asked) == 2
    (item,) = only_case(deployment).items
    assert (item.item, item.banks) == ("upload-7", ("shield",))
    assert [(match.bank, match.value, match.distance) for match in item.matches] == [("shield", value, 0)]
    listed = {(entry.signal, entry.value.hex()) for entry in deployment.banks.entries("shield")}
    assert listed == {("pdq", value), ("sha1", DIGESTS[0]), ("sha256", DIGESTS[1])}
    assert deployment.screener.screen(PICTURE).decision is Decision.HOLD


def test_an_answer_that_comes_twice_opens_one_case(deployment, shield):
    know(shield, deployment, PICTURE)
    with served(shield.app()) as address:
        follow(deployment, address)
        deployment.screener.screen(PICTURE, Context(item="upload-7"))
        deployment.second_opinions.turn()
        outbox = Outbox(deployment.store)
        (delivery,) = [one for one in outbox.all() if one.topic == TOPIC]
        quick(deployment).run_due()
        outbox.enqueue(TOPIC, "again", delivery.payload)
        quick(deployment).run_due()
    assert [one.state for one in outbox.all() if one.topic == TOPIC] == [DeliveryState.DONE, DeliveryState.DONE]
    assert len(only_case(deployment).items) == 1


def test_a_shield_that_fails_delays_nothing_and_is_asked_again(deployment, shield):
    know(shield, deployment, PICTURE)
    faults = [Fault.REFUSED, Fault.BUSY, *[Fault.ERROR] * 6]  # of each try of the delivery four requests fail
    faulty = Faulty(shield.app(), lambda _: faults.pop() if faults else None, method="POST")
    with served(faulty) as address:
        follow(deployment, address)
        assert deployment.screener.screen(PICTURE, Context(item="upload-7")).decision is Decision.ALLOW
        deployment.second_opinions.turn()
        dispatcher, outbox = quick(deployment), Outbox(deployment.store)
        for attempts in (1, 2):
            assert dispatcher.run_due() == 1
            (delivery,) = outbox.all()
            assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, attempts) and delivery.last_error
            assert deployment.casework.cases.queue() == []
            with deployment.store.write() as connection:
                connection.execute(update(outbox_table).values(next_at=0))
        dispatcher.run_due()
    assert [item.item for item in only_case(deployment).items] == ["upload-7"]


def test_nothing_is_asked_unless_the_operator_says_so(deployment, shield):
    know(shield, deployment, PICTURE)
    with served(shield.app()) as address:
        exchanges = follow(deployment, address, asks="nothing")
        deployment.screener.screen(PICTURE)
        assert deployment.second_opinions.turn() == 0
        exchanges.update("shield", options={"asks_about": "allowed"})
        deployment.second_opinions.turn()
        deployment.screener.screen(PICTURE)
        assert deployment.second_opinions.turn() == 1
        exchanges.update("shield", options={"asks_about": "nothing"})
        quick(deployment).run_due()
        assert [one.state for one in Outbox(deployment.store).all()] == [DeliveryState.DEAD]
    assert shield.asked == []


def test_what_was_held_and_what_has_no_detail_is_not_asked_about(deployment, shield):
    deployment.banks.create("known", actor="test")
    with served(shield.app()) as address:
        follow(deployment, address)
        value = know(shield, deployment, PICTURE)
        deployment.second_opinions.turn()
        deployment.banks.add("known", [NewEntry("pdq", bytes.fromhex(value))], actor="test")
        deployment.refresh()
        assert deployment.screener.screen(PICTURE).decision is Decision.HOLD
        assert deployment.screener.screen(file_of(Image.new("RGB", (320, 240)), "PNG")).decision is Decision.ALLOW
        assert deployment.second_opinions.turn() == 0


@pytest.mark.slow
def test_what_shield_lists_is_no_false_match_any_more(deployment, shield):
    value = know(shield, deployment, PICTURE)
    deployment.banks.create("false-matches", kind=BankKind.ALLOW, actor="test")
    allowed = [NewEntry("pdq", bytes.fromhex(value))]
    deployment.banks.add("false-matches", allowed, actor="test", reason="a logo")
    deployment.refresh()
    with served(shield.app()) as address:
        follow(deployment, address)
        deployment.screener.screen(PICTURE)
        deployment.second_opinions.turn()
        quick(deployment).run_due()
    assert len(deployment.casework.cases.queue()) == 1, "an allow list never reaches a listed value"
    assert deployment.second_opinions.turn() == 0, "a further verdict asks no further question"


@pytest.mark.slow
def test_a_running_deployment_asks_by_itself(deployment, shield):
    know(shield, deployment, PICTURE)
    with served(shield.app()) as address:
        follow(deployment, address)
        deployment.start()
        deployment.screener.screen(PICTURE, Context(item="upload-7"))
        wait_until(deployment.casework.cases.queue, "Shield's answer opens a case")
        deployment.stop()
