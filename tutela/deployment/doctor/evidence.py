"""Checks of evidence, and of calls to the outside that were given up."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tutela.casework.evidence.objects import Objects
from tutela.casework.evidence.seal import Recipients
from tutela.deployment.doctor.model import Diagnosis
from tutela.deployment.settings import Settings
from tutela.deployment.store import existing_store
from tutela.errors import StoreError, TutelaError
from tutela.foundation.outbox.service import DeliveryState, Outbox
from tutela.screening.screener import UNKEPT

_PRIVATE = b"AGE-SECRET-KEY-1"
_MAX_KEY_BYTES = 64 * 1024


def check_evidence(settings: Settings) -> Iterator[Diagnosis]:
    """Whether what is held can be sealed, and only by reviewers be opened."""
    for path in _private_keys(settings.home):
        yield Diagnosis(
            "fail", "review key", f"{path} opens evidence and lies in the home: move it to the officer's machine"
        )
    if settings.evidence is None:
        yield Diagnosis("warn", "block without evidence", UNKEPT)
        return
    try:
        count = len(Recipients(settings.evidence.recipients).texts)
        if settings.evidence.store is not None:
            Objects(settings.evidence.store, settings.evidence.store_options()).has("0" * 64)
    except TutelaError as error:
        yield Diagnosis("fail", "evidence", str(error))
        return
    where = settings.evidence.store or "the home"
    one = "; a second key in a safe guards against losing the first" if count == 1 else ""
    yield Diagnosis("warn" if one else "ok", "evidence", f"sealed to {count} public keys, in {where}{one}")


def check_outbox(settings: Settings) -> Iterator[Diagnosis]:
    """Whether deliveries were given up."""
    dead = 0
    with contextlib.suppress(StoreError), existing_store(settings) as store:  # a fault was said of the database already
        if store is not None:
            dead = sum(count for (_, state), count in Outbox(store).counts().items() if state is DeliveryState.DEAD)
    if dead:
        yield Diagnosis("fail", "outbox", f"{dead} deliveries were given up: see tutela outbox list --state dead")


def _private_keys(home: Path) -> Iterator[Path]:
    """Files at the top of the home that hold a private key in clear."""
    if not home.is_dir():
        return
    for path in sorted(home.iterdir()):
        if path.is_file() and path.stat().st_size <= _MAX_KEY_BYTES and _PRIVATE in path.read_bytes():
            yield path
