"""The same act through every door – HTTP, console, command line – leaves the same rows, with all that follows from it,
and exactly one row of it in the audit log."""

import contextlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select, update
from starlette.testclient import TestClient
from typer.testing import CliRunner

from tests.support.held_items import a_held_verdict
from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.casework.audit.log import AuditLog
from tutela.casework.audit.verification import verify_log
from tutela.casework.evidence.seal import ReviewKey, new_identity
from tutela.cli.commands import app as command_line
from tutela.cli.state import actor
from tutela.console.app import create_console
from tutela.console.options import ConsoleOptions
from tutela.console.people import People
from tutela.console.roles import Role
from tutela.console.service import Console
from tutela.console.sessions import Session, Sessions
from tutela.content.signals.registry import signal_type
from tutela.deployment.casework import opened_casework
from tutela.deployment.settings import Settings, load_settings
from tutela.foundation.outbox.webhooks import new_secret
from tutela.foundation.store.database import Store
from tutela.foundation.store.reports_tables import report
from tutela.foundation.store.tables import metadata
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.lists.exchanges.service import Exchanges, Giving

ORIGIN = "https://console.test"
SECRET, PUBLIC = new_identity()
ENVIRONMENT = {
    "TUTELA_DECODERS": "1",
    "TUTELA_EVIDENCE": json.dumps({"recipients": [PUBLIC]}),
    "TUTELA_WEBHOOKS": json.dumps({"platform": {"url": "https://platform.example/hook", "secrets": [new_secret()]}}),
    "TUTELA_CASES": json.dumps({"alarm_mail": ["lead@example.org"], "callback": True}),
    "TUTELA_REPORTS": json.dumps({"organisation": {"name": "Example"}, "at_match": ["known"]}),
}
"""An operator who has everything: whatever can follow a decision follows it."""
WHO_IS_SIGNED_IN = {"console_session"}


# --- one home, and the doors to copies of it


@dataclass(frozen=True)
class Held:
    """A home in which two uploads of nearly the same picture are held, and who may come in."""

    home: Path
    review_key: Path
    api_key: str
    person: str
    first: str
    """The case of the one upload."""
    known: str
    """All its rows: an id that is not in them was made by an act."""


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    folder = tmp_path_factory.mktemp("doors")
    key = folder / "review.key"
    key.write_text(SECRET)
    with _environment(), _settings(folder / "home").open() as deployment:
        deployment.banks.create("known", policy=Policy(Action.BLOCK), label="A1", actor="test")
        Exchanges(deployment.banks).add(
            "hotline", "files", "known", {"path": "/list.csv"}, giving=Giving(feedback=True), actor="test"
        )
        value = signal_type("pdq").parse("ab" * 32)
        deployment.banks.add("known", [NewEntry("pdq", value, "exchange:hotline", "ref-1")], actor="test")
        (entry,) = deployment.banks.find("pdq", value)
        custody = deployment.casework.custody
        assert custody is not None
        cases = [
            custody.keep(b"benign", a_held_verdict(name, name, entry_id=entry.id, digest="cd" * 32)).case_id
            for name in ("one", "two")
        ]
        api_key = Keys(deployment.store).create("site", [Scope.ADMIN], by="test")[1]
        person = People(deployment.store).add("Ada", list(Role), by="test").id
        known = "".join(_rows(deployment.store))
    return Held(folder / "home", key, api_key, person, cases[0], known)


class Door:
    """A way in, over a copy of the home. Each method is one act."""

    actor: str
    session: Session

    def __init__(self, held: Held, home: Path) -> None:
        self.held, self.home = held, home

    def claim(self, case: str) -> None:
        raise NotImplementedError

    def release(self, case: str) -> None:
        raise NotImplementedError

    def decide(self, case: str, outcome: str, label: str | None) -> None:
        raise NotImplementedError

    def decide_similar(self, case: str, outcome: str, label: str | None) -> None:
        raise NotImplementedError

    def reopen(self, case: str) -> None:
        raise NotImplementedError

    def resume(self, report: str) -> None:
        raise NotImplementedError

    def retract(self, report: str) -> None:
        raise NotImplementedError

    def register(self) -> None:
        raise NotImplementedError

    def answer(self, notice: str) -> None:
        raise NotImplementedError

    def withdraw(self, notice: str) -> None:
        raise NotImplementedError


class Http(Door):
    """The HTTP service, with a key."""

    @contextlib.contextmanager
    def open(self) -> Iterator["Http"]:
        with _settings(self.home).open() as deployment:
            self.actor = f"key:{self.held.api_key.split('_')[1]}"
            headers = {"Authorization": f"Bearer {self.held.api_key}"}
            self.client = TestClient(create_app(deployment), headers=headers)
            yield self

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = self.client.request(method, f"/v1/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def _items(self, case: str) -> list[int]:
        return [item["id"] for item in self._send("GET", f"cases/{case}")["items"]]

    def claim(self, case: str) -> None:
        self._send("POST", f"cases/{case}/claim")

    def release(self, case: str) -> None:
        self._send("DELETE", f"cases/{case}/claim")

    def decide(self, case: str, outcome: str, label: str | None) -> None:
        body = {"outcome": outcome, "label": label, "reason": "why", "items": self._items(case)}
        self._send("POST", f"cases/{case}/decision", body)

    def decide_similar(self, case: str, outcome: str, label: str | None) -> None:
        items = [item["id"] for item in self._send("GET", f"cases/{case}/similar")]
        body = {"outcome": outcome, "label": label, "reason": "why", "items": items}
        assert self._send("POST", f"cases/{case}/similar/decision", body)["left"] == []

    def reopen(self, case: str) -> None:
        self._send("POST", f"cases/{case}/reopening", {"reason": "why"})

    def resume(self, report: str) -> None:
        self._send("POST", f"reports/{report}/resume")

    def retract(self, report: str) -> None:
        self._send("POST", f"reports/{report}/retract", {"reason": "why"})

    def register(self) -> None:
        targets = [{"kind": "url", "value": "https://site.example/1"}]
        body = {"authority": "Ofcom", "reference": "R-1", "within": "24h", "targets": targets}
        self._send("POST", "notices", body)

    def answer(self, notice: str) -> None:
        self._send("POST", f"notices/{notice}/answer", {"outcomes": {"0": "removed"}, "text": "gone"})

    def withdraw(self, notice: str) -> None:
        self._send("POST", f"notices/{notice}/withdraw", {"reason": "why"})


class Pages(Door):
    """The console, with a person."""

    @contextlib.contextmanager
    def open(self) -> Iterator["Pages"]:
        # Without the worker that files reports: it would write its own rows meanwhile.
        with (
            opened_casework(self.home, None, _settings(self.home).casework, ReviewKey(SECRET)) as casework,
            contextlib.closing(Console(casework, self.home, ConsoleOptions(origin=ORIGIN))) as console,
        ):
            self.actor, self.csrf = self.session.person.actor, self.session.csrf
            self.client = TestClient(
                create_console(console), base_url=ORIGIN, headers={"origin": ORIGIN}, follow_redirects=False
            )
            self.client.cookies.set("__Host-tutela", self.session.token or "")
            self.cases = console.cases
            yield self

    def _send(self, path: str, **fields: object) -> None:
        answer = self.client.post(path, data={"csrf": self.csrf} | fields)
        assert answer.status_code == 303, answer.text

    def claim(self, case: str) -> None:
        self._send(f"/cases/{case}/claim")

    def release(self, case: str) -> None:
        self._send(f"/cases/{case}/release")

    def decide(self, case: str, outcome: str, label: str | None) -> None:
        self._send(f"/cases/{case}/decide", outcome=outcome, label=label or "", reason="why")

    def decide_similar(self, case: str, outcome: str, label: str | None) -> None:
        items = [str(item.id) for item in self.cases.similar(case)]
        self._send(f"/cases/{case}/similar", outcome=outcome, label=label or "", reason="why", item=items)

    def reopen(self, case: str) -> None:
        self._send(f"/cases/{case}/reopen", reason="why")

    def file(self, case: str) -> None:
        self._send(f"/reports/{case}", read="yes")

    def resume(self, report: str) -> None:
        self._send(f"/filings/{report}/resume")

    def retract(self, report: str) -> None:
        self._send(f"/filings/{report}/retract", reason="why")

    def register(self) -> None:
        fields = {"authority": "Ofcom", "reference": "R-1", "clock": "24h", "kind": "url"}
        self._send("/notices", targets="https://site.example/1", **fields)

    def answer(self, notice: str) -> None:
        self._send(f"/notices/{notice}/answer", **{"target-0": "removed", "text": "gone"})

    def withdraw(self, notice: str) -> None:
        self._send(f"/notices/{notice}/withdraw", reason="why")


class Shell(Door):
    """The command line."""

    @contextlib.contextmanager
    def open(self) -> Iterator["Shell"]:
        self.actor = actor()
        yield self

    def _run(self, *arguments: str) -> None:
        done = CliRunner().invoke(command_line, ["--home", str(self.home), *arguments])
        assert done.exit_code == 0, (arguments, done.output, done.exception)

    def claim(self, case: str) -> None:
        self._run("case", "claim", case)

    def release(self, case: str) -> None:
        self._run("case", "release", case)

    def decide(self, case: str, outcome: str, label: str | None) -> None:
        self._run("case", "decide", case, outcome, "--reason", "why", *(["--label", label] if label else []))

    def decide_similar(self, case: str, outcome: str, label: str | None) -> None:
        self._run("case", "decide-similar", case, outcome, "--reason", "why", *(["--label", label] if label else []))

    def reopen(self, case: str) -> None:
        self._run("case", "reopen", case, "--reason", "why")

    def file(self, case: str) -> None:
        self._run("report", "file", case, "--key", str(self.held.review_key))

    def resume(self, report: str) -> None:
        self._run("report", "resume", report)

    def retract(self, report: str) -> None:
        self._run("report", "retract", report, "--reason", "why")

    def register(self) -> None:
        target = "url=https://site.example/1"
        self._run("notice", "add", "--authority", "Ofcom", "--reference", "R-1", "--within", "24h", "--target", target)

    def answer(self, notice: str) -> None:
        self._run("notice", "answer", notice, "--outcome", "0=removed", "--text", "gone")

    def withdraw(self, notice: str) -> None:
        self._run("notice", "withdraw", notice, "--reason", "why")


Act = Callable[[Any, Held], None]
CASES: Sequence[tuple[str, Act, Mapping[str, int]]] = (
    ("claim", lambda door, held: door.claim(held.first), {"case.claimed": 1}),
    ("release", lambda door, held: door.release(held.first), {"case.released": 1}),
    (
        "reject",
        lambda door, held: door.decide(held.first, "reject", None),
        {"case.decision": 1, "case.decided": 1, "evidence.kept": 1},
    ),
    ("reopen", lambda door, held: door.reopen(held.first), {"case.reopened": 1, "evidence.kept": 1}),
    (
        "confirm",
        lambda door, held: door.decide(held.first, "confirm", "A1"),
        {"case.decision": 1, "case.decided": 1},
    ),
    (
        "decide of what is similar",
        lambda door, held: door.decide_similar(held.first, "reject", None),
        {"case.decision": 1, "case.decided": 1, "evidence.kept": 1},
    ),
)
"""An act, and the rows that it leaves in the audit log: each exactly so often."""
REPORTS: Sequence[tuple[str, Act, Mapping[str, int]]] = (
    ("resume", lambda door, held: door.resume(_report(door)), {"report.resumed": 1}),
    ("retract", lambda door, held: door.retract(_report(door)), {"report.to-be-retracted": 1}),
    ("register a notice", lambda door, held: door.register(), {"notice.received": 1}),
    ("answer it", lambda door, held: door.answer(_notice(door)), {"notice.answered": 1}),
)


@pytest.mark.slow
def test_what_a_decision_leaves_is_the_same_through_every_door(held, tmp_path):
    left = {}
    for kind in (Http, Pages, Shell):
        with _environment(), _door(kind, held, tmp_path) as door:
            left[kind.__name__] = [_left_by(door, act, held, name, rows) for name, act, rows in CASES]
            left[kind.__name__] += _left_of_reports(door, held)
    http, pages, shell = left["Http"], left["Pages"], left["Shell"]
    for number, (name, _, _) in enumerate((*CASES, *REPORTS)):
        assert pages[number] == http[number], name
        assert shell[number] == http[number], name
    rejected = http[2]
    topics = {row["topic"] for table, row in map(json.loads, rejected) if table == "outbox"}
    assert topics == {"webhook", "effect", "exchange.feedback", "report.rejected"}, "all that can follow has followed"


def test_filing_is_the_same_in_the_console_and_on_the_command_line(held, tmp_path):
    left = []
    for kind in (Pages, Shell):
        with _environment(), _door(kind, held, tmp_path) as door:
            door.decide(held.first, "confirm", "A1")
            rows = {"evidence.opened": 2, "report.added": 1}
            left.append(_left_by(door, lambda door, held: door.file(held.first), held, "file", rows))
    pages, shell = left
    # The purpose that evidence is opened for says which door it was.
    assert _without_purpose(pages) == _without_purpose(shell)


def _left_of_reports(door: Door, held: Held) -> list[Counter[str]]:
    with _store(door) as store:
        with opened_casework(door.home, None, _settings(door.home).casework, ReviewKey(SECRET)) as casework:
            draft = casework.desk().preview(held.first, casework.evidence("test", "test"))
            casework.desk().file(held.first, draft, actor="test")
        with store.write() as connection:
            connection.execute(update(report).values(state="attention", stuck_in="open", number=7))
    return [_left_by(door, act, held, name, rows) for name, act, rows in REPORTS]


# --- what an act leaves


def _left_by(door: Door, act: Act, held: Held, name: str, audited: Mapping[str, int]) -> Counter[str]:
    """Every row that the act wrote or changed, in every table, without what tells one run from another."""
    with _store(door) as store:
        before = _rows(store)
        act(door, held)
        after = _rows(store)
        found = Counter(json.loads(row)[1]["action"] for row in after - before if json.loads(row)[0] == "audit")
        assert verify_log(AuditLog(store)).faults == ()
    wanted = Counter(audited)
    assert found == wanted, (type(door).__name__, name)
    return Counter(_plain(row, door.actor, held.known) for row in (after - before).elements())


def _rows(store: Store) -> Counter[str]:
    found: Counter[str] = Counter()
    with store.read() as connection:
        for table in metadata.sorted_tables:
            if table.name not in WHO_IS_SIGNED_IN:
                found.update(json.dumps([table.name, _fields(row)]) for row in connection.execute(select(table)))
    return found


def _fields(row: Row[Any]) -> dict[str, Any]:
    """A row without its times, and without what is hashed or sealed over them."""
    return {
        name: value if isinstance(value, str | int | float | None) else json.dumps(value, default=str, sort_keys=True)
        for name, value in row._mapping.items()
        if name not in ("at", "until", "chain", "frontier", "sealed") and not name.endswith(("_at", "_until"))
    }


def _plain(row: str, actor: str, known: str) -> str:
    text = row.replace(actor, "ACTOR")
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00)?", "TIME", text)
    text = re.sub(r"\b1\d{15}\b", "MICROSECONDS", text)
    text = re.sub(r"after_s\\*\":[\d.e-]+", "AFTER", text)
    return re.sub(r"[0-9a-f]{32,64}", lambda found: found[0] if found[0] in known else "FRESH", text)


def _without_purpose(rows: Counter[str]) -> Counter[str]:
    return Counter(re.sub(r'purpose\\*": ?\\*"[^"\\]*', "PURPOSE", row) for row in rows.elements())


# --- opening


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


def _settings(home: Path) -> Settings:
    return load_settings(home=home)


@contextlib.contextmanager
def _door(kind: type[Any], held: Held, folder: Path) -> Iterator[Any]:
    home = folder / kind.__name__
    shutil.copytree(held.home, home)
    door = kind(held, home)
    with _store(door) as store:
        # Signed in at every door, so that the log is as long behind each.
        people = People(store)
        door.session = Sessions(store, people).begin(people.get(held.person), "test")
    with door.open():
        yield door


@contextlib.contextmanager
def _store(door: Door) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{door.home / 'tutela.db'}")
    try:
        yield store
    finally:
        store.close()


def _report(door: Door) -> str:
    return _id_in(door, "report")


def _notice(door: Door) -> str:
    return _id_in(door, "notice")


def _id_in(door: Door, table: str) -> str:
    with _store(door) as store, store.read() as connection:
        return str(connection.execute(select(metadata.tables[table].c.id)).scalar_one())
