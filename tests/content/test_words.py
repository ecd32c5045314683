"""Words: a listed term is found however it is written, in one pass, and ordinary text is left alone."""

import random
import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.effort import effort
from tutela import _native
from tutela.content.signals.registry import signal_type
from tutela.content.words import KEYWORD, TEXT, counts_in, fold, folding, text_sample
from tutela.errors import InvalidSignalError


def patterns(*terms: str) -> _native.Patterns:
    """An automaton over these terms."""
    values = np.frombuffer(b"".join(map(KEYWORD.parse, terms)), np.uint8).reshape(-1, KEYWORD.width)
    return _native.Patterns(
        np.frombuffer(_native.build_patterns(values, np.arange(len(terms), dtype=np.uint64)), np.uint8)
    )


def found(automaton: _native.Patterns, text: str) -> list[str]:
    return [KEYWORD.format(value) for value, _, _ in automaton.find(text.encode(), folding())]


SPELLINGS = [
    "the Recruiter came",
    "r e c r u i t e r",
    "r.e.c.r.u.i.t.e.r",
    "reccccruiiiter!!",
    "rесruitеr",  # with Cyrillic letters
    "ｒｅｃｒｕｉｔｅｒ",
    "ⓡⓔⓒⓡⓤⓘⓣⓔⓡ",
    "récrüîter",
    "recr\u200buiter",
    "RECRUITER",
    "recruit er",
    "𝓻𝓮𝓬𝓻𝓾𝓲𝓽𝓮𝓻",
    "🆁🅴🅲🆁🆄🅸🆃🅴🆁",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_term_is_found_however_it_is_written(text):
    assert found(patterns("recruiter", "other"), text) == ["recruiter"]


@pytest.mark.parametrize("text", ["our r e c r u i t e r runs", "her recruuuiter", "for r-e-c-r-u-i-t-e-r really"])
def test_a_neighbour_that_begins_or_ends_alike_hides_nothing(text):
    assert found(patterns("recruiter", "other"), text) == ["recruiter"]


@pytest.mark.parametrize("text", ["recruiters", "prerecruiter", "recruit", "recruit erase", "he recruits", ""])
def test_a_term_is_a_whole_word_unless_it_says_otherwise(text):
    assert found(patterns("recruiter"), text) == []
    assert found(patterns("*recruit*"), "he recruits") == ["*recruit*"]


def test_phrases_are_found_over_line_ends_and_scripts_without_spaces_anywhere():
    automaton = patterns("the code word", "日本")
    assert found(automaton, "say THE  code-\nword now") == ["the code word"]
    assert found(automaton, "これは日本語です") == ["日本"]


def test_a_hit_says_where_it_stands_in_the_text_as_given():
    text = "ﬁrst r e c r u i t e r"
    ((_, begin, end),) = patterns("recruiter").find(text.encode(), folding())
    assert text[begin:end] == "r e c r u i t e r"


def test_companions_and_exclusions_decide_whether_a_term_counts():
    value = KEYWORD.parse("Code Word + place - game")
    assert KEYWORD.format(value) == "code word + place - game"
    assert counts_in(value, fold("the code word, at that place"))
    assert not counts_in(value, fold("the code word"))
    assert not counts_in(value, fold("the code word of the game, at that place"))


@pytest.mark.parametrize(
    ("term", "why"),
    [("a", "fewer than two"), ("*ab*", "inside too many"), ("x" * 129, "too long"), ("ab + -", "nothing behind")],
)
def test_a_term_that_would_be_everywhere_or_does_not_fit_is_refused(term, why):
    with pytest.raises(InvalidSignalError, match=why):
        KEYWORD.parse(term)


def test_a_text_is_known_by_what_it_folds_to():
    value = TEXT.parse("A whole Text, with words")
    assert TEXT.parse("a  whole text with wörds!") == value
    sample = text_sample(fold("A WHOLE text with words"))
    assert sample is not None
    assert sample.value == value
    assert TEXT.parse(TEXT.format(value)) == value
    with pytest.raises(InvalidSignalError, match="said by everybody"):
        TEXT.parse("hi all")


@given(st.text(max_size=80))
def test_folding_is_stable_and_never_grows_beyond_what_unicode_asks(text):
    once = fold(text)
    assert fold(once) == once
    assert len(once) <= 18 * len(text)  # the longest NFKD of one character
    assert "  " not in once


WORDS = [f"{a}{b}{c}" for a in "bcdfg" for b in "aeiou" for c in "klmnprst"]


def test_the_automaton_finds_what_reading_term_by_term_would():
    rng = random.Random(3)
    for _ in range(effort(60, 2_000)):
        terms = list({" ".join(rng.choices(WORDS, k=rng.randint(1, 3))) for _ in range(30)})
        text = " ".join(rng.choices(WORDS, k=40))
        expected = {term for term in terms if re.search(rf"(?<!\S){re.escape(term)}(?!\S)", text)}
        hits = set(found(patterns(*terms), text))
        assert expected <= hits
        closed = text.replace(" ", "")
        assert all(term in expected or term.replace(" ", "") in closed for term in hits)


def test_damaged_files_of_patterns_are_refused_or_searched_within_themselves():
    values = np.frombuffer(b"".join(map(KEYWORD.parse, ("recruiter", "other"))), np.uint8).reshape(-1, KEYWORD.width)
    built = bytearray(_native.build_patterns(values, np.arange(2, dtype=np.uint64)))
    rng = random.Random(9)
    for _ in range(500):
        broken = bytearray(built)
        for _ in range(rng.randint(1, 4)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        cut = broken[: rng.randrange(len(broken))] if rng.random() < 0.3 else broken
        try:
            _native.Patterns(np.frombuffer(bytes(cut), np.uint8)).find(b"some recruiter of other", folding())
        except _native.CorruptPatternsError:
            continue


def test_every_letter_of_a_look_alike_is_one_letter():
    for letter in "аеорсух":
        assert unicodedata.name(letter).startswith("CYRILLIC")
        assert fold(letter).isascii()
    assert signal_type("keyword").parse("рау") == KEYWORD.parse("pay")
