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
import time
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tutela.errors import TutelaError
from tutela.foundation.secrets import resolve
from tutela.gateways.base import GatewayKind, Opening, Passes
from tutela.gateways.buckets.events import NewObject, UnknownEventError, read_events, validation_code
from tutela.gateways.buckets.opened import open_store
from tutela.gateways.buckets.options import STATUS, VERDICT, BucketsOptions
from tutela.gateways.buckets.store import ChangedError, EventQueue, GoneError, Pinned, QueuedEvent
from tutela.gateways.http import HttpGateway
from tutela.gateways.outcome import GatewayOutcome
from tutela.screening.decision import Decision

log = logging.getLogger(__name__)

GUARD_DUTY = "GuardDutyMalwareScanStatus"
_GUARD_DUTY_WORDS = {
    Decision.ALLOW: "NO_THREATS_FOUND",
    Decision.HOLD: "FAILED",
    Decision.BLOCK: "THREATS_FOUND",
}
_MAX_EVENT = 1024 * 1024
_STOP_S = 15
_RETRY_S = 2
_CHECKED_S = 60.0


class BucketsGateway:
    """Takes events from a queue and from webhooks."""

    def __init__(self, opening: Opening[BucketsOptions]) -> None:
        options = opening.options
        self._intake = opening.intake
        self._options = options
        self._token = resolve(options.token, "token") if options.token else ""
        opened = open_store(options)
        self._store, self._queue = opened.store, opened.queue
        self._at_work: dict[NewObject, asyncio.Task[None]] = {}
        self._http: HttpGateway | None = None
        if opening.sockets:
            routes = [Route("/events", self._webhook, methods=["POST", "OPTIONS"])]
            self._http = HttpGateway(opening, Starlette(routes=routes))
        self._polling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        if self._http is not None:
            await self._http.start()
        if self._queue is not None:
            self._polling = asyncio.create_task(self._poll(self._queue))

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
            pinned = await on_disk(self._store.pin, new)
            tags = await on_disk(self._store.tags, pinned)
            if self._is_ours(tags, pinned):
                if tags[STATUS] == Decision.ALLOW:
                    await self._publish(pinned)
                return
            outcome = await self._screened(pinned)
            await on_disk(self._store.tag, pinned, self._tags(pinned, outcome))
            if outcome.allowed:
                await self._publish(pinned)
        except GoneError:
            return
        except ChangedError:
            return  # the other version has an event of its own

    async def _publish(self, pinned: Pinned) -> None:
        """A copy where everybody reads. Where that bucket's events come here, too, a copy is not copied once more."""
        if self._options.copy_to not in ("", pinned.bucket):
            await self._intake.on_disk(self._store.copy, pinned, self._options.copy_to)

    async def _screened(self, pinned: Pinned) -> GatewayOutcome:
        body = self._intake.begin(pinned.version or pinned.etag)
        blocks: Iterator[bytes] = self._store.read(pinned)
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
        if self._token and not self._has_token(request):
            return PlainTextResponse("a token is needed\n", 401)
        if request.method == "OPTIONS":  # CloudEvents, "HTTP 1.1 Web Hooks", 4: whether events may be sent here at all
            origin = request.headers.get("webhook-request-origin", "*")
            return Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST"})
        text = b""
        async for part in request.stream():
            text += part
            if len(text) > _MAX_EVENT:
                return PlainTextResponse("the event is too long\n", 413)
        if (code := validation_code(text)) is not None:
            return JSONResponse({"validationResponse": code})
        return PlainTextResponse("", 200 if await self._told(text) else 503)

    def _has_token(self, request: Request) -> bool:
        """In the header, or in the address, where Pub/Sub and Event Grid have nowhere else to put it."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        wanted = self._token.encode()
        in_address = request.query_params.get("token", "")
        return hmac.compare_digest(given.encode(), wanted) or hmac.compare_digest(in_address.encode(), wanted)

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

    async def _poll(self, queue: EventQueue) -> None:
        async def take(event: QueuedEvent) -> None:
            if await self._told(event.text):
                await self._intake.on_disk(queue.done, event)
            else:
                await self._intake.on_disk(queue.again, event, _RETRY_S)

        while True:
            try:
                events = await asyncio.to_thread(queue.receive)
                await asyncio.gather(*(take(event) for event in events))
            except Exception as error:
                log.error("the queue does not answer: %s", type(error).__name__)
                await asyncio.sleep(_RETRY_S)


class _Asking:
    """Puts an object into the store, as an uploader does, and waits for its tag."""

    def __init__(self, options: BucketsOptions) -> None:
        self._options = options

    def __call__(self, content: bytes) -> bool:
        bucket, _, key = self._options.check_in.partition("/")
        if not bucket:
            raise ValueError("`check_in` names no object that a check may put into the store")
        try:
            store = open_store(self._options).store
            pinned = store.pin(store.put(bucket, key, content))
            deadline = time.monotonic() + _CHECKED_S
            while time.monotonic() < deadline:
                if status := store.tags(pinned).get(STATUS):
                    return status == Decision.ALLOW
                time.sleep(0.2)
        except TutelaError as error:
            raise ValueError(str(error)) from None
        raise ValueError(f"the object that was put into the store has no tag after {_CHECKED_S:g} s")


def _asking(options: BucketsOptions) -> Passes:
    return _Asking(options)


KIND = GatewayKind(
    "buckets", "object stores: S3, Google's, Azure's, MinIO, SeaweedFS", BucketsOptions, BucketsGateway, _asking
)
