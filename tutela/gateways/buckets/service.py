"""The gateway of object stores: every new object is screened, and its version is tagged with the decision.

Readers wait for the tag: a bucket policy denies what is not tagged as clean, or only what is allowed is copied to the
bucket that is public. The tags are the record: a version that has them is never screened twice, whatever comes twice,
late, or after a kill. Nothing is ever deleted.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator

from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tutela.errors import TutelaError
from tutela.foundation.secrets import resolve
from tutela.gateways.base import GatewayKind, Opening, Passes
from tutela.gateways.buckets.events import NewObject, UnknownEventError, read_events
from tutela.gateways.buckets.store import Buckets, ChangedError, GoneError, Pinned
from tutela.gateways.http import HttpGateway, HttpOptions
from tutela.gateways.listeners import ListenAddress
from tutela.gateways.outcome import GatewayOutcome
from tutela.screening.verdict import Decision

log = logging.getLogger(__name__)

STATUS, VERDICT = "tutela-status", "tutela-verdict"
GUARD_DUTY = "GuardDutyMalwareScanStatus"
_GUARD_DUTY_WORDS = {
    Decision.ALLOW: "NO_THREATS_FOUND",
    Decision.HOLD: "FAILED",
    Decision.BLOCK: "THREATS_FOUND",
}
_MAX_EVENT = 1024 * 1024
_AT_ONCE = 8
_WAIT_S = 5
_STOP_S = 15
_RETRY_S = 2


class BucketsOptions(HttpOptions):
    """What a gateway of object stores is told."""

    listen: tuple[ListenAddress, ...] = Field(
        default=(), description="Where webhooks of MinIO and SeaweedFS come in: `/events`."
    )
    queue: str = Field(default="", description="Address of an SQS queue that gets the bucket's events.")
    queue_s: int = Field(
        default=300,
        gt=0,
        le=43_200,
        description="Seconds until an event comes again that was taken by a process that has ended since.",
    )
    endpoint: str | None = Field(default=None, description="Address of the store, where it is not Amazon's.")
    region: str | None = Field(default=None, description="Region of the store.")
    access_key: str = Field(default="", description="`env:NAME` or `file:/path`; else the surroundings' own role.")
    secret_key: str = Field(default="", description="`env:NAME` or `file:/path`.")
    token: str = Field(default="", description="`env:NAME` or `file:/path` of the bearer token of webhooks.")
    guard_duty: bool = Field(default=False, description="Whether GuardDuty's tag is written, too, in its words.")
    copy_to: str = Field(default="", description="Bucket that allowed objects are copied to; none by default.")

    def warnings(self) -> list[str]:
        """As of every gateway, and what is public before it is screened."""
        if self.copy_to:
            return super().warnings()
        return [
            *super().warnings(),
            f"objects are public before they are screened, unless a bucket policy waits for the tag `{STATUS}`, or"
            " `copy_to` names the public bucket",
        ]


class BucketsGateway:
    """Takes events from a queue and from webhooks."""

    def __init__(self, opening: Opening[BucketsOptions]) -> None:
        options = opening.options
        self._intake = opening.intake
        self._options = options
        keys = None
        if options.access_key:
            keys = (resolve(options.access_key, "access_key"), resolve(options.secret_key, "secret_key"))
        self._token = resolve(options.token, "token") if options.token else ""
        self._buckets = Buckets(options.endpoint, options.region, keys)
        self._at_work: dict[NewObject, asyncio.Task[None]] = {}
        self._http: HttpGateway | None = None
        if opening.sockets:
            routes = [Route("/events", self._webhook, methods=["POST"])]
            self._http = HttpGateway(opening, Starlette(routes=routes))
        self._polling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        if self._http is not None:
            await self._http.start()
        if self._options.queue:
            self._polling = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Take no more; what is under way comes again."""
        if self._polling is not None:
            self._polling.cancel()
        if self._http is not None:
            await self._http.stop()
        self._intake.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    async def judge(self, new: NewObject) -> None:
        """Screen and tag one new object, once however often it is told of. Raises TutelaError: it comes again."""
        if new not in self._at_work:
            task = self._at_work[new] = asyncio.create_task(self._judge(new))
            task.add_done_callback(lambda _: self._at_work.pop(new, None))
        await asyncio.shield(self._at_work[new])

    async def _judge(self, new: NewObject) -> None:
        on_disk = self._intake.on_disk
        try:
            pinned = await on_disk(self._buckets.pin, new)
            tags = await on_disk(self._buckets.tags, pinned)
            if self._is_ours(tags, pinned):
                if tags[STATUS] == Decision.ALLOW and self._options.copy_to:
                    await on_disk(self._buckets.copy, pinned, self._options.copy_to)
                return
            outcome = await self._screened(pinned)
            await on_disk(self._buckets.tag, pinned, self._tags(pinned, outcome))
            if outcome.allowed and self._options.copy_to:
                await on_disk(self._buckets.copy, pinned, self._options.copy_to)
        except GoneError:
            return
        except ChangedError:
            return  # the other version has an event of its own

    async def _screened(self, pinned: Pinned) -> GatewayOutcome:
        body = self._intake.begin(pinned.version or pinned.etag)
        blocks: Iterator[bytes] = self._buckets.read(pinned)
        try:
            while (block := await self._intake.on_disk(next, blocks, None)) is not None:
                body.write(memoryview(block))
                if body.stalled:
                    await body.settle()
            outcome = await self._intake.judge(body)
        finally:
            body.close()
        if not outcome.recorded:
            raise TutelaError("the verdict on an object could not be written down")
        return outcome

    def _tags(self, pinned: Pinned, outcome: GatewayOutcome) -> dict[str, str]:
        tags = {STATUS: outcome.decision.value, VERDICT: f"{outcome.number} {self._mark(pinned, outcome.decision)}"}
        return tags | ({GUARD_DUTY: _GUARD_DUTY_WORDS[outcome.decision]} if self._options.guard_duty else {})

    def _is_ours(self, tags: dict[str, str], pinned: Pinned) -> bool:
        """Whether we set the tags on this version: an uploader may send tags along, and a copy brings those it had."""
        with contextlib.suppress(ValueError):
            mark = self._mark(pinned, Decision(tags.get(STATUS, "")))
            return hmac.compare_digest(tags.get(VERDICT, "").partition(" ")[2].encode(), mark.encode())
        return False

    def _mark(self, pinned: Pinned, decision: Decision) -> str:
        """What nobody can write who does not know the home's own key."""
        said = json.dumps([pinned.bucket, pinned.key, pinned.version, pinned.etag, decision.value])
        key = self._intake.deployment.jobs.spool.name.encode()
        return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()[:32]

    async def _webhook(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._token and not hmac.compare_digest(given.encode(), self._token.encode()):
            return PlainTextResponse("a token is needed\n", 401)
        text = b""
        async for part in request.stream():
            text += part
            if len(text) > _MAX_EVENT:
                return PlainTextResponse("the event is too long\n", 413)
        return PlainTextResponse("", 200 if await self._told(text) else 503)

    async def _told(self, text: str | bytes) -> bool:
        """Do what a message asks; False where it should come again."""
        try:
            events = read_events(text)
        except UnknownEventError:
            log.warning("a message of an unknown shape was left aside")
            return True
        done = await asyncio.gather(*(self.judge(new) for new in events), return_exceptions=True)
        for error in done:
            if isinstance(error, TutelaError):
                log.error("an object could not be judged; its event comes again: %s", error)
            elif isinstance(error, BaseException):
                log.error("an object could not be judged; its event comes again", exc_info=error)
        return not any(done)

    async def _poll(self) -> None:
        queue, queue_s = self._options.queue, self._options.queue_s
        client = self._buckets.client("sqs")

        def receive() -> list[dict[str, str]]:
            answer = client.receive_message(
                QueueUrl=queue, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=_WAIT_S, VisibilityTimeout=queue_s
            )
            return list(answer.get("Messages", ()))

        async def take(message: dict[str, str]) -> None:
            receipt = message["ReceiptHandle"]
            if await self._told(message["Body"]):
                await self._intake.on_disk(lambda: client.delete_message(QueueUrl=queue, ReceiptHandle=receipt))
            else:
                await self._intake.on_disk(
                    lambda: client.change_message_visibility(
                        QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=_RETRY_S
                    )
                )

        while True:
            try:
                messages = await asyncio.to_thread(receive)
                await asyncio.gather(*(take(message) for message in messages))
            except Exception as error:
                log.error("the queue does not answer: %s", type(error).__name__)
                await asyncio.sleep(_RETRY_S)


class _Asking:
    """There is nobody to ask: objects come, and are tagged."""

    def __call__(self, content: bytes) -> bool:
        raise ValueError("a gateway of object stores is checked by putting an object into the bucket")


def _asking(_: BucketsOptions) -> Passes:
    return _Asking()


KIND = GatewayKind("buckets", "object stores: S3, MinIO, SeaweedFS", BucketsOptions, BucketsGateway, _asking)
