"""Reports of the public, by a page, and of trusted flaggers, by a key: links and words, never files.

The page sets no cookie and runs no script. How often an address of the network reports is counted in memory; it is
written nowhere.
"""

import ipaddress
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Security, status
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from tutela.api.bodies import limited
from tutela.api.keys import Scope
from tutela.api.problems import Problem
from tutela.api.report_models import IntakeIn, ReceiptOut
from tutela.api.security import KeyAdmission
from tutela.casework.reports.intake import Category, IntakeReport, PublicIntake
from tutela.casework.reports.pages import page
from tutela.deployment.composition import Deployment
from tutela.errors import InputError, NotReadyError
from tutela.foundation.rates import Rate, Windows

router = APIRouter(tags=["intake"])
MAX_FORM_BYTES = 64 * 1024
_EVERYBODY = Rate.read("600/hour")
"""What all addresses together may report to a process: more is an attack, and people must be able to look at each."""
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_WORDS = {
    Category.ABUSE_PICTURE: "A picture or video of the sexual abuse of a child",
    Category.GROOMING: "An adult who approaches a child",
    Category.EXTORTION: "Somebody threatens to show pictures of a young person",
    Category.OWN_PICTURE: "A picture of me, from when I was under 18",
    Category.OTHER: "Something else that harms a child",
}


class IntakeBrake:
    """Counts reports of the public, by address, in this process."""

    def __init__(self, rate: str) -> None:
        self._rate = Rate.read(rate)
        self._windows = Windows()

    def admit(self, request: Request) -> None:
        """Raises Problem 429 for whoever reports too often."""
        if not self._windows.hit(self._rate, "address", _network(request)) or not self._windows.hit(_EVERYBODY, "all"):
            raise Problem(429, "rate-limited", "too many reports came from there; try later", {"Retry-After": "3600"})


class FlaggerAdmission(KeyAdmission):
    """Admits keys of trusted flaggers, and gives the flagger's name."""

    async def __call__(self, request: Request) -> str:
        key = await self.key(request)
        return key.name if key else "anonymous"


Flagger = Annotated[str, Security(FlaggerAdmission(Scope.FLAG), scopes=[Scope.FLAG.value])]


@router.post("/v1/intake", operation_id="report_as_flagger", status_code=status.HTTP_201_CREATED)
def receive(
    request: Request,
    body: IntakeIn,
    name: Flagger,
) -> ReceiptOut:
    """Report as a trusted flagger; it opens a case that is looked at before those of the public."""
    report = IntakeReport(body.category, body.links, body.text, body.contact, body.danger_now)
    receipt = _intake(request).receive(report, flagger=name)
    return ReceiptOut(id=receipt.id, received_at=receipt.received_at)


@router.get("/report", include_in_schema=False)
def show_form(request: Request) -> HTMLResponse:
    """The page on which anybody may report."""
    _public(request)
    return _page()


@router.post("/report", include_in_schema=False)
async def receive_form(request: Request) -> HTMLResponse:
    """Take what was written there."""
    deployment = _public(request)
    brake: IntakeBrake = request.app.state.intake_brake
    brake.admit(request)
    given = await _fields(request)
    try:
        report = _report(given)
        receipt = await run_in_threadpool(_intake(request).receive, report)
    except InputError as error:
        return _page(given, problem=str(error), status_code=400)
    organisation = deployment.casework.options.reports.organisation
    return _page(receipt=receipt, name=organisation.name if organisation else "")


def _page(given: Mapping[str, str] | None = None, status_code: int = 200, **values: object) -> HTMLResponse:
    shown: dict[str, object] = {"receipt": None, "problem": "", "name": ""} | values
    text = page("intake.html", given=given or {}, words=_WORDS, **shown)
    return HTMLResponse(text, status_code, _SAFE)


def _report(given: Mapping[str, str]) -> IntakeReport:
    if given.get("website"):
        raise InputError("leave the last field empty; it is there to tell programs from people")
    try:
        category = Category(given.get("category", ""))
    except ValueError:
        raise InputError("say what it is about") from None
    links = [line.strip() for line in given.get("links", "").splitlines() if line.strip()]
    return IntakeReport(
        category, links, given.get("text", "").strip(), given.get("contact", "").strip(), "danger_now" in given
    )


async def _fields(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Problem(415, "form-needed", "the page sends a form; files are not taken")
    body = b"".join([part async for part in limited(request, MAX_FORM_BYTES)])
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20, errors="strict"))
    except ValueError:
        raise Problem(400, "malformed-form", "the form cannot be read") from None


def _public(request: Request) -> Deployment:
    deployment: Deployment = request.app.state.deployment
    if not deployment.casework.options.reports.public_intake:
        raise Problem(404, "not-found", "reports of the public are not taken here")
    return deployment


def _intake(request: Request) -> PublicIntake:
    deployment: Deployment = request.app.state.deployment
    if deployment.casework.intake is None:
        raise NotReadyError("reports cannot be sealed here: evidence has no recipients")
    return deployment.casework.intake


def _network(request: Request) -> str:
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    # One household has a whole IPv6 network.
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host
