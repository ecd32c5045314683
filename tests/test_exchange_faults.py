"""Kills and network faults: whatever happens to the puller or on the wire, banks end equal to their sources.

TUTELA_EXCHANGE_KILLS sets how many pulls are killed; the full run is 200.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from tests.exchange_tools import expected, listed, opened, puller
from tests.standins.ncmec import NcmecEntry, NcmecStandIn
from tests.standins.server import Fault, Faulty, served
from tests.standins.stopncii import StopNciiStandIn
from tests.standins.threatexchange import TOKEN, ThreatExchangeStandIn
from tutela.exchanges.exchanges import Exchanges

KILLS = int(os.environ.get("TUTELA_EXCHANGE_KILLS", "6"))
ROOT = Path(__file__).parent.parent
SIZE = 700
CHANGES = 120


@dataclass
class Wire:
    """What may go wrong, while it may."""

    rng: random.Random
    broken: bool = False
    counts: dict[str, int] = field(default_factory=dict)

    def next_fault(self, _: str) -> Fault | None:
        if not self.broken or self.rng.random() > 0.25:
            return None
        fault = self.rng.choice([f for f in Fault if f is not Fault.DRIP or self.rng.random() < 0.2])
        self.counts[fault] = self.counts.get(fault, 0) + 1
        return fault


def moment() -> int:
    return int(time.time()) - 40


class Ncmec:
    name, kind, bank = "ncmec", "ncmec", "known"

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.service = rng, NcmecStandIn(page_size=50, repeats_pages=True)
        for number in range(SIZE):
            self.service.put(self._entry(number, moment() - rng.randrange(300 * 86_400)))

    def app(self) -> ASGIApp:
        return self.service.app()

    def options(self, address: str) -> dict[str, str]:
        credentials = {"user": "env:NCMEC_USER", "password": "env:NCMEC_PASSWORD"}
        return {**credentials, "url": f"{address}/hashsharing", "range_days": "1500", "settle_s": "10"}

    def change(self) -> None:
        for _ in range(CHANGES):
            number = self.rng.randrange(SIZE + 50)
            entry = self._entry(number, moment())
            match self.rng.randrange(4):
                case 0:
                    self.service.put(replace(entry, deleted=True))
                case 1:
                    self.service.put(replace(entry, classification=self.rng.choice(["A1", "A2", "B1", None])))
                case _:
                    self.service.put(entry)

    def wanted(self) -> set[tuple]:
        return expected(self.service.current())

    def _entry(self, number: int, at: int) -> NcmecEntry:
        seeded = random.Random(f"{number}-{self.rng.randrange(3)}")
        prints = [("md5", seeded.randbytes(16).hex()), ("pdq", seeded.randbytes(32).hex())]
        return NcmecEntry(42, f"e{number}", at, "image", "B2", tuple(prints[: seeded.randrange(1, 3)]))


class StopNcii:
    name, kind, bank = "stopncii", "stopncii", "stopncii"

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.service = rng, StopNciiStandIn(largest_page=150)
        self.values = [rng.randbytes(32).hex() for _ in range(3 * SIZE)]
        for value in self.values[: 2 * SIZE]:
            self.service.put("ImagePDQ", value, "Active", moment() - rng.randrange(20 * 86_400))

    def app(self) -> ASGIApp:
        return self.service.app()

    def options(self, address: str) -> dict[str, str]:
        return {"subscription_key": "env:SUBSCRIPTION", "fetch_key": "env:FETCH", "url": f"{address}/v1"}

    def change(self) -> None:
        for value in self.rng.sample(self.values, CHANGES):
            status = self.rng.choice(["Active", "Received", "Withdrawn", "Deleted"])
            self.service.put("ImagePDQ", value, status, moment())
        if self.rng.random() < 0.2:
            self.service.epoch += 1

    def wanted(self) -> set[tuple]:
        records = [r for r in self.service.records.values() if r["hashStatus"] in ("Active", "Received")]
        return {(f"ImagePDQ:{r['hashValue']}", "pdq", bytes.fromhex(r["hashValue"]), None) for r in records}


class ThreatExchange:
    name, kind, bank = "te", "threatexchange", "te"

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.service = rng, ThreatExchangeStandIn(largest_page=100)
        for number in range(2 * SIZE):
            self._put(number, moment() - rng.randrange(80 * 86_400))

    def app(self) -> ASGIApp:
        return self.service.app()

    def options(self, address: str) -> dict[str, str]:
        return {"token": "env:TOKEN", "privacy_group": self.service.group, "url": f"{address}/v26.0"}

    def change(self) -> None:
        for _ in range(CHANGES):
            self._put(self.rng.randrange(3 * SIZE), moment(), deleted=self.rng.random() < 0.3)

    def wanted(self) -> set[tuple]:
        updates = [u for u in self.service.updates.values() if not u["should_delete"]]
        return {(u["id"], "pdq", bytes.fromhex(u["indicator"]), self._label(u)) for u in updates}

    def _put(self, number: int, at: int, *, deleted: bool = False) -> None:
        value = random.Random(number).randbytes(32).hex()
        tags = self.rng.choice([(), ("A1",), ("B2",)])
        self.service.put(number + 1, "HASH_PDQ", value, at, deleted=deleted, tags=tags)

    def _label(self, update: dict) -> str | None:
        tags = update["descriptors"]["data"][0]["tags"]["data"]
        return tags[0]["text"] if tags else None


Source = Ncmec | StopNcii | ThreatExchange


@pytest.fixture
def rng() -> random.Random:
    return random.Random(int(os.environ.get("TUTELA_EXCHANGE_SEED", "1")))


@pytest.fixture
def sources(rng: random.Random, monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    secrets = {"NCMEC_USER": "esp", "NCMEC_PASSWORD": "right-password", "TOKEN": TOKEN}
    for name, secret in {**secrets, "SUBSCRIPTION": "subscription-key", "FETCH": "fk"}.items():
        monkeypatch.setenv(name, secret)
    return [Ncmec(rng), StopNcii(rng), ThreatExchange(rng)]


def test_after_kills_and_network_faults_every_bank_equals_its_source(tmp_path, rng, sources):
    url, wire = f"sqlite:///{tmp_path / 'test.db'}", Wire(rng)
    with contextlib.ExitStack() as stack:
        exchanges = stack.enter_context(opened(url))
        for source in sources:
            if source.bank != "known":
                exchanges.banks.create(source.bank, actor="test")
            address = stack.enter_context(served(Faulty(source.app(), wire.next_fault)))
            exchanges.add(source.name, source.kind, source.bank, source.options(address), actor="test")
        killed = number = 0
        while killed < KILLS:
            assert number < 5 * KILLS + 20, "pulls end before they can be killed"
            number += 1
            source = sources[number % len(sources)]
            wire.broken = True
            killed += kill_a_pull(url, source.name, rng, full=rng.random() < 0.3)
            if KILLS > 20 and number % 10 == 0:
                print(f"{killed} killed of {number}", flush=True)  # a long run says how far it is
            source.change()
            if number % 6 >= 3:
                continue  # two kills in a row before anything mends it
            wire.broken = False
            check(exchanges, source)
        wire.broken = False
        for source in sources:
            check(exchanges, source)
        print(f"{killed} of {number} pulls were killed before they ended; faults: {wire.counts}")


def kill_a_pull(url: str, name: str, rng: random.Random, *, full: bool) -> bool:
    """Start a pull in a process of its own and kill it after some pages; whether it was still at it."""
    arguments = [url, name, *(["full"] if full else [])]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pull_until_killed", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(rng.randrange(0, 12)):
        if not process.stdout.readline():
            break
    time.sleep(rng.random() * 0.03)
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    return process.wait() == -signal.SIGKILL


def check(exchanges: Exchanges, source: Source) -> None:
    puller(exchanges).pull(source.name, actor="test")
    assert listed(exchanges, source.bank) == source.wanted()
    row = exchanges.get(source.name)
    references = {reference for reference, *_ in source.wanted()}
    assert row.listed == len(references)
    assert row.error is None
