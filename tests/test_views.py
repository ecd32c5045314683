"""Views: altered copies that a plain hash misses match, each by a view that says where; unrelated pictures do not."""

import random

import pytest
from PIL import Image

from tests.pictures import draw_scene, file_of, photos
from tutela.banks.model import Action, Policy
from tutela.banks.reading import picture_entries
from tutela.deployment import open_deployment
from tutela.evaluation.attacks.base import Scene
from tutela.evaluation.attacks.catalogue import ATTACKS, encoded
from tutela.media.content import Content, Limits, Mode, ViewSet
from tutela.screening.verdict import Verdict
from tutela.signals.pdq import PDQ

KNOWN = photos()[2]
OTHERS = (photos()[0], photos()[1], photos()[3], draw_scene(5), draw_scene(6))


def samples(picture: Image.Image, views: ViewSet, mode: Mode = Mode.FAST):
    return PDQ.compute(Content(file_of(picture, "JPEG", quality=90), mode, Limits(views=views)))


def attacked(name: str, strength: float, picture: Image.Image = KNOWN, seed: int = 1) -> bytes:
    attack = ATTACKS[name]
    scene = Scene(picture, OTHERS, random.Random(f"{name}/{strength}/{seed}"))
    return encoded(attack.apply(scene, strength), attack.encoding(strength))


def distance(a: bytes, b: bytes) -> int:
    return PDQ.distance(bytes(a), bytes(b))


@pytest.fixture(scope="module")
def banks(tmp_path_factory):
    """A deployment that lists the known picture's plain hash in one bank and its further views too in another."""
    with open_deployment(tmp_path_factory.mktemp("views"), decoders=1) as deployment:
        policy = Policy(Action.BLOCK)
        exact = samples(KNOWN, ViewSet.PLAIN, Mode.EXACT)
        listed = samples(KNOWN, ViewSet.LISTED, Mode.EXACT)
        deployment.banks.create("plain", policy=policy, actor="test")
        deployment.banks.add("plain", picture_entries(exact), actor="test")
        deployment.banks.create("views", policy=policy, actor="test")
        deployment.banks.add("views", picture_entries(listed), actor="test")
        deployment.refresh()
        yield deployment


def by_bank(verdict: Verdict) -> dict[str, str]:
    return {match.bank: match.view for match in verdict.matches}
