"""Pulling a whole list from one stand-in, against the fetch of `threatexchange`; and a few changes into a large bank.

The stand-in is `benchmarks.ncmec_list`.
"""

import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from statistics import median

import numpy as np
from sqlalchemy import Connection, select, text

from benchmarks.hashes import random_hashes
from benchmarks.ncmec_list import FIRST, served
from benchmarks.report import Scale, Table, duration, resident_bytes
from tutela.content.signals.base import Sample
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.foundation.store.bulk import insert_rows
from tutela.foundation.store.database import Store, now
from tutela.foundation.store.exchange_tables import remote_entry
from tutela.foundation.store.tables import entry, signal
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges.puller import Puller
from tutela.lists.exchanges.service import Exchanges

_BOTH = {Scale.TINY: [1_000], Scale.USUAL: [50_000], Scale.FULL: [50_000, 1_000_000]}
_OURS = {Scale.TINY: [], Scale.USUAL: [], Scale.FULL: [5_000_000]}
_TURNS = {Scale.TINY: 1, Scale.USUAL: 5, Scale.FULL: 5}
_ALTERNATED = 100_000
"""Larger lists are pulled once each way."""
_BANK = {Scale.TINY: 2_000, Scale.USUAL: 1_000_000, Scale.FULL: 10_000_000}
_CHANGES = 1_000
_PULLS = {Scale.TINY: 1, Scale.USUAL: 10, Scale.FULL: 10}
_ENTRY_COLUMNS = (
    *("id", "bank_id", "signal_id", "source", "reference", "label", "state", "created_by"),
    *("created_at", "updated_at"),
)
_REMOTE_COLUMNS = (
    *("id", "exchange_id", "key", "media", "labels", "listed", "remote_at", "generation", "digest", "entries"),
    *("upvotes", "downvotes"),
)
_CREDENTIALS = {"BENCHMARK_USER": "esp", "BENCHMARK_PASSWORD": "right-password"}


def run(scale: Scale) -> Iterator[Table]:
    """Two tables: a whole list, and changes into a large bank."""
    os.environ.update(_CREDENTIALS)
    yield _whole_list(scale)
    yield _changes(scale)


def _whole_list(scale: Scale) -> Table:
    table = Table(
        "A whole list of NCMEC's form, pulled into SQLite, one core for the client",
        (
            "entries",
            "way",
            "time",
            "on the processor",
            "entries/s of it",
            "times the other's",
            "memory growth",
            "peak of the last half / first half",
        ),
        "Ours applies pages with two fingerprints an entry, up to 5,000 entries in one durable transaction with its "
        "checkpoint. The other is the fetch of `threatexchange` from the same stand-in, with its state written at the "
        "end. Medians of pulls in turns. Memory is that of the process less mapped files.",
    )
    for count in [*_BOTH[scale], *_OURS[scale]]:
        ways = {"ours": _ours} | ({"threatexchange": _theirs} if count in _BOTH[scale] else {})
        pulls: dict[str, list[_Pull]] = {name: [] for name in ways}
        with served(count) as address, tempfile.TemporaryDirectory() as folder:
            for turn in range(_TURNS[scale] if count <= _ALTERNATED else 1):
                for name, pull in ways.items():
                    pulls[name].append(_apart(partial(pull, address, Path(folder) / f"{name}-{turn}", count)))
        busy = {name: median(pull.busy for pull in done) for name, done in pulls.items()}
        for name, done in pulls.items():
            other = next((busy[other] for other in busy if other != name), None)
            later = median(pull.later for pull in done)
            table.add(
                *(f"{count:,}", name, duration(median(pull.seconds for pull in done)), duration(busy[name])),
                f"{count / busy[name]:,.0f}",
                f"{busy[name] / other:.2f}" if other else "",
                f"{median(pull.growth for pull in done) / 1e6:.0f} MB",
                f"{later:.2f}" if later else "",
            )
    return table


@dataclass(frozen=True)
class _Pull:
    """What one pull took."""

    seconds: float
    busy: float
    """Seconds of the processor."""
    growth: int
    """Bytes."""
    later: float = 0.0
    """Peak memory of the last half over that of the first, 0 where it was not followed."""


def _ours(address: str, folder: Path, count: int, pipe: Pipe) -> None:
    folder.mkdir()
    store = Store.create(f"sqlite:///{folder / 'tutela.db'}")
    banks = Banks(store)
    banks.create("known", actor="benchmark")
    exchanges = Exchanges(banks)
    exchanges.add("ncmec", "ncmec", "known", _options(address), actor="benchmark")
    before, started, busy, resident = resident_bytes(), time.perf_counter(), time.process_time(), []
    Puller(exchanges).pull("ncmec", actor="benchmark", on_page=lambda _: resident.append(resident_bytes()))
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    if exchanges.get("ncmec").listed != count:
        raise AssertionError("not all of the list was pulled")
    half = len(resident) // 2
    later = max(resident[half:]) / max(resident[:half]) if half else 0.0
    pipe.send(_Pull(seconds, busy, max(resident) - before, later))


def _theirs(address: str, folder: Path, count: int, pipe: Pipe) -> None:
    from threatexchange.cli.cli_state import CliSimpleState
    from threatexchange.exchanges.clients.ncmec.hash_api import NCMECEnvironment, NCMECHashAPI
    from threatexchange.exchanges.impl.ncmec_api import NCMECCollabConfig, NCMECCredentials, NCMECSignalExchangeAPI
    from threatexchange.signal_type.md5 import VideoMD5Signal
    from threatexchange.signal_type.pdq.signal import PdqSignal

    class Here(NCMECSignalExchangeAPI):
        def get_client(self, environment: NCMECEnvironment) -> NCMECHashAPI:
            client = super().get_client(environment)
            client._base_url = address
            return client

    folder.mkdir()
    config = NCMECCollabConfig(name="benchmark", environment=NCMECEnvironment.test_Industry)
    api = Here.for_collab(config, NCMECCredentials("esp", "password"))
    state = CliSimpleState(Here, folder)
    before, started, busy = resident_bytes(), time.perf_counter(), time.process_time()
    for delta in api.fetch_iter([VideoMD5Signal, PdqSignal], None):
        state.merge(config, delta)
    state.flush()
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    found = len(state._get_state(config).delta.updates)
    if found != count:
        raise AssertionError(f"threatexchange has {found} of {count} entries")
    pipe.send(_Pull(seconds, busy, resident_bytes() - before))


def _changes(scale: Scale) -> Table:
    count = _BANK[scale]
    table = Table(
        f"{_CHANGES:,} changes pulled into a bank of {count:,}, until a running deployment matches by them",
        ("what", "median", "longest", "first"),
        f"{_PULLS[scale]} pulls. A third of the changes are new entries, a third are withdrawn, a third have another "
        "classification. Matched by: a deployment that runs beside the pull finds the last new value, and no "
        "longer the first withdrawn one.",
    )
    folder = Path(os.environ.get("TUTELA_BENCHMARK_BANK") or tempfile.mkdtemp())
    try:
        _fill(folder, count)
        with compose_deployment(folder, decoders=1) as deployment:
            while deployment.shortcomings() and deployment.indexes.faults():
                deployment.indexes.build("pdq")
            pulls = [_follow(deployment, count, number) for number in range(_PULLS[scale])]
        for what, seconds in zip(("pulled", "matched by, since the pull began"), zip(*pulls, strict=True), strict=True):
            table.add(what, *(duration(found) for found in (median(seconds), max(seconds), seconds[0])))
    finally:
        if "TUTELA_BENCHMARK_BANK" not in os.environ:
            shutil.rmtree(folder)
    return table


def _follow(deployment: Deployment, count: int, round_: int) -> tuple[float, float]:
    from tests.support.standins import server
    from tests.support.standins.ncmec import NcmecEntry, NcmecStandIn

    third, at = _CHANGES // 3, int(time.time()) - 60
    source, begin = NcmecStandIn(), round_ * 2 * third
    fresh = random_hashes(third, seed=1_000 + int(time.time()) + round_)
    texts = [row.tobytes().hex() for row in fresh]
    new = [NcmecEntry(42, f"new-{at}-{round_}-{i}", at, fingerprints=(("pdq", t),)) for i, t in enumerate(texts)]
    listed = _listed(deployment.store, begin, 2 * third)
    gone = [NcmecEntry(42, f"e{begin + i}", at, deleted=True) for i in range(third)]
    relabelled = [
        NcmecEntry(42, f"e{begin + i}", at, classification="B2", fingerprints=(("pdq", listed[i].hex()),))
        for i in range(third, 2 * third)
    ]
    for item in [*new, *gone, *relabelled]:
        source.put(item)

    def visible() -> bool:
        asked = [Sample("pdq", fresh[-1].tobytes()), Sample("pdq", listed[0])]
        found = deployment.screener.lookup(asked)
        return bool(found[0]) and not found[1]

    exchanges = Exchanges(deployment.banks)
    with server.served(source.app()) as address:
        exchanges.update("ncmec", options={"url": f"{address}/hashsharing"})
        pulled: list[float] = []
        started = time.perf_counter()

        def pull() -> None:
            Puller(exchanges).pull("ncmec", actor="benchmark")
            pulled.append(time.perf_counter() - started)

        thread = threading.Thread(target=pull)
        thread.start()
        while not visible():
            if not thread.is_alive() and (not pulled or time.perf_counter() - started > pulled[0] + 60):
                raise AssertionError("the pull failed, or its changes never became visible")
            time.sleep(0.01)
        seconds = time.perf_counter() - started
        thread.join()
    return pulled[0], seconds


def _fill(folder: Path, count: int) -> None:
    """A bank of that many entries of one exchange, written straight into the tables; kept where it is there already."""
    store = Store.create(f"sqlite:///{folder / 'tutela.db'}")
    banks = Banks(store)
    try:
        if any(bank.name == "known" for bank in banks.all()):
            return
        bank = banks.create("known", actor="benchmark")
        exchanges = Exchanges(banks)
        row = exchanges.add("ncmec", "ncmec", "known", _options("http://127.0.0.1:1"), actor="benchmark")
        hashes = np.random.default_rng(1).integers(0, 256, (count, 32), dtype=np.uint8)
        hashes = np.sort(hashes.view("S32"), axis=0).view(np.uint8).reshape(count, 32)
        for begin in range(0, count, 100_000):
            with store.write() as connection:
                _write(connection, hashes[begin : begin + 100_000], begin, bank.id, row.id)
        with store.write() as connection:
            connection.execute(text("UPDATE clock SET sequence = :count"), {"count": count})
            connection.execute(
                text("UPDATE exchange SET listed = :count, checkpoint = :since, pulled_at = :at"),
                {"count": count, "since": f'{{"since": {int(time.time()) - 120}}}', "at": now()},
            )
    finally:
        store.close()


def _listed(store: Store, begin: int, count: int) -> list[bytes]:
    with store.read() as connection:
        rows = connection.execute(select(signal.c.value).where(signal.c.id > begin).order_by(signal.c.id).limit(count))
        return [bytes(value) for value in rows.scalars()]


def _write(connection: Connection, hashes: np.ndarray, begin: int, bank_id: int, exchange_id: int) -> None:
    numbers = range(begin, begin + len(hashes))
    at = now()
    signals = [(i + 1, "pdq", hashes[i - begin].tobytes(), True, i + 1) for i in numbers]
    insert_rows(connection, signal, ("id", "type", "value", "active", "sequence"), signals)
    entries = [
        (i + 1, bank_id, i + 1, "exchange:ncmec", f"42/e{i}", "A1", "active", "benchmark", at, at) for i in numbers
    ]
    insert_rows(connection, entry, _ENTRY_COLUMNS, entries)
    remotes = [(i + 1, exchange_id, f"42/e{i}", "image", "A1", True, FIRST, 0, b"", str(i + 1), 0, 0) for i in numbers]
    insert_rows(connection, remote_entry, _REMOTE_COLUMNS, remotes)


def _options(address: str) -> dict[str, str]:
    return {"user": "env:BENCHMARK_USER", "password": "env:BENCHMARK_PASSWORD", "url": address, "range_days": "5000"}


def _apart(work: partial[None]) -> _Pull:
    """Run in a process of its own, so that one way's memory is not the other's."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=work, args=(theirs,))
    process.start()
    theirs.close()
    try:
        found: _Pull = ours.recv()
    except EOFError:
        raise AssertionError("the pull failed; see above") from None
    process.join()
    return found
