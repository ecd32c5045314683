"""What every room needs, once: the background loop, the back-off, rates, child processes."""

import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.waiting import PATIENCE_S, wait_until
from tutela.errors import InputError, TutelaError
from tutela.foundation.background import BackgroundLoop
from tutela.foundation.backoff import MAX_ASKED_S, BackOff, around, retry_after_s
from tutela.foundation.processes import end, start_module
from tutela.foundation.rates import Rate, Windows

# --- the background loop


def test_a_loop_goes_on_whatever_its_step_raises_and_ends_when_it_is_stopped(caplog):
    calls: list[int] = []

    def step() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise [TutelaError("no"), ZeroDivisionError()][len(calls) - 1]

    loop = BackgroundLoop(step, name="test", every_s=lambda: 0.001, failed="it failed")
    loop.start()
    loop.start()
    wait_until(lambda: len(calls) > 5, "the step is called again and again")
    loop.stop()
    assert not loop.running
    before = len(calls)
    time.sleep(0.02)
    assert len(calls) == before
    assert [record.message.partition(":")[0] for record in caplog.records] == ["it failed"] * 2
    loop.start()
    wait_until(lambda: len(calls) > before, "it can be started anew")
    loop.stop()


def test_a_loop_is_woken_and_the_first_call_may_wait():
    called = threading.Event()
    loop = BackgroundLoop(called.set, name="test", every_s=lambda: 3600.0, failed="", at_once=False)
    loop.start()
    assert not called.wait(0.05)
    loop.wake()
    assert called.wait(PATIENCE_S)
    loop.stop()


def test_a_step_under_way_is_interrupted_until_it_ends():
    began, ended = threading.Event(), threading.Event()
    times: list[int] = []

    def step() -> None:
        began.set()
        ended.wait()

    def interrupt() -> None:
        times.append(1)
        if len(times) == 3:
            ended.set()

    loop = BackgroundLoop(step, name="test", every_s=lambda: 0.0, failed="")
    loop.start()
    began.wait()
    loop.stop(interrupt)
    assert len(times) == 3


# --- back-off


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_double_up_to_the_longest_and_are_never_all_at_one_moment(failures, chance):
    back_off = BackOff(5.0, 3600.0)
    assert 2.5 <= back_off.wait_s(failures, chance=chance) <= 5400
    assert back_off.wait_s(failures, chance=0.5) <= back_off.wait_s(failures + 1, chance=0.5)
    assert back_off.wait_s(1, 100.0) >= 100.0
    assert back_off.wait_s(1, 1e9) <= 3600.0
    assert 8 <= around(10) <= 12


@pytest.mark.parametrize("text", ["", " ", "soon", "-3", "1e3", "٣", "Mon, 99 Foo 2026", None, "1.5"])
def test_a_retry_after_that_says_nothing_asks_for_nothing(text):
    assert retry_after_s(text) is None


def test_a_retry_after_is_a_number_or_a_date_and_no_longer_than_a_day():
    assert retry_after_s(" 120 ") == 120.0
    assert retry_after_s("9" * 400) == MAX_ASKED_S
    later = (datetime.now(UTC) + timedelta(minutes=10)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert 500 < (retry_after_s(later) or 0) <= 600
    assert retry_after_s("Mon, 01 Jan 2001 00:00:00 GMT") == 0.0


# --- rates


def test_so_many_are_admitted_in_a_period_and_looking_counts_nothing(monkeypatch):
    at = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: at[0])
    windows, rate = Windows(), Rate.read("3/minute")
    assert not windows.full(rate, "key", "a")
    assert [windows.hit(rate, "key", "a") for _ in range(4)] == [True, True, True, False]
    assert windows.full(rate, "key", "a")
    assert windows.hit(rate, "key", "b")
    at[0] += 60
    assert not windows.full(rate, "key", "a")
    assert windows.hit(rate, "key", "a")


@pytest.mark.parametrize("text", ["", "3", "3/week", "0/minute", "-1/minute", "٣/minute", "1.5/second", "/second"])
def test_what_is_not_a_rate_is_refused(text):
    with pytest.raises(InputError, match="not a rate"):
        Rate.read(text)


# --- child processes


def test_a_child_has_its_secrets_in_its_environment_and_ends_when_asked(tmp_path):
    with (tmp_path / "out").open("wb") as out:
        child = start_module("json.tool", "--help", environment={"TUTELA_TEST_SECRET": "s3cret"}, output=out)
    assert child.wait() == 0
    assert b"usage" in (tmp_path / "out").read_bytes()
    assert child.args == [sys.executable, "-m", "json.tool", "--help"]
    with (tmp_path / "port").open("wb") as out:
        waiting = start_module("http.server", "0", "--bind", "127.0.0.1", output=out)
    end([child, waiting])
    assert waiting.poll() is not None
