"""Reading request bodies within a limit, in memory: content never touches a disk on its way to a verdict."""

import json
from collections.abc import AsyncGenerator

from fastapi import Request
from pydantic import ValidationError
from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import ASGIApp, Receive, Scope, Send

from tutela.api.models import ContextIn
from tutela.api.problems import Problem
from tutela.foundation.allowance import Taken
from tutela.foundation.bodies import TooLongError, check_declared, within
from tutela.screening.verdict import Context

MAX_JSON_BYTES = 16 * 1024 * 1024
"""Longest body of a route that reads JSON: a full batch of entries with their notes."""
CONTEXT_HEADER = "tutela-context"
_FORM_OVERHEAD = 64 * 1024
_CONTEXT_FORM = 'the context is a JSON object: {"item": …, "details": {…}}'


class BodyLimit:
    """ASGI middleware: no route reads more than `MAX_JSON_BYTES`, whether there is a key or not.

    FastAPI reads a JSON body before it asks who sent it. The routes that take more read their body as a stream, after
    the key was checked, within a limit of their own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI defines it."""
        if scope["type"] != "http" or scope["path"] == "/v1/screen" or scope["path"].endswith("/import"):
            await self._app(scope, receive, send)
            return
        await self._app(scope, within(receive, MAX_JSON_BYTES), send)


async def read_content(request: Request, max_bytes: int, memory: Taken) -> tuple[bytes, Context]:
    """The content and its context, from a raw body or from a form's part `file`; `memory` grows with it.

    Raises Problem 400 when the form or the context is malformed, TooLongError when it is too long.
    """
    if is_form(request):
        return await _read_form(request, max_bytes, memory)
    parts = [part async for part in _counted(limited(request, max_bytes), memory)]
    return b"".join(parts), raw_context(request)


def is_form(request: Request) -> bool:
    """Whether the body is a form."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data"


def raw_context(request: Request) -> Context:
    """The context of a raw body. Raises Problem 400."""
    return read_context(request.headers.get(CONTEXT_HEADER))


async def limited(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body's parts as they come; more than so many bytes raise TooLongError."""
    check_declared(request.headers.get("content-length", ""), max_bytes)
    taken = 0
    async for part in request.stream():
        taken += len(part)
        if taken > max_bytes:
            raise TooLongError(max_bytes)
        yield part


async def _counted(parts: AsyncGenerator[bytes, None], memory: Taken) -> AsyncGenerator[bytes, None]:
    async for part in parts:
        memory.grow(len(part))
        yield part


async def _read_form(request: Request, max_bytes: int, memory: Taken) -> tuple[bytes, Context]:
    stream = _counted(limited(request, max_bytes + _FORM_OVERHEAD), memory)
    parser = MultiPartParser(request.headers, stream, max_files=1, max_fields=1, max_part_size=_FORM_OVERHEAD)
    parser.spool_max_size = max_bytes + _FORM_OVERHEAD  # never roll over to a file
    try:
        form = await parser.parse()
    except (MultiPartException, MultipartParseError, KeyError, ValueError, UnicodeDecodeError) as error:
        raise Problem(400, "malformed-form", "the multipart form cannot be read") from error
    part, context = form.get("file"), form.get("context")
    if not isinstance(part, UploadFile):
        raise Problem(400, "malformed-form", "the form needs one part 'file' that carries the content")
    content = await part.read()
    await form.close()
    if len(content) > max_bytes:
        raise TooLongError(max_bytes)
    return content, read_context(context if isinstance(context, str) else None)


def read_context(text: str | None) -> Context:
    """The context of a text. Raises Problem 400, which names the fields that are wrong and the rule of each."""
    if not text:
        return Context()
    try:
        given = ContextIn.model_validate(json.loads(text))
    except ValidationError as error:
        found = [(".".join(str(part)[:80] for part in item["loc"]), item["msg"]) for item in error.errors()][:50]
        rules = "; ".join(f"{at + ': ' if at else ''}{rule}" for at, rule in found[:3])
        errors = [{"at": f"context/{at.replace('.', '/')}", "what": rule} for at, rule in found]
        raise Problem(400, "malformed-context", f"{_CONTEXT_FORM}; {rules}", errors=errors) from None
    except (ValueError, RecursionError):
        raise Problem(400, "malformed-context", f"{_CONTEXT_FORM}; it is not JSON") from None
    return Context(given.item, given.details)
