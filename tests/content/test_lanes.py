"""Lanes: costly content of one asker keeps no other waiting, and everybody comes to it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.waiting import PATIENCE_S
from tutela.content.media.isolation import WorkerPool
from tutela.content.media.lanes import OF_STRANGERS_S, QUICK_S, Asker, Lane, Lanes

COSTLY, QUICK = Asker("key", "mallory", "application/pdf"), Asker("key", "alice", "image/jpeg")


def test_everybody_begins_in_the_quick_lane_and_costs_decide():
    lanes = Lanes(2)
    turn = lanes.enter(COSTLY, 0)
    assert turn is not None
    assert turn.lane is Lane.QUICK
    lanes.leave(turn, 40 * QUICK_S)
    assert lanes.lane_of(COSTLY) is Lane.SLOW
    assert lanes.lane_of(QUICK) is Lane.QUICK
    for _ in range(30):
        again = lanes.enter(COSTLY, 0)
        assert again is not None
        lanes.leave(again, 0.01)
    assert lanes.lane_of(COSTLY) is Lane.QUICK, "what has become quick is quick again"


def test_who_was_never_seen_is_judged_by_content_of_its_kind_from_the_same_key():
    lanes = Lanes(2)
    turn = lanes.enter(COSTLY, 0)
    assert turn is not None
    lanes.leave(turn, 9.0)
    assert lanes.lane_of(COSTLY._replace(uploader="another name for mallory")) is Lane.SLOW
    assert lanes.lane_of(COSTLY._replace(key="another key")) is Lane.QUICK
    assert lanes.lane_of(COSTLY._replace(kind="image/png")) is Lane.QUICK


def test_eight_costly_uploads_leave_the_quick_lane_to_others():
    lanes = Lanes(2)
    costly = [lanes.enter(COSTLY, 0) for _ in range(2)]
    assert lanes.enter(QUICK, 0) is None, "nobody knew yet"
    for turn in costly:
        assert turn is not None
        assert lanes.step_aside(turn, 2 * QUICK_S)
    waiting = [threading.Thread(target=lanes.enter, args=(COSTLY, 0.2)) for _ in range(6)]
    for thread in waiting:
        thread.start()
    for _ in range(50):
        turn = lanes.enter(QUICK, 0)
        assert turn is not None
        assert turn.lane is Lane.QUICK
        lanes.leave(turn, 0.005)
    for thread in waiting:
        thread.join()


def test_costly_content_of_one_kind_leaves_room_in_the_slow_lane_too():
    lanes = Lanes(2)
    film = Asker("key", "bob", "video/mp4")
    for asker in (COSTLY, film):
        turn = lanes.enter(asker, 0)
        assert turn is not None
        lanes.leave(turn, 9.0)
    taken = [lanes.enter(COSTLY, 0) for _ in range(5)]
    assert sum(turn is not None for turn in taken) == 2
    assert lanes.enter(film, 0) is not None


def test_whoever_asks_a_lot_does_not_come_before_whoever_asks_once():
    lanes = Lanes(1)
    first = lanes.enter(Asker("a"), 0)
    assert first is not None
    order: list[str] = []

    def wait(key: str) -> None:
        turn = lanes.enter(Asker(key), 10)
        assert turn is not None
        order.append(key)
        lanes.leave(turn, 0.01)

    threads = []
    for key in ("a", "a", "a", "b"):
        threads.append(threading.Thread(target=wait, args=(key,)))
        threads[-1].start()
        while lanes.waiting < len(threads):
            pass
    lanes.leave(first, 0.01)
    for thread in threads:
        thread.join()
    assert order == ["b", "a", "a", "a"]


def test_who_waits_in_vain_leaves_no_trace():
    lanes = Lanes(1)
    turn = lanes.enter(Asker("a"), 0)
    assert turn is not None
    assert lanes.enter(Asker("b"), 0.01) is None
    assert lanes.waiting == 0
    lanes.leave(turn, 0.01)
    assert lanes.enter(Asker("b"), 0) is not None


# --- those who change their names


def test_a_name_that_was_never_seen_has_less_of_a_turn_while_others_wait():
    lanes = Lanes(1)
    stranger = lanes.enter(COSTLY._replace(uploader="a new name"), 0)
    assert stranger is not None
    assert not lanes.is_over(stranger, 2 * OF_STRANGERS_S), "nobody waits"
    waiting = threading.Thread(target=lanes.enter, args=(QUICK, 5))
    waiting.start()
    while not lanes.wanted():
        pass
    assert lanes.is_over(stranger, 2 * OF_STRANGERS_S)
    assert lanes.step_aside(stranger, 2 * OF_STRANGERS_S)
    waiting.join()


def test_what_gives_way_to_all_else_may_last_longer():
    """On a machine that is busy without a pause it would end at its deadline, having had next to no processor."""
    lanes = Lanes(1)
    turn = lanes.enter(QUICK, 0)
    assert turn is not None
    assert lanes.longest_s(turn, 10.0) == 60.0
    assert lanes.step_aside(turn, 0.5)
    assert lanes.longest_s(turn, 10.0) == 600.0
    assert lanes.longest_s(turn, 300.0) == 1800.0


def test_who_is_known_to_be_quick_comes_before_names_that_were_never_seen():
    lanes = Lanes(1)
    known = lanes.enter(QUICK, 0)
    assert known is not None
    order: list[str] = []

    def wait(asker: Asker) -> None:
        turn = lanes.enter(asker, 10)
        assert turn is not None
        order.append(asker.uploader)
        lanes.leave(turn, 0.01)

    threads = []
    for asker in (*(Asker("key", f"new {number}", "image/gif") for number in range(3)), QUICK):
        threads.append(threading.Thread(target=wait, args=(asker,)))
        threads[-1].start()
        while lanes.waiting < len(threads):
            pass
    lanes.leave(known, 0.01)
    for thread in threads:
        thread.join()
    assert order[0] == "alice"


@pytest.mark.slow
def test_content_that_takes_long_and_has_nowhere_to_go_keeps_no_other_waiting():
    """Each of many names has its first turn in the quick lane; when the slow one is full, the content is sent back."""
    with WorkerPool("tests.support.isolated_tasks:misbehave", size=1, wait_s=20.0) as pool:
        pool.warm()
        with ThreadPoolExecutor(12) as executor:
            many = [
                executor.submit(pool.run, b"spin", {}, timeout_s=20.0, asker=Asker("key", f"name {n}", f"kind {n}"))
                for n in range(9)
            ]
            began = time.monotonic()
            while pool.run(b"fine", {}, asker=QUICK) != "fine" or len(done := [one for one in many if one.done()]) < 1:
                assert time.monotonic() - began < PATIENCE_S
            assert all("no room" in str(one.exception()) for one in done)
            pool.interrupt()
            while not all(one.done() for one in many):
                pool.interrupt()
                time.sleep(0.05)


def test_what_takes_very_little_finds_a_turn_beside_what_takes_more_of_it():
    """Bombs end soon, and are sent without end: each is quick, and all of them together would be everybody's wait."""
    lanes = Lanes(2)
    bombs, photos = (Asker("key", name, name) for name in ("bombs", "photos"))
    for asker, cost_s in ((bombs, 0.15), (photos, 0.005)):
        turn = lanes.enter(asker, 0)
        assert turn is not None
        lanes.leave(turn, cost_s)
    taken = [turn for turn in (lanes.enter(bombs, 0) for _ in range(8)) if turn is not None]
    assert [turn.lane for turn in taken].count(Lane.QUICK) == 1
    assert [turn.lane for turn in taken].count(Lane.SLOW) == 2, "what else is free is theirs too"
    photo = lanes.enter(photos, 0)
    assert photo is not None
    assert photo.lane is Lane.QUICK
    for turn in taken:
        lanes.leave(turn, 0.15)
    assert lanes.enter(bombs, 0) is None or lanes._not_small == 1
