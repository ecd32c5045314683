"""The outbox: what was decided is told to the outside at least once, in order, by any number of processes."""

import ast
import base64
import hashlib
import hmac
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.preloaded import Ended, run_tutela, start_python
from tests.support.serving import serving
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.casework.appeals.model import AppealState
from tutela.casework.cases.model import Change
from tutela.casework.cases.outcomes import Effect
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.outbox import service
from tutela.foundation.outbox.event_types import EVENT_TYPES
from tutela.foundation.outbox.service import DeliveryState, LeaseLostError, Outbox, enqueue
from tutela.foundation.outbox.webhooks import (
    TOPIC,
    Endpoint,
    SignatureError,
    Webhooks,
    new_secret,
    read_secret,
    signed_headers,
    verify,
)
from tutela.foundation.outbox.worker import DeliveryError, Dispatcher, PostponedError, Retry, UndeliverableError
from tutela.foundation.store import database
from tutela.foundation.store.database import Store
from tutela.screening.jobs.service import DONE, FAILED

ROOT = Path(__file__).parents[2]
SECRET = bytes(range(32))
AT_ONCE = Retry(first_s=0.0, longest_s=0.0, attempts=3)


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return Outbox(store)


def test_what_was_taken_or_put_off_while_a_clock_was_wrong_is_due(outbox, monkeypatch):
    with monkeypatch.context() as leapt:
        leapt.setattr(service, "now", lambda: database.now() + 100 * 86_400 * 1_000_000)
        for key in ("written", "taken", "failed"):
            outbox.enqueue("t", key, {})
        _, failed = outbox.take(("t",), lease_s=60, limit=2)
        outbox.fail(failed, "no answer", database.now() + 100 * 86_400 * 1_000_000 + 5_000_000)
    assert {delivery.key for delivery in outbox.take(("t",), lease_s=60, limit=10)} == {"written", "taken", "failed"}
    assert outbox.take(("t",), lease_s=60, limit=10) == []


def test_a_delivery_is_part_of_the_transaction_that_wanted_it(store, outbox):
    with pytest.raises(RuntimeError), store.write() as connection:
        enqueue(connection, "t", "undone", {})
        raise RuntimeError
    with store.write() as connection:
        assert enqueue(connection, "t", "kept", {"n": 1})
    assert [(one.key, one.payload, one.state) for one in outbox.all()] == [("kept", {"n": 1}, DeliveryState.PENDING)]


def test_the_same_key_of_a_topic_is_delivered_once(outbox):
    assert outbox.enqueue("t", "one", {"n": 1})
    assert not outbox.enqueue("t", "one", {"n": 2})
    assert outbox.enqueue("u", "one", {"n": 3})
    done = []
    handlers = {name: lambda delivery, _: done.append(delivery.payload["n"]) for name in "tu"}
    assert Dispatcher(outbox, handlers).run_due() == 2
    assert not outbox.enqueue("t", "one", {"n": 4})
    assert Dispatcher(outbox, handlers).run_due() == 0
    assert sorted(done) == [1, 3]


@pytest.mark.parametrize(
    ("topic", "key", "lane"), [("t", "", None), ("t", "k" * 256, None), ("t" * 65, "k", None), ("t", "k", "l" * 256)]
)
def test_a_key_that_no_database_could_hold_is_refused(outbox, topic, key, lane):
    with pytest.raises(InputError):
        outbox.enqueue(topic, key, {}, lane=lane)


def test_a_failure_is_tried_again_until_it_is_given_up_and_an_operator_may_try_anew(outbox):
    outbox.enqueue("t", "one", {})
    working = False

    def handle(delivery, _):
        if not working:
            raise DeliveryError("try {attempts}", attempts=delivery.attempts)

    dispatcher = Dispatcher(outbox, {"t": handle}, retry=AT_ONCE)
    assert dispatcher.run_due() == 3
    dead = outbox.find("t", "one")
    assert dead is not None
    assert (dead.state, dead.attempts, dead.last_error) == (DeliveryState.DEAD, 3, "try 3")
    assert outbox.counts() == {("t", DeliveryState.DEAD): 1}
    working = True
    assert dispatcher.run_due() == 0
    outbox.retry(dead.id)
    assert dispatcher.run_due() == 1
    assert outbox.get(dead.id).state is DeliveryState.DONE
    with pytest.raises(ConflictError):
        outbox.retry(dead.id)
    with pytest.raises(NotFoundError):
        outbox.retry(dead.id + 1)


def test_what_a_handler_did_not_foresee_is_tried_again_too(outbox):
    outbox.enqueue("t", "one", {})
    calls = []

    def handle(delivery, _):
        calls.append(delivery.attempts)
        if len(calls) == 1:
            raise ValueError("unforeseen")

    Dispatcher(outbox, {"t": handle}, retry=AT_ONCE).run_due()
    assert calls == [1, 2]
    assert outbox.all()[0].state is DeliveryState.DONE


def test_what_can_never_succeed_is_dead_at_once(outbox):
    outbox.enqueue("t", "one", {})

    def handle(delivery, _):
        raise UndeliverableError("gone")

    assert Dispatcher(outbox, {"t": handle}).run_due() == 1
    assert outbox.all(state=DeliveryState.DEAD)[0].last_error == "gone"


def test_a_postponed_delivery_has_not_failed(outbox):
    outbox.enqueue("t", "one", {})

    def handle(delivery, _):
        raise PostponedError(3600)

    assert Dispatcher(outbox, {"t": handle}, retry=AT_ONCE).run_due() == 1
    found = outbox.all()[0]
    assert (found.state, found.attempts, found.last_error) == (DeliveryState.PENDING, 0, None)
    assert found.next_at > datetime.now(UTC) + timedelta(seconds=3000)


def test_a_delivery_waits_for_its_time(store, outbox):
    with store.write() as connection:
        enqueue(connection, "t", "later", {}, not_before=datetime.now(UTC) + timedelta(hours=1))
    assert outbox.take(["t"], lease_s=60, limit=9) == []


def test_a_receiver_that_names_a_time_is_not_asked_before(outbox):
    outbox.enqueue("t", "one", {})

    def handle(delivery, _):
        raise DeliveryError("busy", after_s=1800)

    Dispatcher(outbox, {"t": handle}, retry=Retry(first_s=0.0)).run_due()
    assert outbox.all()[0].next_at > datetime.now(UTC) + timedelta(seconds=1500)


@given(attempts=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_waits_grow_and_are_never_longer_than_one_and_a_half_of_the_longest(attempts, chance):
    waits = Retry().back_off
    assert 2.5 <= waits.wait_s(attempts, chance=chance) <= 5400
    assert waits.wait_s(attempts, chance=0) <= waits.wait_s(attempts + 1, chance=0)


def test_deliveries_of_one_lane_go_in_order_and_hold_up_no_other(outbox):
    for number in range(3):
        outbox.enqueue("t", f"a{number}", {}, lane="a")
    outbox.enqueue("t", "b0", {}, lane="b")
    outbox.enqueue("t", "free", {})
    first = outbox.take(["t"], lease_s=60, limit=9)
    assert sorted(one.key for one in first) == ["a0", "b0", "free"]
    assert outbox.take(["t"], lease_s=60, limit=9) == []
    held = next(one for one in first if one.key == "a0")
    outbox.fail(held, "no", None)  # what is given up holds up nothing behind it
    assert [one.key for one in outbox.take(["t"], lease_s=60, limit=9)] == ["a1"]


def test_a_delivery_whose_holder_fell_silent_is_taken_by_another_and_the_first_finds_out(outbox):
    outbox.enqueue("t", "one", {})
    (silent,) = outbox.take(["t"], lease_s=0, limit=1)
    (other,) = outbox.take(["t"], lease_s=60, limit=1)
    assert other.attempts == 2
    for attempt in (
        lambda: outbox.complete(silent),
        lambda: outbox.fail(silent, "", None),
        lambda: outbox.renew(silent, 60),
        lambda: outbox.save_progress(silent, {"step": 9}),
    ):
        with pytest.raises(LeaseLostError):
            attempt()
    outbox.complete(other)
    assert outbox.get(other.id).progress == {}


@pytest.mark.slow
def test_a_long_delivery_is_kept_while_it_works(outbox):
    outbox.enqueue("t", "one", {})
    release, calls = threading.Event(), []

    def handle(delivery, _):
        calls.append(delivery.id)
        release.wait(PATIENCE_S)

    dispatcher = Dispatcher(outbox, {"t": handle}, lease_s=6.0, poll_s=0.05)
    dispatcher.start()
    wait_until(lambda: calls, "the handler")
    taken = outbox.all()[0].next_at
    wait_until(lambda: outbox.all()[0].next_at > taken, "the holder to keep what it has")
    release.set()
    wait_until(lambda: outbox.all()[0].state is DeliveryState.DONE, "the delivery")
    dispatcher.stop()
    assert len(calls) == 1


def test_a_delivery_of_several_steps_goes_on_at_the_failed_one(outbox):
    outbox.enqueue("t", "one", {})
    steps: list[str] = []

    def handle(delivery, progress):
        if "number" not in delivery.progress:
            steps.append("submit")
            progress.save({"number": 17})
            raise DeliveryError("the line broke")
        steps.append(f"finish {delivery.progress['number']}")

    Dispatcher(outbox, {"t": handle}, retry=AT_ONCE).run_due()
    assert steps == ["submit", "finish 17"]


def test_many_dispatchers_share_the_work_and_make_nothing_twice(store, outbox):
    with store.write() as connection:
        for number in range(60):
            enqueue(connection, "t", str(number), {}, lane=f"lane {number % 7}")
    made: list[int] = []
    lock = threading.Lock()

    def handle(delivery, _):
        time.sleep(0.002)
        with lock:
            made.append(int(delivery.key))

    dispatchers = [Dispatcher(outbox, {"t": handle}, poll_s=0.02) for _ in range(4)]
    for dispatcher in dispatchers:
        dispatcher.start()
    wait_until(lambda: outbox.counts() == {("t", DeliveryState.DONE): 60}, "all deliveries")
    for dispatcher in dispatchers:
        dispatcher.stop()
    assert sorted(made) == list(range(60))
    for lane in range(7):
        assert [number for number in made if number % 7 == lane] == list(range(lane, 60, 7))


_KILLED = """
import sys, time
from tutela.foundation.outbox.worker import Dispatcher
from tutela.foundation.outbox.service import Outbox
from tutela.foundation.store.database import Store
out = open(sys.argv[2], "a", buffering=1)
def handle(delivery, progress):
    step = delivery.progress.get("step", 0)
    while step < 3:
        out.write(f"{delivery.key} {step}\\n")
        step += 1
        progress.save({"step": step})
outbox = Outbox(Store.open(sys.argv[1]))
print("up", flush=True)
Dispatcher(outbox, {"t": handle}, lease_s=0.3, poll_s=0.01, concurrency=2).start()
time.sleep(600)
"""


@pytest.mark.slow
def test_nothing_is_lost_and_no_step_is_forgotten_when_dispatchers_are_killed(database, tmp_path):
    store = Store.create(database)
    outbox, journal, rng = Outbox(store), tmp_path / "made", random.Random(7)
    for number in range(40):
        outbox.enqueue("t", str(number), {})
    done, kills = {("t", DeliveryState.DONE): 40}, 0
    while outbox.counts() != done:
        process = start_python(_KILLED, database, str(journal), stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        if kills < 6:
            time.sleep(rng.random() * 0.25)
        else:
            wait_until(lambda: outbox.counts() == done, "everything is delivered")
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        kills += 1
        assert kills < 60
    store.close()
    made = Counter(journal.read_text().splitlines())
    assert set(made) == {f"{number} {step}" for number in range(40) for step in range(3)}
    # Only a step that a kill fell into is made twice: at most one for each of two threads.
    assert sum(count - 1 for count in made.values()) <= 2 * kills


def test_what_was_delivered_keeps_its_key_and_nothing_that_it_said(outbox):
    def handler(delivery, progress):
        progress.save({"step": "names somebody"})
        if delivery.key != "done":
            raise DeliveryError("names nobody")

    for key in ("done", "waiting"):
        outbox.enqueue("t", key, {"to": ["an account"]})
    Dispatcher(outbox, {"t": handler}).run_due()
    done, waiting = outbox.all()
    assert (done.state, done.payload, done.progress) == (DeliveryState.DONE, {}, {})
    assert (waiting.payload, waiting.progress) == ({"to": ["an account"]}, {"step": "names somebody"})
    assert not outbox.enqueue("t", "done", {"to": ["an account"]})


# --- webhooks


class Receiver(ThreadingHTTPServer):
    """A platform's receiver: keeps what it was sent, and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiving)
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class _Receiving(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.messages.append((dict(self.headers), body))
        status, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    with serving(Receiver()) as receiver:
        yield receiver


def one_endpoint(url: str) -> Webhooks:
    return Webhooks([Endpoint("p", url, [SECRET])])


def test_an_event_reaches_every_endpoint_that_wants_it_signed_and_once(store, outbox):
    with receiving() as receiver:
        webhooks = Webhooks(
            [
                Endpoint("all", receiver.url, [SECRET]),
                Endpoint("some", receiver.url, [SECRET], frozenset({"case.decided"})),
                Endpoint("none", receiver.url, [SECRET], frozenset({"other"})),
            ]
        )
        with store.write() as connection:
            assert webhooks.announce(connection, "case.decided", "e1", {"case": "c1"}) == 2
            webhooks.announce(connection, "case.decided", "e1", {"case": "c1"})
        assert Dispatcher(outbox, {TOPIC: webhooks.deliver}).run_due() == 2
        webhooks.close()
        assert {verify([SECRET], headers, body) for headers, body in receiver.messages} == {"e1/all", "e1/some"}
        message = json.loads(receiver.messages[0][1])
        assert (message["type"], message["data"]) == ("case.decided", {"case": "c1"})
        assert datetime.fromisoformat(message["timestamp"]).tzinfo is not None


TOLD_BY = {"announce", "tell", "_tell", "alarm", "_alarming", "warn", "_change"}
"""Functions that are told the type of an event."""
EVENT = re.compile(r"[a-z]+\.[a-z-]+")


def events_told() -> Iterator[str]:
    """Every event type that the code names where it tells of one."""
    for path in (ROOT / "tutela").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in TOLD_BY:
                continue
            for argument in node.args:
                constants = (each.value for each in ast.walk(argument) if isinstance(each, ast.Constant))
                yield from (each for each in constants if isinstance(each, str) and EVENT.fullmatch(each))


def test_every_event_that_is_told_can_be_wanted_and_is_described():
    told = {*events_told(), *Change, DONE, FAILED, *(f"effect.{effect.value}" for effect in Effect)}
    told |= {f"appeal.{state.value}" for state in AppealState if state is not AppealState.OPEN}
    told |= {"dns.policy-lost", "dns.policy-applied"}  # of which one is chosen before it is told
    assert told == EVENT_TYPES
    page = (ROOT / "docs" / "rooms" / "outbox.md").read_text()
    assert {event for event in EVENT_TYPES if f"`{event}`" not in page} == set()


def test_a_repetition_has_the_same_id_and_a_new_time(store, outbox):
    with receiving() as receiver:
        receiver.answers = [(503, {}), (204, {})]
        first_at = int(time.time()) - 100
        clock = iter([first_at, first_at + 100])
        webhooks = Webhooks([Endpoint("p", receiver.url, [SECRET])], clock=lambda: next(clock))
        with store.write() as connection:
            webhooks.announce(connection, "t", "e", {})
        Dispatcher(outbox, {TOPIC: webhooks.deliver}, retry=AT_ONCE).run_due()
        webhooks.close()
        (first, body), (second, again) = receiver.messages
        assert body == again
        assert first["webhook-id"] == second["webhook-id"] == "e/p"
        assert (first["webhook-timestamp"], second["webhook-timestamp"]) == (str(first_at), str(first_at + 100))
        verify([SECRET], second, again)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(outbox, status):
    with receiving() as elsewhere, receiving() as receiver:
        receiver.answers = [(status, {"location": elsewhere.url})]
        outbox.enqueue(TOPIC, "k", {"endpoint": "p", "type": "t", "timestamp": "", "data": {}})
        Dispatcher(outbox, {TOPIC: one_endpoint(receiver.url).deliver}).run_due()
        assert elsewhere.messages == []
        assert outbox.all()[0].state is DeliveryState.PENDING


def test_an_endpoint_that_is_gone_is_not_tried_again_and_an_unknown_one_waits(outbox):
    with receiving() as receiver:
        receiver.answers = [(410, {})]
        for name in ("p", "unknown"):
            outbox.enqueue(TOPIC, name, {"endpoint": name, "type": "t", "timestamp": "", "data": {}})
        Dispatcher(outbox, {TOPIC: one_endpoint(receiver.url).deliver}).run_due()
    assert {one.key: one.state for one in outbox.all()} == {"p": DeliveryState.DEAD, "unknown": DeliveryState.PENDING}


@pytest.mark.parametrize("form", ["120", "date"])
def test_retry_after_is_obeyed(outbox, form):
    value = (
        form if form != "date" else (datetime.now(UTC) + timedelta(seconds=600)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    )
    with receiving() as receiver:
        receiver.answers = [(429, {"retry-after": value})]
        outbox.enqueue(TOPIC, "k", {"endpoint": "p", "type": "t", "timestamp": "", "data": {}})
        Dispatcher(outbox, {TOPIC: one_endpoint(receiver.url).deliver}, retry=Retry(first_s=0.0)).run_due()
    assert outbox.all()[0].next_at > datetime.now(UTC) + timedelta(seconds=60)


def test_the_signature_is_that_of_the_published_scheme():
    """Built here from the words of the specification, not from our code."""
    text = b"msg_1.1700000000." + b'{"a":1}'
    expected = base64.b64encode(hmac.new(SECRET, text, hashlib.sha256).digest()).decode()
    signature = signed_headers([SECRET], "msg_1", 1700000000, b'{"a":1}')["webhook-signature"]
    assert signature == f"v1,{expected}"


@given(st.text(max_size=64), st.data())
def test_any_change_of_a_message_is_noticed(text, data):
    body, at = text.encode(), int(time.time())
    headers = signed_headers([SECRET], "id-1", at, body)
    assert verify([SECRET], headers, body) == "id-1"
    broken = dict(headers)
    name = data.draw(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "body"]))
    if name == "body":
        body += data.draw(st.binary(min_size=1, max_size=3))
    elif name == "webhook-timestamp":
        broken[name] = data.draw(st.sampled_from([str(at + 1), f"{at}.5", f"0{at}.0", f"{at:_}", ""]))
    else:
        broken[name] = data.draw(st.text(max_size=60).filter(lambda text: headers[name] not in text.split(" ")))
    with pytest.raises(SignatureError):
        verify([SECRET], broken, body)


def test_an_old_message_is_refused_and_a_former_secret_counts_while_secrets_change():
    now, both = int(time.time()), [b"n" * 32, SECRET]
    headers = signed_headers(both, "id-1", now - 200, b"x")
    assert verify([SECRET], headers, b"x") == "id-1"
    assert verify([b"n" * 32], headers, b"x") == "id-1"
    for moment in (now - 400, now + 400):
        with pytest.raises(SignatureError):
            verify([SECRET], signed_headers(both, "id-1", moment, b"x"), b"x")
    with pytest.raises(SignatureError):
        verify([b"other" * 6], headers, b"x")


@pytest.mark.parametrize(
    "url",
    [
        "http://platform.example/hook",
        "ftp://platform.example/",
        "https://",
        "https://user:pass@platform.example/",
        "https://platform.example/#part",
        "file:///etc/passwd",
        "//platform.example",
    ],
)
def test_an_address_that_is_not_safe_to_send_to_is_refused(url):
    with pytest.raises(InputError):
        Endpoint("p", url, [SECRET])


def test_secrets_are_long_and_are_not_shown():
    assert len(read_secret(new_secret())) == 32
    for text in ("", "whsec_", "whsec_AAAA", new_secret().removeprefix("whsec_"), "whsec_" + "!" * 44):
        with pytest.raises(InputError):
            read_secret(text)
    assert repr(SECRET) not in repr(Endpoint("p", "https://p.example", [SECRET]))


@pytest.mark.slow
def test_the_command_line_lists_and_retries(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    store = Store.create(f"sqlite:///{home / 'tutela.db'}")
    outbox = Outbox(store)
    outbox.enqueue(TOPIC, "event-1/p", {"endpoint": "p", "type": "t", "timestamp": "", "data": {}})

    def tutela(*arguments: str, **environment: str) -> Ended:
        return run_tutela(["--home", str(home), "outbox", *arguments], env=os.environ | environment)

    with receiving() as receiver:
        receiver.answers = [(410, {})]
        secret = new_secret()
        webhooks = json.dumps({"p": {"url": receiver.url, "secrets": [secret]}})
        assert tutela("run", TUTELA_WEBHOOKS=webhooks).stdout == "1 tried\n"
        assert "event-1/p" in tutela("list", "--state", "dead").stdout
        assert tutela("retry", "1").returncode == 0
        assert tutela("retry", "1").returncode == 2
        assert tutela("run", TUTELA_WEBHOOKS=webhooks).stdout == "1 tried\n"
        headers, body = receiver.messages[-1]
        assert verify([read_secret(secret)], headers, body) == "event-1/p"
    assert outbox.all()[0].state is DeliveryState.DONE
    assert tutela("list", "--state", "no").returncode == 2
    refused = tutela("run", TUTELA_WEBHOOKS=json.dumps({"p": {"url": "http://far.example", "secrets": [secret]}}))
    assert refused.returncode == 2
    assert "https" in refused.stderr
    store.close()
