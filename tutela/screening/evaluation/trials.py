"""One attack on one picture, and whether each view set still finds it; all of them, written down as they come."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tutela.content.signals.base import Sample
from tutela.content.signals.pdq import PDQ
from tutela.content.views.thresholds import largest_distance
from tutela.content.views.view_set import ViewSet
from tutela.errors import InputError
from tutela.lists.banks.values import can_match
from tutela.screening.evaluation.attacks.base import Attack, Picture, Scene
from tutela.screening.evaluation.attacks.catalogue import ATTACKS, encoded
from tutela.screening.evaluation.samples import samples_of
from tutela.screening.evaluation.subjects import TrialListing, TrialSubject, chosen

ASKED = (ViewSet.PLAIN, ViewSet.STANDARD, ViewSet.THOROUGH)
OTHERS = 24
"""Pictures that a collage or a sticker may take from."""


@dataclass(frozen=True, slots=True)
class TrialFinding:
    """What a view set finds of an attacked picture."""

    plain_bank: bool
    """In a bank that lists the picture's plain hash, as outside lists do."""
    views_bank: bool
    """In a bank that lists its further views too."""
    view: str | None
    """The view that came nearest, where one matched."""
    queries: int


@dataclass(frozen=True, slots=True)
class Trial:
    """An attack on a picture and what came of it."""

    picture: str
    attack: str
    strength: float
    distance: int
    """Of the attacked picture's plain hash from the picture's."""
    found: dict[ViewSet, TrialFinding]

    def document(self) -> dict[str, Any]:
        """The trial as a JSON object."""
        return {
            "picture": self.picture,
            "attack": self.attack,
            "strength": self.strength,
            "distance": self.distance,
            "found": {
                name.value: [found.plain_bank, found.views_bank, found.view, found.queries]
                for name, found in self.found.items()
            },
        }

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Trial":
        """The trial of a JSON object."""
        found = {ViewSet(name): TrialFinding(*values) for name, values in document["found"].items()}
        return cls(document["picture"], document["attack"], document["strength"], document["distance"], found)


def all_trials(
    subjects: Sequence[TrialSubject],
    attacks: Sequence[str],
    per_strength: int,
    seed: int,
    log: Path,
    progress: Callable[[int, int], None],
) -> list[Trial]:
    """Every trial that is not in the log yet, then all of them. A run that was cut short goes on where it was.

    Raises InputError when the log belongs to another run.
    """
    plan = [
        (attack, strength, i)
        for attack in attacks
        for strength in ATTACKS[attack].strengths
        for i in chosen(subjects, attack, strength, per_strength)
    ]
    head = {"seed": seed, "pictures": len(subjects), "views": PDQ.name}
    known = {(trial.picture, trial.attack, trial.strength): trial for trial in _logged(log, head)}
    trials: list[Trial] = []
    with log.open("a", encoding="utf-8") as file:
        if file.tell() == 0:
            file.write(json.dumps(head) + "\n")
        for done, (attack, strength, i) in enumerate(plan):
            trial = known.get((subjects[i].name, attack, strength))
            if trial is None:
                trial = one_trial(subjects, i, ATTACKS[attack], strength, seed)
                file.write(json.dumps(trial.document()) + "\n")
            trials.append(trial)
            progress(done + 1, len(plan))
    return trials


def _logged(log: Path, head: dict[str, Any]) -> Iterator[Trial]:
    if not log.exists():
        return
    _drop_torn_line(log)
    lines = log.read_text(encoding="utf-8").splitlines()
    if lines and json.loads(lines[0]) != head:
        raise InputError(
            "{log} is of another run ({lines}); choose another folder for the results", log=log, lines=lines[0]
        )
    for line in lines[1:]:
        yield Trial.read(json.loads(line))


def _drop_torn_line(log: Path) -> None:
    """Take away the line that was being written when a run was cut short."""
    data = log.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with log.open("r+b") as file:
            file.truncate(whole)


def one_trial(subjects: Sequence[TrialSubject], i: int, attack: Attack, strength: float, seed: int) -> Trial:
    """Attack one picture and look it up."""
    subject = subjects[i]
    source = random.Random(f"{seed}/{attack.name}/{strength:g}/{subject.name}")  # noqa: S311
    scene = Scene(subject.picture, _others(subjects, i, source), source)
    data = encoded(attack.apply(scene, strength), attack.encoding(strength))
    distance = -1
    found = {}
    for views in ASKED:
        samples = samples_of(data, views)
        found[views] = look_up(samples, subject)
        if views is ViewSet.PLAIN:
            distance = PDQ.distance(samples[0].value, subject.listed.hashes[0].tobytes())
    return Trial(subject.name, attack.name, strength, distance, found)


def _others(subjects: Sequence[TrialSubject], i: int, source: random.Random) -> list[Picture]:
    numbers = [j for j in range(len(subjects)) if j != i]
    return [subjects[j].picture for j in source.sample(numbers, min(OTHERS, len(numbers)))]


def look_up(samples: Sequence[Sample], subject: TrialSubject) -> TrialFinding:
    """What a bank's usual policy finds among a picture's own listed values."""
    distances, limits = distances_of(samples, subject.listed)
    matching = distances <= limits
    view = None
    if matching.any():
        view = samples[int(np.where(matching, distances, 999).min(axis=1).argmin())].view
    return TrialFinding(bool(matching[:, 0].any()), bool(matching.any()), view, len(samples))


def distances_of(samples: Sequence[Sample], listed: TrialListing) -> tuple[np.ndarray, np.ndarray]:
    """(samples, listed) distances, and the largest that match: -1 where a sample is too poor."""
    values = np.frombuffer(b"".join(sample.value for sample in samples), np.uint8).reshape(len(samples), 1, 32)
    distances = np.bitwise_count(values ^ listed.hashes[None]).sum(axis=2, dtype=np.int32)
    limits = np.array([limit_of(sample) for sample in samples], np.int32)
    return distances, np.minimum(limits[:, None], listed.limits[None])


def limit_of(sample: Sample) -> int:
    """The largest distance at which a sample matches in a bank of the usual policy; -1 for none."""
    if not can_match(sample):
        return -1
    return largest_distance(PDQ.default_threshold, sample.view)
