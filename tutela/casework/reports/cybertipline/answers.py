"""What the CyberTipline answers: its response codes, and the two documents that carry them.

The code stands in the body, whatever the HTTP status is; both are read.
"""

from dataclasses import dataclass
from enum import IntEnum

from lxml import etree

from tutela.casework.reports.cybertipline.schema import parse
from tutela.errors import TutelaError


class Code(IntEnum):
    """The response codes, by their names in NCMEC's documentation."""

    SUCCESS = 0
    SERVER_ERROR = 1000
    SAVE_FAILED = 1100
    UPLOAD_FAILED = 1110
    FILE_UPLOAD_FAILED = 1111
    RESOURCE_NOT_FOUND = 1210
    UPDATE_FAILED = 1300
    AUTHENTICATION_REQUIRED = 2000
    NOT_AUTHORISED = 3000
    NOT_AUTHORISED_TO_SUBMIT = 3100
    NOT_AUTHORISED_TO_UPDATE = 3300
    INVALID_REQUEST = 4000
    VALIDATION_FAILED = 4100
    MALFORMED_XML = 4110
    MALFORMED_FILE = 4200
    NO_SUCH_REPORT = 5001
    NO_SUCH_FILE = 5002
    RETRACTED_ALREADY = 5101
    FINISHED_ALREADY = 5102


@dataclass(frozen=True, slots=True)
class TiplineAnswer:
    """One answer of the server. Numbers and hashes are there where the call gives them."""

    code: int
    description: str = ""
    report_id: int | None = None
    file_id: str | None = None
    md5: str | None = None
    """In lower case, of the bytes that arrived."""
    file_ids: tuple[str, ...] = ()
    """After finish: the files that the report has."""
    request_id: str | None = None
    """NCMEC's name of the request, to ask them about it."""


class UncertainError(TutelaError):
    """No answer that can be read: the server may have done what was asked, or not."""

    code = "cybertipline-uncertain"


class TiplineRefusedError(TutelaError):
    """The server answered with a code other than success."""

    code = "cybertipline-refused"

    def __init__(self, call: str, answer: TiplineAnswer) -> None:
        request = f" (Request-ID {answer.request_id})" if answer.request_id else ""
        super().__init__("{call}: {answer}", call=call, answer=f"{answer.code} {answer.description}".strip() + request)
        self.answer = answer

    @property
    def response_code(self) -> int:
        """The response code."""
        return self.answer.code

    @property
    def passing(self) -> bool:
        """Whether the server says that the fault is its own and may pass."""
        return 1000 <= self.response_code < 2000


def read_answer(body: bytes, request_id: str | None = None) -> TiplineAnswer:
    """The answer in a body. Raises UncertainError when it is none."""
    try:
        root = parse(body)
        if root.tag not in ("reportResponse", "reportDoneResponse"):
            raise UncertainError("the server answered with <{tag}>", tag=root.tag)
        number = root.findtext("reportId")
        return TiplineAnswer(
            code=int(root.findtext("responseCode") or ""),
            description=(root.findtext("responseDescription") or "").strip(),
            report_id=int(number) if number else None,
            file_id=(root.findtext("fileId") or "").strip() or None,
            md5=(root.findtext("hash") or "").strip().lower() or None,
            file_ids=tuple((node.text or "").strip() for node in root.findall("files/fileId")),
            request_id=request_id,
        )
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UncertainError("the server's answer cannot be read: {kind}", kind=type(error).__name__) from error
