"""Routes for operators: exchanges."""

from typing import Annotated

from fastapi import APIRouter, Request, status

from tutela.api.exchange_models import (
    ExchangeChange,
    ExchangeDetail,
    ExchangeIn,
    ExchangeOut,
    FindingOut,
    FlagOut,
    LookUpIn,
    RemovedOut,
    TestOut,
)
from tutela.api.keys import Scope
from tutela.api.security import needs
from tutela.deployment.composition import Deployment
from tutela.lists.exchanges.feedback import share_new
from tutela.lists.exchanges.inquiry import look_up
from tutela.lists.exchanges.remote_options import check_remote_options
from tutela.lists.exchanges.service import Exchanges

router = APIRouter(prefix="/v1/exchanges", tags=["exchanges"])
Admin = Annotated[str, needs(Scope.ADMIN)]


@router.get("", operation_id="list_exchanges")
def list_exchanges(request: Request, _: Admin) -> list[ExchangeOut]:
    """Every exchange and how far it is."""
    return [ExchangeOut.of(row) for row in _exchanges(request).all()]


@router.post("", operation_id="add_exchange", status_code=status.HTTP_201_CREATED)
def add_exchange(request: Request, body: ExchangeIn, actor: Admin) -> ExchangeOut:
    """Write an exchange down; the service pulls it from now on."""
    check_remote_options(body.kind, body.options, _deployment(request).home)
    row = _exchanges(request).add(
        body.name,
        body.kind,
        body.bank,
        body.options,
        interval_s=body.interval_s,
        stale_after_s=body.stale_after_s,
        giving=body.giving.giving(),
        actor=actor,
        from_afar=True,
    )
    return ExchangeOut.of(row)


@router.get("/{name}", operation_id="get_exchange")
def get_exchange(request: Request, name: str, _: Admin) -> ExchangeDetail:
    """One exchange, with fingerprints of unknown types and entries that are flagged."""
    exchanges = _exchanges(request)
    flags = [FlagOut(entry_id=entry, flag=flag, detail=detail) for entry, flag, detail in exchanges.flags(name)]
    row = ExchangeOut.of(exchanges.get(name)).model_dump()
    return ExchangeDetail(**row, unknown_fingerprints=exchanges.unknown_fingerprints(name), flags=flags)


@router.patch("/{name}", operation_id="change_exchange")
def change_exchange(request: Request, name: str, body: ExchangeChange, _: Admin) -> ExchangeOut:
    """Change an exchange; what is not named stays."""
    exchanges = _exchanges(request)
    if body.options is not None:
        check_remote_options(exchanges.get(name).kind, body.options, _deployment(request).home)
    row = exchanges.update(
        name,
        options=body.options,
        enabled=body.enabled,
        interval_s=body.interval_s,
        stale_after_s=body.stale_after_s,
        giving=body.giving.giving() if body.giving else None,
        from_afar=True,
    )
    return ExchangeOut.of(row)


@router.delete("/{name}", operation_id="remove_exchange")
def remove_exchange(request: Request, name: str, actor: Admin) -> RemovedOut:
    """Forget an exchange and withdraw its entries."""
    return RemovedOut(withdrawn=_exchanges(request).remove(name, actor=actor))


@router.post("/{name}/test", operation_id="test_exchange")
def test_exchange(request: Request, name: str, _: Admin) -> TestOut:
    """Ask who we are over there."""
    exchanges = _exchanges(request)
    connection = exchanges.open(exchanges.get(name))
    try:
        return TestOut(answer=connection.test())
    finally:
        connection.close()


@router.post("/{name}/pull", operation_id="pull_exchange", status_code=status.HTTP_202_ACCEPTED)
def pull_exchange(request: Request, name: str, _: Admin) -> ExchangeOut:
    """Have the schedule pull it at once instead of at its time."""
    return ExchangeOut.of(_exchanges(request).hasten(name))


@router.post("/{name}/push", operation_id="push_exchange", status_code=status.HTTP_202_ACCEPTED)
def push_exchange(request: Request, name: str, _: Admin) -> ExchangeOut:
    """Write what is to be shared with it into the outbox, which delivers it."""
    exchanges = _exchanges(request)
    share_new(exchanges, name)
    return ExchangeOut.of(exchanges.get(name))


@router.post("/{name}/lookup", operation_id="look_up_at_exchange")
def look_up_at_exchange(request: Request, name: str, body: LookUpIn, actor: Admin) -> list[FindingOut]:
    """Ask a list that is not given away about hashes; what it knows is listed in its bank."""
    values = [(item.signal, item.value) for item in body.hashes]
    return [FindingOut.of(finding) for finding in look_up(_exchanges(request), name, values, actor=actor)]


def _deployment(request: Request) -> Deployment:
    deployment: Deployment = request.app.state.deployment
    return deployment


def _exchanges(request: Request) -> Exchanges:
    return Exchanges(_deployment(request).banks)
