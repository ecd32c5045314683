"""Uploads in Django, screened by the library in the application's own processes before anyone can see them.

    TUTELA_HOME=/var/lib/tutela python app.py runserver

A form field does the screening, so that every form which takes a picture is covered. What is held or blocked is sealed
and opens a case that names the sender; what is decided there comes back to `obey`. In a project of your own take
`deployment`, `obey`, `told`, `ScreenedPicture` and the view; the settings here only make one file of it.
"""

import functools
import os
import re
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.urls import re_path

from tutela import Context, Decision, Deployment, Effect, EffectRequest, Verdict, open_deployment

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
            _move(path, FOLDER / target / path.name)


def told(request: HttpRequest, item: str) -> Context:
    """What a report needs to know: who sent this, from where and when. It is sealed with the content."""
    sender = request.headers.get("X-Forwarded-User", "")  # in your project: request.user.get_username()
    sent = {
        "uploader": sender,
        "ip_address": request.META["REMOTE_ADDR"],
        "uploaded_at": datetime.now(UTC).isoformat(),
        "file_name": ", ".join(file.name for file in request.FILES.values()),
    }
    return Context(item=item, details={name: text for name, text in sent.items() if text})


class ScreenedPicture(forms.FileField):
    """A file with its verdict: cleans to (content, verdict). What is blocked is not valid."""

    context = Context()

    def clean(self, data: UploadedFile | None, initial: object = None) -> tuple[bytes, Verdict]:
        """Screen what was sent. Raises ValidationError, StoreError."""
        file = super().clean(data, initial)
        if file.size > MAX_BYTES:
            raise ValidationError("the picture is too large", code="too-large")
        content = file.read()
        verdict = deployment().screener.screen(content, self.context)
        if verdict.decision is Decision.BLOCK:
            raise ValidationError("this picture cannot be published", code="refused")
        return content, verdict


class UploadForm(forms.Form):
    """One picture, and what is known of whoever sent it."""

    picture = ScreenedPicture(allow_empty_file=True)

    def __init__(self, *arguments: Any, context: Context) -> None:
        super().__init__(*arguments)
        self.fields["picture"].context = context


def upload(request: HttpRequest) -> HttpResponse:
    """Publish what is allowed, keep what is held, refuse what is blocked; say nothing about why."""
    if request.method != "POST":
        return JsonResponse({"csrfmiddlewaretoken": get_token(request)})
    name = uuid.uuid4().hex  # never the sender's
    form = UploadForm(request.POST, request.FILES, context=told(request, name))
    if not form.is_valid():
        codes = {error.code for error in form.errors.as_data()["picture"]}
        status = 413 if "too-large" in codes else 422 if "refused" in codes else 400
        return JsonResponse({"message": form.errors["picture"][0]}, status=status)
    content, verdict = form.cleaned_data["picture"]
    suffix = SUFFIXES.get(verdict.media_type or "", "")
    if verdict.decision is not Decision.ALLOW or not suffix:
        _write(FOLDER / "quarantine" / f"{name}{suffix}", content)
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


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.replace(target)


urlpatterns = [
    re_path(r"^pictures$", upload),
    re_path(r"^pictures/(?P<name>[0-9a-f]{32}\.(?:jpg|png|webp|gif))$", show),
]
application = WSGIHandler()

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
