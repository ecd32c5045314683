"""The command line at a network's edge, as the page for providers has it: lists, the zone, proxy and routers, counts,
appeals."""

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO, TextIOWrapper
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from tests.support.commands import Call, Said, run_command
from tutela.casework.evidence.seal import new_identity
from tutela.deployment.casework import opened_casework
from tutela.deployment.settings import load_settings
from tutela.foundation.store.database import Store
from tutela.lists.banks.model import EntryState
from tutela.lists.banks.service import Banks
from tutela.lists.banks.values import new_entry
from tutela.screening.check.counts import CheckCounts, What

GARDEN = "192.0.2.80"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run `tutela …` from its `main` on."""
    monkeypatch.setenv("TUTELA_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Said:
        return run_command(monkeypatch, capsys, *arguments)

    return run


@pytest.fixture
def isp(call: Call) -> None:
    """The bank of the page for providers."""
    assert call("bank", "create", "isp", "--use", "dns", "--action", "block").code == 0


def written(path: Path, *values: str) -> Path:
    path.write_text("".join(f"{value}\n" for value in values))
    return path


def names(kind: str, count: int) -> list[str]:
    return [f"{kind}{number}.example" for number in range(count)]


def active(home: Path, bank: str) -> int:
    with contextlib.closing(Store.open(f"sqlite:///{home / 'tutela.db'}")) as store:
        return len(Banks(store, home).entries(bank, state=EntryState.ACTIVE, limit=10_000))


# --- lists that grow as none does


@pytest.mark.usefixtures("isp")
def test_a_list_that_grew_is_imported_once_somebody_says_so(call, home, tmp_path):
    first, grown = written(tmp_path / "first.txt", *names("a", 200)), written(tmp_path / "grown.txt", *names("b", 150))
    assert call("bank", "import", "isp", first, "--signal", "domain").code == 0
    refused = call("bank", "import", "isp", grown, "--signal", "domain")
    assert refused.code != 0 and "more than 100 new entries at once" in refused.err
    assert "tutela bank import isp … --accept-growth" in refused.err
    assert active(home, "isp") == 200
    accepted = call("bank", "import", "isp", grown, "--signal", "domain", "--accept-growth")
    assert (accepted.code, accepted.out) == (0, "150 lines: 150 listed, 0 already there, 0 rejected\n")
    assert active(home, "isp") == 350


@pytest.mark.usefixtures("isp")
def test_a_list_that_is_piped_in_grows_only_when_somebody_says_so(call, home, tmp_path, monkeypatch):
    assert (
        call("bank", "import", "isp", written(tmp_path / "first.txt", *names("a", 200)), "--signal", "domain").code == 0
    )

    def piped(*more: str) -> Said:
        text = "".join(f"{name}\n" for name in names("b", 150)).encode()
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(_Peekable(text)))
        return call("bank", "import", "isp", "-", "--format", "text", "--signal", "domain", *more)

    assert piped().code != 0
    assert active(home, "isp") == 200
    assert piped("--accept-growth").code == 0
    assert active(home, "isp") == 350


class _Peekable(BytesIO):
    """Standard input, which can be looked at before it is read."""

    def peek(self, count: int) -> bytes:
        at = self.tell()
        seen = self.read(count)
        self.seek(at)
        return seen


@pytest.mark.usefixtures("isp")
def test_an_exchange_that_grew_is_pulled_once_somebody_says_so(call, home, tmp_path):
    path = written(tmp_path / "list.txt", *names("a", 200))
    options = ("-o", f"path={path}", "-o", "signal=domain")
    assert call("exchange", "add", "hotline", "--kind", "files", "--bank", "isp", *options).code == 0
    assert "200 listed" in call("exchange", "pull", "hotline").out
    written(path, *names("a", 200), *names("b", 150))
    refused = call("exchange", "pull", "hotline")
    assert refused.code != 0 and "tutela exchange pull hotline --accept-growth" in refused.err
    assert active(home, "isp") == 200
    accepted = call("exchange", "pull", "hotline", "--accept-growth")
    assert accepted.code == 0 and active(home, "isp") == 350


@pytest.mark.usefixtures("isp")
def test_a_list_with_a_page_in_it_becomes_no_list_of_domains(call, home, tmp_path):
    refused = call(
        "bank", "import", "isp", written(tmp_path / "l.txt", "a.example", "b.example/page"), "--signal", "domain"
    )
    assert refused.code == 1 and "line 2" in refused.err
    assert active(home, "isp") == 1


@pytest.mark.usefixtures("isp")
def test_one_person_is_one_curator_however_often_they_confirm(call, tmp_path):
    assert (
        call("bank", "import", "isp", written(tmp_path / "l.txt", "en.wikipedia.org"), "--signal", "domain").code == 0
    )
    said = call("bank", "confirm", "1", "--reason", "looked at it")
    assert (said.code, said.out) == (0, "entry 1 is confirmed by 1 of 2 curators\n")
    again = call("bank", "confirm", "1", "--reason", "looked at it again")
    assert (again.code, again.out) == (2, "") and "confirm" in again.err
    assert "en.wikipedia.org" not in call("dns", "zone").out


# --- the zone


class Resolver:
    """Answers the canary over UDP as a resolver that applies the zone, or says that no name exists."""

    def __init__(self) -> None:
        self.applies = True
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, peer = self._socket.recvfrom(4096)
                asked = dns.message.from_wire(wire)
                answer = dns.message.make_response(asked, recursion_available=True)
                (question,) = asked.question
                if asked.flags & dns.flags.RD and self.applies and question.rdtype == dns.rdatatype.A:
                    address = "192.0.2.53" if question.name.to_text() == "canary.tutela.alt." else "9.9.9.9"
                    answer.answer = [dns.rrset.from_text(question.name, 60, "IN", "A", address)]
                elif self.applies and question.name.to_text() == "version.canary.tutela.alt.":
                    answer.answer = [dns.rrset.from_text(question.name, 60, "IN", "TXT", '"7"')]
                else:
                    answer.set_rcode(dns.rcode.NXDOMAIN)
                self._socket.sendto(answer.to_wire(), peer)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    with contextlib.closing(Resolver()) as running:
        yield running


@pytest.mark.usefixtures("isp")
def test_the_zone_is_printed_in_the_words_of_each_resolver(call, home, tmp_path):
    assert call("bank", "import", "isp", written(tmp_path / "l.txt", "listed.example"), "--signal", "domain").code == 0
    assert "listed.example CNAME ." in call("dns", "zone").out.splitlines()
    (home / "tutela.toml").write_text(f'[dns.isp]\ngarden = ["{GARDEN}", "2001:db8::80"]\n')
    zone = call("dns", "zone", "isp").out.splitlines()
    for line in (f"listed.example A {GARDEN}", f"*.listed.example A {GARDEN}", "*.listed.example AAAA 2001:db8::80"):
        assert line in zone
    dnsmasq = call("dns", "zone", "--dialect", "dnsmasq").out.splitlines()
    assert f"address=/listed.example/{GARDEN}" in dnsmasq
    assert not (home / "dns").exists(), "to print the zone makes no version of it"
    for arguments in (("--dialect", "bind"), ("other",)):
        wrong = call("dns", "zone", *arguments)
        assert wrong.code == 2 and "there are" in wrong.err


@pytest.mark.usefixtures("isp")
def test_each_resolver_is_asked_whether_it_applies_the_policy(call, home, resolver):
    (home / "tutela.toml").write_text(f'[dns.isp.resolvers.one]\nasked_at = "127.0.0.1:{resolver.port}"\n')
    applied = call("dns", "check")
    assert (applied.code, applied.out) == (0, "one: applies the policy\n"), "here nobody knows what version there is"
    (home / "dns").mkdir()
    for serial, told in ((7, "version 7"), (9, "version 7 of 9")):
        (home / "dns" / "rpz.tutela.invalid.serial").write_text(str(serial))
        assert call("dns", "check").out.splitlines() == ["one: applies the policy", f"  rpz.tutela.invalid: {told}"]
    resolver.applies = False
    lost = call("dns", "check", "isp")
    assert (lost.code, lost.out) == (1, "one: DOES NOT apply the policy\n")
    (home / "tutela.toml").write_text("[dns.isp]\n")
    for command in ("check", "watch"):
        without = call("dns", command)
        assert without.code == 2 and "no resolver is named" in without.err


# --- the proxy and routers


@pytest.fixture
def pages(call: Call, tmp_path: Path) -> None:
    """A bank for a proxy with pages of two hosts, one of which many people share."""
    assert call("bank", "create", "pages", "--use", "proxy", "--action", "block").code == 0
    listed = written(tmp_path / "pages.txt", "gardens.example/roses", "en.wikipedia.org/wiki/An_album", "192.0.2.7/x")
    assert call("bank", "import", "pages", listed, "--signal", "url").code == 0


@pytest.mark.usefixtures("pages")
def test_hosts_with_a_listed_page_are_printed_for_routers_and_shared_hosts_never(call, resolver):
    assert call("stop-page", "suspects").out.splitlines() == ["192.0.2.7", "gardens.example"]
    at = f"127.0.0.1:{resolver.port}"
    assert call("stop-page", "suspects", "--form", "addresses", "--resolver", at).out.splitlines() == ["9.9.9.9"]
    assert "elements = { 9.9.9.9 }" in call("stop-page", "suspects", "--form", "nftables", "--resolver", at).out
    assert "route 9.9.9.9/32 blackhole;" in call("stop-page", "suspects", "--form", "bird", "--resolver", at).out
    wrong = call("stop-page", "suspects", "--form", "cisco")
    assert wrong.code == 2 and "hosts, addresses, nftables, bird" in wrong.err


def test_the_page_for_squid_is_printed_in_a_language(call, home):
    home.mkdir(mode=0o700)
    (home / "tutela.toml").write_text('[stop_page]\norganisation = "Example Net"\ncontact = "appeals@example.net"\n')
    english, german = call("stop-page", "squid-page"), call("stop-page", "squid-page", "--language", "de")
    for page, title in ((english, "This page is blocked"), (german, "Diese Seite ist gesperrt")):
        assert page.code == 0 and page.out.startswith("<!doctype html>")
        assert title in page.out and "<code>%o</code>" in page.out and "Example Net" in page.out
        assert "<form" not in page.out, "nothing can be sealed: appeals go to the contact"


@pytest.mark.usefixtures("pages")
def test_counts_are_printed_by_hour_and_list_and_none_under_twenty(call, home):
    at = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)
    with contextlib.closing(Store.open(f"sqlite:///{home / 'tutela.db'}")) as store:
        counts = CheckCounts(store, lambda: int(at.timestamp() * 1e6))
        for rule_set, what, times in (("pages", What.REFUSED, 47), ("pages", What.DRY, 19), ("few", What.REFUSED, 19)):
            for _ in range(times):
                counts.add(rule_set, what)
        at = datetime(2026, 5, 1, 11, 30, tzinfo=UTC)
        counts.write()
    (line,) = call("stop-page", "counts", "--json").out.splitlines()
    assert json.loads(line) == {
        "hour": "2026-05-01T10:00:00+00:00",
        "list": "pages",
        "what": "refused",
        "requests": 50,
    }
    table = call("stop-page", "counts", "--since", "2026-05-01").out
    assert "refused" in table and "50" in table and "few" not in table
    assert "refused" not in call("stop-page", "counts", "--since", "2026-05-02").out


# --- appeals


def test_appeals_are_listed_suspended_and_answered(call, home):
    home.mkdir(mode=0o700)
    (home / "tutela.toml").write_text(f'[evidence]\nrecipients = ["{new_identity()[1]}"]\n')
    assert call("bank", "create", "pages", "--use", "proxy", "--action", "block").code == 0
    settings = load_settings()
    with opened_casework(settings.home, settings.database_text, settings.casework) as casework:
        banks, appeals = Banks(casework.store, home), casework.appeals
        entries = [new_entry("url", f"gardens.example/{name}") for name in ("roses", "tulips")]
        roses, tulips = banks.add("pages", entries, actor="test").entry_ids
        found = {entry: appeals.receive(appeals.references.of(entry), "gardens").id for entry in (roses, tulips)}
    listed = [json.loads(line) for line in call("appeal", "list", "--json").out.splitlines()]
    assert {one["entry"]: (one["id"], one["state"], one["suspended"]) for one in listed} == {
        entry: (appeal, "open", []) for entry, appeal in found.items()
    }
    assert "gardens" not in call("appeal", "list").out, "its words are sealed"
    assert call("appeal", "suspend", found[roses]).out == f"suspended: entry {roses}\n"
    reason = ("--reason", "a page about gardens")
    assert call("appeal", "answer", found[roses], "--lift", *reason).out == f"appeal {found[roses]} is lifted\n"
    assert call("appeal", "answer", found[tulips], "--uphold", *reason).out == f"appeal {found[tulips]} is upheld\n"
    assert call("appeal", "list", "--state", "open", "--json").out == ""
    assert call("appeal", "answer", found[roses], "--lift", *reason).code != 0, "it was answered"
    assert call("appeal", "list", "--state", "lost").code == 2
    with contextlib.closing(Store.open(f"sqlite:///{home / 'tutela.db'}")) as store:
        banks = Banks(store, home)
        assert [banks.entry(entry).state for entry in (roses, tulips)] == [EntryState.DISABLED, EntryState.ACTIVE]
