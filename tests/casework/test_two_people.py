"""One person is not two: who decided of an item never completes its second review, by whatever door they come."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from typer.testing import CliRunner

from tests.support.console import Desk
from tests.support.held_items import a_held_verdict
from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.casework.cases.model import Case, CaseState
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.cases.policy import CasePolicy, Policies
from tutela.cli.commands import app as command_line
from tutela.console.people import Person
from tutela.console.roles import Role
from tutela.deployment.composition import compose_deployment
from tutela.errors import ConflictError
from tutela.foundation.store.case_tables import case_item
from tutela.lists.banks.model import NewEntry

DOORS = ("api", "another-key", "page", "another-session", "similar-page")


class Building:
    """Every door to the same cases, and one lead who goes through all of them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.desk = Desk(home)
        self.database = self.desk.store.url
        self.deployment = compose_deployment(home, database=self.database, decoders=1)
        self.deployment.banks.create("known", label="A1", actor="test")
        self.deployment.banks.add("known", [NewEntry("pdq", bytes(32), "s", "r")], actor="test")
        self.keys = Keys(self.desk.store)
        self.api = TestClient(create_app(self.deployment))
        self.lead = self.desk.console.people.add("Lee Lead", [Role.LEAD], by="test")
        self._count = itertools.count()

    def close(self) -> None:
        self.deployment.close()
        self.desk.close()

    def held(self) -> Case:
        """A new case, with another one that shows the same picture."""
        verdict = a_held_verdict(f"item-{next(self._count)}", f"uploader-{next(self._count)}")
        return self.desk.cases.get(self.desk.custody.keep(b"content", verdict).case_id)

    def says(self, door: str, person: Person, case: Case, outcome: Outcome) -> bool:
        """Whether the door takes what the person decides of the case."""
        label = "A1" if outcome is Outcome.CONFIRM else None
        if door in ("api", "another-key"):
            key = self.keys.create(door, [Scope.REVIEW, Scope.LEAD], person_id=person.id, by="test")[1]
            body = {"outcome": outcome, "label": label, "reason": "r", "items": [item.id for item in case.items]}
            verb = "ruling" if case.state is CaseState.ESCALATED else "decision"
            headers = {"Authorization": f"Bearer {key}"}
            return self.api.post(f"/v1/cases/{case.id}/{verb}", json=body, headers=headers).is_success
        browser = self.desk.client()
        session = self.desk.console.sessions.begin(person, door)
        browser.cookies.set("__Host-tutela", session.token or "")
        form = {"csrf": session.csrf, "outcome": outcome.value, "label": label or "", "reason": "r"}
        path = f"/cases/{case.id}/decide"
        if door == "similar-page":
            path = f"/cases/{self._alike(case).id}/similar"
            form["item"] = str(case.items[0].id)
        answer = browser.post(path, data=form)
        return answer.status_code == 303 and "some-left" not in answer.headers["location"]

    def _alike(self, case: Case) -> Case:
        other = self.held()
        with self.desk.store.write() as connection:
            of_other = update(case_item).where(case_item.c.case_id == other.id)
            connection.execute(of_other.values(similar=case.items[0].group))
        return other


@pytest.fixture(scope="module")
def building(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Building]:
    building = Building(tmp_path_factory.mktemp("building"))
    yield building
    building.close()


@pytest.mark.parametrize("second", DOORS)
@pytest.mark.parametrize("first", DOORS)
def test_a_lead_who_escalates_does_not_decide_alone_by_any_other_door(building, first, second):
    case = building.held()
    assert building.says(first, building.lead, case, Outcome.ESCALATE)
    case = building.desk.cases.get(case.id)
    assert case.state is CaseState.ESCALATED
    assert not building.says(second, building.lead, case, Outcome.CONFIRM)
    assert building.desk.cases.get(case.id).state is CaseState.ESCALATED
    other = building.desk.console.people.add("Another Lead", [Role.LEAD], by="test")
    assert building.says(second, other, case, Outcome.CONFIRM)
    assert building.desk.cases.get(case.id).state is CaseState.DECIDED


def test_a_lead_who_escalates_does_not_decide_alone_on_the_command_line(building):
    case = building.held()
    start = ["--home", str(building.home), "--database", building.database, "case", "decide", case.id]

    def run(*words: str) -> int:
        return CliRunner().invoke(command_line, [*start, *words, "--reason", "r"]).exit_code

    assert run("escalate") == 0
    assert run("confirm", "--label", "A1", "--senior") != 0
    assert building.desk.cases.get(case.id).state is CaseState.ESCALATED


def test_whoever_was_one_of_two_that_differ_is_not_the_lead_who_decides(building):
    cases = building.desk.cases
    two = CasePolicy(second_opinion=frozenset({Outcome.CONFIRM}))
    cases.policies, before = Policies(two), cases.policies
    cases._decisions._policies = cases.policies
    try:
        case = building.held()
        say: Callable[..., Case] = cases.decide
        say(case.id, Outcome.CONFIRM, by="lead", reason="r", label="A1", senior=True)
        assert say(case.id, Outcome.REJECT, by="other", reason="r").state is CaseState.ESCALATED
        for by in ("lead", "other"):
            with pytest.raises(ConflictError, match="another person"):
                say(case.id, Outcome.CONFIRM, by=by, reason="r", label="A1", senior=True, item_ids=[case.items[0].id])
        assert say(case.id, Outcome.REJECT, by="third", reason="r", senior=True).state is CaseState.DECIDED
    finally:
        cases.policies = cases._decisions._policies = before


def test_what_two_people_decided_one_does_not_decide_anew_alone(building):
    cases = building.desk.cases
    case = building.held()
    cases.decide(case.id, Outcome.ESCALATE, by="lead", reason="unsure")
    cases.decide(case.id, Outcome.CONFIRM, by="other", reason="r", label="A1", senior=True)
    cases.reopen(case.id, by="lead", reason="I differ")
    assert cases.decide(case.id, Outcome.REJECT, by="lead", reason="r", senior=True).state is CaseState.SECOND_OPINION
    assert cases.decide(case.id, Outcome.REJECT, by="third", reason="r").state is CaseState.DECIDED


def test_the_key_of_a_person_who_is_disabled_opens_nothing(building):
    people = building.desk.console.people
    people.add("An Admin", [Role.ADMIN], by="test")
    person = people.add("Gone Soon", [Role.REVIEWER], by="test")
    text = building.keys.create("theirs", [Scope.REVIEW], person_id=person.id, by="test")[1]
    assert building.keys.verify(text) is not None
    people.set_disabled(person.id, True, by="test")
    assert building.keys.verify(text) is None
