"""Learning of conversations: what no single hand may teach, what a new model must not do worse, and vectors that are
sealed; also what the repository must never hold.
"""

import ctypes
import itertools
import os
import random
import re
import shutil
import subprocess
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.edge import built_edge_library, opened_edge_library
from tests.support.effort import effort
from tests.support.recruiter import WORDING_A, WORDING_B, benign_talks, first, positives, split
from tests.support.talk import MINOR, Desk, opened
from tutela import _native
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.cases.outcomes import Effect
from tutela.casework.cases.safety_notices import ACCUSING, read_notices
from tutela.casework.evidence.seal import ReviewKey, new_identity
from tutela.deployment.casework import CaseworkOptions, open_casework
from tutela.errors import InputError
from tutela.foundation.store.database import Store
from tutela.lists.banks.service import Banks
from tutela.screening.conversations import ConversationOptions, Event, EventKind
from tutela.screening.conversations.edge import edge_bytes
from tutela.screening.conversations.events import ConversationStage
from tutela.screening.conversations.evidence import Scores
from tutela.screening.conversations.guard import (
    MOST_OF_ACCOUNT,
    Canaries,
    Lesson,
    OperatorEncoder,
    canaries,
    compare,
    weigh,
)
from tutela.screening.conversations.hearing import Hearing
from tutela.screening.conversations.model import FILE, TalkModel, read_model, signed
from tutela.screening.conversations.records import Pseudonyms
from tutela.screening.conversations.scorers.embedding import EmbeddingScorer
from tutela.screening.conversations.training import Labelled, train
from tutela.screening.conversations.vectors import (
    FOLDER,
    MEMORY,
    MODEL,
    TOKENIZER,
    Encoder,
    Standard,
    VectorModel,
    learn,
    plain,
)
from tutela.screening.conversations.versions import put_in_place, take_back

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SECRET = bytes(32)


@pytest.fixture(scope="module")
def ordinary() -> list[str]:
    learnt, _, _ = split(benign_talks())
    lines = [line for talk in learnt for line in talk.lines]
    random.Random(3).shuffle(lines)
    return lines[:6_000]


@pytest.fixture(scope="module")
def model(ordinary: list[str]) -> TalkModel:
    """Learnt from one wording and ordinary talk."""
    return train([Labelled(*one) for one in positives(WORDING_A)], ordinary)


def given(lines: Sequence[tuple[str, ConversationStage]], *, accounts: int = 23, reviewers: int = 6) -> list[Lesson]:
    """Lessons of that many accounts, each confirmed by two of the reviewers."""
    return [
        Lesson(
            text,
            stage,
            f"account-{place % accounts}",
            frozenset({f"r{place % reviewers}", f"r{(place + 1) % reviewers}"}),
        )
        for place, (text, stage) in enumerate(lines)
    ]


# --- guards


def test_two_people_confirm_a_lesson_and_copies_count_once():
    lessons = given(positives(WORDING_A))
    alone = [Lesson(f"something else {i}", ConversationStage.TRUST, "x", frozenset({"r1"})) for i in range(50)]
    copies = [Lesson(one.text.upper() + "!", one.stage, one.account, one.reviewers) for one in lessons]
    assert {one.text for one in weigh(lessons + alone + copies, [])} == {one.text for one in lessons}


def test_where_nobody_gave_a_second_opinion_that_is_said():
    alone = [Lesson(f"something {i}", ConversationStage.TRUST, f"a{i}", frozenset({"r1"})) for i in range(40)]
    with pytest.raises(InputError, match="none of 40 messages was confirmed by two people"):
        weigh(alone, [])


def test_no_account_and_no_reviewer_teaches_more_than_a_share():
    lessons = given(positives(WORDING_A), accounts=30)
    flood = [
        Lesson(f"{text} and a word more", stage, "one account", frozenset({"r1", "r2"}))
        for text, stage in positives(WORDING_A)
    ]
    weighed = dict(
        zip([one.text for one in lessons + flood], [one.weight for one in weigh(lessons + flood, [])], strict=True)
    )
    total = sum(weighed.values())
    assert sum(weighed[one.text] for one in flood) <= 1.02 * MOST_OF_ACCOUNT * total


def test_a_campaign_of_common_phrases_and_too_few_accounts_are_refused(ordinary: list[str]):
    campaign = [(text, ConversationStage.TRUST) for text in dict.fromkeys(ordinary[:20])]
    with pytest.raises(InputError, match="campaign"):
        weigh(given(positives(WORDING_A) + campaign), ordinary)
    with pytest.raises(InputError, match="at least 20"):
        weigh(given(positives(WORDING_A), accounts=5), ordinary)


def test_a_worse_model_is_refused_and_the_one_before_stays(ordinary: list[str], tmp_path: Path):
    lines = [Labelled(*one) for one in positives(WORDING_A)]
    good = train(lines, ordinary)
    held_out = [one.text for one in lines[::5]]
    compare(None, good, held_out, canaries())
    hard = canaries().hard
    poisoned = train([Labelled(text, ConversationStage.MEETING) for text in hard] * 2 + lines[:5], ordinary)
    with pytest.raises(InputError, match="benign talk"):
        compare(good, poisoned, held_out, canaries())
    forgetful = train([Labelled(f"zqx wvu {i} jkq", ConversationStage.TRUST) for i in range(30)], ordinary)
    with pytest.raises(InputError, match="finds less"):
        compare(good, forgetful, held_out, canaries())
    swapped = Canaries((), tuple((f"a {term} b", "a tall b") for term in ("recruiter", "deposit")))
    with pytest.raises(InputError, match="who somebody is"):
        compare(
            None,
            train([Labelled(f"a recruiter b {i}", ConversationStage.TRUST) for i in range(40)], ordinary),
            [],
            swapped,
        )
    put_in_place(tmp_path, {FILE: signed(good, SECRET), MEMORY: b"of the good one"})
    put_in_place(tmp_path, {FILE: signed(poisoned, SECRET), MEMORY: b"of the poisoned one"})
    assert read_model(tmp_path / FILE, SECRET).version == poisoned.version
    take_back(tmp_path)
    assert (tmp_path / MEMORY).read_bytes() == b"of the good one"
    assert read_model(tmp_path / FILE, SECRET).version == good.version
    with pytest.raises(InputError, match="no model before"):
        take_back(tmp_path)


def test_what_had_no_memory_before_has_none_after_a_return(tmp_path: Path):
    put_in_place(tmp_path, {FILE: b"first"})
    put_in_place(tmp_path, {FILE: b"second", MEMORY: b"new"})
    take_back(tmp_path)
    assert ((tmp_path / FILE).read_bytes(), (tmp_path / MEMORY).exists()) == (b"first", False)
    put_in_place(tmp_path, {FILE: b"third", MEMORY: b"kept"})
    put_in_place(tmp_path, {FILE: b"fourth"})
    take_back(tmp_path)
    assert ((tmp_path / FILE).read_bytes(), (tmp_path / MEMORY).read_bytes()) == (b"third", b"kept")


@pytest.mark.parametrize("seed", range(effort(2, 8)))
def test_five_percent_of_flipped_decisions_raise_benign_alarms_by_a_tenth_at_most(
    ordinary: list[str], model: TalkModel, seed: int
):
    learnt, _, test = split(benign_talks())
    shown = set(ordinary)
    others = [line for talk in learnt for line in talk.lines if line not in shown and len(line.split()) >= 3]
    flipped = [(line, ConversationStage.TRUST) for line in random.Random(seed).sample(others, 4)]
    lines = positives(WORDING_A)
    misled = train(weigh(given(lines + flipped), ordinary), ordinary)
    benign = [line for talk in test for line in first(talk).lines]
    alarms = [float(one.score(benign).trust.sum()) for one in (model, misled)]
    assert alarms[1] <= 1.1 * alarms[0]
    found = [float((one.score([text for text, _ in lines]).trust > 0).mean()) for one in (model, misled)]
    assert found[1] >= found[0] - 0.05


def test_lessons_that_are_mostly_like_ordinary_talk_are_refused(ordinary: list[str]):
    learnt, _, _ = split(benign_talks())
    shown = set(ordinary)
    others = [line for talk in learnt for line in talk.lines if line not in shown and len(line.split()) >= 3]
    flipped = [(line, ConversationStage.TRUST) for line in random.Random(1).sample(others, 80)]
    with pytest.raises(InputError, match="like ordinary talk"):
        weigh(given(positives(WORDING_A) + flipped), ordinary)


def test_what_was_confirmed_of_several_accounts_is_learnt_however_ordinary_it_sounds(ordinary: list[str]):
    shown = set(ordinary)
    learnt, _, _ = split(benign_talks())
    others = [line for talk in learnt for line in talk.lines if line not in shown and len(line.split()) >= 3]
    like = random.Random(1).sample(others, 12)
    lines = positives(WORDING_A)
    once = given(lines + [(line, ConversationStage.TRUST) for line in like])
    twice = [
        Lesson(line, ConversationStage.TRUST, f"other-{i}", frozenset({"r1", "r2"})) for i, line in enumerate(like)
    ]
    kept, left = ({one.text for one in weigh(lessons, ordinary)} & set(like) for lessons in (once + twice, once))
    assert kept == set(like)
    assert len(left) < len(like)


def test_lines_of_few_sentences_that_many_accounts_share_are_of_all_of_them(ordinary: list[str]):
    lessons = [
        Lesson(text, stage, f"account-{number}", frozenset({"r1", "r2"}))
        for number in range(20)
        for text, stage in positives(WORDING_A)[number : number + 6]
    ]
    shared = {text for text, _ in positives(WORDING_A)[1:24]}
    assert {one.text for one in weigh(lessons, ordinary)} >= shared


def test_vectors_tell_flipped_decisions_that_words_do_not(ordinary: list[str]):
    shown = set(ordinary)
    learnt, _, _ = split(benign_talks())
    others = [line for talk in learnt for line in talk.lines if line not in shown and len(line.split()) >= 3]
    lines = positives(WORDING_A)
    flipped = random.Random(2).sample(others, 4)
    lessons = given(lines + [(line, ConversationStage.TRUST) for line in flipped])
    approaches = {text for text, _ in lines}

    def encode(texts: Sequence[str]) -> np.ndarray:
        """Vectors of an encoder that knows what a line is about."""
        vectors = [some_vectors(1, zlib.crc32(text.encode()), 6.0 if text in approaches else 0.0) for text in texts]
        return np.concatenate(vectors)

    by_words, by_vectors = (
        {one.text for one in weigh(lessons, ordinary, known)}
        for known in (None, OperatorEncoder(encode, encode(ordinary)))
    )
    assert by_words & set(flipped)
    assert not by_vectors & set(flipped)
    assert len(by_vectors) >= 0.95 * len(lines)
    # Vectors that tell nothing are not believed.
    blind = OperatorEncoder(lambda texts: some_vectors(len(texts), 3), some_vectors(len(ordinary), 4))
    assert {one.text for one in weigh(lessons, ordinary, blind)} == by_words


def test_a_new_wording_of_several_accounts_is_learnt(ordinary: list[str]):
    lines = positives(WORDING_A) + positives(WORDING_B)[::2]
    assert len(weigh(given(lines), ordinary)) >= 0.9 * len(lines)


def test_a_model_without_a_withdrawn_lesson_is_one_that_never_saw_it(ordinary: list[str]):
    lines = [Labelled(*one) for one in positives(WORDING_A)]
    assert train(lines[:-1], ordinary).to_bytes() == train(list(lines)[:-1], ordinary).to_bytes()
    assert train(lines, ordinary).version != train(lines[:-1], ordinary).version


def test_a_model_that_this_deployment_did_not_sign_is_not_read(model: TalkModel, ordinary: list[str], tmp_path: Path):
    (tmp_path / FILE).write_bytes(signed(model, SECRET))
    with pytest.raises(InputError, match="was not made by this deployment"):
        read_model(tmp_path / FILE, b"x" * 32)
    data = bytearray((tmp_path / FILE).read_bytes())
    data[5_000] ^= 1
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(InputError):
        read_model(tmp_path / FILE, SECRET)


# --- vectors


def some_vectors(count: int, seed: int, towards: float = 0.0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    vectors = chance.normal(size=(count, 32))
    vectors[:, 0] += towards
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_vectors_near_what_was_confirmed_have_evidence_and_ordinary_ones_little():
    model = learn(some_vectors(40, 1, 6.0), some_vectors(2_000, 2))
    assert float(model.score(some_vectors(50, 3, 6.0)).trust.mean()) > 2
    assert float(model.score(some_vectors(500, 4)).trust.mean()) < 0.3
    elsewhere = -some_vectors(3, 5, 9.0)
    assert model.remembering(elsewhere).score(elsewhere).trust.sum() > model.score(elsewhere).trust.sum()


def test_the_memory_is_sealed_for_its_deployment():
    model = learn(some_vectors(40, 1, 6.0), some_vectors(300, 2))
    sealed = model.sealed(SECRET)
    assert model.positive[0].tobytes() not in sealed
    again = VectorModel.opened(sealed, SECRET)
    assert np.array_equal(again.positive, model.positive)
    assert again.of_head == model.of_head
    with pytest.raises(InputError, match="another deployment"):
        VectorModel.opened(sealed, b"y" * 32)


def small_encoder(folder: Path, lines: Sequence[str]) -> None:
    """An encoder whose vector of a text is the mean of random ones of its words."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = sorted({word for line in lines for word in plain(line).split()})
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["?", *words])}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    table = np.random.default_rng(1).normal(size=(len(words) + 1, 16)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["each", "wide"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["sum"], keepdims=0),
        helper.make_node("LpNormalization", ["sum"], ["vectors"], axis=1, p=2),
    ]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["t", "n"]) for n in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["t", 16])]
    constants: dict[str, np.ndarray] = {
        "table": table,
        "last": np.array([2], np.int64),
        "middle": np.array([1], np.int64),
    }
    graph = helper.make_graph(
        nodes, "small", inputs, outputs, [numpy_helper.from_array(value, name) for name, value in constants.items()]
    )
    folder.mkdir()
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), str(folder / MODEL))
    tokenizer.save(str(folder / TOKENIZER))


def test_training_remembers_what_was_confirmed_as_vectors_and_equal_texts_are_encoded_once(
    ordinary: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    confirmed = given(positives(WORDING_A))
    monkeypatch.setattr("tutela.casework.cases.lessons.lessons", lambda *_, **__: iter(confirmed))
    secret, public = new_identity()
    store = Store.create(f"sqlite:///{tmp_path / 'store.db'}")
    options = CaseworkOptions(EvidenceOptions((public,)))
    casework = open_casework(store, Banks(store), tmp_path, options, ReviewKey(secret))
    casework.train(tmp_path, ordinary, actor="test")
    assert not (tmp_path / MEMORY).exists()
    small_encoder(tmp_path / FOLDER, [*ordinary, *(one.text for one in confirmed)])
    assert casework.train(tmp_path, ordinary, actor="test").model.rank is not None
    scorer = EmbeddingScorer().of(tmp_path, store.secret("conversations-memory"))
    encoded: list[str] = []
    encode = Encoder.encode

    def counted(self: Encoder, texts: Sequence[str]) -> np.ndarray:
        encoded.extend(texts)
        return encode(self, texts)

    monkeypatch.setattr(Encoder, "encode", counted)
    texts = [one.text for one in confirmed[:20]] + ordinary[:20]
    first_, second = scorer.score(texts), scorer.score([text.upper() for text in texts])
    assert float(first_.trust[:20].mean()) > 1 > float(first_.trust[20:].mean())
    assert np.array_equal(first_.trust, second.trust)
    assert len(encoded) == len(texts)
    assert not any(text in str(vars(scorer)["_known"]) for text in texts)
    take_back(tmp_path)
    assert not (tmp_path / MEMORY).exists()


def test_vectors_of_ordinary_talk_teach_n_grams_which_messages_to_look_at_closer(ordinary: list[str], tmp_path: Path):
    confirmed = [Labelled(*one) for one in positives(WORDING_A)]
    # Nobody confirmed a message about music; by its vectors ordinary talk about it comes nearest what was confirmed.
    about = np.array(["music" in text.lower() for text in ordinary])
    nearness = np.where(about, 5, np.random.default_rng(1).normal(size=len(ordinary))).astype(np.float32)
    untaught, taught = train(confirmed, ordinary), train(confirmed, ordinary, nearness)
    lines = [
        "any music plans",
        "he said this music was new",
        "MU\u200bSIC?",
        "do you like mu5ic",
        "music while you work",
    ]
    new, evident = np.zeros(6_000, bool), np.ones(6_000, bool)
    assert untaught.unusual(lines, new[:5]).mean() < 0.5 < taught.unusual(lines, new[:5]).mean()
    known = [one.text for one in confirmed]
    assert taught.unusual(known, new[: len(known)]).mean() > 0.95
    # Of a sender of whom there is evidence already, more is looked at.
    assert taught.unusual(ordinary[::5], new[::5]).mean() == pytest.approx(0.09, abs=0.01)
    assert taught.unusual(ordinary[::5], evident[::5]).mean() == pytest.approx(0.15, abs=0.01)
    # It changes what is looked at closer, and no evidence; it is in the file, and a file without it is read as before.
    assert np.array_equal(taught.score(known).trust, untaught.score(known).trust)
    for model in (untaught, taught):
        (tmp_path / FILE).write_bytes(signed(model, SECRET))
        again = read_model(tmp_path / FILE, SECRET)
        assert again.to_bytes() == model.to_bytes()
        for flags in (new[:5], evident[:5]):
            assert np.array_equal(again.unusual(lines, flags), model.unusual(lines, flags))


def test_costly_scorers_are_asked_of_the_unusual_tenth_only(model: TalkModel, ordinary: list[str], tmp_path: Path):
    asked: list[str] = []

    class Slow:
        name, version, is_costly = "slow", "1", True

        def score(self, texts: Sequence[str]) -> Scores:
            asked.extend(texts)
            scores = Scores.nothing(len(texts))
            scores.trust[:] = 1
            return scores

    (tmp_path / FILE).write_bytes(signed(model, SECRET))
    options = ConversationOptions(enabled=True, content=True, legal_basis="test", legal_basis_since="2026-11-30")
    hearing = Hearing(tmp_path, options, Pseudonyms(bytes(16)), SECRET)
    hearing._scorers = [*hearing._scorers, Slow()]
    lines = [*ordinary[:1_000], *(line for line, _ in positives(WORDING_A))]
    events = [Event(f"m{i}", EventKind.MESSAGE, 1.8e9, "a", "b", text=line) for i, line in enumerate(lines)]
    heard = hearing.hear(events)
    assert len(asked) <= 0.2 * len(lines)
    assert float(heard.trust[1_000:].mean()) > float(heard.trust[:1_000].mean())
    assert Standard.of(np.arange(100, dtype=np.float32)).drift == pytest.approx(96.03)


def test_whoever_has_evidence_against_them_is_looked_at_closer_until_people_clear_them(
    ordinary: list[str], tmp_path: Path
):
    asked: list[str] = []

    class Slow:
        name, version, is_costly = "slow", "1", True

        def score(self, texts: Sequence[str]) -> Scores:
            asked.extend(texts)
            return Scores.nothing(len(texts))

    confirmed = [Labelled(*one) for one in positives(WORDING_A)]
    model = train(confirmed, ordinary)
    (tmp_path / FILE).write_bytes(signed(model, b"conversations-memory".ljust(32, b".")))
    options = ConversationOptions(enabled=True, content=True, legal_basis="test", legal_basis_since="2026-11-30")
    conversations = opened(tmp_path, Desk(), options)
    conversations._hearing._scorers = [*conversations._hearing._scorers, Slow()]
    new, evident = np.zeros(6_000, bool), np.ones(6_000, bool)
    between = np.array(ordinary)[model.unusual(ordinary, evident) & ~model.unusual(ordinary, new)][:3].tolist()
    assert len(between) == 3
    number = itertools.count()
    now = time.time()

    def say(sender: str, texts: Sequence[str]) -> list[str]:
        asked.clear()
        events = [Event(f"e{next(number)}", EventKind.MESSAGE, now, sender, "kid", text=one, **MINOR) for one in texts]
        conversations.observe(events)
        conversations.drain()
        return list(asked)

    assert say("recruiter", between) == []
    say("recruiter", [one.text for one in confirmed[:3]])
    assert say("recruiter", between) == between
    assert say("somebody else", between) == []
    conversations.clear("recruiter")
    conversations.drain()
    assert say("recruiter", between) == []
    say("recruiter", [one.text for one in confirmed[3:6]])
    assert say("recruiter", between) == between
    conversations.forget("recruiter")
    conversations.drain()
    assert say("recruiter", between) == []
    conversations.close()


# --- on the device


@pytest.fixture(scope="module")
def library() -> Path:
    return built_edge_library()


@pytest.mark.slow
def test_the_edge_library_finds_the_servers_bits_on_every_simd_level(model: TalkModel, ordinary: list[str]):
    texts = [*(line for line, _ in positives(WORDING_A)), *ordinary[:300], "m33t \u200bme 😀", "x" * 4_000]
    data, used, stage, programs = edge_bytes(model), _native.simd(), ctypes.c_uint8(), set()
    for level in _native.simd_levels():
        _native.select_simd(level)
        server = model.score(texts)
        library = built_edge_library(level)
        programs.add(library.read_bytes())
        edge = opened_edge_library(library)
        handle = edge.tutela_edge_open(data, ctypes.c_size_t(len(data)))
        found = [
            (edge.tutela_edge_score(handle, text.encode(), len(text.encode()), ctypes.byref(stage)), stage.value)
            for text in texts
        ]
        edge.tutela_edge_close(handle)
        assert found == [*zip((server.trust + server.coercion).tolist(), server.stage.tolist(), strict=True)], level
    _native.select_simd(used)
    assert len(programs) == len(_native.simd_levels())


@pytest.mark.slow
def test_the_edge_library_finds_the_same_bits_within_four_megabytes_and_opens_nothing(
    library: Path, model: TalkModel, ordinary: list[str]
):
    data = edge_bytes(model)
    edge = opened_edge_library(library)
    assert len(data) <= 4_000_000
    assert edge.tutela_edge_open(data[:-1], ctypes.c_size_t(len(data) - 1)) is None
    handle = edge.tutela_edge_open(data, ctypes.c_size_t(len(data)))
    texts = (
        [line for line, _ in positives(WORDING_A)]
        + ordinary[:500]
        + ["", "м33t \u200bme 😀", "x" * 4_000, "\u202eteem \u202dus\u202c tel"]
    )
    server = model.score(texts)
    stage = ctypes.c_uint8()
    begun = time.process_time()
    for place, text in enumerate(texts):
        said = text.encode()
        found = edge.tutela_edge_score(handle, said, len(said), ctypes.byref(stage))
        assert np.float32(found) == server.trust[place] + server.coercion[place]
        assert stage.value == server.stage[place]
    assert (time.process_time() - begun) / len(texts) < 0.002
    edge.tutela_edge_close(handle)
    needed = subprocess.run(["nm", "-D", "--undefined-only", str(library)], capture_output=True, text=True, check=False)
    names = {line.split()[-1].partition("@")[0] for line in needed.stdout.splitlines() if line.strip()}
    assert not names & {"open", "open64", "fopen", "fopen64", "openat", "socket", "connect", "getaddrinfo", "system"}


APP = """
#include <tutela_edge.h>
#include <unistd.h>
#include <vector>
int main() {
    std::vector<uint8_t> model(4'000'000);
    size_t size = 0;
    for (ssize_t got; (got = read(0, model.data() + size, model.size() - size)) > 0;) size += size_t(got);
    write(1, "begin", 5);
    tutela_edge* edge = tutela_edge_open(model.data(), size);
    uint8_t stage = 0;
    float sum = 0;
    for (int i = 0; i < 100; ++i) sum += tutela_edge_score(edge, "you seem really driven", 22, &stage);
    tutela_edge_close(edge);
    write(1, "end", 3);
    return sum > 0 ? 0 : 1;
}
"""
"""An app: it reads a model, and between two marks only the library acts."""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
def test_an_app_sees_the_edge_library_call_the_system_for_memory_alone(library: Path, model: TalkModel, tmp_path: Path):
    (tmp_path / "app.cpp").write_text(APP)
    app = [os.environ.get("CXX", "c++"), "-std=c++20", f"-I{ROOT / 'native' / 'edge'}", str(tmp_path / "app.cpp")]
    subprocess.run([*app, str(library), "-o", str(tmp_path / "app")], check=True)
    trace = ["strace", "-f", "-o", str(tmp_path / "calls"), str(tmp_path / "app")]
    done = subprocess.run(trace, input=edge_bytes(model), env={"LD_LIBRARY_PATH": str(library.parent)}, check=False)
    if done.returncode != 0 and not (tmp_path / "calls").exists():
        pytest.skip("nothing can be traced here")
    assert done.returncode == 0
    lines = (tmp_path / "calls").read_text().splitlines()
    begin, end = (
        next(place for place, line in enumerate(lines) if f'write(1, "{mark}"' in line) for mark in ("begin", "end")
    )
    called = {re.sub(r"^\d+ +", "", line).partition("(")[0] for line in lines[begin + 1 : end]}
    assert called <= {"brk", "mmap", "munmap", "mremap", "madvise", "futex"}


# --- words for people


def test_notices_accuse_nobody_in_any_language(tmp_path: Path):
    notices = read_notices(None)
    for effect in (Effect.NOTICE_RECIPIENT, Effect.NOTICE_SENDER):
        texts = notices.of(effect)
        assert set(texts) >= {"en", "de"}
        for words in texts.values():
            assert not any(word in said.lower() for said in words.values() for word in ACCUSING)
            assert "help" in words
    assert {"block", "report"} <= set(notices.of(Effect.NOTICE_RECIPIENT)["en"])
    (tmp_path / "notices.toml").write_text('[notice-recipient.en]\ntext = "This person is a suspect."\n')
    with pytest.raises(InputError, match="accuses nobody"):
        read_notices(tmp_path)
    (tmp_path / "notices.toml").write_text('[suspend.en]\ntext = "x"\n')
    with pytest.raises(InputError, match="not a notice"):
        read_notices(tmp_path)


# --- the repository


_AGE = (
    r"(?:child(?:ren)?|kids?|minors?|teens?|toddlers?|preteens?|under ?1[0-7]|\b1[0-7][- ]?(?:year|yo)\w*|kind(?:er)?)"
)
_SEXUAL = r"(?:horny|naked|nudes?|undress|strip for|sexy|masturbat\w*|orgasm\w*|penis|vagina|blowjob)"
_SEXUAL_WORD = re.compile(_SEXUAL)
_SEXUAL_TALK = re.compile(rf"{_AGE}\W+(?:\w+\W+){{0,6}}{_SEXUAL}|{_SEXUAL}\W+(?:\w+\W+){{0,6}}{_AGE}", re.IGNORECASE)
_FORBIDDEN_SETS = re.compile(r"pan-?12|perverted.?justice|chatcoder|vtpan|panc\b|nps.?chat")
"""In small letters, and each beginning with a letter: a search for such a pattern skips what begins with none."""


def test_the_repository_holds_no_sexual_talk_of_minors_and_no_forbidden_data_set():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no checkout")
    found, looked = [], 0
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if not name or path == Path(__file__) or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        looked += 1
        text = text.lower()
        # A file without a sexual word has no such talk: that is searched for much sooner.
        patterns = (_SEXUAL_TALK, _FORBIDDEN_SETS) if _SEXUAL_WORD.search(text) else (_FORBIDDEN_SETS,)
        for pattern in patterns:
            found += [f"{name}: {match.group()[:60]!r}" for match in pattern.finditer(text)]
    assert looked > 500
    assert found == []


def test_that_search_would_find_such_a_set_and_leaves_plain_sentences():
    assert _FORBIDDEN_SETS.search(("trained on " + "PAN" + "12").lower())
    assert not _SEXUAL_TALK.search("children are shown neutral safety words")
