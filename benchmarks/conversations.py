"""Messages and accounts: how fast, and how much of a made-up wording is found in benign chats, beside Roblox Sentinel.

Sentinel is in no registry. With TUTELA_SENTINEL, its source folder (…/src), its own formulas score; otherwise they are
restated here. Both see the vectors that ours see. The figures are about designs on made-up lines, never about
grooming.
"""

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from benchmarks import minilm
from benchmarks.report import Scale, Table
from tests.support.recruiter import WORDING_A, WORDING_B, Talk, benign_talks, first, plant, positives, split
from tutela.screening.conversations.ledger import ConversationLedger
from tutela.screening.conversations.model import TalkModel
from tutela.screening.conversations.records import Heard, Pseudonyms, names_of, pack
from tutela.screening.conversations.scorers.embedding import EmbeddingScorer
from tutela.screening.conversations.state import RiskState
from tutela.screening.conversations.training import Labelled, train
from tutela.screening.conversations.vectors import Encoder, VectorModel, Vectors, learn

ORDINARY = 6_000
LARGE = (5_000, 25_000)
"""An index of the size that Sentinel advises."""
BATCH = 1_000
ROUNDS = 3
"""Each way is timed so often, in turns; its best round counts, as others use the machine."""
CELLS = (("A", WORDING_A, (0.1, 0.25, 0.8)), ("B", WORDING_B, (0.25, 0.5, 0.8)))
SAYING = "Designs on made-up lines: it says nothing about grooming."
Height = Callable[[Talk], float]


def run(scale: Scale) -> Iterator[Table]:
    """The tables."""
    yield _events(20_000 if scale is Scale.TINY else 200_000)
    learnt, calibration, test = split(benign_talks())
    benign = [first(talk) for talk in calibration + test]
    test = [first(talk) for talk in test]
    ordinary = [line for talk in learnt for line in talk.lines]
    random.Random(3).shuffle(ordinary)
    ordinary = ordinary[:ORDINARY]
    model = train([Labelled(*one) for one in positives(WORDING_A)], ordinary)
    texts = [line for talk in benign for line in talk.lines]
    folder = minilm.package()
    if folder is None or scale is Scale.TINY:
        yield _speed(len(texts), {"n-grams": lambda: model.score(texts)})
        yield _recall({"n-grams alone": lambda talk: float(model.score(talk.lines).trust.sum())}, benign, test, 30)
        return
    with tempfile.TemporaryDirectory() as place:
        whole, small = Path(place) / "whole", Path(place) / "small"
        minilm.export(folder, whole)
        minilm.quantise(whole, small)
        known = Known(Encoder(small), Encoder(whole), model, ordinary)
    yield known.speed(random.Random(9).sample(texts, 1_000 if scale is Scale.USUAL else 4_000))
    known.encode(
        {line for talk in benign for line in talk.lines}
        | {line for w in (WORDING_A, WORDING_B) for line, _ in positives(w)}
    )
    count = {Scale.USUAL: 150, Scale.FULL: 600}[scale]
    yield _recall(
        {
            "n-grams alone": lambda talk: float(model.score(talk.lines).trust.sum()),
            "cascade: vectors of the tenth that n-grams rank": known.cascade,
            "n-grams, head and memory": known.everything,
            f"Sentinel's scores ({known.peer}), 6,000 ordinary": known.sentinel,
        },
        benign,
        test,
        count,
    )


class Known:
    """What is known of each line, encoded once for everybody."""

    def __init__(self, encoder: Encoder, theirs: Encoder, model: TalkModel, ordinary: Sequence[str]) -> None:
        """`encoder` is ours, of eight bits; `theirs` the same with all its bits, which Sentinel reads."""
        self._encoder, self._theirs = encoder, theirs
        self._model = model
        confirmed = [line for line, _ in positives(WORDING_A)]
        self._positive, self._ordinary = theirs.encode(confirmed), theirs.encode(ordinary)
        self._vectors: VectorModel = learn(encoder.encode(confirmed), encoder.encode(ordinary))
        self._sides = (self._positive, self._ordinary)
        self._of: dict[str, tuple[float, float, bool, float]] = {}
        self.peer = "its own formulas" if _formulas() is not None else "its formulas, restated"

    def encode(self, lines: set[str]) -> None:
        """Score lines by every design."""
        ordered = sorted(lines)
        vectors = self._encoder.encode(ordered)
        near = self._vectors.score(vectors).trust
        cheap = self._model.score(ordered).trust
        ranks = self._model.sums(ordered) >= self._model.gate
        theirs = sentinel_scores(self._theirs.encode(ordered), self._positive, self._ordinary)
        for place, line in enumerate(ordered):
            self._of[line] = (float(cheap[place]), float(near[place]), bool(ranks[place]), float(theirs[place]))

    def everything(self, talk: Talk) -> float:
        """All scorers of all lines."""
        return sum(self._of[line][0] + self._of[line][1] for line in talk.lines)

    def cascade(self, talk: Talk) -> float:
        """Vectors only of lines that the n-grams rank in the top tenth."""
        return sum(self._of[line][0] + self._of[line][1] * self._of[line][2] for line in talk.lines)

    def sentinel(self, talk: Talk) -> float:
        """Sentinel's default score of a person: the skewness of the distinct messages' scores."""
        return skewness(np.array([self._of[line][3] for line in dict.fromkeys(talk.lines)]))

    def speed(self, texts: Sequence[str]) -> Table:
        """Messages a second of each way, on the same messages."""
        large = [np.resize(side, (count, side.shape[1])) for side, count in zip(self._sides, LARGE, strict=True)]

        def cascade() -> None:
            embedding = EmbeddingScorer(self._encoder, self._vectors)  # it has seen no text before
            for begin in range(0, len(texts), BATCH):
                batch = texts[begin : begin + BATCH]
                self._model.score(batch)
                closer = np.flatnonzero(self._model.sums(batch) >= self._model.gate)
                embedding.score([batch[place] for place in closer])

        def theirs(positive: Vectors, ordinary: Vectors) -> None:
            for begin in range(0, len(texts), BATCH):
                sentinel_scores(self._theirs.encode(texts[begin : begin + BATCH]), positive, ordinary)

        return _speed(
            len(texts),
            {
                "n-grams": lambda: self._model.score(texts),
                "cascade": cascade,
                "Sentinel's way, the same examples": lambda: theirs(*self._sides),
                "Sentinel's way, 5,000 and 25,000 examples": lambda: theirs(*large),
            },
        )


def sentinel_scores(vectors: Vectors, positive: Vectors, ordinary: Vectors) -> npt.NDArray[np.float64]:
    """Sentinel's score of a message: the five nearest of each side, of those the five best, the logarithm of the ratio
    of their mean exponentials; a side with none of them uses its nearest; under 0.1 is 0."""
    best = [np.sort(vectors @ side.T, axis=1)[:, -5:] for side in (positive, ordinary)]
    both = np.concatenate(best, axis=1)
    kept = both >= np.sort(both, axis=1)[:, -5][:, None]
    sides = [
        [row[mask] if mask.any() else row[-1:] for row, mask in zip(side, masks, strict=True)]
        for side, masks in zip(best, (kept[:, :5], kept[:, 5:]), strict=True)
    ]
    theirs = _formulas()
    ratio = _log_ratio if theirs is None else theirs.calculate_contrastive_score
    found = np.array([ratio(*pair) for pair in zip(*sides, strict=True)])
    return np.where(found >= 0.1, found, 0.0)


def _log_ratio(near: Vectors, far: Vectors) -> float:
    return float(np.log(np.exp(near).mean() / np.exp(far).mean()))


def skewness(scores: npt.NDArray[np.float64]) -> float:
    """Sentinel's score of a person: (mean - median) / standard deviation; 0 under ten messages."""
    if (theirs := _formulas()) is not None:
        return float(theirs.skewness(scores))
    spread = float(scores.std())
    return 0.0 if len(scores) < 10 or spread == 0 else float((scores.mean() - np.median(scores)) / spread)


def _formulas() -> ModuleType | None:
    """Sentinel's own formulas, from the source folder that TUTELA_SENTINEL names; they need numpy alone."""
    if not (folder := os.environ.get("TUTELA_SENTINEL")):
        return None
    spec = spec_from_file_location("sentinel_formulas", Path(folder) / "sentinel" / "score_formulae.py")
    if spec is None or spec.loader is None:
        return None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _recall(designs: dict[str, Height], benign: Sequence[Talk], test: Sequence[Talk], count: int) -> Table:
    names = [f"{name} {share:.0%}" for name, _, shares in CELLS for share in shares]
    rows: list[Sequence[str]] = []
    for design, height in designs.items():
        heights = sorted((height(talk) for talk in benign), reverse=True)
        bar = heights[len(heights) // 100]
        row = [design]
        for name, wording, shares in CELLS:
            for share in shares:
                chance = random.Random(f"{name}{share}")
                talks = [plant(chance.choice(test), wording, share, chance) for _ in range(count)]
                row.append(f"{np.mean([height(talk) > bar for talk in talks]):.2f}")
        rows.append(row)
    title = f"Accounts found at 1 % of {len(benign)} benign ones; wording A is known, B is not; {count} a cell"
    return Table(title, ("design", *names), SAYING, rows)


def _speed(count: int, ways: dict[str, Callable[[], object]]) -> Table:
    best = dict.fromkeys(ways, np.inf)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            best[name] = min(best[name], _timed(way))
    rows: list[Sequence[str]] = [
        [name, f"{count / seconds:,.0f}", f"{max(best.values()) / seconds:,.1f}"] for name, seconds in best.items()
    ]
    title = f"Messages a processor second, one thread; {count:,} messages, 8 bits in ours, 32 in Sentinel's encoder"
    return Table(title, ("way", "a second", "ratio"), SAYING, rows)


def _events(count: int) -> Table:
    """Events through the durable ledger into state."""
    from tutela.screening.conversations import Event, EventKind

    names = Pseudonyms(b"0123456789abcdef")
    events = [
        Event(f"e{i}", EventKind.MESSAGE, 1_790_000_000.0 + i * 0.01, f"u{i % 20_000}", f"v{(i * 7) % 20_000}")
        for i in range(count)
    ]
    with tempfile.TemporaryDirectory() as place:
        ledger, state = ConversationLedger(Path(place), bytes(32)), RiskState()
        wall = time.perf_counter()

        def write() -> None:
            for begin in range(0, count, 1_000):
                batch = events[begin : begin + 1_000]
                ledger.append(pack(batch, Heard.nothing(len(batch)), names, 1_790_000_000), names_of(batch))

        written = _timed(write)
        wall = time.perf_counter() - wall
        read = _timed(lambda: [state.apply(batch.records) for batch in ledger.read()])
        ledger.close()
    rows: list[Sequence[str]] = [
        ["packed and durable, 1,000 a batch", f"{count / written:,.0f}", f"{count / wall:,.0f}"],
        ["read into state", f"{count / read:,.0f}", ""],
        ["both", f"{count / (written + read):,.0f}", ""],
    ]
    return Table("Events a second", ("step", "a processor second", "a second, with the disk"), "", rows)


def _timed(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return max(1e-9, time.process_time() - begun)
