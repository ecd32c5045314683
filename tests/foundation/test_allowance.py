"""An allowance is never overdrawn, and one who takes all he can leaves something for others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutela.errors import BusyError
from tutela.foundation.allowance import Allowance


def test_a_quarter_is_for_those_who_have_little():
    places = Allowance("full", 64)
    greedy = []
    with pytest.raises(BusyError):
        while True:
            greedy.append(places.take("greedy"))
    assert len(greedy) == 48
    others = [places.take("modest") for _ in range(16)]
    with pytest.raises(BusyError):
        places.take("modest")
    others[0].give_back()
    places.take("third")


@pytest.mark.parametrize("total", [1, 2, 3])
def test_few_places_can_all_be_taken(total):
    places = Allowance("full", total)
    for _ in range(total):
        places.take("one")
    assert places.free == 0


def test_what_was_taken_comes_back_whatever_happens():
    memory = Allowance("full", 100)
    with pytest.raises(BusyError), memory.take("one", 10) as taken:
        taken.grow(20)
        taken.shrink(5)
        assert memory.free == 75
        taken.grow(1000)
    assert memory.free == 100


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 30)), max_size=40))
def test_it_is_never_overdrawn(wanted):
    memory = Allowance("full", 100)
    taken = []
    for who, amount in wanted:
        try:
            taken.append(memory.take(who, amount))
        except BusyError:
            continue
        assert 0 <= memory.free <= 100
    for one in taken:
        one.give_back()
    assert memory.free == 100
