"""Uploads in FastAPI, screened by a Tutela service over HTTP before anyone can see them.

    TUTELA_URL=http://127.0.0.1:8080 TUTELA_KEY=tutela_… uvicorn app:app

Several processes, several hosts and other languages can ask one service. Whatever keeps it from answering is a hold.
The service seals what is held or blocked and opens a case that names the sender; what is decided there comes back as a
signed webhook; TUTELA_SECRET_SITE is its secret on both sides.
"""

import asyncio
import contextlib
import json
import os
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
from fastapi import FastAPI, HTTPException, Request, UploadFile
from fastapi.params import Path as PathParameter
from fastapi.responses import FileResponse, JSONResponse
from standardwebhooks import Webhook, WebhookVerificationError

FOLDER = Path(os.environ.get("UPLOADS", "uploads"))
MAX_BYTES = 10 * 1024 * 1024
TIMEOUT_S = float(os.environ.get("TIMEOUT_S", "15"))
SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif"}


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for the life of the process: its connections are kept."""
    app.state.webhook = Webhook(os.environ["TUTELA_SECRET_SITE"])
    for name in ("public", "quarantine"):
        (FOLDER / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    headers = {"Authorization": f"Bearer {os.environ['TUTELA_KEY']}"}
    async with httpx.AsyncClient(base_url=os.environ["TUTELA_URL"], headers=headers, timeout=TIMEOUT_S) as client:
        app.state.tutela = client
        yield


app = FastAPI(lifespan=lifespan)


async def screen(content: bytes, context: str) -> tuple[str, str]:
    """The decision (allow, hold or block) and the type by content. Everything but a clear answer is a hold."""
    try:
        async with asyncio.timeout(TIMEOUT_S):  # over all: httpx's timeout is for each step
            answer = await app.state.tutela.post("/v1/screen", content=content, headers={"Tutela-Context": context})
        answer.raise_for_status()
        verdict = answer.json()
        decision, media_type = verdict["decision"], verdict["media_type"]
    except (httpx.HTTPError, TimeoutError, ValueError, KeyError, TypeError):
        return "hold", ""
    return (decision if decision in ("allow", "block") else "hold"), media_type or ""


def told(request: Request, item: str, file_name: str) -> str:
    """What a report needs to know: who sent this, from where and when. It is sealed with the content."""
    sent = {
        "uploader": request.headers.get("X-Forwarded-User", ""),  # in your application: whoever is signed in
        "ip_address": request.client.host if request.client else "",
        "uploaded_at": datetime.now(UTC).isoformat(),
        "file_name": file_name[:200],
    }
    return json.dumps({"item": item, "details": {name: text for name, text in sent.items() if text}})


@app.post("/pictures")
async def upload(request: Request, picture: UploadFile) -> JSONResponse:
    """Publish what is allowed, keep what is held, refuse what is blocked; say nothing about why."""
    content = await picture.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise HTTPException(413, "the picture is too large")
    name = uuid.uuid4().hex  # never the sender's
    decision, media_type = await screen(content, told(request, name, picture.filename or ""))
    suffix = SUFFIXES.get(media_type, "")
    if decision == "block":
        return JSONResponse({"message": "this picture cannot be published"}, 422)
    if decision == "hold" or not suffix:
        await asyncio.to_thread((FOLDER / "quarantine" / f"{name}{suffix}").write_bytes, content)
        return JSONResponse({"message": "the picture is being checked"}, 202)
    await asyncio.to_thread((FOLDER / "public" / f"{name}{suffix}").write_bytes, content)
    return JSONResponse({"address": f"/pictures/{name}{suffix}"}, 201)


@app.post("/decisions", status_code=204)
async def obey(request: Request) -> None:
    """Hide or restore what was decided of, in the console or elsewhere. The same may be asked again."""
    try:
        message = app.state.webhook.verify(await request.body(), dict(request.headers))
    except (WebhookVerificationError, ValueError):
        raise HTTPException(401, "the message is not signed by the service") from None
    match message["type"]:
        case "effect.hide":
            source, target = "public", "quarantine"
        case "effect.restore":
            source, target = "quarantine", "public"
        case _:
            return  # suspend and lock are about an account: tell whoever looks after accounts
    for item in filter(re.compile("[0-9a-f]{32}").fullmatch, message["data"]["items"]):
        for path in (FOLDER / source).glob(f"{item}.*"):
            await asyncio.to_thread(path.replace, FOLDER / target / path.name)


@app.get("/pictures/{name}")
async def show(name: Annotated[str, PathParameter(pattern=r"^[0-9a-f]{32}\.(jpg|png|webp|gif)$")]) -> FileResponse:
    """A published picture."""
    path = FOLDER / "public" / name
    if not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, headers={"X-Content-Type-Options": "nosniff"})
