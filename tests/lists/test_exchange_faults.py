"""Kills and network faults: whatever happens to the puller or on the wire, banks end equal to their sources.

TUTELA_TEST_EFFORT says how many pulls are killed, 200 when it is full; TUTELA_TEST_SEED what happens when.
"""

import contextlib
import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.support.effort import effort
from tests.support.exchange_sources import SECRETS, Feed, Files, Ncmec, Source, StopNcii, ThreatExchange
from tests.support.exchange_tools import listed, opened, puller
from tests.support.pull_until_killed import kill_a_pull
from tests.support.standins.server import Fault, Faulty, served
from tutela.lists.exchanges import feeds
from tutela.lists.exchanges.service import Exchanges

KILLS = effort(10, 200)


@dataclass
class Wire:
    """What may go wrong, while it may."""

    rng: random.Random
    broken: bool = False
    faults: Counter[str] = field(default_factory=Counter)

    def next_fault(self, path: str) -> Fault | None:
        if not self.broken or self.rng.random() > 0.25:
            return None
        likely = [fault for fault in Fault if fault is not Fault.DRIP or self.rng.random() < 0.2]
        if "/feeds/" not in path:
            likely.remove(Fault.REPEATED)  # their stand-ins repeat pages and records themselves
        fault = self.rng.choice(likely)
        self.faults[fault] += 1
        return fault


@pytest.fixture
def rng() -> random.Random:
    return random.Random(int(os.environ.get("TUTELA_TEST_SEED", "1")))


@pytest.fixture
def sources(rng, deployment, tmp_path, monkeypatch) -> list[Source]:
    monkeypatch.setattr(feeds, "MAX_PAGE", 100)
    feed = Feed(rng, deployment, tmp_path)
    for name, secret in {**SECRETS, "FEED_MEMBER": feed.secret}.items():
        monkeypatch.setenv(name, secret)
    return [Ncmec(rng), StopNcii(rng), ThreatExchange(rng), Files(rng), feed]


@pytest.fixture
def databases(tmp_path, postgres_database) -> Iterator[dict[str, Exchanges]]:
    """The same exchanges in either kind of database, by its URL."""
    with contextlib.ExitStack() as stack:
        urls = [f"sqlite:///{tmp_path / 'test.db'}", postgres_database]
        yield {url: stack.enter_context(opened(url)) for url in urls}


def test_after_kills_and_network_faults_every_bank_equals_its_source(rng, sources, databases):
    wire, killed, tries = Wire(rng), Counter[str](), 0
    secrets = {name: os.environ[name] for name in (*SECRETS, "FEED_MEMBER")}
    with contextlib.ExitStack() as stack:
        for source in sources:
            address = stack.enter_context(served(Faulty(source.app(), wire.next_fault)))
            for exchanges in databases.values():
                exchanges.banks.create(source.name, actor="test")
                exchanges.add(source.name, source.kind, source.name, source.options(address), actor="test")
        turns = itertools.cycle(itertools.product(databases, sources))
        while killed.total() < KILLS:
            assert tries < 5 * KILLS + 20, "pulls end before they can be killed"
            url, source = next(turns)
            for _ in range(rng.choice([1, 1, 2])):  # sometimes two in a row before anything mends it
                tries += 1
                wire.broken = True
                if kill_a_pull(url, source.name, secrets, rng, full=rng.random() < 0.3):
                    killed[f"{source.name}, {url.partition(':')[0]}"] += 1
                wire.broken = False
                source.change()
            check(databases[url], source)
            if KILLS > 20 and tries % 10 == 0:
                print(f"{killed.total()} killed of {tries}", flush=True)  # a long run says how far it is
        for exchanges, source in itertools.product(databases.values(), sources):
            check(exchanges, source)
    print(f"{killed.total()} of {tries} pulls were killed before they ended: {dict(killed)}; faults: {wire.faults}")


def check(exchanges: Exchanges, source: Source) -> None:
    puller(exchanges).pull(source.name, actor="test")
    assert listed(exchanges, source.name) == source.wanted()
    row = exchanges.get(source.name)
    assert row.listed == len({reference for reference, *_ in source.wanted()})
    assert row.error is None
