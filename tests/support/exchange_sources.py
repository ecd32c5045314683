"""Sources for the tests of kills and faults: each a strict stand-in that changes, with what a bank should then hold.

Their pages are short, some come twice, and their records are in no order, as far as each service's form allows it.
"""

import base64
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.types import ASGIApp

from tests.support.exchange_tools import expected
from tests.support.standins.files import FilesStandIn
from tests.support.standins.ncmec import NcmecEntry, NcmecStandIn
from tests.support.standins.stopncii import StopNciiStandIn
from tests.support.standins.threatexchange import TOKEN, ThreatExchangeStandIn
from tutela.api import feed_routes  # noqa: F401  (it takes the longest page as it is before a test shortens pages)
from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.api.options import ApiOptions
from tutela.deployment.composition import Deployment
from tutela.lists.banks.model import EntryState, NewEntry
from tutela.lists.exchanges.feed_wire import public_text
from tutela.lists.exchanges.feeds import Feeds

SIZE = 700
CHANGES = 120
SECRETS = {
    "NCMEC_USER": "esp",
    "NCMEC_PASSWORD": "right-password",
    "TOKEN": TOKEN,
    "SUBSCRIPTION": "subscription-key",
    "FETCH": "fk",
    "LIST_TOKEN": "list-token",
}


def moment() -> int:
    """Long enough ago for the lists that leave what is newest for the next pull."""
    return int(time.time()) - 40


class Ncmec:
    name = kind = "ncmec"

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

    def wanted(self) -> set[tuple[str, str, bytes, str | None]]:
        return expected(self.service.current())

    def _entry(self, number: int, at: int) -> NcmecEntry:
        seeded = random.Random(f"{number}-{self.rng.randrange(3)}")
        prints = [("md5", seeded.randbytes(16).hex()), ("pdq", seeded.randbytes(32).hex())]
        return NcmecEntry(42, f"e{number}", at, "image", "B2", tuple(prints[: seeded.randrange(1, 3)]))


class StopNcii:
    name = kind = "stopncii"

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.service = rng, StopNciiStandIn(largest_page=150, repeats_records=True)
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

    def wanted(self) -> set[tuple[str, str, bytes, str | None]]:
        records = [r for r in self.service.records.values() if r["hashStatus"] in ("Active", "Received")]
        return {(f"ImagePDQ:{r['hashValue']}", "pdq", bytes.fromhex(r["hashValue"]), None) for r in records}


class ThreatExchange:
    name = kind = "threatexchange"

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.service = rng, ThreatExchangeStandIn(largest_page=100, repeats_records=True)
        for number in range(2 * SIZE):
            self._put(number, moment() - rng.randrange(80 * 86_400))

    def app(self) -> ASGIApp:
        return self.service.app()

    def options(self, address: str) -> dict[str, str]:
        return {"token": "env:TOKEN", "privacy_group": self.service.group, "url": f"{address}/v26.0"}

    def change(self) -> None:
        for _ in range(CHANGES):
            self._put(self.rng.randrange(3 * SIZE), moment(), deleted=self.rng.random() < 0.3)

    def wanted(self) -> set[tuple[str, str, bytes, str | None]]:
        updates = [u for u in self.service.updates.values() if not u["should_delete"]]
        return {(u["id"], "pdq", bytes.fromhex(u["indicator"]), self._label(u)) for u in updates}

    def _put(self, number: int, at: int, *, deleted: bool = False) -> None:
        value = random.Random(number).randbytes(32).hex()
        tags = self.rng.choice([(), ("A1",), ("B2",)])
        self.service.put(number + 1, "HASH_PDQ", value, at, deleted=deleted, tags=tags)

    def _label(self, update: dict[str, Any]) -> str | None:
        tags = update["descriptors"]["data"][0]["tags"]["data"]
        return tags[0]["text"] if tags else None


class Files:
    """A list that is always given whole: it may lack less than a fifth of what it had, or it is not believed."""

    name = kind = "files"

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.service, self.numbers = rng, FilesStandIn(), 0
        self.service.lines = [self._line() for _ in range(2 * SIZE)]

    def app(self) -> ASGIApp:
        return self.service.app()

    def options(self, address: str) -> dict[str, str]:
        return {"url": f"{address}/list.csv", "token": "env:LIST_TOKEN", "checksum": "sidecar"}

    def change(self) -> None:
        kept = self.service.lines[:]
        for place in self.rng.sample(range(len(kept)), CHANGES // 6):
            kept[place] = self._line()
        kept = list(dict.fromkeys(kept))
        kept += self.rng.choices(kept, k=20)  # the same line twice
        self.rng.shuffle(kept)
        self.service.lines = kept

    def wanted(self) -> set[tuple[str, str, bytes, str | None]]:
        fields = [line.split(",") for line in self.service.lines]
        return {(f"list.csv/{r}#{s}:{value}", s, bytes.fromhex(value), label or None) for r, s, value, label in fields}

    def _line(self) -> str:
        self.numbers += 1
        label = self.rng.choice(["", "A1", "B2"])
        return f"r{self.numbers},pdq,{random.Random(self.numbers).randbytes(32).hex()},{label}"


class Feed:
    """Another Tutela, by the routes that it has."""

    name, kind = "feed", "tutela"

    def __init__(self, rng: random.Random, deployment: Deployment, folder: Path) -> None:
        self.rng, self.deployment, self.numbers = rng, deployment, 0
        key, path = Ed25519PrivateKey.generate(), folder / "feed.key"
        path.write_text(base64.b64encode(key.private_bytes_raw()).decode())
        path.chmod(0o600)
        self.public_key = public_text(key)
        self.banks = deployment.banks
        self.banks.create("confirmed", actor="test")
        feeds = Feeds(self.banks)
        feeds.create("hotline", "confirmed", f"file:{path}", actor="test")
        member, self.secret = Keys(deployment.store).create("member", [Scope.FOLLOW], by="test")
        feeds.admit("hotline", member.id, actor="test")
        self._list(SIZE)

    def app(self) -> ASGIApp:
        return create_app(self.deployment, ApiOptions())

    def options(self, address: str) -> dict[str, str]:
        return {"url": address, "feed": "hotline", "key": "env:FEED_MEMBER", "public_key": self.public_key}

    def change(self) -> None:
        self._list(CHANGES // 6)
        for entry in self.rng.sample(self.banks.entries("confirmed", limit=10_000), CHANGES // 6):
            state = self.rng.choice(list(EntryState))
            self.banks.set_state(entry.id, state, reason="a test", actor="test")

    def wanted(self) -> set[tuple[str, str, bytes, str | None]]:
        found = self.banks.entries("confirmed", state=EntryState.ACTIVE, limit=10_000)
        return {(str(entry.id), entry.signal, entry.value, entry.label) for entry in found}

    def _list(self, count: int) -> None:
        values = [random.Random(self.numbers + i).randbytes(32) for i in range(count)]
        self.numbers += count
        labels = self.rng.choices([None, "A1", "B2"], k=count)
        entries = [NewEntry("pdq", value, label=label) for value, label in zip(values, labels, strict=True)]
        self.banks.add("confirmed", entries, actor="test")


Source = Ncmec | StopNcii | ThreatExchange | Files | Feed
