"""A strict stand-in of NCMEC's CyberTipline Reporting API: every rule of the schema and of the documentation.

Everything is kept in memory, in the order in which it came. A report that is not finished is deleted 24 hours after it
was opened, or one hour after its last change, whichever is later; the clock is the test's own.
"""

import base64
import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from lxml import etree
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SCHEMA_FILE = Path(__file__).parents[4] / "shared" / "ncmec" / "cyber_tipline.xsd"
"""The published schema, beside the checkout."""

HTTP_STATUS = {
    0: 200, 1000: 500, 1100: 500, 1110: 500, 1111: 500, 1210: 404, 1300: 500, 2000: 401, 3000: 403, 3100: 403,
    3300: 403, 4000: 400, 4100: 422, 4110: 400, 4200: 400, 5001: 404, 5002: 404, 5101: 409, 5102: 409,
}  # fmt: skip
DESCRIPTION = {
    0: "Success", 1000: "Server error", 1100: "Save failed", 1110: "Upload failed", 1111: "File upload failed",
    1210: "Resource not found", 1300: "Update failed", 2000: "Authentication required", 3000: "Not authorized",
    3100: "No authorization to submit", 3300: "No authorization to update", 4000: "Invalid request",
    4100: "Validation failed", 4110: "Malformed XML", 4200: "Malformed file", 5001: "Report does not exist",
    5002: "File does not exist", 5101: "Report already retracted", 5102: "Report already finished",
}  # fmt: skip
DAY_S, HOUR_S = 86_400.0, 3_600.0
MAX_TEXT = 3_000


class Refusal(Exception):
    def __init__(self, code: int, description: str = "") -> None:
        self.code, self.description = code, description or DESCRIPTION[code]


@dataclass
class Account:
    password: str
    active: bool = True
    may_submit: bool = True
    may_update: bool = True


@dataclass
class StoredFile:
    id: str
    name: str
    md5: str
    length: int
    details: etree._Element | None = None


@dataclass
class StoredReport:
    number: int
    owner: str
    xml: etree._Element
    opened: float
    changed: float
    state: str = "open"
    files: list[StoredFile] = field(default_factory=list)

    def text(self, path: str) -> str | None:
        found: str | None = self.xml.findtext(path)
        return found


class CyberTiplineStandIn:
    """The service's state and rules. `app` is the ASGI application; `serve` runs it on a port of this machine."""

    def __init__(self, schema: Path, clock: Callable[[], float] = time.time) -> None:
        self.schema_text = schema.read_bytes()
        self.schema = etree.XMLSchema(etree.fromstring(self.schema_text))
        self.reset(clock)
        self._lock = threading.Lock()
        routes = [
            Route(f"/ispws/{name}", self._handle, methods=["GET", "POST"])
            for name in ("status", "xsd", "submit", "upload", "fileinfo", "finish", "retract")
        ]
        self.app = Starlette(routes=[*routes, Route("/{rest:path}", self._unknown, methods=["GET", "POST"])])

    def reset(self, clock: Callable[[], float] = time.time) -> None:
        """Forget everything."""
        self.clock = clock
        self.accounts = {"esp": Account("secret")}
        self.reports: dict[int, StoredReport] = {}
        self.calls: list[str] = []
        self.failures: list[tuple[str, int]] = []
        """Calls that answer that code once, without doing anything."""
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        self.always_200 = False
        self._number, self._file, self._request = 1_000_000, 0, 0

    def finished(self) -> list[StoredReport]:
        return [report for report in self.reports.values() if report.state == "finished"]

    @contextlib.contextmanager
    def serve(self) -> Iterator[str]:
        """The address of the running service."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        server = uvicorn.Server(uvicorn.Config(self.app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/ispws"
        finally:
            server.should_exit = True
            thread.join()
            listener.close()

    # --- requests

    async def _handle(self, request: Request) -> Response:
        call = request.url.path.rsplit("/", 1)[1]
        self.calls.append(call)
        self.before(call)
        body = await request.body()
        try:
            with self._lock:
                for planned in self.failures:
                    if planned[0] == call:
                        self.failures.remove(planned)
                        raise Refusal(planned[1])
            user = self._authenticated(request)
            if call == "xsd":
                self._method(request, "GET")
                return Response(self.schema_text, media_type="application/xml")
            form = await self._form(request) if call in ("upload", "finish", "retract") else {}
            with self._lock:
                self._expire()
                response = self._answer(call, request, user, body, form)
        except Refusal as refusal:
            response = self._response(refusal.code, refusal.description)
        self.after(call)
        return response

    async def _unknown(self, request: Request) -> Response:
        return self._response(1210)

    def _answer(
        self, call: str, request: Request, user: str, body: bytes, form: dict[str, str | tuple[str, bytes]]
    ) -> Response:
        if call == "status":
            self._method(request, "GET")
            return self._response(0, "Remote User : " + user)
        self._method(request, "POST")
        account = self.accounts[user]
        if call == "submit" and not account.may_submit:
            raise Refusal(3100)
        if call != "submit" and not account.may_update:
            raise Refusal(3300)
        match call:
            case "submit":
                return self._submit(user, request, body)
            case "upload":
                return self._upload(user, form)
            case "fileinfo":
                return self._fileinfo(user, request, body)
            case "finish":
                report = self._report(user, self._identifier(form))
                report.state = "finished"
                return self._done(report)
            case _:
                report = self._report(user, self._identifier(form))
                report.state = "retracted"
                return self._response(0, report=report)

    def _submit(self, user: str, request: Request, body: bytes) -> Response:
        root = self._document(request, body, "report")
        for path in (".//additionalInfo", ".//escalateToHighPriority"):
            for node in root.iterfind(path):
                self._limited_text(node)
        self._number += 1
        now = self.clock()
        report = self.reports[self._number] = StoredReport(self._number, user, root, now, now)
        return self._response(0, report=report)

    def _upload(self, user: str, form: dict[str, str | tuple[str, bytes]]) -> Response:
        report = self._report(user, self._identifier(form))
        part = form.get("file")
        if part is None:
            raise Refusal(4000, "no file")
        if isinstance(part, str) or not part[1]:
            raise Refusal(4200)
        self._file += 1
        md5 = hashlib.md5(part[1]).hexdigest()
        file = StoredFile(hashlib.sha1(str(self._file).encode()).hexdigest(), part[0], md5, len(part[1]))
        report.files.append(file)
        report.changed = self.clock()
        return self._response(0, report=report, file=file)

    def _fileinfo(self, user: str, request: Request, body: bytes) -> Response:
        root = self._document(request, body, "fileDetails")
        for node in root.iterfind("additionalInfo"):
            self._limited_text(node)
        reported = root.findtext("fileRelevance") in (None, "Reported")
        meme = root.findtext("potentialMeme") == "true" or root.find("fileAnnotations/potentialMeme") is not None
        if not reported and (root.find("industryClassification") is not None or meme):
            raise Refusal(4100, "only reported files are classified")
        report = self._report(user, int(root.findtext("reportId") or 0))
        file = next((one for one in report.files if one.id == (root.findtext("fileId") or "").strip()), None)
        if file is None:
            raise Refusal(5002)
        file.details = root
        report.changed = self.clock()
        return self._response(0, report=report)

    # --- rules

    def _authenticated(self, request: Request) -> str:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except ValueError:
            raise Refusal(2000) from None
        account = self.accounts.get(user)
        if scheme != "Basic" or account is None or account.password != password:
            raise Refusal(2000)
        if not account.active:
            raise Refusal(3000)
        return user

    def _method(self, request: Request, method: str) -> None:
        if request.method != method:
            raise Refusal(4000, f"use {method}")

    async def _form(self, request: Request) -> dict[str, str | tuple[str, bytes]]:
        kind = request.headers.get("content-type", "").partition(";")[0]
        if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
            raise Refusal(4000, "not a form")
        try:
            form = await request.form()
        except Exception:
            raise Refusal(4000, "the form cannot be read") from None
        found: dict[str, str | tuple[str, bytes]] = {}
        for name, value in form.multi_items():
            if name in found:
                raise Refusal(4000, f"{name} twice")
            found[name] = (value.filename or "", await value.read()) if isinstance(value, UploadFile) else value
        return found

    def _identifier(self, form: dict[str, str | tuple[str, bytes]]) -> int:
        text = form.get("id")
        if not isinstance(text, str) or not text.isascii() or not text.isdigit():
            raise Refusal(4000, "no id")
        return int(text)

    def _document(self, request: Request, body: bytes, root_name: str) -> etree._Element:
        media_type = request.headers.get("content-type", "").lower().replace(" ", "")
        if media_type.partition(";")[0] not in ("text/xml", "application/xml"):
            raise Refusal(4000, "not XML")
        if "charset=" in media_type and not media_type.endswith("charset=utf-8"):
            raise Refusal(4000, "not UTF-8")
        try:
            root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, encoding="UTF-8"))
        except (etree.XMLSyntaxError, ValueError):
            raise Refusal(4110) from None
        if root.getroottree().docinfo.doctype:
            raise Refusal(4110, "document types are not accepted")
        if root.tag != root_name or not self.schema.validate(root):
            raise Refusal(4100, str(self.schema.error_log.last_error or f"<{root_name}> expected"))
        return root

    def _limited_text(self, node: etree._Element) -> None:
        text = node.text or ""
        if not text.strip() or len(text) > MAX_TEXT:
            raise Refusal(4100, f"{node.tag} is blank or over {MAX_TEXT} characters")

    def _report(self, user: str, number: int) -> StoredReport:
        report = self.reports.get(number)
        if report is None or report.owner != user:
            raise Refusal(5001)
        if report.state == "retracted":
            raise Refusal(5101)
        if report.state == "finished":
            raise Refusal(5102)
        return report

    def _expire(self) -> None:
        now = self.clock()
        for number, report in list(self.reports.items()):
            if report.state == "open" and now > max(report.opened + DAY_S, report.changed + HOUR_S):
                del self.reports[number]

    # --- answers

    def _response(
        self, code: int, description: str = "", *, report: StoredReport | None = None, file: StoredFile | None = None
    ) -> Response:
        root = etree.Element("reportResponse")
        etree.SubElement(root, "responseCode").text = str(code)
        etree.SubElement(root, "responseDescription").text = description or DESCRIPTION[code]
        if report is not None:
            etree.SubElement(root, "reportId").text = str(report.number)
        if file is not None:
            etree.SubElement(root, "fileId").text = file.id
            etree.SubElement(root, "hash").text = file.md5
        return self._document_response(code, root)

    def _done(self, report: StoredReport) -> Response:
        root = etree.Element("reportDoneResponse")
        etree.SubElement(root, "responseCode").text = "0"
        etree.SubElement(root, "reportId").text = str(report.number)
        files = etree.SubElement(root, "files")
        for file in report.files:
            etree.SubElement(files, "fileId").text = file.id
        return self._document_response(0, root)

    def _document_response(self, code: int, root: etree._Element) -> Response:
        assert self.schema.validate(root), self.schema.error_log
        self._request += 1
        return Response(
            etree.tostring(root, encoding="UTF-8", xml_declaration=True),
            200 if self.always_200 else HTTP_STATUS[code],
            {"Request-ID": f"request-{self._request}"},
            "text/xml; charset=utf-8",
        )
