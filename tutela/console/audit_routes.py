"""The audit page: what was done, by whom, newest first, and whether the log is whole."""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from tutela.casework.audit.log import AuditLog, AuditRow
from tutela.casework.audit.verification import Verification
from tutela.console.pages import page
from tutela.console.roles import Permission
from tutela.console.visits import Visit, needs

if TYPE_CHECKING:
    from tutela.console.service import Console

router = APIRouter()

Auditing = Annotated[Visit, Depends(needs(Permission.AUDIT))]
_PAGE = 100
_MAX_FILTER = 160


@router.get("/audit")
def audit_page(
    request: Request,
    visit: Auditing,
    subject: Annotated[str, Query(max_length=_MAX_FILTER)] = "",
    action: Annotated[str, Query(max_length=64)] = "",
    before: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """A page of the log. Reading it is written into it too."""
    return _audit_page(request, visit, subject, action, before, None)


@router.post("/audit/verify")
def verify(request: Request, visit: Auditing) -> Response:
    """Go through the whole log now, and say what is wrong with it."""
    console: Console = request.app.state.console
    return _audit_page(request, visit, "", "", None, console.verify_audit())


def _audit_page(
    request: Request, visit: Visit, subject: str, action: str, before: int | None, verification: Verification | None
) -> Response:
    console: Console = request.app.state.console
    log = console.casework.audit
    log.record(visit.person.actor, "audit.read", "audit", {"about": subject, "action": action})
    rows = _filtered(log, subject, action) if subject or action else _newest(log, before)
    return page(
        request,
        "audit.html",
        visit,
        rows=rows,
        head=log.head(),
        chosen={"subject": subject, "action": action},
        earlier=rows[-1].sequence if rows and not (subject or action) and rows[-1].sequence > 0 else None,
        names=console.people.names(),
        verification=verification,
    )


def _newest(log: AuditLog, before: int | None) -> Sequence[AuditRow]:
    end = log.head().size if before is None else min(before, log.head().size)
    return [log.row(sequence) for sequence in range(end - 1, max(-1, end - 1 - _PAGE), -1)]


def _filtered(log: AuditLog, subject: str, action: str) -> Sequence[AuditRow]:
    return list(reversed(deque(log.rows(subject=subject or None, action=action or None), maxlen=_PAGE)))
