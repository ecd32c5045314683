"""Routes for curators: banks, entries, lists."""

import tempfile
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Query, Request, status
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from tutela.api.bodies import limited
from tutela.api.keys import Scope
from tutela.api.models import (
    BadLineOut,
    BankChange,
    BankDetail,
    BankIn,
    BankOut,
    EntriesAdded,
    EntriesIn,
    EntryChange,
    EntryOut,
    EntryPage,
    EventOut,
    ImportOut,
)
from tutela.api.security import needs
from tutela.content.signals.registry import is_computed, signal_types
from tutela.deployment.composition import Deployment
from tutela.lists.banks.files import Format
from tutela.lists.banks.model import EntryState
from tutela.lists.banks.plain_pictures import LOOKS_PLAIN, plain_entries
from tutela.lists.banks.service import Banks
from tutela.lists.banks.transfer import Importer, export_list
from tutela.lists.banks.values import new_entry

router = APIRouter(prefix="/v1", tags=["banks"])
Curator = Annotated[str, needs(Scope.CURATE)]

MAX_LIST_BYTES = 4 * 1024**3
_MEDIA_TYPES = {
    Format.CSV: "text/csv",
    Format.TEXT: "text/plain",
    Format.JSON: "application/json",
    Format.JSONL: "application/jsonl",
}


@router.get("/banks", operation_id="list_banks")
def list_banks(request: Request, _: Curator) -> list[BankOut]:
    """Every bank."""
    return [BankOut.of(bank) for bank in _banks(request).all()]


@router.post("/banks", operation_id="create_bank", status_code=status.HTTP_201_CREATED)
def create_bank(request: Request, body: BankIn, actor: Curator) -> BankOut:
    """Make a bank."""
    bank = _banks(request).create(
        body.name,
        kind=body.kind,
        label=body.label,
        description=body.description,
        policy=body.policy.policy(),
        uses=body.uses,
        actor=actor,
    )
    return BankOut.of(bank)


@router.get("/banks/{name}", operation_id="get_bank")
def get_bank(request: Request, name: str, _: Curator) -> BankDetail:
    """One bank, with how many entries it has in each state."""
    banks = _banks(request)
    return BankDetail(**BankOut.of(banks.get(name)).model_dump(), counts=banks.counts(name))


@router.patch("/banks/{name}", operation_id="change_bank")
def change_bank(request: Request, name: str, body: BankChange, actor: Curator) -> BankOut:
    """Rename, label, describe, enable or disable a bank, or change its policy."""
    bank = _banks(request).update(
        name,
        new_name=body.name,
        label=body.label,
        description=body.description,
        policy=body.policy.change() if body.policy else None,
        enabled=body.enabled,
        uses=body.uses,
        actor=actor,
    )
    return BankOut.of(bank)


@router.get("/banks/{name}/history", operation_id="get_bank_history")
def get_bank_history(request: Request, name: str, _: Curator) -> list[EventOut]:
    """What happened to a bank."""
    return [EventOut(**_fields(event)) for event in _banks(request).bank_history(name)]


@router.get("/banks/{name}/entries", operation_id="list_entries")
def list_entries(
    request: Request,
    name: str,
    _: Curator,
    state: EntryState | None = None,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> EntryPage:
    """A page of a bank's entries."""
    entries = _banks(request).entries(name, state=state, after=after, limit=limit)
    return EntryPage(
        entries=[EntryOut.of(entry) for entry in entries], next=entries[-1].id if len(entries) == limit else None
    )


@router.post("/banks/{name}/entries", operation_id="add_entries", status_code=status.HTTP_201_CREATED)
def add_entries(request: Request, name: str, body: EntriesIn, actor: Curator) -> EntriesAdded:
    """List values in a bank, all or none; every process matches them within a second."""
    entries = [
        new_entry(item.signal, item.value, item.source, item.reference, item.label, item.note) for item in body.entries
    ]
    outcome = _banks(request).add(name, entries, actor=actor, reason=body.reason)
    plain = zip(entries, plain_entries(entries), strict=True)
    return EntriesAdded(
        entry_ids=list(outcome.entry_ids),
        added=outcome.added,
        unchanged=outcome.unchanged,
        warnings=[f"{entry.signal} {entry.value.hex()}: {LOOKS_PLAIN}" for entry, looks_plain in plain if looks_plain],
    )


@router.get("/entries/{entry_id}", operation_id="get_entry")
def get_entry(request: Request, entry_id: int, _: Curator) -> EntryOut:
    """One entry."""
    return EntryOut.of(_banks(request).entry(entry_id))


@router.patch("/entries/{entry_id}", operation_id="change_entry")
def change_entry(request: Request, entry_id: int, body: EntryChange, actor: Curator) -> EntryOut:
    """Disable, enable or withdraw an entry; every process follows within a second."""
    return EntryOut.of(_banks(request).set_state(entry_id, body.state, reason=body.reason, actor=actor))


@router.get("/entries/{entry_id}/history", operation_id="get_entry_history")
def get_entry_history(request: Request, entry_id: int, _: Curator) -> list[EventOut]:
    """What happened to an entry."""
    return [EventOut(**_fields(event)) for event in _banks(request).history(entry_id)]


@router.post(
    "/banks/{name}/import",
    operation_id="import_list",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/csv": {"schema": {"type": "string"}, "example": "hash,type,id\n0f1e…,md5,17\n"}},
        }
    },
)
async def import_list(
    request: Request,
    name: str,
    actor: Curator,
    format: Format,
    source: Annotated[str, Query(min_length=1, max_length=255)],
    signal: str | None = None,
    reason: str | None = None,
    accept_growth: bool = False,
) -> ImportOut:
    """Import a list; bad lines are reported with their numbers and the rest is imported.

    409 where the bank is for DNS or a proxy and the list grew, or turned pages into domains, as none does: look at it,
    then import it again with `accept_growth`.
    """
    deployment: Deployment = request.app.state.deployment
    await run_in_threadpool(deployment.banks.get, name)
    # A list is hashes, not content: it may wait on the disk while it is read.
    with tempfile.TemporaryFile() as file:
        async for part in limited(request, MAX_LIST_BYTES):
            await run_in_threadpool(file.write, part)
        file.seek(0)
        result = await run_in_threadpool(
            Importer(deployment.banks).import_stream,
            cast(BinaryIO, file),
            name,
            actor=actor,
            format=format,
            source=source,
            signal=signal,
            reason=reason,
            accept_growth=accept_growth,
        )
    rejects = [BadLineOut(line=bad.line, reason=bad.reason) for bad in result.rejects]
    return ImportOut(
        lines=result.lines,
        added=result.added,
        unchanged=result.unchanged,
        rejected=result.rejected,
        rejects=rejects,
        left_out=list(result.left_out),
        plain=result.plain,
    )


@router.get("/banks/{name}/export", operation_id="export_list", response_class=StreamingResponse)
def export(
    request: Request, name: str, _: Curator, format: Format = Format.CSV, state: EntryState | None = None
) -> StreamingResponse:
    """A bank's entries as a list, streamed."""
    return StreamingResponse(export_list(_banks(request), name, format, state=state), media_type=_MEDIA_TYPES[format])


@router.get("/signals", operation_id="list_signals", tags=["reference"])
def list_signals(_: Annotated[str, needs(Scope.SCREEN)]) -> list[dict[str, Any]]:
    """The signal types of this installation."""
    return [
        {
            "name": kind.name,
            "kind": kind.kind.value,
            "bytes": kind.width,
            "default_threshold": kind.default_threshold,
            "max_threshold": kind.max_threshold,
            "computed": is_computed(kind),
        }
        for kind in signal_types().values()
    ]


@router.get("/labels", operation_id="list_labels", tags=["reference"])
def list_labels(request: Request, _: Annotated[str, needs(Scope.SCREEN)]) -> list[dict[str, Any]]:
    """The labels that banks and entries may carry, severest first in each scheme."""
    return [_fields(label) for label in _banks(request).labels().values()]


def _banks(request: Request) -> Banks:
    banks: Banks = request.app.state.deployment.banks
    return banks


def _fields(item: Any) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__slots__}
