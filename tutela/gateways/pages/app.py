"""The stop page over HTTP: what resolvers and proxies send people to, appeals, and the way to help.

A blocked name's own host comes here by its resolver, so the Host header says what is blocked; a proxy names the entry
by its reference number. Nothing is logged.
"""

import logging
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from tutela.deployment.edge import Edge
from tutela.errors import InputError, TutelaError
from tutela.foundation.rates import Rate, Windows
from tutela.gateways.pages.options import StopPageOptions
from tutela.gateways.pages.stop_page import APPEAL_PATH, HELP_PATH, StopPage
from tutela.lists.banks.model import BankUse
from tutela.screening.check.counts import What
from tutela.screening.check.deterrence import Deterrences

log = logging.getLogger(__name__)

STOP_PATH = "/blocked/"
NOT_NOW_PATH = "/not-now"
MAX_FORM_BYTES = 64 * 1024
ALL = "all"
"""The rule set of what is counted for no list."""


class StopPageApp:
    """An ASGI application over one edge."""

    def __init__(self, edge: Edge, options: StopPageOptions, deterrences: Deterrences) -> None:
        self._edge = edge
        self._page = StopPage(options, deterrences, takes_appeals=edge.appeals.taken)
        self._rate = Rate.read(options.appeals_rate)
        self._windows = Windows()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except TutelaError as error:
            log.error("the stop page: %s", error)
            response = self._html(self._page.not_now(_languages(request)), 503)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path == APPEAL_PATH and request.method == "POST":
            return await self._appeal(request)
        if request.method == "CONNECT":
            return self._html("", 451)
        if path.startswith(HELP_PATH):
            return self._help(path.removeprefix(HELP_PATH))
        if path.startswith(STOP_PATH):
            return await self._blocked(request, path.removeprefix(STOP_PATH))
        if path == NOT_NOW_PATH:
            return self._html(self._page.not_now(_languages(request)), 503)
        if path == "/healthz":
            return Response("up\n", media_type="text/plain")
        return await self._by_host(request)

    async def _blocked(self, request: Request, reference: str) -> Response:
        try:
            entry_id = self._edge.appeals.references.entry(reference)
        except InputError:
            return self._html(self._page.blocked("", _languages(request)), 451)
        self._edge.counts.add(ALL, What.SHOWN)
        return self._html(self._page.blocked(self._edge.appeals.references.of(entry_id), _languages(request)), 451)

    async def _by_host(self, request: Request) -> Response:
        """What a blocked name's own host is asked for, since its resolver sends it here."""
        host = request.headers.get("host", "")
        ruled = await run_in_threadpool(self._edge.rule, f"http://{host}/", BankUse.DNS)
        reference = self._edge.reference(ruled)
        self._edge.counts.add(ALL, What.SHOWN)
        return self._html(self._page.blocked(reference, _languages(request)), 451)

    def _help(self, number: str) -> Response:
        helpers = self._page.helpers()
        if (
            not (number.isascii() and number.isdecimal())
            or int(number) >= len(helpers)
            or not helpers[int(number)].site
        ):
            return self._html(self._page.blocked("", ""), 404)
        self._edge.counts.add(ALL, What.HELP)
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return RedirectResponse(helpers[int(number)].site, 302, headers)

    async def _appeal(self, request: Request) -> Response:
        given = await _form(request)
        reference = given.get("reference", "")
        languages = _languages(request)
        if given.get("website"):
            return self._html(self._page.blocked(reference, languages), 400)
        if not self._windows.hit(self._rate, "appeals"):
            return self._html(self._page.blocked(reference, languages, given, "Too many appeals: try later."), 429)
        try:
            text, contact = given.get("text", "").strip(), given.get("contact", "").strip()
            receipt = await run_in_threadpool(self._edge.appeals.receive, reference, text, contact)
        except InputError as error:
            return self._html(self._page.blocked(reference, languages, given, str(error)), 400)
        return self._html(self._page.received(receipt, languages), 200)

    def _html(self, page: str, status: int) -> Response:
        return Response(page, status, self._page.headers())


async def _form(request: Request) -> Mapping[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            return {}
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20, errors="strict"))
    except ValueError:
        return {}


def _languages(request: Request) -> str:
    return request.headers.get("accept-language", "")[:1000]
