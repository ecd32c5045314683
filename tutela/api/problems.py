"""Errors as RFC 9457 problem documents: one form for everything that is not a 2xx, and never a stack trace."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from tutela.errors import BusyError, ConflictError, InputError, NotFoundError, NotReadyError, StoreError, TutelaError
from tutela.foundation.bodies import TooLongError

log = logging.getLogger(__name__)

_CLIENT_GONE = 499
MEDIA_TYPE = "application/problem+json"


class Problem(HTTPException):
    """An answer that is not a 2xx: `kind` is the last part of its type address, listed in docs/problems.md."""

    def __init__(
        self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None, **extra: object
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.kind = kind
        self.extra = extra


def problem_response(
    status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None, **extra: object
) -> Response:
    """The problem document as a response."""
    document = {
        "type": f"/problems/{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **extra,
    }
    return Response(json.dumps(document), status, dict(headers or {}), MEDIA_TYPE)


def answer_with_problems(app: FastAPI) -> None:
    """Make every error of the application a problem document."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(TutelaError, _tutela)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _fault)


def refuse_unknown_parameters(request: Request) -> None:
    """A dependency of every route: what a query misspells is said, not passed over. Raises Problem."""
    route = request.scope.get("route")
    if not request.scope["query_string"] or not isinstance(route, APIRoute):
        return
    known = _parameters(route)
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
        errors = [{"at": f"query/{name[:80]}", "what": f"there is no such parameter; {takes}"} for name in unknown[:50]]
        raise Problem(422, "invalid-request", "the request is not of the documented form", errors=errors)


def _parameters(route: APIRoute) -> set[str]:
    """The names of a route's query parameters, those of what it depends on too."""
    found: set[str] = set()
    waiting = [route.dependant]
    while waiting:
        dependant = waiting.pop()
        found.update(field.alias for field in dependant.query_params)
        waiting += dependant.dependencies
    return found


def answer_to(request: Request, error: Exception) -> Response:
    """The problem document of an error."""
    match error:
        case HTTPException():
            return _http(request, error)
        case RequestValidationError():
            return _invalid(request, error)
        case TutelaError():
            return _tutela(request, error)
        case ClientDisconnect():
            return _gone(request, error)
        case _:
            return _fault(request, error)


def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return problem_response(error.status_code, error.kind, error.detail, error.headers, **error.extra)
    if isinstance(error, TooLongError):
        return problem_response(413, "too-long", error.detail)
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return problem_response(error.status_code, kind, str(error.detail), error.headers)


def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # What was sent is not repeated: it may be content.
    found = [{"at": "/".join(str(part) for part in item["loc"]), "what": item["msg"]} for item in error.errors()]
    return problem_response(422, "invalid-request", "the request is not of the documented form", errors=found[:50])


def _tutela(_: Request, error: Exception) -> Response:
    match error:
        case NotFoundError():
            return problem_response(404, "not-found", str(error), None, **_named(error))
        case ConflictError():
            return problem_response(409, "conflict", str(error), None, **_named(error))
        case InputError():
            return problem_response(400, "invalid-input", str(error), None, **_named(error))
        case BusyError():
            return problem_response(503, "busy", str(error), {"Retry-After": "1"})
        case NotReadyError():
            log.error("request refused: %s", error)
            return problem_response(503, "not-ready", str(error), {"Retry-After": "1"})
        case StoreError():
            # Its text may name the database's host; that is for the operator's log.
            log.error("request refused: %s", error)
            return problem_response(503, "not-ready", "the database does not answer", {"Retry-After": "1"})
        case _:
            return _fault(_, error)


def _named(error: InputError) -> dict[str, object]:
    """What a program can use of an error: its code, the field that is wrong, and the values that its text names."""
    values = {name: one if isinstance(one, int) else str(one) for name, one in error.statement.values.items()}
    return {
        "code": error.code,
        **({"field": error.field} if error.field else {}),
        **({"values": values} if values else {}),
    }


def _gone(_: Request, error: Exception) -> Response:
    """Whoever asked has gone: nobody reads this, and nothing is wrong here. The status is nginx's, for the log."""
    return Response(status_code=_CLIENT_GONE)


def _fault(_: Request, error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return problem_response(500, "fault", "the service failed; see its log")
