"""Evidence is lost for good only when clocks agree that its time is over: none is believed that leaps."""

from dataclasses import dataclass

import pytest

from tests.support.stores import new_store
from tutela.casework.evidence.horizon import STEADY_S, STEP_S, Clocks, Horizon
from tutela.foundation.store.database import Store

DAY_S = 86_400.0


@dataclass
class Machine:
    """Clocks that a test sets."""

    wall_s: float = 1_800_000_000.0
    steady_s: float = 5_000.0
    start: str = "one"

    def passes(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds

    @property
    def clocks(self) -> Clocks:
        return Clocks(lambda: int(self.wall_s * 1e6), lambda: self.steady_s, lambda: self.start)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def horizon(tmp_path, machine):
    store = Store.open(new_store(tmp_path / "horizon.db"))
    yield Horizon(store, machine.clocks)
    store.close()


def at(machine: Machine) -> int:
    return int(machine.wall_s * 1e6)


def test_time_goes_on_with_every_upkeep(horizon, machine):
    for _ in range(5):
        assert horizon.reach() == at(machine)
        machine.passes(30)


def test_a_leap_of_a_hundred_days_for_forty_seconds_makes_nothing_old(horizon, machine):
    before = horizon.reach()
    machine.passes(30)
    machine.wall_s += 100 * DAY_S
    for _ in range(2):
        assert horizon.reach() == before
        machine.passes(20)
    machine.wall_s -= 100 * DAY_S
    assert horizon.reach() == at(machine)


def test_after_a_weekend_the_clock_is_believed_once_it_was_steady_for_an_hour(horizon, machine):
    before = horizon.reach()
    machine.wall_s += 3 * DAY_S
    machine.steady_s, machine.start = 60.0, "two"
    reached = []
    for _ in range(int(STEADY_S / 30) + 1):
        reached.append(horizon.reach())
        machine.passes(30)
    assert set(reached[:-1]) == {before}
    assert reached[-1] == at(machine) - int(30e6)


def test_a_clock_that_leaps_on_is_never_believed(horizon, machine):
    before = horizon.reach()
    for _ in range(300):
        machine.passes(30)
        machine.wall_s += STEP_S + 1
        assert horizon.reach() == before


def test_a_start_of_the_machine_begins_the_hour_anew(horizon, machine):
    before = horizon.reach()
    machine.wall_s += DAY_S
    horizon.reach()
    machine.passes(STEADY_S + 1)
    machine.start = "two"
    assert horizon.reach() == before


def test_a_clock_that_goes_back_takes_time_back(horizon, machine):
    horizon.reach()
    machine.wall_s -= DAY_S
    assert horizon.reach() == at(machine)
