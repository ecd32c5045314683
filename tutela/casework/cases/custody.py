"""Custody: what is held goes into evidence and into a case, in one go with its verdict, before the verdict is answered.

The sealed objects are stored first; then one transaction writes verdict, evidence, case, audit log and outbox. A kill
between the two leaves a sealed object that nobody can open and no row knows; there is never evidence without a case,
nor a case without evidence.
"""

import json
from collections.abc import Callable

from sqlalchemy import Connection

from tutela.casework.cases.addresses import plain_address
from tutela.casework.cases.model import CaseItem, NewItem, Queue
from tutela.casework.cases.pseudonyms import pseudonym
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.seal import SealedItem
from tutela.casework.evidence.vault import Vault
from tutela.content.media.probe import PROBE_SHA256
from tutela.content.signals.base import WHOLE
from tutela.foundation.store.database import Store
from tutela.screening.journal import write_verdict
from tutela.screening.verdict import Verdict

ACTOR = "screening"
ADDRESS = "url"
"""The detail by which it names where the content was to be seen."""
_MIN_PDQ_QUALITY = 50


class Custody:
    """Seals what is held and brings it before people. Thread-safe."""

    def __init__(self, store: Store, vault: Vault, cases: Cases) -> None:
        self._store = store
        self._vault = vault
        self._cases = cases

    def wants(self, verdict: Verdict) -> bool:
        """Whether a held verdict opens a case: a match always, a shortcoming unless the policy leaves it out."""
        codes = {reason.code for reason in verdict.reasons}
        if codes == {"empty"} or (verdict.sha256 == PROBE_SHA256 and not _matched(verdict)):
            return False  # there is nothing to keep, and nothing to look at
        return _matched(verdict) or not codes <= self._cases.policies.unsealed_reasons

    def keep(self, content: bytes | memoryview | None, verdict: Verdict) -> CaseItem:
        """Keep a held verdict with its content and context; return when all of it is durable.

        Raises EvidenceError when it cannot be sealed, StoreError when it cannot be written down.
        """
        sealed = self._sealed(content, verdict)
        return self._enter(sealed, verdict, _nothing)

    def sealed(self, content: bytes | memoryview | None, verdict: Verdict) -> bytes:
        """What `enter` takes later: content and context, sealed to the review key. Nothing is stored yet.

        Raises EvidenceError when it cannot be sealed.
        """
        return self._sealed(content, verdict).pack()

    def enter(self, sealed: bytes, verdict: Verdict, also: Callable[[Connection], object]) -> CaseItem:
        """Keep what was sealed before; `also` writes in the same transaction. Otherwise as `keep`."""
        return self._enter(SealedItem.unpack(sealed), verdict, also)

    def _sealed(self, content: bytes | memoryview | None, verdict: Verdict) -> SealedItem:
        context = {
            "verdict": verdict.id,
            "at": verdict.at.isoformat(),
            "item": verdict.context.item,
            "details": dict(verdict.context.details),
            "media_type": verdict.media_type,
            "byte_length": verdict.byte_length,
            "sha256": verdict.sha256,
        }
        return self._vault.sealed(content, json.dumps(context).encode())

    def _enter(self, sealed: SealedItem, verdict: Verdict, also: Callable[[Connection], object]) -> CaseItem:
        self._vault.put(sealed)
        with self._store.write() as connection:
            write_verdict(connection, verdict)
            evidence_id = self._vault.record(connection, sealed, content_sha256=verdict.sha256, actor=ACTOR)
            new = self._new_item(connection, verdict, evidence_id)
            also(connection)
            return self._cases.add(connection, new, actor=ACTOR)

    def _new_item(self, connection: Connection, verdict: Verdict, evidence_id: str) -> NewItem:
        matches = tuple(match for match in verdict.matches if match.suppressed_by is None)
        uploader = verdict.context.uploader
        address = plain_address(verdict.context.details.get(ADDRESS, ""))
        return NewItem(
            evidence_id=evidence_id,
            queue=Queue.MATCH if _matched(verdict) else Queue.UNSCREENED,
            at=verdict.at,
            verdict_id=verdict.id,
            item=verdict.context.item,
            sha256=verdict.sha256,
            media_type=verdict.media_type,
            byte_length=verdict.byte_length,
            matches=matches,
            md5=_digest(verdict, "md5"),
            pdq=_picture(verdict),
            uploader=pseudonym(connection, uploader) if uploader else None,
            address=pseudonym(connection, address) if address else None,
            banks=tuple(dict.fromkeys(match.bank for match in matches)),
        )


def _nothing(_: Connection) -> None:
    """What is written beside a case where there is nothing."""


def _matched(verdict: Verdict) -> bool:
    return any(match.suppressed_by is None for match in verdict.matches)


def _digest(verdict: Verdict, signal: str) -> str | None:
    """The content's own digest of a kind."""
    found = (one.value for one in verdict.hashes if one.signal == signal and one.view == WHOLE and not one.part)
    return next(found, None)


def _picture(verdict: Verdict) -> bytes | None:
    """The PDQ hash of the whole picture, if it is good enough to compare pictures by."""
    for one in verdict.hashes:
        whole = one.signal == "pdq" and one.view == WHOLE and not one.part and one.seconds is None
        if whole and (one.quality is None or one.quality >= _MIN_PDQ_QUALITY):
            return bytes.fromhex(one.value)
    return None
