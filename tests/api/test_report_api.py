"""Reports, notices, intake and transparency over HTTP: who may do what, clear answers, and a page that is safe."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from tests.support.incidents import US
from tests.support.stores import new_home
from tests.support.tipline_reports import smallest_report
from tutela.api.app import create_app
from tutela.api.keys import Keys, Scope
from tutela.api.options import ApiOptions
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.seal import new_identity
from tutela.casework.reports.draft import Draft
from tutela.casework.reports.options import ReportOptions
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.foundation.store.notices_tables import intake
from tutela.lists.banks.model import BankUse
from tutela.lists.banks.values import new_entry

PUBLIC = new_identity()[1]
NOTICE = {
    "authority": "Authority",
    "reference": "R-1",
    "within": "24h",
    "targets": [{"kind": "url", "value": "https://example.test/p/1"}],
}
FORM = {"category": "grooming", "links": "https://example.test/a\nhttps://example.test/b", "text": "he wrote"}


class Site:
    """An application with a key of each scope."""

    def __init__(self, home: Path, **options: Any) -> None:
        reports: dict[str, Any] = {"organisation": US, "public_intake": True, "intake_rate": "3/hour"} | options
        self.deployment: Deployment = compose_deployment(
            new_home(home), decoders=1,
            casework=CaseworkOptions(
                EvidenceOptions((PUBLIC,)),
                reports=ReportOptions(**reports),
            ),
        )  # fmt: skip
        self.app = create_app(self.deployment, ApiOptions())
        keys = Keys(self.deployment.store)
        self.keys = {scope: keys.create(f"a {scope}", [scope], by="test")[1] for scope in Scope}

    def client(self, scope: Scope | None = Scope.REPORT, address: str = "192.0.2.1") -> TestClient:
        headers = {"Authorization": f"Bearer {self.keys[scope]}"} if scope else {}
        return TestClient(self.app, headers=headers, client=(address, 50_000), follow_redirects=False)

    def received(self) -> list[str]:
        with self.deployment.store.read() as connection:
            return list(connection.execute(select(intake.c.source).order_by(intake.c.received_at)).scalars())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "home")
    yield site
    site.deployment.close()


# --- who may


@pytest.mark.slow
def test_only_keys_of_the_right_scope_get_in(site):
    paths = [
        path for path in site.app.openapi()["paths"] if re.match(r"/v1/(reports|notices|transparency|intake)", path)
    ]
    assert len(paths) >= 14
    for path in paths:
        wanted = Scope.FLAG if path == "/v1/intake" else Scope.REPORT
        for method in site.app.openapi()["paths"][path]:
            address = re.sub(r"{\w+}", "x", path)
            assert site.client(None).request(method, address).status_code == 401, address
            for scope in set(Scope) - {wanted, Scope.ADMIN}:
                assert site.client(scope).request(method, address, json={}).status_code in (403, 422), (scope, address)
                answer = site.client(scope).request(method, address, json=_body(path))
                assert answer.status_code == 403, (scope, address)


def _body(path: str) -> Mapping[str, object]:
    if path == "/v1/intake":
        return {"category": "other", "text": "x"}
    if path == "/v1/notices":
        return NOTICE
    return {"outcomes": {"0": "removed"}} if path.endswith("/answer") else {"reason": "x"}


# --- reports


def test_reports_are_listed_without_what_they_say(site):
    ledger = site.deployment.casework.ledger
    filing = ledger.add("k", Draft(report=smallest_report()), environment="test", actor="me", case_id="c1")
    client = site.client()
    (listed,) = client.get("/v1/reports", params={"case": "c1", "state": "ready"}).json()
    assert listed == client.get(f"/v1/reports/{filing.id}").json()
    assert "sealed" not in listed
    assert [step["action"] for step in client.get(f"/v1/reports/{filing.id}/history").json()] == ["added"]
    assert client.get("/v1/reports", params={"state": "finished"}).json() == []
    assert client.get("/v1/reports/alarms").json() == []
    assert client.get("/v1/reports/none/history").status_code == 404
    assert client.post(f"/v1/reports/{filing.id}/resume").status_code == 409
    assert client.post(f"/v1/reports/{filing.id}/retract", json={"reason": " "}).status_code == 422
    assert client.post(f"/v1/reports/{filing.id}/retract", json={"reason": "wrong"}).json()["state"] == "retracting"


# --- appeals


def test_appeals_are_listed_suspended_and_answered_by_their_case(site):
    banks, appeals = site.deployment.banks, site.deployment.casework.appeals
    banks.create("pages", uses={BankUse.PROXY}, actor="test")
    (entry,) = banks.add("pages", [new_entry("url", "example.org/page")], actor="test").entry_ids
    receipt = appeals.receive(appeals.references.of(entry), "a page about gardens")
    assert site.client(Scope.SCREEN).get("/v1/appeals").status_code == 403
    client = site.client(Scope.REVIEW)
    (found,) = client.get("/v1/appeals").json()
    assert (found["id"], found["entry_id"], found["signs"], found["late"]) == (receipt.id, entry, [], False)
    assert client.post(f"/v1/appeals/{receipt.id}/suspension").json()["suspended"] == [entry]
    case = client.get(f"/v1/cases/{found['case_id']}").json()
    body = {"outcome": "uphold", "reason": "it stays", "items": [item["id"] for item in case["items"]]}
    assert client.post(f"/v1/cases/{found['case_id']}/decision", json=body).status_code == 200
    assert client.get("/v1/appeals").json() == []
    assert client.get(f"/v1/appeals/{receipt.id}").json()["state"] == "upheld"
    assert client.post(f"/v1/appeals/{receipt.id}/suspension").status_code == 409
    assert client.get("/v1/appeals/none").status_code == 404


# --- notices


def test_a_notice_is_registered_found_and_answered(site):
    client = site.client()
    made = client.post("/v1/notices", json=NOTICE)
    assert made.status_code == 201
    notice = made.json()
    assert client.post("/v1/notices", json=NOTICE).json()["id"] == notice["id"]
    assert [one["id"] for one in client.get("/v1/notices", params={"state": "open"}).json()] == [notice["id"]]
    assert client.get(f"/v1/notices/{notice['id']}/matches").json() == []
    done = client.post(f"/v1/notices/{notice['id']}/answer", json={"outcomes": {"0": "removed"}}).json()
    assert (done["state"], done["late"], done["targets"][0]["outcome"]) == ("answered", False, "removed")
    assert client.post(f"/v1/notices/{notice['id']}/withdraw", json={"reason": "x"}).status_code == 409
    assert client.get("/v1/notices/none").status_code == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"within": "soon"}, 400), ({"targets": []}, 422),
        ({"targets": [{"kind": "url", "value": "javascript:x"}]}, 400),
        ({"received_at": "2199-01-01T00:00:00Z"}, 400), ({"received_at": "2026-01-01T00:00:00"}, 422),
        ({"unknown": 1}, 422), ({"authority": ""}, 422),
    ],
)  # fmt: skip
def test_a_wrong_notice_is_a_clear_answer(site, changes, status):
    assert site.client().post("/v1/notices", json=NOTICE | changes).status_code == status


# --- transparency


def test_transparency_comes_in_three_forms(site):
    period = {"since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
    client = site.client()
    assert client.get("/v1/transparency", params=period).json()["since"].startswith("2026-01-01")
    assert client.get("/v1/transparency", params=period | {"form": "csv"}).text.startswith("since,until,group")
    page = client.get("/v1/transparency", params=period | {"form": "html"})
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert client.get("/v1/transparency", params=period | {"until": "2025-01-01T00:00:00Z"}).status_code == 400
    assert client.get("/v1/transparency", params={"since": "x", "until": "y"}).status_code == 422


# --- intake


def test_a_flagger_reports_by_key_and_is_known_by_the_keys_name(site):
    answer = site.client(Scope.FLAG).post("/v1/intake", json={"category": "other", "links": ["https://a.test"]})
    assert answer.status_code == 201
    assert site.received() == ["flagger:a flag"]
    assert site.client(Scope.FLAG).post("/v1/intake", json={"category": "other"}).status_code == 400
    assert site.client(Scope.FLAG).post("/v1/intake", json={"category": "x", "text": "y"}).status_code == 422


def test_anybody_may_report_on_a_page_that_is_safe(site):
    client = site.client(None)
    shown = client.get("/report")
    assert shown.status_code == 200
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert "set-cookie" not in shown.headers
    assert "<script" not in shown.text
    assert 'type="file"' not in shown.text
    sent = client.post("/report", data=FORM | {"contact": "me@example.test", "danger_now": "yes"})
    assert sent.status_code == 200
    assert "Thank you" in sent.text
    assert site.received() == ["public"]
    (case,) = site.deployment.casework.cases.queue()
    assert case.urgency == 100


def test_what_was_written_comes_back_escaped_when_something_is_wrong(site):
    hostile = '"><script>alert(1)</script>'
    answer = site.client(None).post("/report", data=FORM | {"contact": hostile, "links": hostile, "text": hostile})
    assert answer.status_code == 400
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert site.received() == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (FORM | {"website": "https://spam.test"}, 400), ({"category": "grooming"}, 400),
        (FORM | {"category": "x"}, 400),
        (FORM | {"text": "x" * 70_000}, 413), ({f"f{number}": "x" for number in range(30)}, 400),
    ],
)  # fmt: skip
def test_a_form_that_is_none_is_refused(site, data, status):
    assert site.client(None).post("/report", data=data).status_code == status
    assert site.received() == []


def test_an_empty_report_is_told_that_links_or_words_are_enough(site):
    nothing = {"category": "grooming", "links": "", "text": ""}
    answer = site.client(None).post("/report", data=nothing)
    assert answer.status_code == 400
    assert "at least one link, or say in words what happened; one of the two is enough" in answer.text
    assert "You may leave this empty if you say what happened" in answer.text
    for given in ({"text": "an adult writes to children"}, {"links": "https://a.test/1"}):
        assert "Thank you" in site.client(None).post("/report", data=nothing | given).text


def test_the_public_cannot_send_files(site):
    answer = site.client(None).post("/report", data=FORM, files={"file": ("a.jpg", b"x")})
    assert answer.status_code == 415
    assert site.client(None).post("/report", json=FORM).status_code == 415
    assert site.received() == []


def test_whoever_reports_too_often_waits_and_others_do_not(site):
    for _ in range(3):
        assert site.client(None).post("/report", data=FORM).status_code == 200
    assert site.client(None).post("/report", data=FORM).status_code == 429
    assert site.client(None, "198.51.100.9").post("/report", data=FORM).status_code == 200
    for number in range(3):
        assert site.client(None, f"2001:db8::{number + 1}").post("/report", data=FORM).status_code == 200
    assert site.client(None, "2001:db8::ffff").post("/report", data=FORM).status_code == 429, "one household"


def test_there_is_no_page_unless_the_operator_says_so(tmp_path):
    site = Site(tmp_path / "home", public_intake=False)
    assert site.client(None).get("/report").status_code == 404
    assert site.client(None).post("/report", data=FORM).status_code == 404
    site.deployment.close()


def test_what_cannot_be_sealed_is_not_taken(tmp_path):
    with compose_deployment(
        tmp_path / "home", decoders=1, casework=CaseworkOptions(reports=ReportOptions(public_intake=True))
    ) as deployment:
        client = TestClient(create_app(deployment, ApiOptions(auth_required=False)))
        assert client.post("/report", data=FORM).status_code == 503
        assert client.post("/v1/intake", json={"category": "other", "text": "x"}).status_code == 503
