"""What the tests of exchanges share: a store with a bank, quick patience, and what a bank should equal."""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.support.standins.ncmec import NcmecEntry, NcmecStandIn
from tutela.content.signals.registry import signal_types
from tutela.foundation.http import Patience
from tutela.foundation.store.database import Store
from tutela.lists.banks.files import Format
from tutela.lists.banks.model import EntryState
from tutela.lists.banks.service import Banks
from tutela.lists.banks.transfer import export_list
from tutela.lists.exchanges.puller import Puller
from tutela.lists.exchanges.service import Exchanges

T0 = int(time.time()) - 400 * 86_400
QUICK = Patience(timeout_s=2.0, deadline_s=2.0, attempts=4, pause_s=0.001, longest_pause_s=0.05)
NAMES = {"md5": "md5", "sha1": "sha1", "pdna": "photodna", "pdq": "pdq", "tmk_pdqf": "tmk"}


@contextmanager
def opened(url: str) -> Iterator[Exchanges]:
    """The exchanges of the store at a URL, with a bank named `known`."""
    store = Store.create(url)
    banks = Banks(store)
    if not any(bank.name == "known" for bank in banks.all()):
        banks.create("known", actor="test")
    yield Exchanges(banks)
    store.close()


def puller(exchanges: Exchanges) -> Puller:
    return Puller(exchanges, patience=QUICK, settles_after_s=0)


def listed(
    exchanges: Exchanges, bank: str = "known", state: EntryState | None = EntryState.ACTIVE
) -> set[tuple[str, str, bytes, str | None]]:
    """What a bank holds: (reference, signal, value, label)."""
    found: set[tuple[str, str, bytes, str | None]] = set()
    after = 0
    while page := exchanges.banks.entries(bank, state=state, after=after, limit=5000):
        found |= {(entry.reference, entry.signal, entry.value, entry.label) for entry in page}
        after = page[-1].id
    return found


def expected(entries: Mapping[str, NcmecEntry]) -> set[tuple[str, str, bytes, str | None]]:
    """What a bank should hold of NCMEC's entries."""
    types = signal_types()
    return {
        (key, NAMES[name], types[NAMES[name]].parse(text), entry.classification)
        for key, entry in entries.items()
        for name, text in entry.fingerprints
        if name in NAMES and NAMES[name] in types
    }


def exported(exchanges: Exchanges, bank: str = "known") -> str:
    return "".join(export_list(exchanges.banks, bank, Format.CSV))


def ncmec_entry(number: int, *, at: int | None = None, seed: str = "") -> NcmecEntry:
    rng = random.Random(f"{number}{seed}")
    prints = [("md5", rng.randbytes(16).hex()), ("pdq", rng.randbytes(32).hex())]
    if number % 3 == 0:
        prints.append(("sha1", rng.randbytes(20).hex()))
    if number % 7 == 0:
        prints.append(("netclean", f"nc-{number}"))
    return NcmecEntry(
        member=rng.choice([42, 43]),
        id=f"entry-{number}",
        at=at if at is not None else T0 + rng.randrange(390 * 86_400),
        media="video" if number % 5 == 0 else "image",
        classification=rng.choice(["A1", "A2", "B1", "B2", None]),
        fingerprints=tuple(prints),
    )


def filled(count: int, **options: Any) -> NcmecStandIn:
    service = NcmecStandIn(**options)
    for number in range(count):
        service.put(ncmec_entry(number))
    return service
