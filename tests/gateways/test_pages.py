"""Blocked pages at a network's edge: refused with an honest page, counted without watching, and never a whole host."""

import asyncio
import logging
import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.zone
import httpx
import pytest
from prometheus_client import generate_latest

from tests.support.browser import issues, keep_screenshot, open_browser
from tests.support.edges import ORGANISATION, Lists, edge_of, stop_page
from tests.support.effort import effort
from tests.support.resolvers import served
from tests.support.service import free_port
from tests.support.waiting import PATIENCE_S
from tutela.casework.appeals import AppealState
from tutela.errors import InputError, NotReadyError
from tutela.foundation.options import OptionError
from tutela.gateways.dns import DnsOptions, Zone
from tutela.gateways.listeners import ListenAddress
from tutela.gateways.pages.options import StopPageOptions
from tutela.gateways.pages.squid import SquidHelper, run, template
from tutela.gateways.pages.suspects import SuspectForm, Suspects, resolve, suspect_hosts, written
from tutela.gateways.pages.texts import languages_of, texts_for
from tutela.lists.banks.guard import ListingGuard
from tutela.lists.banks.model import Action, BankUse, EntryState, PolicyChange
from tutela.lists.banks.values import new_entry
from tutela.screening.check.counts import CheckCounts, What, read_counts, rounded
from tutela.screening.check.requests import PASSED, RequestRuling, Ruled, surges

PAGE = "http://gardens.example/roses?id=7"
HOUR = timedelta(hours=1)


@pytest.fixture
def lists(tmp_path: Path) -> Iterator[Lists]:
    with edge_of(tmp_path / "home") as found:
        yield found


def ruling(lists: Lists, url: str, use: BankUse = BankUse.PROXY) -> RequestRuling:
    return lists.edge.rule(url, use).ruling


# --- rulings


def test_a_page_is_refused_and_no_other_page_of_its_host(lists):
    lists.add("url", "gardens.example/")
    assert ruling(lists, "http://GARDENS.example:80/#top") is RequestRuling.REFUSE
    for other in ("http://gardens.example/roses", "http://www.gardens.example/", "https://other.example/", "x", ""):
        assert ruling(lists, other) is RequestRuling.PASS, other
    assert ruling(lists, "http://gardens.example/", BankUse.DNS) is RequestRuling.PASS


def test_a_new_entry_runs_dry_for_an_hour_and_one_that_is_only_logged_stays_dry(tmp_path):
    with edge_of(tmp_path / "home", HOUR) as lists:
        lists.add("url", PAGE)
        assert ruling(lists, PAGE) is RequestRuling.DRY
    with edge_of(tmp_path / "other") as lists:
        lists.add("url", PAGE)
        assert ruling(lists, PAGE) is RequestRuling.REFUSE
        lists.edge.banks.update("pages", policy=PolicyChange(Action.LOG), actor="test")
        assert ruling(lists, PAGE) is RequestRuling.DRY


def test_an_entry_that_half_a_country_asks_for_is_set_aside_before_it_takes_anything(tmp_path, caplog):
    with edge_of(tmp_path / "home", HOUR) as lists:
        popular, *others = lists.add("url", PAGE, *(f"example.org/{number}" for number in range(5)))
        for number in range(5):
            ruling(lists, f"example.org/{number}")
        found = Counter(ruling(lists, PAGE) for _ in range(150))
        assert found[RequestRuling.REFUSE] == 0
        assert lists.edge.banks.entry(popular).state is EntryState.DISABLED
        assert all(lists.edge.banks.entry(each).state is EntryState.ACTIVE for each in others)
        assert "gardens" not in caplog.text
    assert not surges(Counter({1: 99}), 1) and surges(Counter({1: 100}), 1)
    assert not surges(Counter({1: 500, 2: 100, 3: 100}), 1)


def test_after_its_dry_run_it_is_marked_for_a_person_and_still_refused(lists):
    (entry,) = lists.add("url", PAGE)
    assert {ruling(lists, PAGE) for _ in range(150)} == {RequestRuling.REFUSE}
    assert lists.edge.banks.entry(entry).state is EntryState.ACTIVE
    receipt = lists.edge.appeals.receive(lists.edge.appeals.references.of(entry), "why")
    assert [sign.value for sign in lists.edge.appeals.get(receipt.id).signs] == ["surge"]


def test_a_refresh_shows_what_was_committed_though_another_thread_is_at_it(lists, monkeypatch):
    """The background's turn had seen the change and not taken it in yet; what asked then was let pass."""
    at_it, refresh = threading.Event(), lists.edge.banks.refresh

    def slow():
        at_it.set()
        time.sleep(0.3)
        refresh()

    monkeypatch.setattr(lists.edge.banks, "refresh", slow)
    for number in range(3):
        page = f"http://gardens.example/{number}"
        at_it.clear()
        lists.edge.banks.add("pages", [new_entry("url", page)], actor="test", reason="for the test")
        assert at_it.wait(PATIENCE_S), "the background refreshes"
        lists.edge.refresh()
        assert ruling(lists, page) is RequestRuling.REFUSE


def test_the_case_of_2008_replayed_touches_nothing_but_the_page(lists):
    """One article was listed, and a country's edits came from two addresses; all else of the site must stay as it
    is."""
    article = "http://en.wikipedia.org/wiki/An_album"
    (entry,) = lists.add("url", article)
    lists.add("domain", "dedicated.example")
    others = [
        *("http://en.wikipedia.org/", "http://en.wikipedia.org/wiki/Another", "http://wikipedia.org/wiki/An_album"),
        "http://en.wikipedia.org/w/index.php?title=An_album&action=edit",
        "http://upload.wikimedia.org/a/picture.jpg",
        "http://de.wikipedia.org/wiki/An_album",
    ]
    assert ruling(lists, article) is RequestRuling.GUARDED, "a page on a host of many needs two curators"
    assert all(ruling(lists, url) is RequestRuling.PASS for url in others)
    assert suspect_hosts(lists.edge.banks, ListingGuard(lists.edge.banks)) == ["dedicated.example"]
    for curator in ("anna", "bert"):
        lists.edge.banks.confirm(entry, reason="looked at it", actor=curator)
        lists.edge.banks.refresh()
    assert ruling(lists, article) is RequestRuling.REFUSE
    assert all(ruling(lists, url) is RequestRuling.PASS for url in others)
    assert suspect_hosts(lists.edge.banks, ListingGuard(lists.edge.banks)) == ["dedicated.example"], "nothing is routed"


def test_a_digest_of_unknown_host_counts_as_any_entry_of_that_host_does(lists):
    lists.add("url", new_entry("url", "en.wikipedia.org/wiki/X").value.hex(), new_entry("url", PAGE).value.hex())
    assert ruling(lists, "http://en.wikipedia.org/wiki/X") is RequestRuling.GUARDED
    assert ruling(lists, PAGE) is RequestRuling.REFUSE


# --- counts


def test_counts_are_of_hours_and_lists_and_nothing_under_twenty_is_written(lists):
    at = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)
    counts = CheckCounts(lists.edge.store, lambda: int(at.timestamp() * 1e6))
    for what, times in ((What.REFUSED, 47), (What.DRY, 19), (What.HELP, 1_234)):
        for _ in range(times):
            counts.add("pages", what)
    counts.write()
    assert read_counts(lists.edge.store) == [], "the hour is not over"
    at += HOUR
    counts.write()
    counts.write()
    found = {(one.hour.hour, one.rule_set, one.what): one.count for one in read_counts(lists.edge.store)}
    assert found == {(10, "pages", What.REFUSED): 50, (10, "pages", What.HELP): 1_234}
    assert [rounded(count) for count in (20, 24, 25, 99, 100, 101)] == [20, 20, 30, 100, 100, 101]


@pytest.mark.slow
def test_after_thousands_of_refusals_from_a_hundred_addresses_nothing_personal_is_anywhere(lists, caplog):
    """By the proxy's helper, the stop page and the zone: no file, row, log or metric has an address, name or link."""
    caplog.set_level(logging.DEBUG)
    at, refusals = datetime.now(UTC), effort(2_000, 10_000)
    lists.edge.counts._clock = lambda: int(at.timestamp() * 1e6)  # one hour, whenever it begins
    lists.add("url", PAGE)
    lists.add("domain", "listed.example", bank="names")
    helper = SquidHelper(lists.edge.rule, lists.edge.reference)
    for number in range(refusals):
        line = f"{number} {PAGE} GET 198.51.100.{number % 100} customer{number % 100}.example\n".encode()
        assert b"ERR message=" in helper.answer(line)
    with stop_page(lists) as options, httpx.Client(base_url=options.address) as client:
        for number in range(100):
            headers = {"Host": f"sub{number}.listed.example", "X-Forwarded-For": f"198.51.100.{number}"}
            headers |= {"User-Agent": f"customer{number}", "Cookie": f"id=customer{number}"}
            assert client.get(f"/secret-path?customer={number}", headers=headers).status_code == 451
        assert [client.get("/help/0", headers=headers).status_code for _ in range(19)] == [302] * 19
    zone = Zone(lists.edge.banks, lists.home / "serial", DnsOptions())
    listen = ListenAddress("127.0.0.1", free_port())
    with served(zone, DnsOptions(listen=listen)):
        for name in ("customer1.example", "rpz.tutela.invalid"):
            dns.query.udp(dns.message.make_query(name, "SOA"), "127.0.0.1", 30, listen.port)
        copy = dns.zone.Zone("rpz.tutela.invalid", relativize=False)
        dns.query.inbound_xfr("127.0.0.1", copy, port=listen.port, timeout=PATIENCE_S, lifetime=PATIENCE_S)
        assert len(copy.nodes) > 1
    at += 2 * HOUR
    lists.edge.counts.write()
    found = {(one.rule_set, one.what): one.count for one in read_counts(lists.edge.store)}
    assert found[("pages", What.REFUSED)] == refusals and found[("names", What.REFUSED)] == 100, found
    assert What.HELP not in {what for _, what in found}, "nothing below twenty is shown"
    lists.edge.store.close()
    personal = ("198.51.100.", "customer", "secret-path", ".listed.example")
    for path in lists.home.rglob("*"):
        seen = path.read_bytes() if path.is_file() else b""
        assert not any(one.encode() in seen for one in personal), path
    measured = generate_latest().decode()
    ours = "\n".join(line for line in caplog.text.splitlines() if "HTTP Request" not in line)  # the test's own client
    for text in (measured, ours):
        assert not any(one in text for one in (*personal, "gardens", "listed.example")), text[-2000:]


# --- the stop page


def test_the_page_says_who_and_why_and_helps_first(lists):
    (entry,) = lists.add("url", PAGE)
    number = lists.edge.appeals.references.of(entry)
    with stop_page(lists) as options, httpx.Client(base_url=options.address) as client:
        answer = client.get(f"/blocked/{number}", headers={"Accept-Language": "fr, de;q=0.8, en;q=0.9"})
        assert answer.status_code == 451
        assert answer.headers["link"] == '<https://example.net/blocking>; rel="blocked-by"'
        assert "set-cookie" not in answer.headers and "no-store" in answer.headers["cache-control"]
        text = answer.text
        for said in (ORGANISATION, "The list of Example Hotline", number, "Stop It Now", "0808 1000 900"):
            assert said in text, said
        assert text.index("Stop It Now") < text.index(ORGANISATION) < text.index("<form")
        for never in ("<script", "javascript:", "onload", "<img", "gardens.example"):
            assert never not in text
        german = client.get("/blocked/" + number, headers={"Accept-Language": "de-AT"}).text
        assert '<html lang="de">' in german and "Kennzeichen" in german
        unknown = client.get("/blocked/no-such")
        assert unknown.status_code == 451 and "<form" not in unknown.text
        assert client.get("/not-now").status_code == 503
        helped = client.get("/help/0")
        assert helped.status_code == 302 and helped.headers["location"].startswith("https://www.stopitnow")
        assert client.get("/help/999").status_code == 404


def test_a_blocked_name_comes_to_the_page_by_its_resolver_and_can_appeal(lists):
    (entry,) = lists.add("domain", "listed.example", bank="names")
    number = lists.edge.appeals.references.of(entry)
    with stop_page(lists) as options, httpx.Client(base_url=options.address) as client:
        answer = client.get("/any/page?x=1", headers={"Host": "deep.listed.example"})
        assert answer.status_code == 451 and number in answer.text
        sent = {"reference": number, "text": "a shop for flowers", "contact": "shop@example.org"}
        assert client.post("/appeal", data=sent | {"website": "spam"}).status_code == 400
        assert client.post("/appeal", data=sent | {"text": " "}).status_code == 400
        wrong = client.post("/appeal", data=sent | {"contact": "<b>nowhere"})
        assert wrong.status_code == 400 and "&lt;b&gt;nowhere" in wrong.text and "flowers" in wrong.text
        assert client.post("/appeal", content=b"x" * 100_000).status_code == 400
        answer = client.post("/appeal", data=sent)
        (found,) = lists.edge.appeals.all()
        assert answer.status_code == 200 and found.id[:12] in answer.text
        assert (found.entry_id, found.state) == (entry, AppealState.OPEN)
    with stop_page(lists, appeals_rate="1/hour") as options, httpx.Client(base_url=options.address) as client:
        assert [client.post("/appeal", data=sent).status_code for _ in range(3)] == [200, 429, 429]


def test_without_a_way_to_seal_no_form_is_shown_but_where_to_write(tmp_path):
    with edge_of(tmp_path / "home", seals=False) as lists:
        (entry,) = lists.add("url", PAGE)
        with stop_page(lists) as options:
            number = lists.edge.appeals.references.of(entry)
            text = httpx.get(f"{options.address}/blocked/{number}").text
            assert "<form" not in text and "mailto:appeals@example.net" in text


def test_options_that_would_put_markup_or_a_path_into_the_page_are_refused():
    markup: tuple[dict[str, Any], ...] = (
        {"address": "javascript:x"},
        {"address": "http://a.example/path"},
        {"site": "http://x/\r\nSet-Cookie:a"},
    )
    for wrong in markup:
        with pytest.raises(OptionError):
            StopPageOptions(**wrong)
    values: tuple[dict[str, Any], ...] = (
        {"port": 0},
        {"country": "Atlantis"},
        {"contact": "nobody"},
        {"appeals_rate": "often"},
    )
    for wrong in values:
        with pytest.raises(InputError):
            StopPageOptions(**wrong)
    assert texts_for(languages_of("xx;q=0.9, de;q=0.1, en;q=0")).code == "de"
    assert texts_for(languages_of("de;q=nonsense,,;q=1")).code == "en"


@pytest.mark.slow
def test_a_person_reads_the_page_and_appeals_by_keyboard_alone(lists):
    (entry,) = lists.add("url", PAGE)
    number = lists.edge.appeals.references.of(entry)
    with stop_page(lists) as options, open_browser() as browser:
        page = browser.new_page()
        assert page.goto(f"{options.address}/blocked/{number}").status == 451
        for width in (1440, 1024, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
            keep_screenshot(page, f"stop-page-{width}")
        assert issues(page) == []
        assert page.context.cookies() == []
        page = browser.new_context(java_script_enabled=False, locale="de-DE").new_page()
        page.goto(f"{options.address}/blocked/{number}")
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.locator("#text:focus").count():
                break
        page.keyboard.type("Eine Seite über Gärten")
        page.keyboard.press("Tab")
        page.keyboard.type("jemand@example.org")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Ihr Einspruch ist angekommen")
        keep_screenshot(page, "stop-page-received")
    (appeal,) = lists.edge.appeals.all()
    assert appeal.wants_answer and appeal.entry_id == entry


# --- squid


def test_the_helper_answers_every_line_of_squid(lists):
    (entry,) = lists.add("url", PAGE)
    lists.add("domain", "listed.example")
    number = lists.edge.appeals.references.of(entry)
    helper = SquidHelper(lists.edge.rule, lists.edge.reference)
    assert helper.answer(b"0 http://free.example/ GET\n") == b"0 OK"
    assert helper.answer(b"http://free.example/ GET\n") == b"OK"
    assert helper.answer(b"17 http://gardens.example/%72oses?id=7 GET\n") == f"17 ERR message={number}".encode()
    assert helper.answer(b"3 www.listed.example:443 CONNECT\n").startswith(b"3 ERR message=")
    assert [helper.answer(odd) for odd in (b"\n", b"5\n")] == [b"BH", b"5 BH"]
    for odd in (b"6 \xff\xfe GET\n", b"7 " + b"a" * 60_000 + b" GET\n"):
        assert helper.answer(odd).endswith(b"OK")

    def broken(url: str, use: BankUse) -> Ruled:
        raise NotReadyError("the index cannot be read")

    assert SquidHelper(broken, lambda _: "").answer(b"1 http://free.example/ GET\n") == b"1 BH"
    sink = BytesIO()
    run(lists.edge, BytesIO(b"0 http://free.example/ GET\n1 " + PAGE.encode() + b" GET\n"), sink)
    assert [line[:4] for line in sink.getvalue().splitlines()] == [b"0 OK", b"1 ER"]
    assert PASSED.entry_id is None
    assert template("<p>100% of NUMBER", "NUMBER") == "<p>100%% of %o"


# --- suspects


def test_suspects_are_hosts_and_public_addresses_in_the_words_of_routers(lists):
    lists.add("url", PAGE, "192.0.2.7/x", "8.8.8.8/y", "pages.github.io/z", "[2606:4700::1111]/a")
    lists.add("url-tree", "folders.example/a/")
    hosts = suspect_hosts(lists.edge.banks, ListingGuard(lists.edge.banks))
    assert hosts == ["192.0.2.7", "8.8.8.8", "[2606:4700::1111]", "folders.example", "gardens.example"]
    found = asyncio.run(resolve([host for host in hosts if host[0] in "18["]))
    assert found.addresses == ("8.8.8.8", "2606:4700::1111"), "192.0.2.0/24 is nobody's"
    shown = Suspects(("a.example",), found.addresses, 60)
    assert list(written(shown, SuspectForm.HOSTS)) == ["a.example"]
    tables = "\n".join(written(shown, SuspectForm.NFTABLES))
    assert "elements = { 8.8.8.8 }" in tables and "type ipv6_addr" in tables
    routes = "\n".join(written(shown, SuspectForm.BIRD))
    assert "route 8.8.8.8/32 blackhole;" in routes and "route 2606:4700::1111/128 blackhole;" in routes


@pytest.mark.parametrize(
    ("program", "form", "arguments", "before"),
    [
        ("nft", SuspectForm.NFTABLES, ["--check", "-f"], ""),
        ("bird", SuspectForm.BIRD, ["-p", "-c"], "router id 192.0.2.1;\nprotocol device {}\n"),
    ],
)
@pytest.mark.parametrize("addresses", [(), ("8.8.8.8", "9.9.9.9", "2606:4700::1111")])
def test_routers_take_the_suspects_as_they_are_written(tmp_path, program, form, arguments, before, addresses):
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if (found := shutil.which(program, path=path)) is None:
        pytest.skip(f"{program} is not installed: .ci/peers")
    file = tmp_path / "suspects"
    for lines, taken in ((written(Suspects((), addresses, 60), form), True), (["nonsense;"], False)):
        file.write_text(before + "\n".join(lines) + "\n")
        done = subprocess.run([found, *arguments, str(file)], capture_output=True, text=True)
        assert (done.returncode == 0) is taken, done.stderr
