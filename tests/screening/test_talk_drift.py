"""Drift and delay: people are told when talk scores otherwise than it did, and when events wait. Nothing else moves."""

import random
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pytest

from tests.support.recruiter import WORDING_A, benign_talks, positives, split
from tutela.screening.conversations import ConversationOptions, Event, EventKind
from tutela.screening.conversations.drift import USUAL, WINDOW, Drifted, DriftWatch
from tutela.screening.conversations.hearing import Hearing
from tutela.screening.conversations.model import FILE, signed
from tutela.screening.conversations.records import Pseudonyms, pack
from tutela.screening.conversations.training import Labelled, train

pytestmark = pytest.mark.slow

NAMES = Pseudonyms(bytes(16))
SECRET = bytes(32)
CONTENT = ConversationOptions(enabled=True, content=True, legal_basis="test", legal_basis_since="2026-11-30")


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Hearing:
    home = tmp_path_factory.mktemp("home")
    learnt, _, _ = split(benign_talks())
    ordinary = [line for talk in learnt for line in talk.lines]
    random.Random(3).shuffle(ordinary)
    (home / FILE).write_bytes(signed(train([Labelled(*one) for one in positives(WORDING_A)], ordinary[:6_000]), SECRET))
    return Hearing(home, CONTENT, NAMES, SECRET)


@pytest.fixture(scope="module")
def benign() -> list[str]:
    """Talk of accounts that the model did not learn from, in a fixed order that mixes them."""
    _, second, third = split(benign_talks())
    lines = [line for talk in second + third for line in talk.lines if line]
    random.Random(5).shuffle(lines)
    return lines


def watched(watch: DriftWatch, hearing: Hearing, lines: Sequence[str]) -> Drifted | None:
    events = [Event(f"e{i}", EventKind.MESSAGE, 1.8e9, f"a{i}", "b", text=line) for i, line in enumerate(lines)]
    return watch.take(pack(events, hearing.hear(events), NAMES, 1_800_000_000))


def elsewhere(*languages: str) -> list[str]:
    yaml = pytest.importorskip("yaml")
    found: list[str] = []
    for language in languages:
        for file in (files("chatterbot_corpus") / "data" / language).iterdir():
            if file.name.endswith(".yml"):
                for pair in yaml.safe_load(file.read_text(encoding="utf-8")).get("conversations", []):
                    found += [line for line in pair if isinstance(line, str)]
    return found


def test_the_same_kind_of_talk_is_no_drift(tmp_path: Path, hearing: Hearing, benign: list[str]):
    watch = DriftWatch(tmp_path / "usual", hearing.versions)
    assert watched(watch, hearing, benign) is None
    assert len(benign) > USUAL + 5 * WINDOW


def test_another_language_and_another_kind_of_talk_are_told_within_five_thousand_messages(
    tmp_path: Path, hearing: Hearing, benign: list[str]
):
    chance = random.Random(1)
    others = {
        "a third in another language": (elsewhere("german", "french", "spanish"), 0.3),
        "questions and answers instead of chat": (elsewhere("english"), 1.0),
    }
    for name, (lines, share) in others.items():
        watch = DriftWatch(tmp_path / name.replace(" ", "-"), hearing.versions)
        assert watched(watch, hearing, benign[:USUAL]) is None
        mixed = [chance.choice(lines) if chance.random() < share else line for line in benign[USUAL : USUAL + WINDOW]]
        found = watched(watch, hearing, mixed)
        assert found is not None, name
        assert found.not_covered_now > found.not_covered_before


def test_what_was_usual_is_kept_for_the_same_scorers_only(tmp_path: Path, hearing: Hearing, benign: list[str]):
    watch = DriftWatch(tmp_path / "usual", hearing.versions)
    watched(watch, hearing, benign[:USUAL])
    watch.save()
    other = elsewhere("spanish")[:1] * WINDOW
    assert watched(DriftWatch(tmp_path / "usual", hearing.versions), hearing, other) is not None
    changed = dict(hearing.versions) | {"ngrams": "another"}
    assert watched(DriftWatch(tmp_path / "usual", changed), hearing, other) is None
    (tmp_path / "usual").write_text("torn")
    assert watched(DriftWatch(tmp_path / "usual", hearing.versions), hearing, other) is None
