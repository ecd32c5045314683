"""Routes of feeds: for members that follow them, and for the operator who publishes them."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, status
from starlette.responses import Response

from tutela.api.exchange_models import FeedbackIn, FeedIn, FeedOut, ReturnOut, ShareIn
from tutela.api.keys import Scope
from tutela.api.problems import Problem
from tutela.api.security import needs
from tutela.deployment.composition import Deployment
from tutela.lists.exchanges.feed_wire import SIGNATURE
from tutela.lists.exchanges.feeds import MAX_PAGE, Feeds
from tutela.lists.exchanges.remote_options import check_reference_from_afar

router = APIRouter(prefix="/v1/feeds", tags=["feeds"])
Admin = Annotated[str, needs(Scope.ADMIN)]
Member = Annotated[str, needs(Scope.FOLLOW)]
Idempotency = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=128)]


@router.get("", operation_id="list_feeds")
def list_feeds(request: Request, _: Admin) -> list[FeedOut]:
    """Every feed."""
    return [FeedOut.of(feed) for feed in _feeds(request).all()]


@router.post("", operation_id="create_feed", status_code=status.HTTP_201_CREATED)
def create_feed(request: Request, body: FeedIn, actor: Admin) -> FeedOut:
    """Publish a bank to members."""
    check_reference_from_afar(body.signing_key, "signing_key", _deployment(request).home)
    return FeedOut.of(_feeds(request).create(body.name, body.bank, body.signing_key, actor=actor))


@router.put("/{name}/members/{key_id}", operation_id="admit_member", status_code=status.HTTP_204_NO_CONTENT)
def admit_member(request: Request, name: str, key_id: str, actor: Admin) -> None:
    """Let an API key of scope follow read the feed."""
    _feeds(request).admit(name, key_id, actor=actor)


@router.delete("/{name}/members/{key_id}", operation_id="dismiss_member", status_code=status.HTTP_204_NO_CONTENT)
def dismiss_member(request: Request, name: str, key_id: str, _: Admin) -> None:
    """Let an API key read the feed no longer."""
    _feeds(request).dismiss(name, key_id)


@router.get("/{name}/returns", operation_id="list_returns")
def list_returns(request: Request, name: str, _: Admin, after: Annotated[int, Query(ge=0)] = 0) -> list[ReturnOut]:
    """What members gave back."""
    return [ReturnOut.of(found) for found in _feeds(request).returns(name, after)]


@router.get("/{name}/records", operation_id="read_feed", response_class=Response)
def read_feed(
    request: Request,
    name: str,
    member: Member,
    nonce: Annotated[str, Query(min_length=8, max_length=64, pattern="^[0-9A-Za-z_-]+$")],
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> Response:
    """A page of records after a number, signed; see docs/rooms/exchanges.md for its form."""
    feeds = _feeds(request)
    _check_member(feeds, name, member)
    body, signature = feeds.page(name, after, nonce, limit)
    headers = {SIGNATURE: signature, "Cache-Control": "no-store"}
    return Response(body, headers=headers, media_type="application/json")


@router.post("/{name}/feedback", operation_id="give_feedback", status_code=status.HTTP_202_ACCEPTED)
def give_feedback(request: Request, name: str, body: FeedbackIn, member: Member, key: Idempotency) -> None:
    """A member's opinion on an entry; the same Idempotency-Key again changes nothing."""
    feeds = _feeds(request)
    feeds.take(name, _check_member(feeds, name, member), key, "feedback", body.model_dump())


@router.post("/{name}/share", operation_id="share_entry", status_code=status.HTTP_202_ACCEPTED)
def share_entry(request: Request, name: str, body: ShareIn, member: Member, key: Idempotency) -> None:
    """A member's own entry, for the publisher to look at; the same Idempotency-Key again changes nothing."""
    feeds = _feeds(request)
    feeds.take(name, _check_member(feeds, name, member), key, "share", body.model_dump(mode="json"))


def _check_member(feeds: Feeds, name: str, member: str) -> str:
    """The key's id, if it may follow the feed. A feed that it may not follow looks like none."""
    key_id = member.removeprefix("key:")
    if member != "anonymous" and not feeds.may_follow(name, key_id):
        raise Problem(404, "not-found", f"there is no feed named {name!r} for this key")
    return key_id


def _deployment(request: Request) -> Deployment:
    deployment: Deployment = request.app.state.deployment
    return deployment


def _feeds(request: Request) -> Feeds:
    return Feeds(_deployment(request).banks)
