"""What is answered over ICAP: nothing modified, the echo, or a page that takes the upload's place."""

from collections.abc import Mapping
from http import HTTPStatus

from tutela.gateways.outcome import GatewayOutcome
from tutela.screening.decision import Decision

_REASONS = {
    100: "Continue",
    200: "OK",
    204: "No modifications needed",
    400: "Bad request",
    404: "ICAP Service not found",
    405: "Method not allowed for service",
    408: "Request timeout",
    500: "Server error",
    505: "ICAP version not supported",
}
CONTINUE = b"ICAP/1.0 100 Continue\r\n\r\n"


def status(code: int, headers: Mapping[str, str] | None = None) -> bytes:
    """A head of ICAP."""
    lines = [f"ICAP/1.0 {code} {_REASONS[code]}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def failure(code: int, tag: str) -> bytes:
    """A refusal to answer, after which the connection is closed."""
    return status(code, {"ISTag": tag, "Encapsulated": "null-body=0", "Connection": "close"})


def options(tag: str, methods: str, headers: Mapping[str, str]) -> bytes:
    """What the service can do."""
    said = {"Methods": methods, "Service": "Tutela", "ISTag": tag, "Encapsulated": "null-body=0", "Allow": "204"}
    return status(200, said | {"Preview": "1024", "Transfer-Preview": "*"} | dict(headers))


def infection(outcome: GatewayOutcome, kind: int) -> dict[str, str]:
    """The headers by which proxies and clouds know that something was found; `kind` 2 says it could not be screened."""
    name = outcome.name
    violation = f"1\r\n\t-\r\n\t{name}\r\n\t0\r\n\t2"
    return {"X-Infection-Found": f"Type={kind}; Resolution=2; Threat={name};", "X-Violations-Found": violation}


def page(tag: str, code: int, headers: Mapping[str, str], text: str) -> bytes:
    """A page of HTTP in answer to a request, after which the connection is closed: a body may still come."""
    body = text.encode()
    lines = [f"HTTP/1.1 {code} {HTTPStatus(code).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close"]) + "\r\n\r\n"
    encoded = head.encode("latin-1", "replace")
    said = {"ISTag": tag, "Connection": "close", "Encapsulated": f"res-hdr=0, res-body={len(encoded)}"}
    return status(200, said) + encoded + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def refusal(tag: str, outcome: GatewayOutcome, kind: int, *, closes: bool) -> bytes:
    """A page of HTTP in the place of what was refused."""
    title = "This content is refused" if outcome.decision is Decision.BLOCK else "This content is being checked"
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1>"
        f"<p>Number {outcome.number}</p></html>\n"
    ).encode()
    head = (
        "HTTP/1.1 403 Forbidden\r\nServer: Tutela\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(page)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    ).encode()
    said = {"ISTag": tag} | infection(outcome, kind) | ({"Connection": "close"} if closes else {})
    said["Encapsulated"] = f"res-hdr=0, res-body={len(head)}"
    return status(200, said) + head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(page), page)
