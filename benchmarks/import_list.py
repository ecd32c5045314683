"""A hash list from a text file into the database, against SQLite's own bulk insert of the bare values."""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.hashes import random_hashes
from benchmarks.report import Scale, Table, duration, resident_bytes
from tutela.deployment.composition import compose_deployment
from tutela.lists.banks.transfer import Importer

_LINES = {
    Scale.TINY: [2_000],
    Scale.USUAL: [200_000],
    Scale.FULL: [1_000_000, 10_000_000],
}


def run(scale: Scale) -> Iterator[Table]:
    """One table: sizes by ways in."""
    table = Table(
        "Import of a list into SQLite, one core",
        ("lines", "way", "time", "lines/s", "bytes of database a line", "memory growth"),
        "Ours parses, validates, finds what is listed already, and writes entries with their history; durable a batch. "
        "The other inserts parsed values into one table with a unique index, in one transaction: the floor.",
    )
    for count in _LINES[scale]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "list.txt"
            _write_list(path, count)
            for name, load in (("ours", _ours), ("bare inserts", _bare)):
                before, started = resident_bytes(), time.perf_counter()
                database = load(path, Path(folder))
                seconds = time.perf_counter() - started
                grown = max(0, resident_bytes() - before)
                table.add(
                    *(f"{count:,}", name, duration(seconds), f"{count / seconds:,.0f}"),
                    *(f"{database.stat().st_size / count:.0f}", f"{grown / 1e6:.0f} MB"),
                )
    yield table


def _write_list(path: Path, count: int) -> None:
    with path.open("w") as file:
        for begin in range(0, count, 1_000_000):
            rows = random_hashes(min(1_000_000, count - begin), seed=begin + 1)
            file.writelines(f"{row.tobytes().hex()}\n" for row in rows)


def _ours(path: Path, folder: Path) -> Path:
    with compose_deployment(folder / "home", decoders=1) as deployment:
        deployment.banks.create("known", actor="benchmark")
        Importer(deployment.banks).import_file(path, "known", actor="benchmark", signal="pdq")
    return folder / "home" / "tutela.db"


def _bare(path: Path, folder: Path) -> Path:
    database = folder / "bare.db"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, value BLOB UNIQUE)")
    with path.open() as lines, connection:
        connection.executemany("INSERT INTO entry (value) VALUES (?)", ((bytes.fromhex(line),) for line in lines))
    connection.close()
    return database
