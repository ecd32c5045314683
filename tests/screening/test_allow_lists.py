"""An allow list is no weapon: whatever is allowed, copies of what is listed are not, and what lies between is held."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.effort import effort
from tests.support.waiting import wait_until
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.cases.outcomes import Outcome
from tutela.content.signals.base import Sample
from tutela.content.signals.registry import signal_type
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.errors import InputError
from tutela.foundation.store.database import moment, now
from tutela.lists.banks.files import Format
from tutela.lists.banks.model import Action, Bank, BankKind, Entry, EntryState, Extent, Listed, NewEntry, Policy
from tutela.lists.banks.overlaps import margin
from tutela.lists.banks.transfer import Importer
from tutela.lists.index.feed import Hit
from tutela.screening.decision import Decision
from tutela.screening.matching import find_matches
from tutela.screening.verdict import Context

LISTED = bytes(32)


def flipped(value: bytes, *bits: int) -> bytes:
    """The value with these of its 256 bits turned over."""
    return (int.from_bytes(value) ^ sum(1 << bit for bit in set(bits))).to_bytes(32)


def away(distance: int, value: bytes = LISTED, start: int = 0) -> bytes:
    """A value at that distance."""
    return flipped(value, *range(start, start + distance))


# --- the rule, for any values


class Lists:
    """A few entries in memory, searched by comparing with each."""

    def __init__(self, known: Sequence[bytes], allowed: Sequence[bytes], files: Sequence[bytes] = ()) -> None:
        block = _bank(1, BankKind.KNOWN, Policy(Action.BLOCK))
        allow = _bank(2, BankKind.ALLOW, Policy(thresholds={"pdq": 10}))
        values = [(block, "pdq", value) for value in known] + [(allow, "pdq", value) for value in allowed]
        values += [(allow, "sha256", value) for value in files]
        self._listed = {
            key: Listed(key, _entry(key, bank.name, signal, value), bank, value=value)
            for key, (bank, signal, value) in enumerate(values, 1)
        }
        self._banks = (block, allow)
        self.sequences: Mapping[str, int] = {}

    def search_many(self, signal: str, values: Sequence[bytes], radius: int) -> list[list[Hit]]:
        kind = signal_type(signal)
        return [
            [
                Hit(key, distance)
                for key, listed in self._listed.items()
                if listed.entry.signal == signal and (distance := kind.distance(value, listed.value)) <= radius
            ]
            for value in values
        ]

    def enabled(self) -> Sequence[Bank]:
        return self._banks

    def listed(self, signal_ids: Sequence[int]) -> list[Listed]:
        return [self._listed[key] for key in signal_ids]

    def extent(self, entry_id: int, min_quality: int) -> Extent:
        raise AssertionError("no videos here")

    @property
    def query_keys(self) -> Sequence[tuple[str, ...]]:
        return ()


def _bank(number: int, kind: BankKind, policy: Policy) -> Bank:
    return Bank(number, kind.value, kind, None, "", policy, True, moment(now()), moment(now()))


def _entry(number: int, bank: str, signal: str, value: bytes) -> Entry:
    at = moment(now())
    return Entry(number, bank, signal, value, "s", "", None, None, EntryState.ACTIVE, None, "t", at, at)


bits = st.lists(st.integers(0, 255), max_size=40, unique=True)


@settings(max_examples=effort(100, 300))
@given(known=st.lists(bits, min_size=1, max_size=3), allowed=st.lists(bits, max_size=3), seen=bits)
def test_only_what_is_more_like_an_allowed_value_than_any_listed_one_by_a_margin_is_let_through(known, allowed, seen):
    listed = [flipped(LISTED, *some) for some in known]
    passes = [flipped(LISTED, *some) for some in allowed]
    value, distance = flipped(LISTED, *seen), signal_type("pdq").distance
    matches = find_matches([Sample("pdq", value, quality=100)], *2 * (Lists(listed, passes),))
    to_listed = min(distance(value, one) for one in listed)
    to_allowed = min((distance(value, one) for one in passes), default=999)
    for match in matches:
        if to_listed <= margin("pdq"):
            assert match.suppressed_by is None, "a copy of what is listed"
        covered = to_allowed <= 10 and to_allowed + margin("pdq") < to_listed
        assert (match.suppressed_by is not None) == covered
        is_between = not covered and to_allowed <= 10 and to_allowed < to_listed
        assert match.action is (Action.HOLD if is_between else Action.BLOCK)


def test_a_digest_that_is_listed_too_allows_nothing():
    both = Lists([LISTED], [], files=[bytes(32)])
    samples = [Sample("pdq", LISTED, quality=100), Sample("sha256", bytes(32))]
    assert [match.suppressed_by for match in find_matches(samples, both, both)] == ["allow#2"]
    block = both._banks[0]
    both._listed[9] = Listed(9, _entry(9, block.name, "sha256", bytes(32)), block, value=bytes(32))
    assert {match.suppressed_by for match in find_matches(samples, both, both)} == {None}


# --- a reviewer's rejections


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    with compose_deployment(
        tmp_path / "home", decoders=1, casework=CaseworkOptions(EvidenceOptions((recipient,)))
    ) as deployment:
        deployment.banks.create("outside", label="A1", policy=Policy(Action.BLOCK), actor="t")
        deployment.banks.add("outside", [NewEntry("pdq", LISTED, "list", "30")], actor="t")
        deployment.refresh()
        yield deployment


def decision(deployment: Deployment, value: bytes) -> Decision:
    return deployment.screener.screen_hashes([Sample("pdq", value, quality=100)], Context("u")).decision


def rejected(deployment: Deployment, value: bytes) -> None:
    """A reviewer rejects what has this hash."""
    verdict = deployment.screener.screen_hashes([Sample("pdq", value, quality=100)], Context("u"))
    item = deployment.casework.cases.of_verdict(verdict.id)
    assert item is not None
    deployment.casework.cases.decide(
        item.case_id, Outcome.REJECT, by="r", reason="a pen and a coaster", item_ids=[item.id]
    )
    deployment.refresh()


def test_a_rejected_look_alike_does_not_let_copies_of_the_listed_picture_through(deployment):
    rejected(deployment, away(6))
    for distance in range(32):
        assert decision(deployment, away(distance)) is not Decision.ALLOW
        assert decision(deployment, away(distance, start=100)) is Decision.BLOCK
    assert deployment.banks.entries("rejected-matches") == []


def test_a_rejected_false_match_comes_back_encoded_anew_and_is_let_through(deployment):
    rejected(deployment, away(25))
    assert decision(deployment, away(25)) is Decision.ALLOW
    assert decision(deployment, away(4, away(25), start=200)) is Decision.ALLOW
    assert decision(deployment, away(16)) is Decision.HOLD, "nearer to the rejected one, but hardly"
    assert decision(deployment, away(12)) is Decision.BLOCK
    assert decision(deployment, LISTED) is Decision.BLOCK


# --- allow lists made by hand, and lists that grow


def test_a_value_that_reaches_a_listed_one_is_refused_and_the_listed_one_is_named(deployment):
    deployment.banks.create("fine", kind=BankKind.ALLOW, actor="t")
    for distance in (0, 6, margin("pdq")):
        with pytest.raises(InputError, match=rf"outside#1 \(list 30\), at distance {distance}"):
            deployment.banks.add("fine", [NewEntry("pdq", away(distance))], actor="t", reason="r")
    digest = bytes(range(32))
    deployment.banks.add("outside", [NewEntry("sha256", digest)], actor="t")
    with pytest.raises(InputError, match="outside#2"):
        deployment.banks.add("fine", [NewEntry("sha256", digest)], actor="t", reason="r")
    assert deployment.banks.add("fine", [NewEntry("pdq", away(11))], actor="t", reason="r").added == 1


def test_an_import_into_an_allow_list_leaves_out_what_reaches_a_listed_value(deployment, tmp_path):
    deployment.banks.create("fine", kind=BankKind.ALLOW, actor="t")
    lines = tmp_path / "fine.txt"
    lines.write_text("\n".join(away(distance).hex() for distance in (40, 3, 50)))
    result = Importer(deployment.banks).import_file(
        lines, "fine", actor="t", format=Format.TEXT, signal="pdq", reason="r"
    )
    assert (result.added, [line.line for line in result.rejects]) == (2, [2])
    assert "outside#1" in result.rejects[0].reason


def test_when_a_list_grows_to_an_allowed_value_that_is_marked_and_allows_nothing(deployment):
    deployment.banks.create("fine", kind=BankKind.ALLOW, policy=Policy(thresholds={"pdq": 10}), actor="t")
    (allowed,) = deployment.banks.add("fine", [NewEntry("pdq", away(25))], actor="t", reason="r").entry_ids
    deployment.refresh()
    assert decision(deployment, away(25)) is Decision.ALLOW
    deployment.banks.add("outside", [NewEntry("pdq", away(30), "list", "31")], actor="t")
    deployment.refresh()
    assert decision(deployment, away(25)) is not Decision.ALLOW
    wait_until(lambda: deployment.banks.entry(allowed).state is EntryState.DISABLED, "the overlap is found")
    assert "outside#3 (list 31), at distance 5" in str(deployment.banks.entry(allowed).reason)
    with pytest.raises(InputError, match="outside#3"):
        deployment.banks.set_state(allowed, EntryState.ACTIVE, reason="it is fine", actor="t")


def test_overlaps_of_many_values_are_those_that_brute_force_finds(deployment):
    rng = np.random.default_rng(5)
    base = rng.integers(0, 256, (40, 32), np.uint8)
    deployment.banks.add("outside", [NewEntry("pdq", row.tobytes()) for row in base], actor="t")
    deployment.refresh()
    asked = [away(int(rng.integers(0, 22)), row.tobytes(), start=int(rng.integers(0, 200))) for row in base]
    found = deployment.banks.overlaps([NewEntry("pdq", value) for value in asked])
    distance, known = signal_type("pdq").distance, [LISTED, *(row.tobytes() for row in base)]
    expected = {value for value in asked if min(distance(value, one) for one in known) <= margin("pdq")}
    assert {value for _, value in found} == expected
