"""The calls of the CyberTipline Reporting API, one function each. It decides nothing and retries nothing.

Whatever is no readable answer is an `UncertainError`, and any code but success a `TiplineRefusedError`: what follows
from them is for `tutela.casework.reports.filer`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from tutela.casework.reports.cybertipline.answers import TiplineAnswer, TiplineRefusedError, UncertainError, read_answer
from tutela.casework.reports.cybertipline.environment import ADDRESSES, Environment
from tutela.casework.reports.cybertipline.report import FileDetails, Report
from tutela.casework.reports.cybertipline.schema import Schema
from tutela.errors import InputError
from tutela.foundation.http import Http, HttpError, Patience

if TYPE_CHECKING:
    import httpx

_XML = {"Content-Type": "text/xml; charset=utf-8"}
_TIMEOUT_S = 120.0
_CONNECT_TIMEOUT_S = 10.0
_MAX_ANSWER_BYTES = 8 * 1024 * 1024


class CyberTipline:
    """A connection with the credentials that NCMEC gave out. Thread-safe; close it."""

    def __init__(
        self,
        user: str,
        password: str,
        *,
        environment: Environment = Environment.TEST,
        address: str | None = None,
        transport: "httpx.BaseTransport | None" = None,
    ) -> None:
        """`address` replaces the environment's own. Raises InputError unless it is https, or on this machine."""
        self.environment = environment
        self.address = (address or ADDRESSES[environment]).rstrip("/")
        _check_address(self.address)
        self._http = Http(
            auth=(user, password),
            patience=Patience(timeout_s=_TIMEOUT_S, connect_s=_CONNECT_TIMEOUT_S),
            transport=transport,
            trust_env=False,
        )

    def status(self) -> TiplineAnswer:
        """Success when the credentials are good. Raises RefusedError, UncertainError."""
        return self._call("status", "GET")

    def schema(self) -> Schema:
        """The schema that the server checks reports with. Raises UncertainError, TutelaError."""
        return Schema(self._send("GET", "xsd")[0])

    def submit(self, report: Report | bytes) -> TiplineAnswer:
        """Open a report; the answer has its number. Raises RefusedError, UncertainError."""
        body = report if isinstance(report, bytes) else report.xml()
        answer = self._call("submit", content=body, headers=_XML)
        if answer.report_id is None:
            raise UncertainError("submit succeeded without a report number")
        return answer

    def upload(self, report_id: int, name: str, file: BinaryIO) -> TiplineAnswer:
        """Add a file; the answer has its number and the MD5 of what arrived. Raises RefusedError, UncertainError."""
        answer = self._call("upload", data={"id": str(report_id)}, files={"file": (_header_safe(name), file)})
        if answer.file_id is None:
            raise UncertainError("upload succeeded without a file number")
        return answer

    def fileinfo(self, details: FileDetails) -> TiplineAnswer:
        """Say what is known of a file. Raises RefusedError, UncertainError."""
        return self._call("fileinfo", content=details.xml(), headers=_XML)

    def finish(self, report_id: int) -> TiplineAnswer:
        """Close the report: from here it counts, and nothing in it changes. Raises RefusedError, UncertainError."""
        return self._call("finish", data={"id": str(report_id)})

    def retract(self, report_id: int) -> TiplineAnswer:
        """Take an open report back. Raises RefusedError, UncertainError."""
        return self._call("retract", data={"id": str(report_id)})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _call(
        self,
        call: str,
        method: str = "POST",
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, BinaryIO]] | None = None,
    ) -> TiplineAnswer:
        body, request_id = self._send(method, call, content=content, headers=headers, data=data, files=files)
        answer = read_answer(body, request_id)
        if answer.code != 0:
            raise TiplineRefusedError(call, answer)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, BinaryIO]] | None = None,
    ) -> tuple[bytes, str | None]:
        try:
            answer = self._http.ask(
                method,
                f"{self.address}/{path}",
                content,
                form=data,
                files=files,
                headers=headers,
                max_bytes=_MAX_ANSWER_BYTES,
            )
        except HttpError as error:
            raise UncertainError("{path}: no answer ({error})", path=path, error=error) from error
        if 300 <= answer.status < 400:
            raise UncertainError("{path}: the server sent us elsewhere; correct its address", path=path)
        return answer.body, answer.headers.get("request-id")


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise InputError("the CyberTipline address {address!r} must begin with https://", address=address)


def _header_safe(name: str) -> str:
    """A file's name that can stand in a header; what it was is in the file's details."""
    return "".join(c if c.isprintable() and c not in '"\\/' else "_" for c in name)[-200:] or "file"
