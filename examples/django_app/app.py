"""Uploads in Django, screened by the library in the application's own processes before anyone can see them.

    TUTELA_HOME=/var/lib/tutela python app.py runserver

A form field does the screening, so that every form which takes a picture is covered. In a project of your own take
`screener`, `ScreenedPicture` and the view; the settings here only make one file of it.
"""

import functools
import os
import sys
import uuid
from pathlib import Path

import django
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.urls import re_path

from tutela import Decision, Screener, Verdict, open_deployment

FOLDER = Path(os.environ.get("UPLOADS", "uploads"))
MAX_BYTES = 10 * 1024 * 1024
SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif"}

if not settings.configured:
    settings.configure(
        SECRET_KEY=os.environ.get("SECRET_KEY") or uuid.uuid4().hex,
        ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
        USE_TZ=True,
    )
    django.setup()


@functools.cache
def screener() -> Screener:
    """One deployment a process, opened on first use: after the server has forked its workers."""
    return open_deployment(os.environ["TUTELA_HOME"]).screener


class ScreenedPicture(forms.FileField):
    """A file with its verdict: cleans to (content, verdict). What is blocked is not valid."""

    def clean(self, data: UploadedFile | None, initial: object = None) -> tuple[bytes, Verdict]:
        """Screen what was sent. Raises ValidationError, StoreError."""
        file = super().clean(data, initial)
        if file.size > MAX_BYTES:
            raise ValidationError("the picture is too large", code="too-large")
        content = file.read()
        verdict = screener().screen(content)
        if verdict.decision is Decision.BLOCK:
            raise ValidationError("this picture cannot be published", code="refused")
        return content, verdict


class UploadForm(forms.Form):
    """One picture."""

    picture = ScreenedPicture(allow_empty_file=True)


def upload(request: HttpRequest) -> HttpResponse:
    """Publish what is allowed, keep what is held, refuse what is blocked; say nothing about why."""
    if request.method != "POST":
        return JsonResponse({"csrfmiddlewaretoken": get_token(request)})
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        codes = {error.code for error in form.errors.as_data()["picture"]}
        status = 413 if "too-large" in codes else 422 if "refused" in codes else 400
        return JsonResponse({"message": form.errors["picture"][0]}, status=status)
    content, verdict = form.cleaned_data["picture"]
    suffix = SUFFIXES.get(verdict.media_type or "")
    name = uuid.uuid4().hex  # never the sender's
    if verdict.decision is not Decision.ALLOW or suffix is None:
        _write(FOLDER / "quarantine" / name, content)
        return JsonResponse({"message": "the picture is being checked"}, status=202)
    _write(FOLDER / "public" / f"{name}{suffix}", content)
    return JsonResponse({"address": f"/pictures/{name}{suffix}"}, status=201)


def show(request: HttpRequest, name: str) -> FileResponse:
    """A published picture."""
    path = FOLDER / "public" / name
    if not path.is_file():
        raise Http404
    return FileResponse(path.open("rb"), headers={"X-Content-Type-Options": "nosniff"})


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(content)


urlpatterns = [
    re_path(r"^pictures$", upload),
    re_path(r"^pictures/(?P<name>[0-9a-f]{32}\.(?:jpg|png|webp|gif))$", show),
]
application = WSGIHandler()

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
