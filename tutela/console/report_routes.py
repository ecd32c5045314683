"""The pages of reports: what waits to be filed, a preview to be read first, and how far each report is."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tutela.casework.reports import decisions
from tutela.casework.reports.alarms import alarms, deadline
from tutela.casework.reports.draft import Draft
from tutela.casework.reports.model import FilingState
from tutela.console.pages import back, page
from tutela.console.roles import Permission
from tutela.console.visits import Visit, needs
from tutela.errors import InputError

if TYPE_CHECKING:
    from tutela.console.service import Console

router = APIRouter()

Seeing = Annotated[Visit, Depends(needs(Permission.SEE_REPORTS))]
Filing = Annotated[Visit, Depends(needs(Permission.FILE))]


def _console(request: Request) -> "Console":
    console: Console = request.app.state.console
    return console


def _draft(console: "Console", case_id: str, actor: str) -> Draft:
    """What would be filed about the confirmed items. It opens their evidence, and says what somebody has seen whole."""
    case = console.cases.get(case_id)
    seen = console.exposures.viewed(case.id)
    viewed = {item.evidence_id for item in case.confirmed() if str(item.id) in seen}
    evidence = console.casework.evidence(actor, f"report of case {case_id}")
    return console.desk.preview(case_id, evidence, viewed=viewed)


@router.get("/reports")
def reports_page(request: Request, visit: Seeing) -> Response:
    """What waits, and what was filed. It says nothing of what the reports say."""
    console = _console(request)
    return page(
        request,
        "reports.html",
        visit,
        unreported=console.desk.unreported_cases(),
        filings=console.ledger.all(limit=200),
        alarms=alarms(console.ledger),
        names=console.people.names(),
    )


@router.get("/reports/{case_id}")
def preview_page(request: Request, visit: Filing, case_id: str) -> Response:
    """What would be filed about a case. It opens the sealed evidence, which is written down."""
    console = _console(request)
    case = console.cases.get(case_id)
    filings = console.ledger.all(case_id=case_id)
    if filings and not console.desk.unreported(case):
        return back(f"/filings/{filings[0].id}")
    draft = _draft(console, case_id, visit.person.actor)
    return page(
        request,
        "report.html",
        visit,
        case=case,
        draft=draft,
        problems=draft.problems(console.schema),
        documents=readable(draft),
        filings=filings,
        environment=console.desk.environment,
    )


@router.post("/reports/{case_id}")
def file(request: Request, visit: Filing, case_id: str) -> Response:
    """File it. What is filed is made anew from the case, not taken from the browser."""
    if visit.field("read") != "yes":
        raise InputError("read the report, and say so, before you file it")
    console, actor = _console(request), visit.person.actor
    filing = console.desk.file(case_id, _draft(console, case_id, actor), actor=actor, schema=console.schema)
    return back(f"/filings/{filing.id}", "filed")


@router.get("/filings/{filing_id}")
def filing_page(request: Request, visit: Seeing, filing_id: str) -> Response:
    """How far one report is."""
    console = _console(request)
    filing = console.ledger.get(filing_id)
    return page(
        request,
        "filing.html",
        visit,
        filing=filing,
        steps=console.ledger.history(filing_id),
        deadline=deadline(filing),
        names=console.people.names(),
        may_retract=filing.state
        not in (FilingState.FINISHED, FilingState.RETRACTED, FilingState.RETRACTING, FilingState.FINISHING),
        may_resume=filing.state is FilingState.ATTENTION,
    )


@router.post("/filings/{filing_id}/retract")
def retract(request: Request, visit: Filing, filing_id: str) -> Response:
    """Take back what is not finished."""
    decisions.retract(_console(request).ledger, filing_id, visit.person.actor, visit.field("reason"))
    return back(f"/filings/{filing_id}", "retracted")


@router.post("/filings/{filing_id}/resume")
def resume(request: Request, visit: Filing, filing_id: str) -> Response:
    """Go on where it stopped."""
    decisions.resume(_console(request).ledger, filing_id, visit.person.actor)
    return back(f"/filings/{filing_id}", "resumed")


def readable(draft: Draft) -> list[str]:
    """The documents as they will be sent, with their lines broken for reading."""
    from lxml import etree

    from tutela.casework.reports.cybertipline.schema import parse

    return [etree.tostring(parse(document), pretty_print=True, encoding="unicode") for document in draft.xml()]
