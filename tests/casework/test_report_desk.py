"""From a held upload to a finished report, through the real rooms: cases, sealed evidence, audit log, outbox and the
strict stand-in of the CyberTipline."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.support.incidents import US
from tests.support.pictures import draw_scene, file_of
from tests.support.standins.cybertipline import CyberTiplineStandIn
from tests.support.stores import new_store
from tutela.casework.audit.verification import verify_log
from tutela.casework.cases.model import Case, CaseState, Queue
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.evidence.seal import ReviewKey, new_identity
from tutela.casework.reports.cybertipline.client import CyberTipline
from tutela.casework.reports.desk import Desk
from tutela.casework.reports.filer import Filer
from tutela.casework.reports.intake import Category, IntakeReport
from tutela.casework.reports.model import FilingState
from tutela.casework.reports.options import ReportOptions
from tutela.casework.reports.worker import ReportWorker
from tutela.deployment.casework import CaseworkOptions, open_casework
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.errors import ConflictError, InputError, TutelaError
from tutela.foundation.outbox.webhooks import Endpoint
from tutela.foundation.store.database import Store
from tutela.foundation.store.outbox_tables import outbox
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.screening.decision import Decision
from tutela.screening.verdict import Context, Verdict

PRIVATE, PUBLIC = new_identity()
DETAILS = {"uploader": "user-77", "ip_address": "192.0.2.7", "file_name": "holiday.jpg", "uploaded_at": "1790000000"}
WEBHOOKS = (Endpoint("platform", "https://platform.example/hook", [b"x" * 32]),)


@pytest.fixture
def ncmec(cybertipline: tuple[CyberTiplineStandIn, str]) -> CyberTiplineStandIn:
    cybertipline[0].reset()
    return cybertipline[0]


class Site:
    """A platform that screens, and beside it the process with the review key."""

    def __init__(self, home: Path, database: str, address: str, at_match: frozenset[str] = frozenset()) -> None:
        options = ReportOptions(organisation=US, at_match=at_match, mail=("lead@example.test",))
        self.deployment: Deployment = compose_deployment(
            home, database=database, decoders=1,
            casework=CaseworkOptions(EvidenceOptions((PUBLIC,)), reports=options, webhooks=WEBHOOKS),
        )  # fmt: skip
        banks = self.deployment.banks
        reporting = open_casework(
            self.deployment.store, banks, home, self.deployment.casework.options, ReviewKey(PRIVATE)
        )
        self.desk: Desk = reporting.desk()
        self.evidence = reporting.evidence("reporter:1", "report")
        filer = Filer(reporting.ledger, CyberTipline("esp", "secret", address=address), self.evidence)
        self.worker = ReportWorker(self.desk, self.evidence, filer, reporting.outbox, reporting.webhooks)
        banks.create("known", label="A1", policy=Policy(Action.BLOCK), actor="me")
        for seed in (1, 2, 3):
            value = hashlib.md5(picture(seed)).digest()
            banks.add("known", [NewEntry("md5", value, "example-list", str(seed))], actor="me")
        self.deployment.refresh()

    def upload(self, seed: int, **details: str) -> Verdict:
        context = Context(f"item-{seed}", DETAILS | details)
        return self.deployment.screener.screen(picture(seed), context)

    def case(self, seed: int = 1, **details: str) -> Case:
        verdict = self.upload(seed, **details)
        assert verdict.decision is Decision.BLOCK
        item = self.deployment.casework.cases.of_verdict(verdict.id)
        assert item is not None
        return self.deployment.casework.cases.get(item.case_id)

    def decide(self, case: Case, outcome: Outcome) -> Case:
        label = "A1" if outcome is Outcome.CONFIRM else None
        return self.deployment.casework.cases.decide(case.id, outcome, by="reviewer:1", reason="seen", label=label)

    def told(self) -> list[str]:
        with self.deployment.store.read() as connection:
            rows = connection.execute(select(outbox.c.topic, outbox.c.payload).order_by(outbox.c.id)).all()
        return [row.payload["type"] if row.topic == "webhook" else row.topic for row in rows]

    def actions(self) -> list[str]:
        return [row.action for row in self.deployment.casework.audit.rows()]


def picture(seed: int) -> bytes:
    return file_of(draw_scene(seed, (320, 240)), "PNG")


@pytest.fixture
def site(tmp_path: Path, ncmec: CyberTiplineStandIn, cybertipline: tuple[object, str]) -> Iterator[Site]:
    site = Site(tmp_path / "home", new_store(tmp_path / "s.db"), cybertipline[1])
    yield site
    site.deployment.close()


@pytest.fixture
def anywhere(
    tmp_path: Path, store: Store, database: str, ncmec: CyberTiplineStandIn, cybertipline: tuple[object, str]
) -> Iterator[Site]:
    """A site with either kind of database."""
    site = Site(tmp_path / "home", database, cybertipline[1])
    yield site
    site.deployment.close()


@pytest.fixture
def eager(tmp_path: Path, ncmec: CyberTiplineStandIn, cybertipline: tuple[object, str]) -> Iterator[Site]:
    """A site whose policy files matches of the bank at once."""
    site = Site(tmp_path / "home", new_store(tmp_path / "e.db"), cybertipline[1], frozenset({"known"}))
    yield site
    site.deployment.close()


# --- from an upload to a finished report


def test_a_blocked_upload_becomes_a_finished_report(anywhere, ncmec):
    site = anywhere
    case = site.decide(site.case(), Outcome.CONFIRM)
    draft = site.desk.preview(case.id, site.evidence)
    assert draft.problems() == []
    filing = site.desk.file(case.id, draft, actor="reporter:1")
    assert site.desk.file(case.id, draft, actor="reporter:2") == filing
    assert site.worker.run_due() == 1
    filing = site.desk.ledger.get(filing.id)
    assert filing.state is FilingState.FINISHED
    (report,) = ncmec.finished()
    assert report.text("personOrUserReported/espIdentifier") == "user-77"
    assert report.files[0].length == len(picture(1))
    assert report.files[0].details.findtext("originalFileName") == "holiday.jpg"
    case = site.deployment.casework.cases.get(case.id)
    assert [(link.target, link.reference) for link in case.reports] == [("ncmec-test", str(report.number))]
    kept = site.deployment.casework.vault.get(case.items[0].evidence_id)
    assert (kept.keep_until - filing.finished_at).days == 365
    for action in (
        "case.opened",
        "case.decided",
        "evidence.opened",
        "report.added",
        "report.finished",
        "case.reported",
    ):
        assert action in site.actions()
    assert verify_log(site.deployment.casework.audit).faults == ()


def test_who_has_no_review_key_can_read_no_report(site):
    case = site.decide(site.case(), Outcome.CONFIRM)
    filing = site.desk.file(case.id, site.desk.preview(case.id, site.evidence), actor="reporter:1")
    ledger = site.deployment.casework.ledger
    assert ledger.get(filing.id).state is FilingState.READY
    with pytest.raises(TutelaError, match="review key"):
        ledger.draft(filing.id)
    database = Path(site.deployment.store.url.removeprefix("sqlite:///"))
    files = [path for path in database.parent.rglob("*") if path.is_file()]
    assert database in files
    assert not any(b"user-77" in path.read_bytes() for path in files)


def test_an_undecided_or_rejected_case_has_nothing_to_report(site):
    case = site.case()
    with pytest.raises(InputError, match="no confirmed item"):
        site.desk.preview(case.id, site.evidence)
    site.decide(case, Outcome.REJECT)
    with pytest.raises(InputError, match="no confirmed item"):
        site.desk.preview(case.id, site.evidence)


def test_the_same_evidence_is_never_in_two_reports(anywhere, ncmec):
    site = anywhere
    case = site.decide(site.case(), Outcome.CONFIRM)
    draft = site.desk.preview(case.id, site.evidence)
    site.desk.file(case.id, draft, actor="me")
    with pytest.raises(InputError, match="reported already"):
        site.desk.preview(case.id, site.evidence)
    with pytest.raises(ConflictError, match="already"):
        site.desk.ledger.add("another key", draft, environment="test", actor="me")
    site.worker.run_due()
    assert len(ncmec.finished()) == 1


def test_a_later_upload_of_the_account_is_a_report_that_points_back(site, ncmec):
    first = site.decide(site.case(1), Outcome.CONFIRM)
    site.desk.file(first.id, site.desk.preview(first.id, site.evidence), actor="me")
    site.worker.run_due()
    second = site.decide(site.case(2), Outcome.CONFIRM)
    assert second.id != first.id
    draft = site.desk.preview(second.id, site.evidence)
    assert draft.report.person_or_user_reported[0].prior_ct_reports == (ncmec.finished()[0].number,)


def test_a_case_with_two_uploads_is_one_report(site, ncmec):
    case = site.case(1)
    assert site.case(2).id == case.id
    case = site.decide(case, Outcome.CONFIRM)
    assert case.state is CaseState.DECIDED
    site.desk.file(case.id, site.desk.preview(case.id, site.evidence), actor="me")
    site.worker.run_due()
    assert [len(report.files) for report in ncmec.finished()] == [2]


# --- at match time


def test_nothing_is_filed_at_match_time_unless_the_policy_says_so(site, ncmec):
    site.case()
    assert site.worker.run_due() == 0
    assert ncmec.calls == []
    assert "report.at-match" not in site.told()


def test_a_bank_whose_policy_says_so_is_filed_before_anybody_looked(eager, ncmec):
    case = eager.case()
    eager.worker.run_due()
    (report,) = ncmec.finished()
    assert report.files[0].details.findtext("fileViewedByEsp") == "false"
    assert "on the match alone" in report.text("additionalInfo")
    assert case.items[0].decision is None
    confirmed = eager.decide(case, Outcome.CONFIRM)
    with pytest.raises(InputError, match="reported already"):
        eager.desk.preview(confirmed.id, eager.evidence)
    eager.worker.run_due()
    assert len(ncmec.finished()) == 1


def test_what_a_person_decided_first_is_not_filed_at_match_time(eager, ncmec):
    eager.decide(eager.case(), Outcome.REJECT)
    eager.worker.run_due()
    assert ncmec.calls == []


def test_a_rejection_takes_back_what_is_not_finished(eager, ncmec):
    case = eager.case()
    ncmec.failures = [("finish", 1000)]
    eager.worker.run_due()
    assert [report.state for report in ncmec.reports.values()] == ["open"]
    filing = eager.desk.ledger.of_key(f"item:{case.items[0].id}")
    # The finish may have arrived for all we know: it is settled first.
    assert filing.state is FilingState.FINISHING
    eager.decide(case, Outcome.REJECT)
    eager.worker.run_due()
    assert ncmec.finished() == []


def test_a_rejection_before_the_finish_retracts_the_report(eager, ncmec):
    case = eager.case()
    ncmec.failures = [("upload", 1000)]
    eager.worker.run_due()
    eager.decide(case, Outcome.REJECT)
    eager.worker.run_due()
    assert [report.state for report in ncmec.reports.values()] == ["retracted"]
    assert eager.desk.ledger.of_key(f"item:{case.items[0].id}").state is FilingState.RETRACTED


def test_a_rejection_after_the_finish_is_told_to_people(eager, ncmec):
    case = eager.case()
    eager.worker.run_due()
    eager.decide(case, Outcome.REJECT)
    eager.worker.run_due()
    assert len(ncmec.finished()) == 1
    assert "report.rejected-after-filing" in eager.told()


# --- watching


def test_a_report_that_needs_a_person_is_told_once_an_hour(site, ncmec):
    case = site.decide(site.case(), Outcome.CONFIRM)
    site.desk.file(case.id, site.desk.preview(case.id, site.evidence), actor="me")
    ncmec.failures = [("submit", 4100)]
    site.worker.run_due()
    for _ in range(3):
        site.deployment.casework.upkeep.run_due()
    told = site.told()
    assert 1 <= told.count("report.alarm") <= 2, "once, or twice where an hour began meanwhile"
    assert told.count("mail") == told.count("report.alarm")
    with site.deployment.store.read() as connection:
        texts = [row.payload["text"] for row in connection.execute(select(outbox)) if row.topic == "mail"]
    assert "user-77" not in texts[0]


# --- intake


def test_a_report_of_the_public_opens_a_case_and_is_sealed(anywhere):
    site = anywhere
    intake = site.deployment.casework.intake
    report = IntakeReport(
        Category.GROOMING, ["https://example.test/chat/9"], "he wrote to my daughter", "mother@example.test"
    )
    receipt = intake.receive(report)
    case = site.deployment.casework.cases.get(intake.case_of(receipt.id))
    assert case.queue is Queue.INTAKE
    assert case.urgency == 80
    (item,) = case.items
    said = site.evidence.context(item.evidence_id).details
    assert said["text"] == "he wrote to my daughter"
    assert said["link 1"] == "https://example.test/chat/9"
    with site.deployment.store.read() as connection:
        stored = json.dumps(
            [[str(value) for value in row] for table in ("intake", "case_item", "audit", "outbox", "evidence")
             for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]
        )  # fmt: skip
    assert "daughter" not in stored
    assert "mother@" not in stored
    assert "intake.received" in site.actions()


def test_danger_is_first_and_a_flagger_before_the_public(site):
    intake = site.deployment.casework.intake
    urgency = {}
    for name, report, flagger in (
        ("public", IntakeReport(Category.ABUSE_PICTURE, ["https://a.test/1"]), None),
        ("flagger", IntakeReport(Category.ABUSE_PICTURE, ["https://a.test/2"]), "hotline"),
        ("danger", IntakeReport(Category.OTHER, text="now", danger_now=True), None),
    ):
        case_id = intake.case_of(intake.receive(report, flagger=flagger).id)
        urgency[name] = site.deployment.casework.cases.get(case_id).urgency
    assert urgency["danger"] == 100
    assert urgency["flagger"] > urgency["public"]


@pytest.mark.parametrize(
    "report",
    [
        IntakeReport(Category.OTHER), IntakeReport(Category.OTHER, text=" "),
        IntakeReport(Category.OTHER, ["file:///etc/passwd"]), IntakeReport(Category.OTHER, ["javascript:alert(1)"]),
        IntakeReport(Category.OTHER, ["https://a b"]), IntakeReport(Category.OTHER, ["https://[::1"]),
        IntakeReport(Category.OTHER, ["https://a.test"] * 21), IntakeReport(Category.OTHER, text="x" * 5001),
        IntakeReport(Category.OTHER, text="\x00"), IntakeReport(Category.OTHER, text="a", contact="nobody"),
        IntakeReport(Category.OTHER, ["https://a.test/" + "x" * 2000]),
    ],
)  # fmt: skip
def test_a_report_that_says_nothing_or_too_much_is_refused(eager, report):
    with pytest.raises(InputError):
        eager.deployment.casework.intake.receive(report)
    assert eager.deployment.casework.cases.queue() == []
