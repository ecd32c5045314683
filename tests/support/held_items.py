"""Held verdicts that no picture stands behind, and a process that holds and decides without end until it is killed."""

import os
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.support.forked import serve_rounds
from tutela.casework.cases.custody import Custody
from tutela.casework.cases.effects import Effects
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.objects import Objects
from tutela.casework.evidence.seal import Recipients
from tutela.casework.evidence.vault import Vault
from tutela.foundation.outbox.webhooks import Webhooks
from tutela.foundation.store.database import Store
from tutela.lists.banks.model import Action
from tutela.screening.decision import Decision
from tutela.screening.verdict import ContentHash, Context, Match, Reason, Timings, Verdict, Versions


def a_match(entry_id: int = 1, bank: str = "known", label: str | None = "A1", **fields: object) -> Match:
    values: dict[str, object] = {
        "bank": bank,
        "entry_id": entry_id,
        "signal": "pdq",
        "value": "00" * 32,
        "distance": 0,
        "threshold": 31,
        "view": "whole",
        "quality": 100,
        "label": label,
        "source": "s",
        "reference": "r",
        "action": Action.BLOCK,
    }
    return Match(**values | fields)  # type: ignore[arg-type]


def hold_and_decide(database: str, folder: str, out: str, recipient: str) -> None:
    """Hold and decide without end. Each act is written down when it begins, and again when it was answered."""
    store = Store.open(database)
    vault = Vault(store, Objects(f"file://{folder}"), Recipients([recipient]))
    cases = Cases(store, effects=Effects(Webhooks(), callback=True))
    custody = Custody(store, vault, cases)
    rng, number = random.Random(os.getpid()), 0
    with Path(out).open("a", buffering=1) as acts:
        while True:
            number += 1
            verdict = a_held_verdict(f"{os.getpid()}-{number}", f"u{rng.randrange(5)}")
            acts.write("holding\n")
            custody.keep(rng.randbytes(2_000), verdict)
            acts.write(f"held {verdict.id}\n")
            if rng.random() < 0.4:
                outcome = rng.choice([Outcome.CONFIRM, Outcome.REJECT])
                label = "A1" if outcome is Outcome.CONFIRM else None
                acts.write("deciding\n")
                case = cases.claim_next(by="r")
                assert case is not None
                cases.decide(case.id, outcome, by="r", reason="r", label=label)
                acts.write(f"decided {case.id}\n")


def a_held_verdict(item: str, uploader: str, *, entry_id: int = 1, digest: str | None = None) -> Verdict:
    digest = digest or os.urandom(32).hex()
    return Verdict(
        id=os.urandom(16).hex(),
        at=datetime.now(UTC),
        decision=Decision.BLOCK,
        reasons=(Reason("match-block", "a match"),),
        matches=(a_match(entry_id),),
        matches_omitted=0,
        hashes=(ContentHash("pdq", digest, "whole", 100),),
        hashes_omitted=0,
        media_type="image/jpeg",
        width=1,
        height=1,
        byte_length=2_000,
        sha256=digest,
        context=Context(item, {"uploader": uploader}),
        timings=Timings(0, 0, 0),
        versions=Versions("0", {}),
    )


if __name__ == "__main__":
    serve_rounds(lambda: hold_and_decide(*sys.argv[1:]))
