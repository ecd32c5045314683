"""What it costs to keep a held upload: sealing, and everything durable before the verdict is answered."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyrage

from benchmarks.report import Scale, Table, duration, in_turns
from tests.support.held_items import a_held_verdict
from tutela.casework.audit.checkpoints import Checkpoints, SigningKey
from tutela.casework.audit.log import AuditLog
from tutela.casework.audit.verification import prove_row, verify_log
from tutela.casework.cases.custody import Custody
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.objects import Objects
from tutela.casework.evidence.seal import Recipients, new_identity
from tutela.casework.evidence.vault import Vault
from tutela.foundation.store.database import Store
from tutela.screening.journal import VerdictJournal

_ROUNDS = {Scale.TINY: 3, Scale.USUAL: 60, Scale.FULL: 300}
_ROWS = {Scale.TINY: 200, Scale.USUAL: 5_000, Scale.FULL: 50_000}
_SIZES = (10_000, 1_000_000, 30_000_000)


def run(scale: Scale) -> Iterator[Table]:
    """Two tables: a held upload by size, beside its verdict alone; the audit log."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(f"sqlite:///{Path(folder) / 'tutela.db'}")
        yield _held(store, Path(folder), _ROUNDS[scale])
        yield _log(store, _ROWS[scale])
        store.close()


def _held(store: Store, folder: Path, rounds: int) -> Table:
    recipients = Recipients([new_identity()[1]])
    custody = Custody(store, Vault(store, Objects(f"file://{folder / 'evidence'}"), recipients), Cases(store))
    journal = VerdictJournal(store)
    table = Table(
        "A held upload, one core",
        ("bytes", "verdict alone", "age alone", "evidence, case, log, all durable", "ratio to the verdict alone"),
        "Median. SQLite and a folder, on this machine's disk; each upload of its own uploader.",
    )
    for size in _SIZES:
        content = os.urandom(size)

        def keep(content: bytes = content) -> None:
            custody.keep(content, a_held_verdict("item", os.urandom(8).hex()))

        def seal(content: bytes = content) -> None:
            pyrage.encrypt(content, recipients.keys)

        alone, age, kept = in_turns(
            [lambda: journal.record(a_held_verdict("item", "u")), seal, keep],
            rounds if size < 10**7 else rounds // 6 + 1,
        )
        table.add(f"{size:,}", duration(alone), duration(age), duration(kept), f"{kept / alone:.1f}")
    return table


def _log(store: Store, rows: int) -> Table:
    log, key = AuditLog(store), SigningKey.generate("bench")
    from tutela.casework.audit.log import append

    begun = log.head().size
    with store.write() as connection:
        for number in range(rows):
            append(connection, "bench", "done", f"case:{number % 100}", {"n": number})
    note = Checkpoints(log).make(key, actor="bench")
    verify, prove = in_turns([lambda: verify_log(log, key=key.public), lambda: prove_row(log, 7, note, key.public)], 3)
    total = begun + rows + 1
    table = Table("The audit log, one core", ("rows", "verify all", "rows a second", "prove one"), "Median of three.")
    table.add(f"{total:,}", duration(verify), f"{total / verify:,.0f}", duration(prove))
    return table
