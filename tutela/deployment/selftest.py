"""The self-test: canaries that prove end to end, in production, that what is listed is matched.

The canary is a drawn, benign picture in a bank of its own whose matches are only written down. It is screened as it is
and as an altered copy, beside a picture that is not listed and one that is damaged. Exchanges may name published test
hashes, which must be matched in their banks.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tutela.content.signals.base import WHOLE, Sample
from tutela.content.signals.registry import signal_type
from tutela.deployment.composition import Deployment
from tutela.errors import NotFoundError, TutelaError
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges import installed
from tutela.screening.verdict import Context

BANK = "tutela-canary"
SOURCE = "selftest"
CANARY_MATCHES = frozenset({"md5", "sha1", "sha256", "pdq"})
"""The signal types by which the canary is matched as it is."""
_SIZE = 384
_ITEM = "selftest"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a screening said."""

    decision: str
    matched: frozenset[str]
    """Signal types that matched the canary."""


@dataclass(frozen=True, slots=True)
class SelftestCheck:
    """One thing that was tried."""

    ok: bool
    what: str
    detail: str


Screen = Callable[[bytes], Seen]


def selftest(deployment: Deployment, screen: Screen | None = None, *, holds: bool = True) -> Iterator[SelftestCheck]:
    """Every check, one after the other. `screen` asks another face of the same lists, such as the HTTP service.

    Without `holds` nothing is sent that is held: a service that keeps evidence opens a case for that.
    """
    prepare(deployment)
    ask = screen or screening_of(deployment)
    yield from _pictures(ask)
    if holds:
        yield _damaged(ask)
    if installed():
        yield from _published(deployment)


def prepare(deployment: Deployment) -> None:
    """List the canary, once."""
    banks = deployment.banks
    if not _has(banks):
        banks.create(BANK, description="canaries of the self-test", policy=Policy(Action.LOG), actor=SOURCE)
    picture = canary()
    verdict = deployment.screener.without_custody().screen(picture, Context(item=_ITEM))
    entries = [
        NewEntry(item.signal, signal_type(item.signal).parse(item.value), SOURCE, "canary")
        for item in verdict.hashes
        if item.view == WHOLE and not item.part
    ]
    banks.add(BANK, entries, actor=SOURCE)
    deployment.refresh()


def screening_of(deployment: Deployment) -> Screen:
    """Screening in this process."""

    screener = deployment.screener.without_custody()

    def screen(content: bytes) -> Seen:
        verdict = screener.screen(content, Context(item=_ITEM))
        matched = frozenset(match.signal for match in verdict.matches if match.bank == BANK)
        return Seen(verdict.decision.value, matched)

    return screen


def seen_in(document: Mapping[str, object]) -> Seen:
    """What a verdict as the HTTP service answers it says."""
    matches = document["matches"]
    assert isinstance(matches, list)
    matched = frozenset(str(match["signal"]) for match in matches if match["bank"] == BANK)
    return Seen(str(document["decision"]), matched)


def canary() -> bytes:
    """The canary as PNG, the same in every installation."""
    return _file(_scene(20_260_101), "PNG")


def altered_canary() -> bytes:
    """A smaller JPEG of it."""
    return _file(_scene(20_260_101).resize((_SIZE // 2, _SIZE // 2)), "JPEG", quality=60)


def _pictures(screen: Screen) -> Iterator[SelftestCheck]:
    seen = screen(canary())
    missing = sorted(CANARY_MATCHES - seen.matched)
    yield SelftestCheck(
        not missing, "the canary", f"not matched by {', '.join(missing)}" if missing else "matched by all types"
    )
    seen = screen(altered_canary())
    yield SelftestCheck("pdq" in seen.matched, "an altered copy", "matched" if "pdq" in seen.matched else "not matched")
    seen = screen(_file(_scene(7), "PNG"))
    yield SelftestCheck(
        not seen.matched, "another picture", "matched, though not listed" if seen.matched else "not matched"
    )


def _damaged(screen: Screen) -> SelftestCheck:
    seen = screen(canary()[:2_000])
    held = seen.decision in ("hold", "block")
    return SelftestCheck(
        held, "a damaged picture", seen.decision if held else f"{seen.decision}: what cannot be seen must be held"
    )


def _published(deployment: Deployment) -> Iterator[SelftestCheck]:
    """The test hashes that exchanges name."""
    from tutela.lists.exchanges.service import Exchanges

    for row in Exchanges(deployment.banks).all():
        for text in filter(None, row.options.get("canaries", "").replace(" ", "").split(",")):
            name, _, value = text.partition(":")
            what = f"test hash {name} of {row.name}"
            try:
                samples = [Sample(name, signal_type(name).parse(value))]
                found = _matched_banks(deployment, samples)
            except TutelaError as error:
                yield SelftestCheck(False, what, str(error))
                continue
            ok = row.bank in found
            yield SelftestCheck(ok, what, f"matched in bank {row.bank}" if ok else f"not matched in bank {row.bank}")


def _matched_banks(deployment: Deployment, samples: Sequence[Sample]) -> set[str]:
    return {match.bank for matches in deployment.screener.lookup(samples) for match in matches}


def _has(banks: Banks) -> bool:
    try:
        banks.get(BANK)
    except NotFoundError:
        return False
    return True


def _scene(seed: int) -> Image.Image:
    """A picture with detail at every scale: smooth noise, drawn."""
    rng = np.random.default_rng(seed)
    total = np.zeros((_SIZE, _SIZE, 3), np.float32)
    for cells in (4, 8, 16, 32, 64):
        noise = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(noise).resize((_SIZE, _SIZE), Image.Resampling.BICUBIC)
        total += np.asarray(layer, np.float32) / cells**0.5
    total -= total.min()
    return Image.fromarray((total * (255 / total.max())).astype(np.uint8))


def _file(picture: Image.Image, form: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()
