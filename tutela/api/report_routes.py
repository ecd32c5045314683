"""Routes about reports, takedown notices and transparency. No route says what a report says: that is sealed."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status

from tutela.api.keys import Scope
from tutela.api.models import Moment
from tutela.api.report_models import (
    AlarmOut,
    AnswerIn,
    FilingOut,
    FoundOut,
    NoticeIn,
    NoticeOut,
    ReasonIn,
    StepOut,
)
from tutela.api.security import needs
from tutela.casework.reports import decisions
from tutela.casework.reports.alarms import alarms
from tutela.casework.reports.model import FilingState
from tutela.casework.reports.notices import NewTarget, NoticeState, read_clock
from tutela.casework.reports.publication import as_csv, as_html, as_json
from tutela.casework.reports.transparency import transparency
from tutela.deployment.casework import Casework
from tutela.deployment.composition import Deployment

router = APIRouter(prefix="/v1")
Reporter = Annotated[str, needs(Scope.REPORT)]


class Form(StrEnum):
    """A form of transparency figures."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


@router.get("/reports", operation_id="list_reports", tags=["reports"])
def list_reports(
    request: Request,
    _: Reporter,
    case: str | None = None,
    state: Annotated[list[FilingState] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[FilingOut]:
    """Reports, the newest first."""
    return [FilingOut.of(one) for one in _rooms(request).ledger.all(case_id=case, states=state or (), limit=limit)]


@router.get("/reports/alarms", operation_id="list_report_alarms", tags=["reports"])
def list_alarms(request: Request, _: Reporter) -> list[AlarmOut]:
    """Reports that need a person, or whose time runs out, the most pressing first."""
    return [AlarmOut.of(alarm) for alarm in alarms(_rooms(request).ledger)]


@router.get("/reports/unreported", operation_id="list_unreported", tags=["reports"])
def list_unreported(request: Request, _: Reporter, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[str]:
    """Cases with a confirmed item that is in no report, the longest waiting first."""
    return _rooms(request).ledger.unreported_cases(limit)


@router.get("/reports/{report_id}", operation_id="get_report", tags=["reports"])
def get_report(request: Request, report_id: str, _: Reporter) -> FilingOut:
    """One report."""
    return FilingOut.of(_rooms(request).ledger.get(report_id))


@router.get("/reports/{report_id}/history", operation_id="get_report_history", tags=["reports"])
def get_history(request: Request, report_id: str, _: Reporter) -> list[StepOut]:
    """What happened to a report, oldest first."""
    ledger = _rooms(request).ledger
    ledger.get(report_id)
    return [StepOut.of(step) for step in ledger.history(report_id)]


@router.post("/reports/{report_id}/resume", operation_id="resume_report", tags=["reports"])
def resume(request: Request, report_id: str, actor: Reporter) -> FilingOut:
    """Go on where it stopped, once what was wrong is mended."""
    return FilingOut.of(decisions.resume(_rooms(request).ledger, report_id, actor))


@router.post("/reports/{report_id}/retract", operation_id="retract_report", tags=["reports"])
def retract(request: Request, report_id: str, body: ReasonIn, actor: Reporter) -> FilingOut:
    """Take back a report that is not finished."""
    return FilingOut.of(decisions.retract(_rooms(request).ledger, report_id, actor, body.reason))


@router.post("/reports/{report_id}/refile", operation_id="refile_report", tags=["reports"])
def refile(request: Request, report_id: str, body: ReasonIn, actor: Reporter) -> FilingOut:
    """File anew what NCMEC says it does not have; its old number is retracted first."""
    return FilingOut.of(decisions.refile(_rooms(request).ledger, report_id, actor, body.reason))


@router.post("/reports/{report_id}/confirm", operation_id="confirm_report", tags=["reports"])
def confirm(request: Request, report_id: str, body: ReasonIn, actor: Reporter) -> FilingOut:
    """Write down that NCMEC has the report finished, as they said."""
    return FilingOut.of(decisions.confirm(_rooms(request).ledger, report_id, actor, body.reason))


# --- takedown notices


@router.post("/notices", operation_id="register_notice", tags=["notices"], status_code=status.HTTP_201_CREATED)
def register(request: Request, body: NoticeIn, actor: Reporter) -> NoticeOut:
    """Register a notice and tell the platform; one of the same authority and reference is the first one."""
    notice = _rooms(request).notices.register(
        body.authority,
        body.reference,
        [NewTarget(target.kind, target.value) for target in body.targets],
        within=read_clock(body.within),
        law=body.law,
        text=body.text,
        received_at=body.received_at,
        actor=actor,
    )
    return NoticeOut.of(notice)


@router.get("/notices", operation_id="list_notices", tags=["notices"])
def list_notices(
    request: Request,
    _: Reporter,
    state: NoticeState | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[NoticeOut]:
    """Notices, the one that is due first at the top."""
    return [NoticeOut.of(notice) for notice in _rooms(request).notices.all(state=state, limit=limit)]


@router.get("/notices/{notice_id}", operation_id="get_notice", tags=["notices"])
def get_notice(request: Request, notice_id: str, _: Reporter) -> NoticeOut:
    """One notice."""
    return NoticeOut.of(_rooms(request).notices.get(notice_id))


@router.get("/notices/{notice_id}/matches", operation_id="get_notice_matches", tags=["notices"])
def get_matches(request: Request, notice_id: str, _: Reporter) -> list[FoundOut]:
    """Held content that the notice means: by item, address, SHA-256 or MD5, or as nearly the same picture."""
    return [FoundOut.of(found) for found in _rooms(request).notices.matches(notice_id)]


@router.post("/notices/{notice_id}/answer", operation_id="answer_notice", tags=["notices"])
def answer(request: Request, notice_id: str, body: AnswerIn, actor: Reporter) -> NoticeOut:
    """Write down what came of each piece of content; a refusal needs a text."""
    return NoticeOut.of(_rooms(request).notices.answer(notice_id, body.outcomes, text=body.text, actor=actor))


@router.post("/notices/{notice_id}/withdraw", operation_id="withdraw_notice", tags=["notices"])
def withdraw(request: Request, notice_id: str, body: ReasonIn, actor: Reporter) -> NoticeOut:
    """The authority took it back."""
    return NoticeOut.of(_rooms(request).notices.withdraw(notice_id, reason=body.reason, actor=actor))


# --- transparency


@router.get("/transparency", operation_id="get_transparency", tags=["transparency"], response_class=Response)
def get_transparency(request: Request, _: Reporter, since: Moment, until: Moment, form: Form = Form.JSON) -> Response:
    """Figures of a period, counted from the audit log; `until` is the first moment after it."""
    deployment: Deployment = request.app.state.deployment
    figures = transparency(deployment.casework.audit, since, until)
    match form:
        case Form.JSON:
            return Response(as_json(figures), media_type="application/json")
        case Form.CSV:
            return Response(as_csv(figures), media_type="text/csv; charset=utf-8")
        case Form.HTML:
            return Response(as_html(figures), media_type="text/html; charset=utf-8", headers=_INERT)


_INERT = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""The page shows text and its own plots; it can run and load nothing."""


def _rooms(request: Request) -> Casework:
    deployment: Deployment = request.app.state.deployment
    return deployment.casework
