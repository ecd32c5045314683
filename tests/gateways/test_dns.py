"""The zone of listed domains: transferred whole and by differences, signed, and applied by real resolvers."""

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import dns.xfr
import dns.zone
import pytest

from tests.support.resolvers import GARDEN, KEY, bind, looked_up, resolver, served, unbound
from tests.support.service import free_port
from tests.support.stores import new_store
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.errors import InputError
from tutela.foundation.store.database import Store
from tutela.gateways.dns import DnsOptions, Zone, zone_of
from tutela.gateways.dns.canary import applies
from tutela.gateways.dns.dialects import Dialect, zone_file
from tutela.gateways.dns.history import NameRule
from tutela.gateways.dns.options import WEEK_S, Resolver
from tutela.gateways.dns.versions import ZoneVersions, newer
from tutela.gateways.listeners import ListenAddress
from tutela.lists.banks.model import BankUse, EntryState
from tutela.lists.banks.service import Banks
from tutela.lists.banks.values import new_entry

os.environ["TEST_TSIG_SHORT"] = "c2hvcnQ="


@pytest.fixture
def banks(tmp_path: Path) -> Banks:
    """Banks of a store of their own, with one for DNS."""
    made = Banks(Store.open(new_store(tmp_path / "tutela.db")), tmp_path)
    made.create("names", uses={BankUse.DNS}, actor="test")
    made.create("posts", actor="test")
    return made


def add(banks: Banks, *names: str, bank: str = "names") -> None:
    banks.add(bank, [new_entry("domain", name) for name in names], actor="test")


def withdraw(banks: Banks, name: str) -> None:
    value = new_entry("domain", name).value
    for entry in banks.find("domain", value):
        banks.set_state(entry.id, EntryState.WITHDRAWN, reason="for the test", actor="test")


def transferred(options: DnsOptions, zone: dns.zone.Zone | None = None, *, signed: bool = True) -> dns.zone.Zone:
    """The zone as a client that is not ours transfers it: whole, or by differences into what it has."""
    zone = zone or dns.zone.Zone(options.zone, relativize=False)
    keyring = dns.tsigkeyring.from_text({"k": KEY}) if signed and options.keys else None
    query, _ = dns.xfr.make_query(zone, keyring=keyring)
    host, port = options.listen.host, options.listen.port
    dns.query.inbound_xfr(host, zone, query=query, port=port, timeout=PATIENCE_S, lifetime=PATIENCE_S)
    return zone


def names_of(zone: dns.zone.Zone) -> set[str]:
    """The names that a zone refuses, without the star of what is below each."""
    suffix = f".{zone.origin.to_text()}" if zone.origin else ""
    found = {name.to_text().removesuffix(suffix).removeprefix("*.") for name in zone.nodes}
    return {name for name in found if "canary." not in name and name + "." not in (suffix, suffix[1:])} - {
        suffix.strip(".") + "."
    }


def options_of(**more) -> DnsOptions:
    given = {
        "listen": ListenAddress("127.0.0.1", free_port()),
        "keys": {"k": "env:TEST_TSIG"},
        "garden": [GARDEN],
        **more,
    }
    return DnsOptions.model_validate(given)


def test_the_zone_is_transferred_whole_then_by_differences(banks, tmp_path):
    add(banks, "listed.example", "bücher.example")
    add(banks, "post.example", bank="posts")
    options = options_of()
    zone = Zone(banks, tmp_path / "serial", DnsOptions())
    with served(zone, options):
        copy = transferred(options)
        assert names_of(copy) == {"listed.example", "xn--bcher-kva.example"}
        assert copy.find_rrset("*.listed.example." + options.zone + ".", "A")[0].address == GARDEN
        before = zone.serial
        add(banks, "new.example")
        withdraw(banks, "listed.example")
        wait_until(lambda: names_of(transferred(options)) == {"new.example", "xn--bcher-kva.example"}, "the change")
        assert newer(zone.serial, before)
        transferred(options, copy)
        assert names_of(copy) == {"new.example", "xn--bcher-kva.example"}
        banks.update("names", enabled=False, actor="test")
        wait_until(lambda: names_of(transferred(options)) == set(), "the bank is off")
        transferred(options, copy)
        assert names_of(copy) == set()


def test_a_primary_that_stops_sends_away_who_is_connected(banks, tmp_path, caplog):
    """Also who has asked for everything and takes nothing: the primary would wait, and could not be restarted."""
    options, zone, reads_nothing = options_of(keys={}), Zone(banks, tmp_path / "serial", DnsOptions()), socket.socket()
    with served(zone, options):
        idle = socket.create_connection((options.listen.host, options.listen.port))
        asking = socket.create_connection((options.listen.host, options.listen.port))
        asking.sendall(b"\x01")
        wait_until(lambda: transferred(options) is not None, "others are answered")
        zone.main.begin({f"host{number}.example": NameRule.LISTED for number in range(200_000)})
        reads_nothing.connect((options.listen.host, options.listen.port))
        whole = dns.message.make_query(options.zone, "AXFR").to_wire()
        reads_nothing.sendall(len(whole).to_bytes(2) + whole)
        assert reads_nothing.recv(2), "the rest of it stays where it is"
    for connection in (idle, asking):
        connection.settimeout(PATIENCE_S)
        assert connection.recv(1) == b""
        connection.close()
    reads_nothing.close()
    assert not [record for record in caplog.records if record.levelname == "ERROR"], caplog.text


@pytest.mark.slow
def test_a_long_zone_travels_in_many_signed_messages(banks, tmp_path):
    names = [f"host{number}.example" for number in range(4_000)]
    add(banks, *names)
    options = options_of()
    with served(Zone(banks, tmp_path / "serial", DnsOptions()), options):
        assert names_of(transferred(options)) == set(names)


def test_only_who_signs_is_answered_and_nothing_but_the_zone_is(banks, tmp_path):
    add(banks, "listed.example")
    options = options_of()
    with served(Zone(banks, tmp_path / "serial", DnsOptions()), options):
        with pytest.raises(dns.exception.DNSException):
            transferred(options, signed=False)
        for name, kind in ((options.zone, "SOA"), ("listed.example", "A"), (options.zone, "TXT")):
            answer = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", 5, options.listen.port)
            assert answer.rcode() == dns.rcode.REFUSED
            assert not answer.answer
        for junk in (b"", b"\0", b"\xff" * 11, b"\0" * 12, secrets.token_bytes(300)):
            with socket.create_connection(("127.0.0.1", options.listen.port)) as connection:
                connection.sendall(len(junk).to_bytes(2) + junk)
        assert names_of(transferred(options)) == {"listed.example"}


def test_the_serial_never_goes_back(banks, tmp_path):
    add(banks, "one.example")
    zone = Zone(banks, tmp_path / "serial", DnsOptions())
    zone.refresh()
    add(banks, "two.example")
    zone.refresh()
    other = Banks(Store.create(f"sqlite:///{tmp_path / 'restored.db'}"), tmp_path)
    restored = Zone(other, tmp_path / "serial", DnsOptions())
    restored.refresh()
    assert newer(restored.serial, zone.serial)
    differences = restored.main.since(zone.serial)
    assert differences is not None and [{*each.removed} for each in differences] == [{"one.example", "two.example"}]
    assert newer(1, 2**32 - 1)
    assert not newer(5, 5)


def test_options_that_would_fail_open_are_refused():
    for wrong in ({"keys": {"k": "c2hvcnQ="}}, {"expire_s": WEEK_S - 1}, {"zone": "a..b"}):
        with pytest.raises(ValueError, match=r"is a secret|604800|not a name"):
            DnsOptions.model_validate(wrong)
    with pytest.raises(InputError, match="fewer than 16 bytes"):
        DnsOptions(keys={"k": "env:TEST_TSIG_SHORT"}).keyring()


def test_entries_that_came_as_digests_are_in_no_zone(banks, tmp_path):
    value = new_entry("domain", "hidden.example").value
    banks.add("names", [new_entry("domain", value.hex())], actor="test")
    zone = Zone(banks, tmp_path / "serial", DnsOptions())
    zone.refresh()
    assert list(zone) == []


def test_files_for_resolvers_that_transfer_nothing(banks):
    options = options_of()
    rpz = list(zone_file(Dialect.RPZ, options, 7, ["listed.example"]))
    read = dns.zone.from_text("\n".join(rpz), relativize=False)
    assert names_of(read) == {"listed.example"}
    lines = list(zone_file(Dialect.DNSMASQ, options, 7, ["listed.example"]))
    assert f"address=/listed.example/{GARDEN}" in lines


# --- real resolvers


def test_two_zones_are_transferred_and_what_changes_is_a_difference_of_the_small_one(banks, tmp_path):
    add(banks, "listed.example", "other.example")
    options = options_of(recent="new.rpz.tutela.invalid")
    small = options.model_copy(update={"zone": options.recent})
    zone = zone_of(banks, tmp_path / "serial", options)
    with served(zone, options):
        main, recent = transferred(options), transferred(small)
        assert names_of(main) == {"listed.example", "other.example"}
        assert names_of(recent) == set()
        serial = zone.serial
        assert main.find_rrset("version.canary.tutela.alt." + options.zone + ".", "TXT")[0].strings[0] == b"%d" % serial
        add(banks, "new.example")
        withdraw(banks, "listed.example")
        wait_until(lambda: names_of(transferred(small, recent)) == {"new.example", "listed.example"}, "the change")
        assert str(recent.find_rrset(f"*.listed.example.{small.zone}.", "CNAME")[0]) == "rpz-passthru."
        assert recent.find_rrset(f"new.example.{small.zone}.", "A")[0].address == GARDEN
        assert transferred(options, main).get_soa().serial == serial


def test_a_name_below_a_listed_one_has_no_rule_of_its_own(banks, tmp_path):
    """It would keep resolvers from applying the star to what lies between: RFC 4592, 2.2.2."""
    add(banks, "a.b.listed.example", "listed.example", "z.example")
    zone = Zone(banks, tmp_path / "serial", DnsOptions())
    zone.refresh()
    assert {*zone} == {"listed.example", "z.example"}
    withdraw(banks, "listed.example")
    zone.refresh()
    assert {*zone} == {"a.b.listed.example", "z.example"}


@pytest.mark.slow
@pytest.mark.parametrize("program", ["named", "unbound"])
def test_a_real_resolver_applies_every_rule_and_follows_changes(banks, tmp_path, program):
    if shutil.which(program, path="/usr/sbin:/usr/bin") is None:
        pytest.skip(f"{program} is not installed: apt-get install {'bind9' if program == 'named' else 'unbound'}")
    folder = tmp_path / "resolver"
    folder.mkdir()
    port = free_port()
    at = ListenAddress("127.0.0.1", port)
    options = options_of(
        keys={"k": "env:TEST_TSIG"} if program == "named" else {},
        resolvers={program: Resolver(asked_at=at, notified_at=at)},
        canary_every_s=1,
    )
    add(banks, "listed.example", "other.example", "a.b.listed.example")
    command = bind(folder, port, options) if program == "named" else unbound(folder, port, options)
    zone = Zone(banks, tmp_path / "serial", DnsOptions())
    with contextlib.ExitStack() as stack:
        first = contextlib.ExitStack()
        primary = first.enter_context(served(zone, options))
        stack.callback(first.close)
        stack.enter_context(resolver(command, port, folder))
        wait_until(lambda: asyncio.run(applies(at, options)), "the policy is applied")
        for name in ("listed.example", "deep.sub.listed.example", "b.listed.example", "other.example"):
            assert looked_up(name, port) == {GARDEN}, name
        assert looked_up("unlisted.example", port) == set()
        add(banks, "new.example")
        wait_until(lambda: looked_up("new.example", port) == {GARDEN}, "the new name is applied")
        withdraw(banks, "listed.example")
        wait_until(lambda: looked_up("listed.example", port) == set(), "the withdrawn name is free again")
        assert looked_up("a.b.listed.example", port) == {GARDEN}, "and what is listed below it is not"
        assert primary.failing == set()
        first.close()  # the primary is gone: what was transferred stays
        assert looked_up("new.example", port) == {GARDEN}
        assert asyncio.run(applies(at, options))
    assert not asyncio.run(applies(at, options))


def test_a_transfer_is_of_one_version_while_the_next_one_is_taken_in(banks, tmp_path, monkeypatch):
    add(banks, "listed.example")
    options, zone = options_of(), Zone(banks, tmp_path / "serial", DnsOptions())
    held, goes_on = threading.Event(), threading.Event()
    store = ZoneVersions._store

    def slowly(self: ZoneVersions, serial: int) -> None:
        if len(zone) > 1:
            held.set()
            assert goes_on.wait(PATIENCE_S)
        store(self, serial)

    monkeypatch.setattr(ZoneVersions, "_store", slowly)
    with served(zone, options), ThreadPoolExecutor(1) as client:
        first = zone.serial
        add(banks, "new.example")
        assert held.wait(PATIENCE_S)
        transfer = client.submit(transferred, options)
        time.sleep(0.2)  # it is asked for while the change is half taken in
        goes_on.set()
        copy = transfer.result()
    names = {first: {"listed.example"}, first + 1: {"listed.example", "new.example"}}
    assert names_of(copy) == names[copy.get_soa().serial]
