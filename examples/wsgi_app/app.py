"""Uploads in plain WSGI, screened by the library in the application's own process before anyone can see them.

    TUTELA_HOME=/var/lib/tutela python app.py

No framework: the standard library, python-multipart for the form, and Tutela. What is held or blocked is sealed and
opens a case that names the sender; what is decided there comes back to `obey`.
"""

import functools
import io
import json
import os
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

from python_multipart import parse_form
from python_multipart.exceptions import FormParserError

from tutela import Context, Decision, Deployment, Effect, EffectRequest, open_deployment

FOLDER = Path(os.environ.get("UPLOADS", "uploads"))
MAX_BYTES = 10 * 1024 * 1024
SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif"}
TYPES = {suffix: media_type for media_type, suffix in SUFFIXES.items()}
_PUBLISHED = re.compile(r"/pictures/([0-9a-f]{32}(\.[a-z]+))")
_FORM_BYTES = 16 * 1024  # what a form's own lines may take beside the picture

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


@functools.cache
def deployment() -> Deployment:
    """One deployment a process, opened on first use: after the server has forked its workers."""
    opened = open_deployment(os.environ["TUTELA_HOME"], on_effect=obey)
    opened.start()  # delivers what was decided
    return opened


def obey(request: EffectRequest) -> None:
    """Hide or restore what was decided of, in the console or elsewhere. The same may be asked again."""
    if request.effect not in (Effect.HIDE, Effect.RESTORE):
        return  # suspend and lock are about an account: tell whoever looks after accounts
    source, target = ("public", "quarantine") if request.effect is Effect.HIDE else ("quarantine", "public")
    for item in filter(re.compile("[0-9a-f]{32}").fullmatch, request.items):
        for path in (FOLDER / source).glob(f"{item}.*"):
            (FOLDER / target).mkdir(mode=0o700, parents=True, exist_ok=True)
            path.replace(FOLDER / target / path.name)


def told(environ: Environ, item: str, file_name: str) -> Context:
    """What a report needs to know: who sent this, from where and when. It is sealed with the content."""
    sent = {
        "uploader": environ.get("HTTP_X_FORWARDED_USER", ""),  # in your application: whoever is signed in
        "ip_address": environ.get("REMOTE_ADDR", ""),
        "uploaded_at": datetime.now(UTC).isoformat(),
        "file_name": file_name,
    }
    return Context(item=item, details={name: text for name, text in sent.items() if text})


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """POST a form with a picture to /pictures; GET what was published."""
    method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
    if (method, path) == ("POST", "/pictures"):
        status, document = upload(environ)
        return _answer(start_response, status, "application/json", json.dumps(document).encode())
    published = _PUBLISHED.fullmatch(path)
    if method == "GET" and published and (file := FOLDER / "public" / published[1]).is_file():
        return _answer(start_response, HTTPStatus.OK, TYPES[published[2]], file.read_bytes())
    return _answer(start_response, HTTPStatus.NOT_FOUND, "text/plain", b"not found")


def upload(environ: Environ) -> tuple[HTTPStatus, dict[str, str]]:
    """Publish what is allowed, keep what is held, refuse what is blocked; say nothing about why."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return HTTPStatus.BAD_REQUEST, {"message": "Content-Length is not a number"}
    if length > MAX_BYTES + _FORM_BYTES:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"message": "the picture is too large"}
    picture = _picture(environ, length)
    if picture is None:
        return HTTPStatus.BAD_REQUEST, {"message": "send a form with a file named picture"}
    name = uuid.uuid4().hex  # never the sender's
    verdict = deployment().screener.screen(picture.content, told(environ, name, picture.file_name))
    suffix = SUFFIXES.get(verdict.media_type or "", "")
    if verdict.decision is Decision.BLOCK:
        return HTTPStatus.UNPROCESSABLE_ENTITY, {"message": "this picture cannot be published"}
    if verdict.decision is not Decision.ALLOW or not suffix:
        _write(FOLDER / "quarantine" / f"{name}{suffix}", picture.content)
        return HTTPStatus.ACCEPTED, {"message": "the picture is being checked"}
    _write(FOLDER / "public" / f"{name}{suffix}", picture.content)
    return HTTPStatus.CREATED, {"address": f"/pictures/{name}{suffix}"}


@dataclass(frozen=True)
class Picture:
    """A file of the form."""

    content: bytes
    file_name: str


def _picture(environ: Environ, length: int) -> Picture | None:
    """The file named picture in the form; None where there is none."""
    body = environ["wsgi.input"].read(max(0, length))
    found: list[Picture] = []

    def take(file: Any) -> None:
        if file.field_name == b"picture":
            file.file_object.seek(0)
            found.append(Picture(file.file_object.read(), (file.file_name or b"").decode(errors="replace")))

    headers = {"Content-Type": environ.get("CONTENT_TYPE", "").encode("latin-1")}
    try:
        parse_form(headers, io.BytesIO(body), None, take)
    except FormParserError:
        return None
    return found[0] if found else None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(content)


def _answer(start_response: StartResponse, status: HTTPStatus, media_type: str, body: bytes) -> Iterable[bytes]:
    headers = [("Content-Type", media_type), ("X-Content-Type-Options", "nosniff"), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]


if __name__ == "__main__":
    with make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), application) as server:
        server.serve_forever()
