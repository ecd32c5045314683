"""One record that is not of a list's form never stops the list: it is counted and named, and the rest is listed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.exchange_tools import listed, opened, puller
from tests.support.standins.server import served
from tests.support.standins.stopncii import StopNciiStandIn
from tests.support.standins.threatexchange import TOKEN, ThreatExchangeStandIn
from tests.support.stores import new_store
from tutela.cli.commands import app as command_line
from tutela.lists.banks.model import EntryState
from tutela.lists.exchanges import feed_wire, feeds, tutela_feed
from tutela.lists.exchanges.answers import read_each
from tutela.lists.exchanges.ncmec import NAMESPACE
from tutela.lists.exchanges.registry import kinds
from tutela.lists.exchanges.service import Exchanges

GOOD = [f"{number:064x}" for number in (1, 2)]
T0 = 1_700_000_000


def stopncii(bad: object) -> Starlette:
    service = StopNciiStandIn()
    for value in GOOD:
        service.put("ImagePDQ", value, "Active", T0)
    first, last = service.records.values()

    def fetch(_: Request) -> Response:
        page = {"count": 3, "hashRecords": [first, bad, last], "hasMoreRecords": False, "nextSetTimestamp": T0}
        return JSONResponse(page)

    return Starlette(routes=[Route("/v1/FetchHashes", fetch)])


def threatexchange(bad: object) -> Starlette:
    service = ThreatExchangeStandIn()
    for number, value in enumerate(GOOD, 1):
        service.put(number, "HASH_PDQ", value, T0)
    first, last = service.updates.values()

    def updates(_: Request) -> Response:
        return JSONResponse({"data": [first, bad, last]})

    return Starlette(routes=[Route("/v26.0/{group}/threat_updates/", updates)])


def ncmec(bad: object) -> Starlette:
    entries = [
        f'<image><member id="42">ESP</member><id>e{number}</id><timestamp>2023-11-14T22:13:20Z</timestamp>'
        f"<fingerprints><pdq>{value}</pdq></fingerprints></image>"
        for number, value in enumerate(GOOD)
    ]

    def page(_: Request) -> Response:
        body = f'<queryResult xmlns="{NAMESPACE}"><images>{entries[0]}{bad}{entries[1]}</images></queryResult>'
        return Response(body, media_type="application/xml")

    def status(_: Request) -> Response:
        return Response(f'<status xmlns="{NAMESPACE}"><member id="1">us</member></status>')

    return Starlette(routes=[Route("/v2/status", status), Route("/v2/entries", page)])


def feed(bad: object) -> Starlette:
    records = [feeds_record(number, value) for number, value in enumerate(GOOD, 1)]
    records.insert(1, bad if isinstance(bad, str) else json.dumps(bad))

    def page(request: Request) -> Response:
        chain = feed_wire.BEGINNING
        for record in records:
            chain = feed_wire.next_chain(chain, record)
        begun = feed_wire.BEGINNING.hex()
        found = feed_wire.FeedPage(
            "hotline", request.query_params["nonce"], 0, begun, tuple(records), chain.hex(), len(records)
        )
        body, signature = feed_wire.sign(found, KEY)
        return Response(body, headers={feed_wire.SIGNATURE: signature})

    return Starlette(routes=[Route("/v1/feeds/hotline/records", page)])


def feeds_record(number: int, value: str) -> str:
    fields = [("entry", str(number)), ("at", T0), ("withdrawn", False), ("signal", "pdq"), ("value", value)]
    return feed_wire.record_text(fields)


KEY = feed_wire.private_key("A" * 43 + "=")


def files(bad: object) -> Starlette:
    text = "\n".join(["value,signal", f"{GOOD[0]},pdq", str(bad), f"{GOOD[1]},pdq"])
    return Starlette(routes=[Route("/list.csv", lambda _: Response(text))])


OPTIONS: dict[str, dict[str, str]] = {
    "stopncii": {"subscription_key": "env:SECRET", "fetch_key": "env:SECRET", "url": "{}/v1"},
    "threatexchange": {"token": "env:TOKEN", "privacy_group": "1012185296055235", "url": "{}/v26.0"},
    "ncmec": {"user": "env:SECRET", "password": "env:SECRET", "url": "{}", "range_days": "9000"},
    "tutela": {"url": "{}", "feed": "hotline", "key": "env:SECRET", "public_key": feed_wire.public_text(KEY)},
    "files": {"url": "{}/list.csv"},
}
SERVICES: dict[str, Callable[[object], Starlette]] = {
    "stopncii": stopncii,
    "threatexchange": threatexchange,
    "ncmec": ncmec,
    "tutela": feed,
    "files": files,
}
BEYOND = 2**63
MALFORMED: list[tuple[str, object]] = [
    ("stopncii", None),
    ("stopncii", "no object"),
    ("stopncii", {}),
    ("stopncii", {"signalType": "ImagePDQ", "hashValue": "ab", "hashStatus": "Active", "lastModtimestamp": BEYOND}),
    ("stopncii", {"signalType": "ImagePDQ", "hashValue": "ab", "hashStatus": "Active", "lastModtimestamp": -1}),
    ("threatexchange", []),
    ("threatexchange", {"type": "HASH_PDQ", "indicator": "ab"}),
    ("threatexchange", {"id": "9", "type": "HASH_PDQ", "indicator": "ab", "last_updated": BEYOND}),
    ("ncmec", "<image/>"),
    ("ncmec", "<image><id>e9</id></image>"),
    ("tutela", "no JSON"),
    ("tutela", []),
    ("tutela", {"entry": "9", "at": "noon", "withdrawn": False}),
    ("tutela", {"entry": "9", "at": BEYOND, "withdrawn": False, "signal": "pdq", "value": GOOD[0]}),
    ("files", "no hash,pdq"),
    ("files", f"{GOOD[0]},no-signal"),
]
NOT_PULLED = {"arachnid"}
"""Kinds that give no list away."""


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "a-secret")
    monkeypatch.setenv("TOKEN", TOKEN)


def test_every_kind_that_is_pulled_is_among_them():
    assert {name for name, _ in MALFORMED} == set(SERVICES) == set(kinds()) - NOT_PULLED


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "bad"), MALFORMED)
def test_a_malformed_record_is_counted_and_named_and_the_others_are_listed(tmp_path, caplog, kind, bad):
    with opened(new_store(tmp_path / "tutela.db")) as exchanges, served(SERVICES[kind](bad)) as address:
        add(exchanges, kind, address)
        result = puller(exchanges).pull("list", actor="test")
        assert {value.hex() for _, _, value, _ in listed(exchanges, state=EntryState.ACTIVE)} == set(GOOD)
        assert (result.listed, result.rejected) == (2, 1)
        row = exchanges.get("list")
        assert (row.rejected, row.error, row.failures) == (1, None, 0)
        (place,) = result.unreadable
        wanted = "line 3" if kind == "files" else "record 2"
        assert wanted in place
        assert f"exchange list: not readable and left out: {place}" in caplog.text


def test_the_status_warns_and_the_pull_names_them(tmp_path, capsys):
    with served(stopncii("no object")) as address:
        with opened(f"sqlite:///{tmp_path / 'tutela.db'}") as exchanges:
            add(exchanges, "stopncii", address)
        home = ["--home", str(tmp_path)]
        command_line([*home, "exchange", "pull", "list"], standalone_mode=False)
        said = capsys.readouterr()
        assert "1 not readable" in said.out
        assert "the page since 10, record 2: it is no object" in said.err
    command_line([*home, "exchange", "status"], standalone_mode=False)
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("list ")]
    assert "│ warn" in row
    command_line([*home, "exchange", "status", "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["not_readable"] == 1


def add(exchanges: Exchanges, kind: str, address: str) -> None:
    options = {name: text.format(address) for name, text in OPTIONS[kind].items()}
    exchanges.add("list", kind, "known", options, actor="test")


def test_a_time_to_come_does_not_pass_over_what_comes_before_it(tmp_path: Path) -> None:
    """A change that says it is of next year is listed, and moves no checkpoint there."""
    service = ThreatExchangeStandIn()
    service.put(1, "HASH_PDQ", GOOD[0], 4_000_000_000)
    with opened(new_store(tmp_path / "tutela.db")) as exchanges, served(service.app()) as address:
        add(exchanges, "threatexchange", address)
        puller(exchanges).pull("list", actor="test")
        service.put(2, "HASH_PDQ", GOOD[1], T0)
        puller(exchanges).pull("list", actor="test")
        assert {value.hex() for _, _, value, _ in listed(exchanges)} == set(GOOD)


def test_the_feeds_own_record_is_what_the_service_writes():
    assert read_each([feeds_record(1, GOOD[0])], tutela_feed._listing, "page").rejected == 0
    assert feeds.read_record(feeds_record(1, GOOD[0]))["value"] == GOOD[0]


@pytest.mark.parametrize("prints", ["<fingerprints/>{}", "{}<fingerprints/>", "<fingerprints><md5/></fingerprints>{}"])
def test_an_empty_list_of_fingerprints_hides_none_beside_it(tmp_path, prints):
    full = prints.format(f"<fingerprints><pdq>{7:064x}</pdq></fingerprints>")
    entry = f'<image><member id="42">ESP</member><id>e7</id><timestamp>2023-11-14T22:13:20Z</timestamp>{full}</image>'
    with opened(new_store(tmp_path / "tutela.db")) as exchanges, served(ncmec(entry)) as address:
        add(exchanges, "ncmec", address)
        puller(exchanges).pull("list", actor="test")
        assert len(listed(exchanges, state=EntryState.ACTIVE)) == 3
