"""The pages of reports: what waits to be filed, a preview to be read first, and how far each report is."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tutela.casework.reports.alarms import alarms, deadline
from tutela.casework.reports.draft import Draft
from tutela.casework.reports.model import State
from tutela.console.pages import back, page
from tutela.console.report_desk import ReportDesk
from tutela.console.roles import Permission
from tutela.console.visits import Visit, needs
from tutela.errors import InputError

if TYPE_CHECKING:
    from tutela.console.app import Console

router = APIRouter()

Seeing = Annotated[Visit, Depends(needs(Permission.SEE_REPORTS))]
Filing = Annotated[Visit, Depends(needs(Permission.FILE))]


def _console(request: Request) -> "Console":
    console: Console = request.app.state.console
    return console


def _desk(request: Request) -> ReportDesk:
    return _console(request).reports


@router.get("/reports")
def reports_page(request: Request, visit: Seeing) -> Response:
    """What waits, and what was filed. It says nothing of what the reports say."""
    desk = _desk(request)
    return page(
        request,
        "reports.html",
        visit,
        unreported=desk.unreported(),
        filings=desk.ledger.all(limit=200),
        alarms=alarms(desk.ledger),
        names=_console(request).people.names(),
    )


@router.get("/reports/{case_id}")
def preview_page(request: Request, visit: Filing, case_id: str) -> Response:
    """What would be filed about a case. It opens the sealed evidence, which is written down."""
    desk, case = _desk(request), _console(request).cases.get(case_id)
    filings = desk.filings(case_id)
    if filings and not desk.desk.unreported(case):
        return back(f"/filings/{filings[0].id}")
    draft = desk.draft(case_id, actor=visit.person.actor)
    return page(
        request,
        "report.html",
        visit,
        case=case,
        draft=draft,
        problems=desk.problems(draft),
        documents=readable(draft),
        filings=filings,
        environment=desk.desk.environment,
    )


@router.post("/reports/{case_id}")
def file(request: Request, visit: Filing, case_id: str) -> Response:
    """File it. What is filed is made anew from the case, not taken from the browser."""
    if visit.field("read") != "yes":
        raise InputError("read the report, and say so, before you file it")
    filing = _desk(request).file(case_id, actor=visit.person.actor)
    _console(request).record(
        visit.person.actor, "report.filed", f"case:{case_id}", report=filing.id, environment=filing.environment
    )
    return back(f"/filings/{filing.id}", "filed")


@router.get("/filings/{filing_id}")
def filing_page(request: Request, visit: Seeing, filing_id: str) -> Response:
    """How far one report is."""
    desk = _desk(request)
    filing = desk.ledger.get(filing_id)
    return page(
        request,
        "filing.html",
        visit,
        filing=filing,
        steps=desk.ledger.history(filing_id),
        deadline=deadline(filing),
        names=_console(request).people.names(),
        may_retract=filing.state not in (State.FINISHED, State.RETRACTED, State.RETRACTING, State.FINISHING),
        may_resume=filing.state is State.ATTENTION,
    )


@router.post("/filings/{filing_id}/retract")
def retract(request: Request, visit: Filing, filing_id: str) -> Response:
    """Take back what is not finished."""
    _desk(request).retract(filing_id, actor=visit.person.actor, reason=visit.field("reason"))
    _console(request).record(visit.person.actor, "report.retracted", f"report:{filing_id}")
    return back(f"/filings/{filing_id}", "retracted")


@router.post("/filings/{filing_id}/resume")
def resume(request: Request, visit: Filing, filing_id: str) -> Response:
    """Go on where it stopped."""
    _desk(request).resume(filing_id, actor=visit.person.actor)
    _console(request).record(visit.person.actor, "report.resumed", f"report:{filing_id}")
    return back(f"/filings/{filing_id}", "resumed")


def readable(draft: Draft) -> list[str]:
    """The documents as they will be sent, with their lines broken for reading."""
    from lxml import etree

    from tutela.casework.reports.cybertipline.schema import parse

    return [etree.tostring(parse(document), pretty_print=True, encoding="unicode") for document in draft.xml()]
