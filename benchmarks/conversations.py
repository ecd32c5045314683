"""Messages and accounts: how fast, and how much of a made-up wording is found in benign chats, beside Roblox Sentinel.

With TUTELA_BENCHMARK_WORDINGS, a folder of files NAME.json that give lines by stage ({"TRUST": ["…"], …}), more
wordings are hidden: such as nobody who builds the designs has read.

Sentinel is in no registry. With TUTELA_BENCHMARK_SENTINEL, its source folder (…/src), its own formulas score; otherwise
they are restated here. Both see the vectors that ours see. The figures are about designs on made-up lines, never about
grooming.
"""

import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from benchmarks import minilm
from benchmarks.report import Scale, Table
from tests.support.recruiter import WORDING_A, WORDING_B, Talk, benign_talks, first, plant, positives, split
from tests.support.service import Service
from tests.support.talk import MINOR, sent
from tests.support.talk_world import alarm_at, f_latency
from tutela.casework.audit.log import AuditLog
from tutela.casework.evidence.seal import new_identity
from tutela.screening.conversations import Event, EventKind
from tutela.screening.conversations.events import ConversationStage
from tutela.screening.conversations.ledger import ConversationLedger
from tutela.screening.conversations.records import Heard, Pseudonyms, names_of, pack
from tutela.screening.conversations.scorers.embedding import EmbeddingScorer
from tutela.screening.conversations.state import EVIDENT, RiskState
from tutela.screening.conversations.training import Labelled, train
from tutela.screening.conversations.vectors import Encoder, VectorModel, Vectors, learn

ORDINARY = 6_000
LARGE = (5_000, 25_000)
"""An index of the size that Sentinel advises."""
BATCH = 1_000
ROUNDS = 3
"""Each way is timed so often, in turns; its best round counts, as others use the machine."""
SAYING = "Designs on made-up lines: it says nothing about grooming."
Along = Callable[[Talk], npt.NDArray[np.float64]]
"""What an account has come to at each of its messages."""
Cell = tuple[str, dict[ConversationStage, tuple[str, ...]], tuple[float, ...]]
CELLS: Sequence[Cell] = (("A", WORDING_A, (0.1, 0.25, 0.8)), ("B", WORDING_B, (0.25, 0.5, 0.8)))


def _cells() -> Sequence[Cell]:
    """The wordings of the repository, and those that are kept apart."""
    apart = os.environ.get("TUTELA_BENCHMARK_WORDINGS")
    files = sorted(Path(apart).glob("*.json")) if apart else []
    read = [(path.stem, json.loads(path.read_text())) for path in files]
    more = [(name, {ConversationStage[stage]: tuple(lines) for stage, lines in said.items()}) for name, said in read]
    return [*CELLS, *((name, wording, (0.25, 0.5, 0.8)) for name, wording in more)]


def run(scale: Scale) -> Iterator[Table]:
    """The tables."""
    yield _events(2_000 if scale is Scale.TINY else 200_000)
    yield _over_http(400 if scale is Scale.TINY else 100_000)
    learnt, calibration, test = split(benign_talks())
    benign = [first(talk) for talk in calibration + test]
    test = [first(talk) for talk in test]
    ordinary = [line for talk in learnt for line in talk.lines]
    random.Random(3).shuffle(ordinary)
    ordinary = ordinary[:ORDINARY]
    texts = [line for talk in benign for line in talk.lines]
    cells = _cells()
    folder = minilm.package()
    if folder is None or scale is Scale.TINY:
        model = train([Labelled(*one) for one in positives(WORDING_A)], ordinary)
        yield _speed(len(texts), {"n-grams": lambda: model.score(texts)})
        alone = {"n-grams alone": lambda talk: np.cumsum(model.score(talk.lines).trust)}
        yield from _found(alone, cells[:1], benign, test, 10)
        return
    with tempfile.TemporaryDirectory() as place:
        whole, small = Path(place) / "whole", Path(place) / "small"
        minilm.export(folder, whole)
        minilm.quantise(whole, small)
        encoders = Encoder(small), Encoder(whole)
    known = Known(encoders, positives(WORDING_A), ordinary)
    lines = sorted({*texts, *(line for _, wording, _ in cells for line, _ in positives(wording))})
    vectors = encoders[0].encode(lines), encoders[1].encode(lines)
    cascade = known.cascade(lines, vectors[0])
    heard = [one for talk in benign for one in zip(talk.lines, cascade.evident(talk), strict=True)]
    yield known.speed(random.Random(9).sample(heard, 1_000 if scale is Scale.USUAL else 4_000))
    count = {Scale.USUAL: 150, Scale.FULL: 600}[scale]
    yield from _found(known.designs(lines, vectors), cells, benign, test, count)
    # Half of the second wording is confirmed; the other half attacks.
    confirmed = [one for place, one in enumerate(positives(WORDING_B)) if place % 2 == 0]
    attacks = {
        stage: tuple(line for line in said if (line, stage) not in confirmed) for stage, said in WORDING_B.items()
    }
    after = Known(encoders, positives(WORDING_A) + confirmed, ordinary)
    halves = [("B, half confirmed,", attacks, (0.25, 0.5))]
    yield from _found(after.designs(lines, vectors), halves, benign, test, count)


class Known:
    """What is known once some messages were confirmed: by our scorers, and by Sentinel's."""

    def __init__(
        self, encoders: tuple[Encoder, Encoder], confirmed: Sequence[tuple[str, ConversationStage]],
        ordinary: Sequence[str],
    ) -> None:  # fmt: skip
        """The first encoder is ours, of eight bits; the second the same with all its bits, which Sentinel reads."""
        self._encoder, self._theirs = encoders
        said = [line for line, _ in confirmed]
        self._sides = self._theirs.encode(said), self._theirs.encode(ordinary)
        vectors = self._encoder.encode(ordinary)
        self._vectors: VectorModel = learn(self._encoder.encode(said), vectors)
        labelled = [Labelled(*one) for one in confirmed]
        self._model = train(labelled, ordinary, self._vectors.nearness(vectors))

    def cascade(self, lines: Sequence[str], vectors: Vectors) -> "Cascade":
        """What the cascade makes of each of these lines; `vectors` are those of our encoder."""
        found = np.stack(
            [
                self._model.score(lines).trust,
                self._vectors.score(vectors).trust,
                self._model.unusual(lines, np.zeros(len(lines), bool)),
                self._model.unusual(lines, np.ones(len(lines), bool)),
            ],
            axis=1,
        )
        return Cascade(dict(zip(lines, found, strict=True)))

    def designs(self, lines: Sequence[str], vectors: tuple[Vectors, Vectors]) -> dict[str, Along]:
        """What each design makes of a talk, message by message. `vectors` are those of all lines, by each encoder."""
        cascade = self.cascade(lines, vectors[0])
        theirs = dict(zip(lines, map(float, sentinel_scores(vectors[1], *self._sides)), strict=True))
        peer = "its own formulas" if _formulas() is not None else "its formulas, restated"

        def skewed(talk: Talk) -> npt.NDArray[np.float64]:
            said = [talk.lines[: count + 1] for count in range(len(talk.lines))]
            return np.array([skewness(np.array([theirs[line] for line in dict.fromkeys(few)])) for few in said])

        return {
            "n-grams alone": lambda talk: np.cumsum([cascade.found[line][0] for line in talk.lines]),
            "cascade: vectors of the tenth that n-grams rank": cascade.along,
            "n-grams, head and memory": lambda talk: np.cumsum([cascade.found[line][:2].sum() for line in talk.lines]),
            f"Sentinel's scores ({peer}), 6,000 ordinary": skewed,
        }

    def speed(self, heard: Sequence[tuple[str, bool]]) -> Table:
        """Messages a second of each way, on the same messages; of each, whether there is evidence of its sender."""
        texts, evident = [text for text, _ in heard], np.array([known for _, known in heard])
        large = [np.resize(side, (count, side.shape[1])) for side, count in zip(self._sides, LARGE, strict=True)]

        def cascade() -> None:
            embedding = EmbeddingScorer(self._encoder, self._vectors)  # it has seen no text before
            for begin in range(0, len(texts), BATCH):
                batch = texts[begin : begin + BATCH]
                self._model.score(batch)
                closer = np.flatnonzero(self._model.unusual(batch, evident[begin : begin + BATCH]))
                embedding.score([batch[place] for place in closer])

        def theirs(positive: Vectors, ordinary: Vectors) -> None:
            for begin in range(0, len(texts), BATCH):
                sentinel_scores(self._theirs.encode(texts[begin : begin + BATCH]), positive, ordinary)

        share = float(self._model.unusual(texts, evident).mean())
        return _speed(
            len(texts),
            {
                "n-grams": lambda: self._model.score(texts),
                f"cascade, {share:.1%} with a vector": cascade,
                "Sentinel's way, the same examples": lambda: theirs(*self._sides),
                "Sentinel's way, 5,000 and 25,000 examples": lambda: theirs(*large),
            },
        )


@dataclass(frozen=True)
class Cascade:
    """By line: the evidence of n-grams and of vectors, and whether it gets a vector of a sender of whom there is no
    evidence yet, and of one of whom there is. Each message is judged before its sender's next one comes."""

    found: Mapping[str, npt.NDArray[np.float32]]

    def along(self, talk: Talk) -> npt.NDArray[np.float64]:
        """The evidence of an account after each of its messages."""
        known, heights = 0.0, []
        for line in talk.lines:
            cheap, near, *closer = self.found[line]
            known += float(cheap + near * closer[known >= EVIDENT])
            heights.append(known)
        return np.array(heights)

    def evident(self, talk: Talk) -> list[bool]:
        """Whether there is evidence of an account before each of its messages."""
        return [bool(known) for known in np.append(0, self.along(talk))[:-1] >= EVIDENT]


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
    """Sentinel's own formulas, from the source folder that TUTELA_BENCHMARK_SENTINEL names; they need numpy alone."""
    if not (folder := os.environ.get("TUTELA_BENCHMARK_SENTINEL")):
        return None
    spec = spec_from_file_location("sentinel_formulas", Path(folder) / "sentinel" / "score_formulae.py")
    if spec is None or spec.loader is None:
        return None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _found(
    designs: dict[str, Along], cells: Sequence[Cell], benign: Sequence[Talk], test: Sequence[Talk], count: int
) -> Iterator[Table]:
    """How much is found, how early, and how often before the ask to meet, at one in a hundred benign accounts: by the
    highest that each came to, however often it was looked at."""
    names = [f"{name} {share:.0%}" for name, _, shares in cells for share in shares]
    rows: list[list[list[str]]] = [[], [], []]
    for design, along in designs.items():
        highest = np.array([along(talk).max() for talk in benign])
        bar = float(np.sort(highest)[::-1][len(benign) // 100])
        of_design: list[list[str]] = [[design], [design], [design]]
        for name, wording, shares in cells:
            asks = set(wording[ConversationStage.MEETING])
            for share in shares:
                chance = random.Random(f"{name}{share}")
                talks = [plant(chance.choice(test), wording, share, chance) for _ in range(count)]
                alarms = [alarm_at(along(talk), bar) for talk in talks]
                asked = [next((at for at, line in enumerate(talk.lines, 1) if line in asks), None) for talk in talks]
                early = [
                    alarm is not None and alarm <= ask
                    for alarm, ask in zip(alarms, asked, strict=True)
                    if ask is not None
                ]
                of_design[0].append(f"{np.mean([at is not None for at in alarms]):.2f}")
                of_design[1].append(f"{f_latency(alarms, int((highest > bar).sum()), len(benign)):.2f}")
                of_design[2].append(f"{np.mean(early):.2f}" if early else "")
        for table, row in zip(rows, of_design, strict=True):
            table.append(row)
    told = f"at 1 % of {len(benign)} benign accounts; wording A is known, the others are not; {count} a cell"
    for title, table in zip(("Accounts found", "F-latency, half speed at message 40,", "Alarm before the ask to meet"),
                            rows, strict=True):  # fmt: skip
        yield Table(f"{title} {told}", ("design", *names), SAYING, table)


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


def _over_http(count: int) -> Table:
    """Events to one process of the service, and how soon people and children hear of an urgent alarm."""
    _, public = new_identity()
    options = {"ENABLED": "true", "NOTICES": "true"}
    with tempfile.TemporaryDirectory() as place:
        service = Service(
            Path(place) / "home",
            TUTELA_EVIDENCE__RECIPIENTS=json.dumps([public]),
            **{f"TUTELA_CONVERSATIONS__{name}": value for name, value in options.items()},
        )
        start = time.time() - 10_000
        lines = [
            sent(Event(f"e{i}", EventKind.MESSAGE, start + i / 100, f"u{i % 5_000}", f"v{(i * 7) % 5_000}"))
            for i in range(count)
        ]
        with service.client() as client:
            begun = time.perf_counter()
            for begin in range(0, count, BATCH):
                client.post("/v1/events", content=b"\n".join(lines[begin : begin + BATCH])).raise_for_status()
            seconds, heard = time.perf_counter() - begun, []
            for number in range(10):
                client.post("/v1/events", content=b"\n".join(map(sent, _pressure(f"p{number}", start))))
                asked = time.perf_counter()
                while client.get(f"/v1/risk/p{number}").json().get("level") != "urgent":
                    time.sleep(0.005)
                heard.append(time.perf_counter() - asked)
        asked_of = sum(row.action == "protection.asked" for row in AuditLog(service.keys.store).rows())
        service.stop()
    rows = [
        ["events a second, 1,000 a request, one client", f"{count / seconds:,.0f}"],
        ["from the answer to an urgent alarm: case and notice, seconds, median of 10", f"{np.median(heard):.2f}"],
        ["notices asked for", str(asked_of)],
    ]
    return Table("Events over HTTP, one service process", ("what", "figure"), "", rows)


def _pressure(name: str, at: float) -> list[Event]:
    """Abstract events of a fast pattern, which is urgent."""
    kinds = (EventKind.CONTACT_REQUEST, EventKind.MEDIA, EventKind.PAYMENT)
    return [
        Event(f"{name}-{place}", kind, at + 60 * place, name, f"{name}-kid", asked=place > 0, **MINOR)
        for place, kind in enumerate(kinds)
    ]


def _timed(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return max(1e-9, time.process_time() - begun)
