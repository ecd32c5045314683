"""What messages say: one form for every disguise, a model that learns a made-up wording among benign chats, budgets
that hold, and what it must not react to. It compares designs on made-up lines and says nothing about real grooming.
"""

import random
import re
import time
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.effort import effort
from tests.support.recruiter import WORDING_A, WORDING_B, Talk, benign_talks, first, positives
from tests.support.talk_world import World, alarm_at, f_latency
from tutela import _native
from tutela.content.words import folding
from tutela.errors import InputError
from tutela.screening.conversations.calibration import (
    BudgetError,
    needed_for,
    ratio,
    threshold,
    wrong_of_hundred,
)
from tutela.screening.conversations.events import ConversationStage
from tutela.screening.conversations.model import TalkModel
from tutela.screening.conversations.training import Labelled, train

pytestmark = pytest.mark.slow


def form(text: str) -> str:
    return _native.normal_form(text, folding())[0]


@pytest.mark.parametrize(
    ("disguised", "plain"),
    [
        ("Let us MEET", "let us meet"),
        ("ⅼet us ｍeet", "let us meet"),
        ("lеt us mееt", "let us meet"),  # Cyrillic
        ("l3t us m33t", "let us meet"),
        ("let us m e e t", "let us meet"),
        ("let us m.e.e.t", "let us meet"),
        ("let us meeeeet", "let us meet"),
        ("le\u200bt us m\u2060eet", "let us meet"),
        ("let us m\u200feet\u202b", "let us meet"),
        ("\u2067let us meet\u2069", "let us meet"),
        ("le😀t us mee💬t", "let us meet"),
        ("lEt uS mEEt", "let us meet"),
        ("l\u0336e\u0336t us meet", "let us meet"),
        ("l&#101;t us m&#x65;et", "let us meet"),
        ("l<b></b>et us m<!-- -->eet", "let us meet"),
        ("_l_**et** us m~e*et", "let us meet"),
        ("let us me-et", "let us meet"),
        ("#LetUsMeet", "let us meet"),
        ("LetUSMeet", "let us meet"),
        ("let-us-meet-soon", "let us meet soon"),
        ("let |_|s meet", "let us meet"),
        ("let us /\\/\\eet", "let us meet"),
    ],
)
def test_a_disguised_text_has_the_form_of_the_plain_one(disguised: str, plain: str):
    assert form(disguised) == form(plain)


def turned(line: str, chance: random.Random, left: bool = False, depth: int = 0) -> str:
    """What is to be stored so that people see `line` where it stands in text that is written to the left, or not."""
    cuts = sorted(chance.randrange(len(line) + 1) for _ in range(2 * chance.randint(1, 3)))
    parts = [line[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(line)], strict=True)]
    stored = [
        ("\u202d" if left else "\u202e") + turned(part, chance, not left, depth + 1) + "\u202c"
        if place % 2 == 1 and depth < 4
        else part[::-1]
        if left
        else part
        for place, part in enumerate(parts)
    ]
    return "".join(stored[::-1] if left else stored)


@pytest.mark.parametrize("seed", range(50))
def test_letters_that_controls_turn_around_are_read_as_people_see_them_and_as_they_are_stored(seed: int):
    chance = random.Random(seed)
    seen = " ".join("".join(chance.choices("abcdefghij", k=chance.randint(2, 7))) for _ in range(6))
    stored = turned(seen, chance)
    as_stored = "".join(letter for letter in stored if letter.isalpha() or letter == " ")
    assert form(stored) in (form(seen) + form(as_stored), form(seen))
    assert form("let us m\u202eeet") == form("let us mtee") + form("let us meet")
    assert form(f"{seen}\u202e") == form(seen)


@pytest.mark.parametrize(
    "text",
    [
        "<b let us meet>",
        "<!-- let us meet -->",
        "<let us meet>",
        "&let us meet;",
        "&#999999999;let us meet",
        "(let us meet)",
        "/let us meet/",
        "-let us-*-meet~",
        "let\\us|meet",
    ],
)
def test_no_word_is_left_out_as_markup(text: str):
    """Elsewhere the same text may be shown as it stands."""
    for word in ("let", "us", "met"):  # a letter that is repeated is once
        assert word in form(text)


@pytest.mark.parametrize("text", ["17 of 20", "room 4 at 9", "wait!", "a, b and c", "1 2 3 4"])
def test_numbers_and_signs_that_stand_for_themselves_stay(text: str):
    digits = [letter for letter in text if letter.isdigit()]
    assert [letter for letter in form(text) if letter.isdigit()] == digits


@given(st.text(max_size=200) | st.text("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\nab ﷺ", max_size=400))
def test_no_text_breaks_the_form_or_grows_in_it(text: str):
    clean = text.encode("utf-8", "replace").decode()
    letters, places = _native.normal_form(clean, folding())
    assert len(letters) == len(places) <= 4 * len(clean) + 2
    assert all(int(place) <= len(clean) for place in places)


@pytest.mark.slow
def test_a_hundred_thousand_random_texts_are_brought_into_form_quickly():
    chance = np.random.default_rng(1)
    numbers = chance.integers(0, 0x30000, (effort(2_000, 100_000), 48))
    numbers[(numbers >= 0xD800) & (numbers < 0xE000)] = 65
    texts = ["".join(map(chr, row)) for row in numbers]
    times = []
    for text in texts:
        begun = time.thread_time_ns()
        _native.normal_form(text, folding())
        times.append(time.thread_time_ns() - begun)
    assert np.median(times) < 20_000


@pytest.fixture(scope="module")
def world() -> World:
    return World.made()


@pytest.mark.parametrize(("share", "least"), [(0.1, 0.8), (0.25, 0.98), (0.8, 0.98)])
def test_a_known_wording_is_found_at_one_percent_of_benign_accounts(world: World, share: float, least: float):
    assert world.recall(world.planted(share, effort(100, 600))) >= least


@pytest.mark.parametrize(("share", "least"), [(0.1, 0.62), (0.25, 0.82), (0.8, 0.9)])
def test_a_known_wording_is_found_early(world: World, share: float, least: float):
    """F-latency with half of the speed at message 40; n-grams alone."""
    wrong = sum(world.alarm_at(talk) is not None for talk in world.test)
    alarms = [world.alarm_at(talk) for talk in world.planted(share, effort(150, 600, least=150))]
    assert f_latency(alarms, wrong, len(world.test)) >= least


@pytest.mark.parametrize("share", [0.25, 0.8])
def test_the_alarm_comes_before_the_ask_to_meet(world: World, share: float):
    asks = set(WORDING_A[ConversationStage.MEETING])
    before = []
    for talk in world.planted(share, effort(150, 600, least=150)):
        meeting = next((place + 1 for place, line in enumerate(talk.lines) if line in asks), None)
        if meeting is not None:
            at = world.alarm_at(talk)
            before.append(at is not None and at <= meeting)
    assert len(before) > 50
    assert np.mean(before) >= 0.95


def test_latency_is_one_at_once_a_half_at_the_fortieth_message_and_nothing_without_alarms():
    assert f_latency([1] * 10, 0, 10) == pytest.approx(1.0)
    assert f_latency([40] * 10, 0, 10) == pytest.approx(0.5)
    assert f_latency([None] * 10, 0, 10) == 0.0
    assert alarm_at(np.array([0.0, 2.0, 3.0]), 1.0) == 2


_ASKS = re.compile(
    r"where (do|are) you (live|from|stay)|your (number|insta\w*|snap\w*|address|phone)|(meet|hang out|come over)\b",
    re.IGNORECASE,
)


def test_people_who_ask_for_places_contacts_and_meetings_alarm_at_most_thrice_as_often(world: World):
    """By what they say: benign conversations that ask for such things, and accounts with many partners."""
    everybody = benign_talks(least=5)
    hard = [first(talk) for talk in everybody if any(_ASKS.search(line) for line in talk.lines)]
    rest = [first(talk) for talk in everybody if not any(_ASKS.search(line) for line in talk.lines)]
    assert min(len(hard), len(rest)) >= 150
    alarmed = [1 - float(np.mean([world.height(one) <= world.threshold for one in talks])) for talks in (hard, rest)]
    assert alarmed[0] <= 3 * max(alarmed[1], 0.01)


LEET = str.maketrans("aeiost", "4310$7")
DISGUISES: dict[str, Callable[[str], str]] = {
    "homoglyphs": lambda line: line.translate(str.maketrans("aeopcx", "аеорсх")),
    "leet": lambda line: line.translate(LEET),
    "spaced": lambda line: "  ".join(" ".join(word) for word in line.split()),
    "dotted": lambda line: "  ".join(".".join(word) for word in line.split()),
    "stretched": lambda line: "".join(letter * 3 if letter in "aeiou" else letter for letter in line),
    "zero-width": lambda line: "\u200b".join(line),
    "emoji inside": lambda line: " ".join(
        f"{word[:1]}😀{word[1:]}" if len(word) > 1 else word for word in line.split()
    ),
    "right to left": lambda line: "\u202e" + line + "\u202c",
    "reversed case": str.swapcase,
    "references": lambda line: "".join(f"&#{ord(letter)};" if letter in "aeiou" else letter for letter in line),
    "marked up": lambda line: " ".join(f"{word[:1]}<b></b>{word[1:2]}**{word[2:]}" for word in line.split()),
    "in syllables": lambda line: " ".join(f"{word[:2]}-{word[2:]}" if len(word) > 3 else word for word in line.split()),
    "in one word": lambda line: "#" + "".join(word.capitalize() for word in line.split()),
    "drawn": lambda line: line.replace("a", "/\\").replace("l", "|_").replace("t", "+"),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_disguises_hide_little(world: World, disguise: str):
    plain = world.recall(world.planted(0.25, 60))
    assert world.recall(world.planted(0.25, 60, DISGUISES[disguise])) >= 0.95 * plain


def cut(line: str, chance: random.Random, shares: float = 0.4, by: str = " ") -> str:
    """With cuts inside words, and some of those between words gone."""
    kept = "".join(letter for letter in line if letter != " " or chance.random() < 0.5)
    return "".join(letter + (by if letter.isalpha() and chance.random() < shares else "") for letter in kept)


SPELT = (
    "ck k",
    "ph f",
    "ee ea",
    "ea ee",
    "oo u",
    "ou ow",
    "ai ay",
    "igh y",
    "c k",
    "wh w",
    "s z",
    "ie y",
    "y ie",
    "u oo",
)


def by_ear(line: str, chance: random.Random) -> str:
    """As somebody might spell it who has only heard it: each of a word's letters another way, or not."""
    for pair in chance.sample(SPELT, len(SPELT)):
        heard, other = pair.split()
        line = "".join(
            other if part == heard and chance.random() < 0.7 else part for part in re.split(f"({heard})", line)
        )
    return line


@pytest.mark.parametrize(
    "disguise",
    [
        cut,
        lambda line, chance: cut(line, chance, 0.7),
        lambda line, chance: cut(line, chance, 0.3, "\n"),
        lambda line, chance: cut(line, chance, 0.0),
        by_ear,
        turned,
        lambda line, chance: " ".join(turned(word, chance) for word in line.split()),
    ],
    ids=["cut", "cut small", "cut into lines", "run together", "by ear", "turned", "words turned"],
)
def test_words_that_are_cut_or_spelt_or_turned_at_random_hide_little(
    world: World, disguise: Callable[[str, random.Random], str]
):
    chance = random.Random(7)
    plain = world.recall(world.planted(0.25, 60))
    assert world.recall(world.planted(0.25, 60, lambda line: disguise(line, chance))) >= 0.95 * plain


@pytest.mark.parametrize("pieces", [2, 4])
def test_a_line_that_is_cut_anywhere_into_messages_hides_little(world: World, pieces: int):
    chance = random.Random(pieces)

    def sent(line: str, hidden: bool) -> list[str]:
        cuts = sorted(chance.sample(range(1, len(line)), pieces - 1)) if hidden and len(line) > pieces else []
        return [line[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(line)], strict=True)]

    talks = world.planted(0.25, effort(60, 600))
    parts = [[sent(*one) for one in zip(talk.lines, talk.planted, strict=True)] for talk in talks]
    cut_up = [
        Talk(talk.account, tuple(part for parts_ in said for part in parts_), ())
        for talk, said in zip(talks, parts, strict=True)
    ]
    assert world.recall(cut_up) >= 0.95 * world.recall(talks)


@pytest.mark.parametrize("pieces", [3, 1_000], ids=["in three", "a word a message"])
def test_a_line_that_is_sent_in_pieces_hides_little(world: World, pieces: int):
    def sent(talk: Talk) -> Talk:
        lines, planted = [], []
        for line, hidden in zip(talk.lines, talk.planted, strict=True):
            words = line.split() if hidden else [line]
            step = max(1, -(-len(words) // pieces))
            parts = [" ".join(words[begin : begin + step]) for begin in range(0, len(words), step)]
            lines += parts
            planted += [hidden] * len(parts)
        return Talk(talk.account, tuple(lines), tuple(planted))

    talks = world.planted(0.25, effort(60, 600))
    assert world.recall([sent(talk) for talk in talks]) >= 0.95 * world.recall(talks)


def test_evidence_is_never_negative_and_a_planted_line_only_adds(world: World):
    chance = random.Random(5)
    for talk in chance.sample(world.test, 20):
        before = world.height(talk)
        line, _ = chance.choice(positives(WORDING_A))
        after = world.height(Talk(talk.account, (*talk.lines, line), (*talk.planted, True)))
        repeated = world.height(Talk(talk.account, (*talk.lines, line, line), (*talk.planted, True, True)))
        assert before <= after <= repeated


def test_the_first_alarm_is_possible_at_the_third_message(world: World):
    lines = ("hello there", "fine and you", *(line for line, _ in positives(WORDING_A)[:8]))
    heights = [world.height(Talk("x", lines[:count], (False,) * count)) for count in range(1, 11)]
    assert any(height > world.threshold for height in heights[2:8])


def test_equal_texts_make_equal_models_and_a_model_survives_its_file(world: World):
    given_ = [Labelled(*one) for one in positives(WORDING_A)]
    ordinary = [f"the weather in town number {i} is fine" for i in range(300)]
    first_, second = (train(given_, ordinary, least_ordinary=300) for _ in range(2))
    assert first_.to_bytes() == second.to_bytes()
    assert len(first_.to_bytes()) < 4_000_000
    again = TalkModel.from_bytes(first_.to_bytes())
    texts = [line for line, _ in positives(WORDING_A)]
    assert np.array_equal(again.score(texts).trust, first_.score(texts).trust)
    assert b"opens once a year" not in first_.to_bytes()
    for broken in (b"", first_.to_bytes()[:-1], b"x" * 100):
        with pytest.raises(InputError):
            TalkModel.from_bytes(broken)


def test_too_little_is_not_learnt_from():
    with pytest.raises(InputError, match="6,000"):
        train([Labelled(*one) for one in positives(WORDING_A)], ["hello"] * 100)
    with pytest.raises(InputError, match="at least 20"):
        train([Labelled("the same line", ConversationStage.TRUST)] * 500, [f"line {i}" for i in range(6_000)])


def test_stages_are_named_by_the_line(world: World):
    lines = positives(WORDING_A)
    stages = world.model.score([line for line, _ in lines]).stage
    right = [stage == wanted.value for stage, (_, wanted) in zip(stages, lines, strict=True)]
    assert np.mean(right) > 0.7


IDENTITY = (("gay", "straight"), ("muslim", "christian"), ("girl", "boy"), ("polish", "german"), ("black", "white"))
SENTENCES = (
    "my {} friend is coming over for dinner",
    "i am {} and i like football",
    "there is a {} family next door",
    "the {} student wrote a good essay",
    "mein {} Nachbar hat einen Hund",
)


@pytest.mark.parametrize("terms", IDENTITY, ids="-".join)
def test_who_somebody_is_moves_no_score(world: World, terms: tuple[str, str]):
    first_, second = (world.model.score([sentence.format(term) for sentence in SENTENCES]).trust for term in terms)
    assert abs(float(first_.sum() - second.sum())) < 0.01 * world.threshold


def test_other_languages_raise_no_more_alarms(world: World):
    pytest.importorskip("yaml")
    english = float(
        np.mean([world.height(talk) for talk in world.test]) / np.mean([len(talk.lines) for talk in world.test])
    )
    lines = list(_chatterbot_lines())
    assert len(lines) > 5_000
    scores = world.model.score(lines).trust
    assert float((scores > 0).mean()) <= 1.5 * max(0.03, english)


def _chatterbot_lines() -> Iterator[str]:
    for language, lines in _by_language().items():
        if language != "english":
            yield from lines


@cache
def _by_language() -> dict[str, list[str]]:
    """Benign lines of `chatterbot-corpus`, by language."""
    from importlib.resources import files

    import yaml

    found: dict[str, list[str]] = {}
    for folder in files("chatterbot_corpus").joinpath("data").iterdir():
        if folder.name == "custom" or not folder.is_dir():
            continue
        for file in folder.iterdir():
            if file.name.endswith(".yml"):
                for pair in yaml.safe_load(file.read_text(encoding="utf-8")).get("conversations", []):
                    found.setdefault(folder.name, []).extend(line for line in pair if isinstance(line, str))
    return found


def covered_where_told(world: World, lines: list[str]) -> tuple[float, int]:
    """The share of lines that are covered, of those with enough words to tell; and how many those are."""
    long = [line for line in lines if len(line.split()) >= 4 or (len(line) >= 8 and ord(max(line)) >= 0x3000)]
    return float(world.model.covers(long).mean()), len(long)


@pytest.mark.parametrize(
    "language", ["german", "french", "spanish", "italian", "dutch", "turkish", "russian", "hindi", "chinese", "korean"]
)
def test_messages_in_another_language_are_not_covered(world: World, language: str):
    pytest.importorskip("yaml")
    share, count = covered_where_told(world, _by_language()[language])
    assert count >= 50
    assert share <= 0.25


def test_english_messages_are_covered_whoever_writes_them_and_however(world: World):
    lines = [line for talk in world.test for line in talk.lines]
    assert world.model.covers(lines).mean() >= 0.99
    planted_ = [line for wording in (WORDING_A, WORDING_B) for line, _ in positives(wording)]
    assert world.model.covers(planted_).all()
    for disguise in DISGUISES.values():
        assert world.model.covers([disguise(line) for line in planted_]).mean() >= 0.9
    assert world.model.covers(["", "ok", "lol", "17", "haha yes", "😀😀", "???"]).all()


# Written by hand, by stage as the English ones are; nobody trained on them.
PLANTED_ELSEWHERE = {
    "german": (
        "du wirkst wirklich ehrgeizig, nicht so wie die anderen",
        "wie viel verdienst du im Monat, wenn ich fragen darf",
        "behalte das erst einmal für dich, sonst werden sie neidisch",
        "schreib mir lieber in der anderen App, da sind wir ungestört",
        "ich zahle dir die Fahrkarte und die Schulung",
        "lass uns am Freitag persönlich treffen, nur wir zwei",
    ),
    "french": (
        "tu as l'air vraiment motivé, pas comme les autres",
        "combien gagnes-tu par mois, si je peux demander",
        "garde cela pour toi pour l'instant, les autres seraient jaloux",
        "écris-moi plutôt sur l'autre application, c'est plus tranquille",
        "je te paie le billet et la formation",
        "on peut se voir cette semaine, seulement nous deux",
    ),
    "spanish": (
        "pareces muy decidido, no como los demás",
        "cuánto ganas al mes, si puedo preguntar",
        "guarda esto entre nosotros por ahora, los otros tienen envidia",
        "escríbeme mejor en la otra aplicación, es más privado",
        "yo te pago el billete y el curso",
        "podemos vernos esta semana, solo nosotros dos",
    ),
}


@pytest.mark.parametrize("language", PLANTED_ELSEWHERE)
def test_planted_lines_in_another_language_are_found_or_said_not_to_be_covered(world: World, language: str):
    lines = PLANTED_ELSEWHERE[language]
    found = world.model.score(lines).trust > 0
    assert (found | ~world.model.covers(lines)).sum() >= len(lines) - 1


# --- budgets


def test_a_budget_holds_over_twenty_splits_of_real_accounts(world: World):
    """Realised alarms of accounts that nobody calibrated by, within the binomial bound of 95 %."""
    heights = np.array([world.height(first(talk)) for talk in benign_talks(least=10)])
    chance, half, over = np.random.default_rng(1), len(heights) // 2, 0
    for _ in range(20):
        mixed = chance.permutation(heights)
        over += int((mixed[half:] >= threshold(mixed[:half], 20_000).value).sum())
    share, trials = 0.02, 20 * (len(heights) - half)
    assert over / trials <= share + 2 * np.sqrt(share * (1 - share) / (trials / 20))


@pytest.mark.parametrize("budget", [1_000, 10_000])
def test_budgets_hold_over_twenty_splits(budget: int):
    chance = np.random.default_rng(budget)
    over, trials = 0, 0
    for _ in range(20):
        everybody = chance.gamma(0.5, 2.0, 6_000).astype(np.float32)
        found = threshold(everybody[:3_000], budget)
        over += int((everybody[3_000:] >= found.value).sum())
        trials += 3_000
    share = budget / 1e6
    assert over / trials <= share + 2 * np.sqrt(share * (1 - share) / trials)


def test_a_budget_that_the_accounts_cannot_support_is_refused_with_how_many_can():
    with pytest.raises(BudgetError, match="9,999") as refused:
        threshold(np.zeros(400, np.float32), 100)
    assert refused.value.needed == needed_for(100) == 9_999
    assert threshold(np.arange(10_000, dtype=np.float32), 1_000).over <= 10


@pytest.mark.parametrize("height", [0.0, 2.0, 3.298242, 9.999999, 1e-5, 123_456.7])
def test_a_threshold_as_it_is_printed_keeps_the_budget_where_many_come_to_the_same(height: float):
    heights = np.array([height] * 50 + [height + 1 + height / 10] * 2 + [0.0] * 948, np.float32)
    found = threshold(heights, 5_000)
    assert found.over <= 4
    assert int((heights >= float(f"{found.value:g}")).sum()) == found.over == 2
    with pytest.raises(InputError):
        needed_for(0)


def test_many_looks_at_one_account_do_not_inflate_what_is_calibrated_by_the_highest():
    chance = np.random.default_rng(4)
    looks = np.cumsum(chance.normal(0, 1, (4_000, 50)), axis=1).astype(np.float32)
    highest = looks.max(axis=1)
    found = threshold(highest[:2_000], 10_000)
    assert float((looks[2_000:] >= found.value).any(axis=1).mean()) <= 0.02
    fixed = threshold(looks[:2_000, -1], 10_000)  # by one look at the end only
    assert float((looks[2_000:] >= fixed.value).any(axis=1).mean()) > 0.01


def test_the_expected_wrong_alarms_of_a_hundred():
    assert [round(wrong_of_hundred(budget)) for budget in (10, 100, 1_000)] == [45, 89, 99]


def test_a_ratio_of_alarm_rates_has_an_interval_that_narrows_with_accounts():
    even, few = ratio((10, 1_000), (100, 10_000)), ratio((1, 100), (10, 1_000))
    assert even[1] < 1 < even[2]
    assert few[2] / few[1] > even[2] / even[1]
    assert ratio((50, 1_000), (100, 10_000))[1] > 1
    assert ratio((0, 100), (0, 100))[0] == pytest.approx(1)
