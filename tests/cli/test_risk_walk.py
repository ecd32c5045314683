"""From an empty home to a model of one's own: what a trust-and-safety lead does with `tutela risk`, with a service that
runs. The accounts that are looked for recruit, in benign words, for a made-up job.
"""

import ctypes
import itertools
import random
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.support.edge import built_edge_library, opened_edge_library
from tests.support.recruiter import WORDING_A, Talk, benign_talks, first, plant, positives, split
from tests.support.service import Service
from tests.support.talk import sent
from tests.support.waiting import wait_until
from tutela.api.keys import Keys, Scope
from tutela.cli.commands import app
from tutela.foundation.store.database import Store
from tutela.screening.conversations import AgeBand, AgeSource, Event, EventKind
from tutela.screening.conversations.model import FILE, read_model

pytestmark = pytest.mark.slow

SETTINGS = """
[conversations]
enabled = true
content = true
legal_basis = "consent"
legal_basis_since = "2026-11-30"

[cases.default]
second_opinion = ["confirm"]
"""
PHRASES: Mapping[str, Sequence[str]] = {
    "trust": ("rare", "wasted", "believe in you", "talent", "years", "deserve"),
    "probing": ("full time", "earn", "savings", "bank account", "evenings", "owe", "alone"),
    "isolation": ("between us", "your friends", "delete this", "secret", "mention it", "hold you back"),
    "elsewhere": ("another app", "text you", "handle", "private", "messenger"),
    "offer": ("bonus", "ticket", "money", "gift card", "rent", "deposit"),
    "meeting": ("in person", "office", "pick you up", "coffee", "hotel", "station", "face to face"),
}
POLICY = """author = "kim"

[[rule]]
name = "wording"
when = "trust >= {least} && is_minor == 0"
level = "review"
reason = "wording"
state = "live"
"""


class Walk:
    """A home that was made by `tutela init`, and those who work with it."""

    def __init__(self, folder: Path) -> None:
        self.home, self.key = folder / "home", folder / "home-keys" / "review.key"
        self.service: Service | None = None
        self.said: dict[str, Event] = {}
        self._number = itertools.count()

    def tutela(self, *arguments: str) -> str:
        """What a command of `tutela` says. One that fails fails the test."""
        done = CliRunner().invoke(app, ["--home", str(self.home), *arguments])
        assert done.exit_code == 0, (arguments, done.output, str(done.exception))
        return done.output

    def serve(self) -> None:
        """Start the service, or start it again."""
        if self.service is None:
            self.service = Service(self.home)
            keys = Keys(Store.create(self.service.database))
            self.ada, self.kim = (keys.create(name, [Scope.REVIEW], by="test")[1] for name in ("ada", "kim"))
        else:
            self.service.stop()
            self.service.start()

    def client(self, key: str | None = None) -> httpx.Client:
        assert self.service is not None
        return self.service.client(key)

    def write(self, talks: Sequence[tuple[str, Sequence[str]]], begin: float) -> None:
        """Send what accounts write to one person each, a message a minute."""
        known: Any = {"band": AgeBand.ADULT, "known": AgeSource.DECLARED, "recipient_band": AgeBand.FROM_13}
        events = [
            Event(
                f"m{next(self._number)}", EventKind.MESSAGE, begin + 60 * at, name, f"{name}-other", text=line, **known
            )
            for name, lines in talks
            for at, line in enumerate(lines)
        ]
        self.said |= {event.id: event for event in events}
        with self.client() as client:
            for at in range(0, len(events), 1_000):
                client.post("/v1/events", content=b"\n".join(map(sent, events[at : at + 1_000]))).raise_for_status()

    def confirm_all(self, cases: int) -> None:
        """The platform gives what each case asks for, and two people confirm it."""
        with self.client() as platform, self.client(self.ada) as ada, self.client(self.kim) as kim:

            def are_open() -> bool:
                return len(ada.get("/v1/cases").json()["cases"]) >= cases

            wait_until(are_open, "cases are open")
            for case in ada.get("/v1/cases").json()["cases"]:
                at = f"/v1/cases/{case['id']}"
                wanted = [name for alarm in ada.get(f"{at}/alarms").json()["alarms"] for name in alarm["lines"]]
                given = [self.said[name] for name in wanted]
                lines = [
                    {"id": one.id, "at": "2026-12-01T12:00:00Z", "by_suspect": True, "text": one.text} for one in given
                ]
                platform.post(f"{at}/context", json={"lines": lines}).raise_for_status()
                for person in (ada, kim):
                    items = [item["id"] for item in person.post(f"{at}/claim").json()["items"]]
                    decided = {"outcome": "confirm", "label": "enticement", "reason": "a recruiter", "items": items}
                    person.post(f"{at}/decision", json=decided).raise_for_status()


@pytest.fixture
def walk(tmp_path: Path) -> Any:
    walk = Walk(tmp_path)
    yield walk
    if walk.service is not None:
        walk.service.stop()


def recruiters(name: str, base: Sequence[Talk], share: float, count: int) -> list[tuple[str, Sequence[str]]]:
    """Accounts that write wording A to somebody; each is seen from another moment on."""
    chance = random.Random(f"{name}{share}")
    found: list[tuple[str, Sequence[str]]] = []
    for number in range(count):
        lines = plant(chance.choice(base), WORDING_A, share, chance).lines
        found.append((f"{name}{number}", lines[chance.randrange(max(1, len(lines) - 15)) :]))
    return found


def test_from_an_empty_home_to_a_model_of_ones_own_and_back(walk: Walk, tmp_path: Path):
    learnt, calibration, test = split(benign_talks())
    base, now = [first(talk) for talk in test], time.time()
    walk.tutela("init", "--yes")
    with (walk.home / "tutela.toml").open("a") as file:
        file.write(SETTINGS)
    listed = (
        f'[[phrase]]\ntext = "{text}"\nstage = "{stage}"\nweight = 2.0\n'
        for stage, texts in PHRASES.items()
        for text in texts
    )
    (walk.home / "phrases.toml").write_text("\n".join(listed))

    # Ordinary accounts say from which trust on a budget of alarms is kept.
    walk.serve()
    walk.write([(f"b{i}", first(talk).lines[:15]) for i, talk in enumerate(calibration)], now - 6_000)
    said = walk.tutela("risk", "calibrate", "--budget", "5000", "--feature", "trust")
    found = re.match(r"trust >= ([\d.]+): (\d+) of ([\d,]+) accounts", said)
    assert found is not None, said
    assert 0 < int(found[2]) <= 0.005 * int(found[3].replace(",", ""))

    # The policy made from it raises as many in a replay, and nothing before another person approved it.
    policy = walk.home / "risk.toml"
    policy.write_text(POLICY.format(least=found[1]))
    assert re.search(rf"level review +│ {found[2]} ", walk.tutela("risk", "replay", "--policy", str(policy)))
    assert re.search(rf"wording +│ {found[2]} ", walk.tutela("risk", "shadow"))
    assert "approved by ada" in walk.tutela("risk", "approve", "--by", "ada")
    assert "no rule is in shadow" in walk.tutela("risk", "shadow")
    walk.serve()
    walk.write(recruiters("r", base, 0.8, 60), now - 4_000)
    walk.confirm_all(55)
    explained = walk.tutela("risk", "explain", "r3")
    assert "level raised: review" in explained
    assert "stage-" in explained

    # What two people confirmed of many accounts becomes a model.
    ordinary = tmp_path / "ordinary.txt"
    lines = [line.replace("\n", " ") for talk in learnt for line in talk.lines]
    random.Random(3).shuffle(lines)
    ordinary.write_text("\n".join(lines[:6_100]))
    said = walk.tutela("risk", "train", str(ordinary), "--key", str(walk.key))
    version = re.match(r"model (\w+): (\d+) of (\d+) confirmed messages are learnt", said)
    assert version is not None, said
    assert int(version[2]) >= 0.6 * int(version[3])
    assert "it is in place; start the service again" in said
    again = walk.tutela("risk", "train", str(ordinary), "--key", str(walk.key))
    assert f"model {version[1]}" in again
    assert "in place already" in again

    # The service reads it, and an app finds the same bits.
    walk.serve()
    texts = [text for text, _ in positives(WORDING_A)]
    walk.write([("new", texts[:12])], now)
    with walk.client() as client:
        wait_until(lambda: client.get("/v1/risk/new").json().get("features", {}).get("trust", 0) > 0, "it was judged")
        assert client.get("/v1/risk/new").json()["versions"]["ngrams"] == version[1]
    device = tmp_path / "model.edge"
    assert str(device) in walk.tutela("risk", "edge", str(device))
    server = read_model(walk.home / FILE, Store.create(walk.service.database).secret("conversations-memory"))
    assert_same_bits(device.read_bytes(), server.score(texts + lines[:200]), texts + lines[:200])

    # With what was confirmed since there is another version, and by one command the one before.
    walk.write(recruiters("s", base, 0.6, 30), now + 60)
    walk.confirm_all(20)
    said = walk.tutela("risk", "train", str(ordinary), "--key", str(walk.key))
    assert "it is in place; start the service again" in said
    assert version[1] not in said
    assert f"model {version[1]}, the one before, is in place" in walk.tutela("risk", "train", "--back")
    audit = walk.tutela("audit", "list")
    acts = [f"risk.{act}" for act in ("policy.approved", "model.trained", "model.returned")]
    assert [audit.count(f'"{act}"') for act in acts] == [1, 2, 1]

    assert re.search(r"forgotten: [1-9]\d* records", walk.tutela("risk", "forget", "r3"))


def assert_same_bits(model: bytes, server: Any, texts: Sequence[str]) -> None:
    edge = opened_edge_library(built_edge_library())
    handle, stage = edge.tutela_edge_open(model, ctypes.c_size_t(len(model))), ctypes.c_uint8()
    assert handle is not None
    for place, text in enumerate(texts):
        found = edge.tutela_edge_score(handle, text.encode(), len(text.encode()), ctypes.byref(stage))
        assert np.float32(found) == server.trust[place] + server.coercion[place]
    edge.tutela_edge_close(handle)
