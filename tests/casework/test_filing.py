"""Filing reports: each step is durable before the next, none counts twice, none is lost, and clocks are watched."""

import dataclasses
import hashlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support.effort import effort
from tests.support.filing_worker import Named, Unsealed
from tests.support.forked import Forking
from tests.support.standins.cybertipline import DAY_S, Account, CyberTiplineStandIn
from tests.support.tipline_reports import draft
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.casework.reports import decisions
from tutela.casework.reports.alarms import AlarmKind, alarms
from tutela.casework.reports.cybertipline.client import CyberTipline
from tutela.casework.reports.cybertipline.environment import Environment
from tutela.casework.reports.filer import Filer
from tutela.casework.reports.ledger import Ledger
from tutela.casework.reports.model import FileState, Filing, FilingState, OvertakenError
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.store.database import Store

ROOT = Path(__file__).parents[2]
KILLS = effort(6, 200)
"""How often a filing process is killed while it files."""


class Clock:
    """One clock for the ledger and the service."""

    def __init__(self) -> None:
        self.seconds = 1_790_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def microseconds(self) -> int:
        return int(self.seconds * 1e6)


class Cutting(httpx.BaseTransport):
    """A network that loses answers: the request arrived, and nobody learns what came of it."""

    def __init__(self) -> None:
        self._network = httpx.HTTPTransport()
        self.lose: list[str] = []
        self.during: Callable[[str], None] = lambda _: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        call = request.url.path.rsplit("/", 1)[1]
        response = self._network.handle_request(request)
        self.during(call)
        if call in self.lose:
            self.lose.remove(call)
            response.read()
            raise httpx.ReadError("cut", request=request)
        return response


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ncmec(cybertipline: tuple[CyberTiplineStandIn, str], clock: Clock) -> CyberTiplineStandIn:
    cybertipline[0].reset(clock)
    return cybertipline[0]


@pytest.fixture
def network() -> Cutting:
    return Cutting()


@pytest.fixture
def ledger(store: Store, clock: Clock) -> Ledger:
    return Ledger(store, Unsealed(), clock.microseconds)


@pytest.fixture
def filer(
    ledger: Ledger, ncmec: CyberTiplineStandIn, cybertipline: tuple[CyberTiplineStandIn, str], network: Cutting
) -> Filer:
    return Filer(ledger, CyberTipline("esp", "secret", address=cybertipline[1], transport=network), Named())


def added(ledger: Ledger, *evidence: str, key: str = "case:1") -> str:
    return ledger.add(key, draft(*evidence), environment="test", actor="me", case_id="1").id


def later(ledger: Ledger, filer: Filer, clock: Clock, filing_id: str) -> Filing:
    """Try again after the waits."""
    for _ in range(10):
        clock.seconds += 3600
        filing = filer.advance(filing_id)
        if filing.state in (FilingState.FINISHED, FilingState.ATTENTION, FilingState.RETRACTED):
            break
    return filing


def test_a_report_that_was_held_or_put_off_while_a_clock_was_wrong_is_filed(ledger, clock):
    held, due = added(ledger, "one", key="case:1"), None
    clock.seconds += 100 * 86_400
    assert ledger.take(held, "gone", 900.0) is not None
    due = added(ledger, "two", key="case:2")
    assert ledger.due("test") == [due]
    clock.seconds -= 100 * 86_400
    assert sorted(ledger.due("test")) == sorted([held, due])
    assert ledger.take(held, "another", 900.0) is not None


# --- the way of a report


def test_a_report_with_files_is_filed_step_by_step(ledger, filer, ncmec):
    filing_id = added(ledger, "one", "two")
    filing = filer.advance(filing_id)
    assert filing.state is FilingState.FINISHED
    (report,) = ncmec.finished()
    assert filing.number == report.number
    assert [file.md5 for file in report.files] == [hashlib.md5(n).hexdigest() for n in (b"one", b"two")]
    assert [file.details.findtext("originalFileName") for file in report.files] == ["one", "two"]
    assert ncmec.calls == ["submit", "upload", "upload", "fileinfo", "fileinfo", "finish"]
    actions = [step.action for step in ledger.history(filing_id)]
    assert actions == ["added", "opening", "opened", *["uploaded"] * 2, *["described"] * 2, "finishing", "finished"]
    assert all("Request-ID" in step.detail for step in ledger.history(filing_id) if step.action == "uploaded")


def test_the_number_is_stored_before_the_next_step(ledger, filer, ncmec):
    filing_id, seen = added(ledger, "one"), []
    ncmec.before = lambda call: seen.append((call, ledger.get(filing_id).number, ledger.get(filing_id).state))
    filer.advance(filing_id)
    number = ncmec.finished()[0].number
    assert seen == [
        ("submit", None, FilingState.OPENING),
        ("upload", number, FilingState.OPEN),
        ("fileinfo", number, FilingState.OPEN),
        ("finish", number, FilingState.FINISHING),
    ]


def test_the_same_key_is_filed_once(ledger, filer, ncmec):
    assert added(ledger, "one") == added(ledger, "another")
    filer.run_due()
    assert added(ledger, "third") == ledger.of_key("case:1").id
    filer.run_due()
    assert len(ncmec.finished()) == 1


def test_what_a_report_says_is_stored_sealed(store, clock):
    class Reversed:
        def seal(self, plain: bytes) -> bytes:
            return plain[::-1]

        def unseal(self, sealed: bytes) -> bytes:
            return sealed[::-1]

    ledger = Ledger(store, Reversed(), clock.microseconds)
    filing = ledger.add("k", draft("one", mark="somebody's address"), environment="test", actor="me")
    assert ledger.draft(filing.id).report.additional_info == "somebody's address"
    with store.read() as connection:
        raw = repr([tuple(row) for row in connection.exec_driver_sql("SELECT * FROM report")])
    assert "somebody" not in raw
    assert "ydobemos" in raw


def test_a_draft_that_would_be_refused_is_not_added(ledger):
    with pytest.raises(InputError, match="blank"):
        ledger.add("k", draft(mark=" "), environment="test", actor="me")
    with pytest.raises(InputError, match="key"):
        ledger.add("", draft(), environment="test", actor="me")
    with pytest.raises(NotFoundError):
        ledger.get("nothing")


def test_a_report_for_production_is_not_filed_with_the_test_server(ledger, filer, ncmec):
    filing = ledger.add("k", draft(), environment=Environment.PRODUCTION, actor="me")
    assert filer.run_due() == 0
    with pytest.raises(InputError, match="production"):
        filer.advance(filing.id)
    assert ncmec.calls == []


# --- answers that are lost


@pytest.mark.parametrize("call", ["submit", "upload", "fileinfo", "finish"])
def test_a_lost_answer_files_no_second_report(ledger, filer, network, ncmec, clock, call):
    filing_id = added(ledger, "one", "two")
    network.lose = [call]
    assert filer.advance(filing_id).state is not FilingState.FINISHED
    filing = later(ledger, filer, clock, filing_id)
    assert filing.state is FilingState.FINISHED
    (report,) = ncmec.finished()
    assert report.number == filing.number
    assert [file.length for file in report.files] == [3, 3], "each file is there once"
    assert all(file.details is not None for file in report.files)


def test_after_a_lost_upload_the_report_is_retracted_and_opened_anew(ledger, filer, network, ncmec, clock):
    filing_id = added(ledger, "one")
    network.lose = ["upload"]
    filer.advance(filing_id)
    assert ledger.get(filing_id).files[0].state is FileState.SENDING
    later(ledger, filer, clock, filing_id)
    assert sorted(report.state for report in ncmec.reports.values()) == ["finished", "retracted"]


def test_an_upload_that_is_lost_again_and_again_is_sent_once_more_instead_of_never(
    ledger, filer, network, ncmec, clock
):
    filing_id = added(ledger, "one")
    network.lose = ["upload"] * 4
    filing = later(ledger, filer, clock, filing_id)
    while filing.state is not FilingState.FINISHED:
        filing = later(ledger, filer, clock, filing_id)
    (report,) = ncmec.finished()
    assert [file.md5 for file in report.files] == [hashlib.md5(b"one").hexdigest()] * 2
    assert "1 more copies" in ledger.history(filing_id)[-1].detail


def test_a_file_that_arrives_damaged_is_sent_anew(ledger, filer, ncmec, clock):
    damaged = dataclasses.replace(draft("one").files[0], md5="0" * 32)
    filing_id = ledger.add("k", draft().with_files((damaged,)), environment="test", actor="me").id
    filing = later(ledger, filer, clock, filing_id)
    assert filing.state is FilingState.ATTENTION
    assert "damaged" in str(filing.reason)
    assert ncmec.finished() == []


# --- refusals


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("call", ["submit", "upload", "fileinfo", "finish"])
@pytest.mark.parametrize("code", [1000, 1100, 1111, 1300])
def test_a_fault_of_the_server_is_tried_again_later(ledger, filer, ncmec, clock, call, code):
    filing_id = added(ledger, "one")
    ncmec.failures = [(call, code), (call, code)]
    filing = filer.advance(filing_id)
    assert filing.attempts == 1
    assert filing.due_at > filing.updated_at
    assert filer.run_due() == 0, "not before its time"
    assert later(ledger, filer, clock, filing_id).state is FilingState.FINISHED
    assert len(ncmec.finished()) == 1
    assert len(ncmec.finished()[0].files) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("call", ["submit", "upload", "fileinfo", "finish"])
@pytest.mark.parametrize("code", [2000, 3000, 4000, 4100, 4200])
def test_a_refusal_is_not_tried_again_until_a_person_says_so(ledger, filer, ncmec, clock, call, code):
    filing_id = added(ledger, "one")
    ncmec.failures = [(call, code)]
    filing = filer.advance(filing_id)
    assert filing.state is FilingState.ATTENTION
    assert str(code) in str(filing.reason)
    calls = list(ncmec.calls)
    clock.seconds += 3600
    assert filer.run_due() == 0
    assert ncmec.calls == calls
    assert [alarm.kind for alarm in alarms(ledger)] == [AlarmKind.NEEDS_A_PERSON]
    decisions.resume(ledger, filing_id, "me")
    assert later(ledger, filer, clock, filing_id).state is FilingState.FINISHED
    assert len(ncmec.finished()) == 1


def test_evidence_that_cannot_be_opened_needs_a_person(ledger, filer, ncmec):
    filing_id = added(ledger, "missing")
    filing = filer.advance(filing_id)
    assert filing.state is FilingState.ATTENTION
    assert "no evidence" in str(filing.reason)
    assert ncmec.finished() == []


def test_an_open_report_that_ncmec_deleted_is_opened_anew(ledger, filer, ncmec, clock):
    filing_id = added(ledger, "one")
    ncmec.failures = [("upload", 1000)]
    filer.advance(filing_id)
    clock.seconds += DAY_S + 1
    assert filer.advance(filing_id).state is FilingState.FINISHED
    assert len(ncmec.finished()) == 1


def test_a_report_that_was_to_be_finished_and_is_unknown_is_never_filed_again_by_itself(
    ledger, filer, network, ncmec, clock
):
    filing_id = added(ledger, "one")
    ncmec.failures = [("finish", 5001)]
    filing = filer.advance(filing_id)
    assert filing.state is FilingState.ATTENTION
    assert filing.stuck_in is FilingState.FINISHING
    with pytest.raises(ConflictError):
        decisions.amend(ledger, filing_id, draft("two"), "me", "other")
    # A person says that NCMEC does not have it; what is there is retracted first.
    decisions.refile(ledger, filing_id, "me", "NCMEC says that it is not there")
    assert later(ledger, filer, clock, filing_id).state is FilingState.FINISHED
    assert len(ncmec.finished()) == 1


def test_filing_anew_what_is_finished_after_all_is_refused(ledger, filer, network, ncmec, clock):
    filing_id = added(ledger, "one")
    network.lose = ["finish"]
    filer.advance(filing_id)
    ncmec.failures = [("finish", 5001)]
    clock.seconds += 3600
    assert filer.advance(filing_id).state is FilingState.ATTENTION
    decisions.refile(ledger, filing_id, "me", "a mistake")
    filing = later(ledger, filer, clock, filing_id)
    assert filing.state is FilingState.ATTENTION
    assert "5102" in str(filing.reason)
    decisions.confirm(ledger, filing_id, "me", "NCMEC has it")
    assert ledger.get(filing_id).state is FilingState.FINISHED
    assert len(ncmec.finished()) == 1


def test_an_account_that_may_not_update_leaves_an_open_report_with_an_alarm(ledger, filer, ncmec, clock):
    filing_id = added(ledger, "one")
    ncmec.accounts["esp"] = Account("secret", may_update=False)
    assert filer.advance(filing_id).state is FilingState.ATTENTION
    (alarm,) = alarms(ledger)
    assert alarm.deadline is not None
    assert alarm.number == ledger.get(filing_id).number


# --- what a person decides


def test_a_report_is_retracted_before_it_is_finished_and_not_after(ledger, filer, ncmec, clock):
    filing_id = added(ledger, "one")
    ncmec.failures = [("upload", 1000)]
    filer.advance(filing_id)
    decisions.retract(ledger, filing_id, "me", "a false match")
    assert filer.advance(filing_id).state is FilingState.RETRACTED
    assert [report.state for report in ncmec.reports.values()] == ["retracted"]
    second = added(ledger, "two", key="case:2")
    filer.advance(second)
    for decide in (decisions.retract, decisions.refile, decisions.confirm):
        with pytest.raises(ConflictError):
            decide(ledger, second, "me", "why")
    with pytest.raises(InputError, match="reason"):
        decisions.retract(ledger, second, "me", " ")


def test_retracting_what_was_never_opened_asks_nobody(ledger, filer, ncmec):
    filing_id = added(ledger)
    decisions.retract(ledger, filing_id, "me", "why")
    assert filer.advance(filing_id).state is FilingState.RETRACTED
    assert ncmec.calls == []


def test_retracting_while_it_is_opened_leaves_nothing_open(ledger, filer, network, ncmec):
    filing_id = added(ledger, "one")

    def decide(call: str) -> None:
        if call == "submit":
            decisions.retract(ledger, filing_id, "me", "why")

    network.during = decide
    filer.advance(filing_id)
    network.during = lambda _: None
    assert filer.advance(filing_id).state is FilingState.RETRACTED
    assert [report.state for report in ncmec.reports.values()] == ["retracted"]


def test_what_was_finished_before_it_could_be_retracted_is_finished(ledger, filer, network, ncmec, clock):
    filing_id = added(ledger, "one")
    network.lose = ["finish"]
    filer.advance(filing_id)
    with pytest.raises(ConflictError):
        decisions.retract(ledger, filing_id, "me", "why")
    ncmec.failures = [("finish", 4000)]
    clock.seconds += 3600
    filer.advance(filing_id)
    decisions.retract(ledger, filing_id, "me", "why")
    assert filer.advance(filing_id).state is FilingState.FINISHED


def test_an_amended_report_is_filed_as_it_says_now(ledger, filer, ncmec, clock):
    filing_id = added(ledger, "one")
    ncmec.failures = [("fileinfo", 4100)]
    assert filer.advance(filing_id).state is FilingState.ATTENTION
    decisions.amend(ledger, filing_id, draft("two", mark="corrected"), "me", "a wrong name")
    assert later(ledger, filer, clock, filing_id).state is FilingState.FINISHED
    (report,) = ncmec.finished()
    assert report.text("additionalInfo") == "corrected"
    assert [file.details.findtext("originalFileName") for file in report.files] == ["two"]
    assert "retracted" in [other.state for other in ncmec.reports.values()]


# --- one at a time


def test_whoever_was_overtaken_after_opening_takes_its_report_back(ledger, filer, network, ncmec, clock, cybertipline):
    """The first is so slow that a second one files the report meanwhile."""
    filing_id = added(ledger, "one")
    second = Filer(ledger, CyberTipline("esp", "secret", address=cybertipline[1]), Named())

    def overtake(call: str) -> None:
        if call == "submit":
            network.during = lambda _: None
            clock.seconds += 2000
            second.advance(filing_id)

    network.during = overtake
    assert filer.advance(filing_id).state is FilingState.FINISHED
    assert sorted(report.state for report in ncmec.reports.values()) == ["finished", "retracted"]
    assert ncmec.finished()[0].number == ledger.get(filing_id).number


def test_a_held_report_is_left_alone(ledger, filer, ncmec, clock):
    filing_id = added(ledger, "one")
    assert ledger.take(filing_id, "somebody", 60.0) is not None
    assert filer.run_due() == 0
    assert filer.advance(filing_id).state is FilingState.READY
    with pytest.raises(OvertakenError), ledger.change(ledger.get(filing_id), "another"):
        pytest.fail("a change by whoever does not hold it")
    clock.seconds += 61
    assert filer.run_due() == 1
    assert ledger.get(filing_id).state is FilingState.FINISHED


def test_many_filers_at_once_file_each_report_once(store, ncmec, cybertipline):
    ledger = Ledger(store, Unsealed())
    ncmec.clock = time.time
    for number in range(6):
        ledger.add(f"case:{number}", draft(f"file {number}", mark=f"case:{number}"), environment="test", actor="me")
    filers = [Filer(ledger, CyberTipline("esp", "secret", address=cybertipline[1]), Named()) for _ in range(4)]
    threads = [threading.Thread(target=filer.run_due) for filer in filers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(report.text("additionalInfo") for report in ncmec.finished()) == Counter(
        f"case:{number}" for number in range(6)
    )


def test_the_same_evidence_added_at_once_by_many_is_in_one_report(store):
    ledger = Ledger(store, Unsealed())
    outcomes: list[str] = []

    def add(number: int) -> None:
        try:
            outcomes.append(ledger.add(f"key {number}", draft("same"), environment="test", actor="me").id)
        except ConflictError:
            outcomes.append("refused")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("refused") == 7
    assert len(ledger.all()) == 1


# --- clocks


def test_clocks_are_watched(ledger, filer, ncmec, clock):
    filing_id = added(ledger, "one")
    ncmec.failures = [("upload", 1000)] * 30
    filer.advance(filing_id)
    assert alarms(ledger) == []
    clock.seconds += 18.5 * 3600
    (alarm,) = alarms(ledger)
    assert alarm.kind is AlarmKind.EXPIRES
    assert "5.5 hours" in alarm.message
    second = added(ledger, key="case:2")
    clock.seconds += 25 * 3600
    kinds = {alarm.filing_id: alarm.kind for alarm in alarms(ledger)}
    assert kinds == {filing_id: AlarmKind.EXPIRES, second: AlarmKind.OVERDUE}


# --- killed


class Trap:
    """Kills the filing process at a chosen call: before it is answered, or a moment after."""

    def __init__(self, ncmec: CyberTiplineStandIn, rng: random.Random) -> None:
        self._rng = rng
        self._lock = threading.Lock()
        self._left = 0
        self.child = 0
        self.calls: Counter[str] = Counter()
        ncmec.before = lambda call: self._pass("before", call)
        ncmec.after = lambda call: self._pass("after", call)

    def set(self, child: int) -> None:
        with self._lock:
            self.child, self._left = child, self._rng.randrange(1, 9)
            self._phase = self._rng.choice(["before", "after", "later"])

    def _pass(self, phase: str, call: str) -> None:
        with self._lock:
            if not self.child or phase != ("before" if self._phase == "before" else "after"):
                return
            self._left -= 1
            if self._left:
                return
            child, self.child = self.child, 0
            self.calls[f"{self._phase} {call}"] += 1
        if self._phase == "later":
            threading.Timer(self._rng.random() * 0.01, os.kill, (child, signal.SIGKILL)).start()
        else:
            os.kill(child, signal.SIGKILL)


def test_no_kill_files_a_report_twice_or_loses_one(database, tmp_path, ncmec, cybertipline):
    """SIGKILL at random moments of submit, upload, fileinfo and finish, and between an answer and its being stored."""
    store = Store.create(database)
    ledger = Ledger(store, Unsealed())
    ncmec.clock = time.time
    trap = Trap(ncmec, random.Random(7))
    reports = kills = 0
    with Forking(
        "tests.support.filing_worker", database, cybertipline[1], longest_s=PATIENCE_S + 10.0 * KILLS
    ) as worker:
        while kills < KILLS:
            while len(ledger.all(states=[FilingState.READY])) < 2:  # more calls than the trap lets pass
                mark = f"report {reports}"
                ledger.add(mark, draft(f"{mark} a", f"{mark} b", mark=mark), environment="test", actor="me")
                reports += 1
            trap.set(worker.start())
            worker.wait_killed()
            kills += any(
                filing.state is not FilingState.FINISHED for filing in ledger.all(limit=10_000)
            )  # it was at work
        worker.start()
        wait_until(
            lambda: len(ledger.all(states=[FilingState.FINISHED], limit=10_000)) == reports, "every report is finished"
        )
        worker.kill()
    finished = ncmec.finished()
    assert Counter(report.text("additionalInfo") for report in finished) == Counter(
        f"report {number}" for number in range(reports)
    )
    numbers = {filing.key: filing.number for filing in ledger.all(limit=10_000)}
    assert numbers == {report.text("additionalInfo"): report.number for report in finished}
    for report in finished:
        mark = report.text("additionalInfo")
        wanted = [hashlib.md5(f"{mark} {name}".encode()).hexdigest() for name in "ab"]
        assert set(wanted) == {file.md5 for file in report.files}
        described = {file.details.findtext("originalFileName") for file in report.files if file.details is not None}
        assert described == {f"{mark} a", f"{mark} b"}
    store.close()
    print(f"{kills} kills, {reports} reports filed, {dict(sorted(trap.calls.items()))}")
