"""Verification of the audit log: nothing changed, removed, reordered or cut off since it was written.

The rows alone show most of it. A log that somebody wrote anew as a whole is shown only by a checkpoint that
was kept elsewhere.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select

from tutela.casework.audit.checkpoints import Checkpoint, CheckpointError, Checkpoints, PublicKey, read_checkpoint
from tutela.casework.audit.log import GENESIS, AuditLog, chained, record_of_row
from tutela.casework.audit.merkle import frontier_root, grow, inclusion_proof, leaf_hash, proves_inclusion
from tutela.errors import InputError
from tutela.foundation.store.evidence_tables import audit, audit_head

_PAGE = 2_000
MAX_FAULTS = 100


@dataclass(frozen=True, slots=True)
class LogFault:
    """Something that is not as it was written."""

    sequence: int | None
    """The row, None where it is the log as a whole."""
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found."""

    rows: int
    checkpoints: int
    """How many checkpoints were compared."""
    faults: tuple[LogFault, ...]


def verify_log(log: AuditLog, *, key: PublicKey | None = None, notes: Sequence[str] = ()) -> Verification:
    """Read the whole log and compare it with itself, with its own checkpoints, and with those that are given.

    Checkpoints need the key. The database is read in one transaction's view page by page; rows that are appended
    meanwhile are left out.
    """
    faults: list[LogFault] = []
    checkpoints = _checkpoints(log, key, notes, faults)
    with log.store.read() as connection:
        head = connection.execute(select(audit_head)).first()
    if head is None:
        return Verification(0, len(checkpoints), (LogFault(None, "the log's head is missing"),))
    wanted = {checkpoint.size for checkpoint in checkpoints}
    roots, size = _walk(log, head.size, wanted, faults)
    faults += _beyond_the_head(log)
    if size < head.size:
        faults.append(LogFault(size, f"the log ends here, and has had {head.size} rows"))
    elif bytes(head.chain) != roots.chain:
        faults.append(LogFault(None, "the last row does not lead to the log's head"))
    elif [one.hex() for one in roots.frontier] != list(head.frontier):
        faults.append(LogFault(None, "the rows do not give the root of the log's head"))
    for checkpoint in checkpoints:
        if checkpoint.size > size:
            faults.append(LogFault(size, f"a checkpoint of {checkpoint.at} counts {checkpoint.size} rows"))
        elif roots.at[checkpoint.size] != checkpoint.root:
            faults.append(
                LogFault(None, f"the first {checkpoint.size} rows are not those of the checkpoint of {checkpoint.at}")
            )
    return Verification(size, len(checkpoints), tuple(faults[:MAX_FAULTS]))


def _beyond_the_head(log: AuditLog) -> list[LogFault]:
    """Rows that the head does not count; asked in one statement, because others append meanwhile."""
    last = select(func.max(audit.c.sequence)).scalar_subquery()
    with log.store.read() as connection:
        size, highest = connection.execute(select(audit_head.c.size, last)).one()
    if highest is not None and highest >= size:
        return [LogFault(size, f"the log's head counts {size} rows, and there is a row {highest}")]
    return []


@dataclass(slots=True)
class _Roots:
    chain: bytes
    frontier: list[bytes]
    at: dict[int, bytes]


def _walk(log: AuditLog, end: int, wanted: set[int], faults: list[LogFault]) -> tuple[_Roots, int]:
    """Read rows up to the head; the roots at the wanted sizes, and how many rows there are."""
    roots = _Roots(GENESIS, [], {0: frontier_root([])})
    size = 0
    for row in _pages(log):
        if row.sequence >= end and size >= end:
            break
        if row.sequence != size:
            faults.append(LogFault(size, f"row {size} is missing: row {row.sequence} follows row {size - 1}"))
            return roots, size
        leaf = leaf_hash(record_of_row(row))
        roots.chain = chained(roots.chain, leaf)
        if roots.chain != bytes(row.chain) and len(faults) < MAX_FAULTS:
            faults.append(LogFault(row.sequence, "the row was changed, or is in a wrong place"))
            roots.chain = bytes(row.chain)  # so that each row is blamed for itself
        roots.frontier = grow(roots.frontier, size, leaf)
        size += 1
        if size in wanted:
            roots.at[size] = frontier_root(roots.frontier)
    return roots, size


def _pages(log: AuditLog) -> Iterator[Row[Any]]:
    after = -(2**62)
    while True:
        with log.store.read() as connection:
            query = select(audit).where(audit.c.sequence > after).order_by(audit.c.sequence).limit(_PAGE)
            page = connection.execute(query).all()
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].sequence


def _checkpoints(
    log: AuditLog, key: PublicKey | None, notes: Sequence[str], faults: list[LogFault]
) -> list[Checkpoint]:
    if key is None:
        if notes:
            raise InputError("give the public key that signed the checkpoints")
        return []
    own = Checkpoints(log)
    found: list[Checkpoint] = []
    for note in [*own.all(), *notes]:
        try:
            checkpoint = read_checkpoint(note, key)
        except CheckpointError as error:
            faults.append(LogFault(None, str(error)))
            continue
        if checkpoint.origin != own.origin:
            faults.append(LogFault(None, f"a checkpoint is of another log, {checkpoint.origin}"))
        else:
            found.append(checkpoint)
    return found


def prove_row(log: AuditLog, sequence: int, note: str, key: PublicKey) -> str:
    """A document that shows, to whoever has the key, that a row is in the log that the checkpoint signed.

    Raises NotFoundError, CheckpointError, InputError when the row came after the checkpoint.
    """
    checkpoint = read_checkpoint(note, key)
    if sequence >= checkpoint.size:
        raise InputError(
            "row {sequence} came after this checkpoint of {size} rows; make another",
            sequence=sequence,
            size=checkpoint.size,
        )
    log.row(sequence)
    with log.store.read() as connection:
        row = connection.execute(select(audit).where(audit.c.sequence == sequence)).one()
    proof = inclusion_proof(log.leaves(checkpoint.size), sequence)
    document = {
        "record": base64.b64encode(record_of_row(row)).decode(),
        "index": sequence,
        "proof": [base64.b64encode(step).decode() for step in proof],
        "checkpoint": note,
    }
    if not proves_inclusion(leaf_hash(record_of_row(row)), sequence, checkpoint.size, proof, checkpoint.root):
        raise InputError("the log is not the one that this checkpoint signed; run: tutela audit verify")
    return json.dumps(document, indent=2)


def check_proof(document: str, key: PublicKey) -> list[object]:
    """The row that a document proves: [sequence, at, actor, action, subject, detail]. Raises InputError."""
    try:
        fields = json.loads(document)
        record = base64.b64decode(fields["record"], validate=True)
        proof = [base64.b64decode(step, validate=True) for step in fields["proof"]]
        index, note = int(fields["index"]), str(fields["checkpoint"])
        row = json.loads(record)
    except (ValueError, KeyError, TypeError):
        raise InputError("the document is no proof of an audit row") from None
    checkpoint = read_checkpoint(note, key)
    if not isinstance(row, list) or row[:1] != [index]:
        raise InputError("the proof is of another row")
    if not proves_inclusion(leaf_hash(record), index, checkpoint.size, proof, checkpoint.root):
        raise InputError("the proof does not hold: the row is not in the log that the checkpoint signed")
    return row
