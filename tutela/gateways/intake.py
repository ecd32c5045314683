"""The way content comes in through any gateway: overwritten memory, a verdict, an outcome.

What is over the limit of an answer, or takes longer than the answer may, is sealed as a job and held; nothing that was
taken is lost, and nothing is in clear on a disk.
"""

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from tutela.content.media.profile import Profile
from tutela.deployment.composition import Deployment
from tutela.deployment.metrics import count_verdict
from tutela.errors import ConflictError, InputError, NotReadyError, StoreError, TutelaError
from tutela.gateways import metrics
from tutela.gateways.capacity import Capacity
from tutela.gateways.gathered import AT_ONCE, SHORT_BYTES, GatheredContent
from tutela.gateways.outcome import GatewayOutcome, outcome_of, reason, unrecorded
from tutela.gateways.texts import CarriedText, Piece
from tutela.screening.decision import Decision
from tutela.screening.jobs.spool import Upload
from tutela.screening.reason_codes import GatewayFault
from tutela.screening.screener import Screener
from tutela.screening.verdict import Context, Reason, Verdict

log = logging.getLogger(__name__)
access = structlog.get_logger("tutela.access")
"""One line for each content. Never the content, a name of it, or its context."""
Result = TypeVar("Result")
Unwrap = Callable[[memoryview], Iterable[Piece]]
_SEVERITY = {Decision.ALLOW: 0, Decision.HOLD: 1, Decision.BLOCK: 2}

BUFFER = memoryview(bytearray(AT_ONCE))
"""What any gateway receives comes into it, or straight to where content is gathered: between two turns of the loop
nobody else uses it."""
_ZEROS = memoryview(bytes(len(BUFFER)))
_BLOCK = SHORT_BYTES
_MIN_FREE_BYTES = 1024**3
"""Room on the disk that uploads leave to everything else."""
STOP_GRACE_S = 2.0
"""What is being screened when the service stops may take so long to come to its verdict."""


def wipe(length: int) -> None:
    """Overwrite the buffer's first bytes. Whoever filled it does this before anybody waits."""
    BUFFER[:length] = _ZEROS[:length]


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms one gateway takes content."""

    answer_s: float = 20.0
    """Within so long a whole body is answered; where the verdict is not there by then, it is held."""
    profile: Profile = Profile.FILES
    """What the platform takes."""
    cut_at: frozenset[int] = field(default_factory=frozenset)
    """Lengths at which clients cut files without saying so: content of exactly such a length is held."""


class Body:
    """Content on its way in. Belongs to the event loop; close it, whatever happened."""

    def __init__(self, intake: "Intake", context: Context) -> None:
        self.context = context
        self.length = 0
        self.begun = time.perf_counter()
        self.content = GatheredContent(intake.capacity.spare)
        self.head = b""
        """What stands before the content where it is screened as a job, so that it can be unpacked there."""
        self.doubts: list[GatewayFault] = []
        """Why it is held unless an override says otherwise, though it is screened."""
        self.fault: GatewayFault | None = None
        """Why it is held whatever it is."""
        self.upload: Upload | None = None
        """Where it goes when it is too long to be answered at once."""
        self._intake = intake
        self._users = 1
        self._room: asyncio.Future[None] | None = None

    def write(self, data: memoryview) -> None:
        """Add to the end. Where `stalled` says so afterwards, call `settle` before more is added."""
        self.length += len(data)
        if self.fault is not None:
            return
        try:
            self.content.write(data)
        except OSError:  # no memory is left
            self.fault = GatewayFault.OVER_LIMIT
            return
        self._intake.capacity.take(self, len(data))

    def room(self) -> memoryview:
        """Where the next bytes may be put, to be counted with `came` in the same turn of the loop."""
        try:
            return (self.content.room() if self.fault is None else BUFFER) or BUFFER
        except OSError:  # no memory is left
            self.fault = GatewayFault.OVER_LIMIT
            return BUFFER

    def came(self, room: memoryview, count: int) -> None:
        """So many bytes are at the beginning of the room. As `write`."""
        if room is BUFFER:
            try:
                self.write(room[:count])
            finally:
                wipe(count)
            return
        self.length += count
        self.content.came(count)
        self._intake.capacity.take(self, count)

    @property
    def stalled(self) -> bool:
        """Whether nothing more may be added just now."""
        if self.fault is not None:
            return False
        if self.upload is not None:
            return len(self.content) >= _BLOCK
        return self.length > self._intake.max_bytes or self._intake.capacity.must_wait(self)

    async def copy(self, descriptor: int) -> bool:
        """Add an open file from its beginning, whoever still writes to it; False where it cannot be read to its end."""
        block, at = bytearray(_BLOCK), 0
        try:
            while True:
                try:
                    count = await self._intake.on_disk(os.preadv, descriptor, [block], at)
                except OSError:
                    return False
                if not count:
                    return True
                self.write(memoryview(block)[:count])
                at += count
                if self.stalled:
                    await self.settle()
                if self.fault is not None:
                    return False
        finally:
            block[:] = bytes(len(block))

    async def settle(self) -> None:
        """Return when more may be added. Content that is too long goes sealed to the disk from here on."""
        if self.length > self._intake.max_bytes:
            await self._spool()
        else:
            self._room = asyncio.ensure_future(self._intake.capacity.room(self))
            await asyncio.wait({self._room})

    def stop_waiting(self) -> None:
        """Have `settle` return though there is no room."""
        if self._room is not None:
            self._room.cancel()

    async def _spool(self) -> None:
        if self.length > self._intake.max_job_bytes:
            self.fault = GatewayFault.OVER_LIMIT
        else:
            try:
                if self.upload is None:
                    self.upload = await self._intake.on_disk(self._intake.begin_job, self)
                await _shared(self, self._intake.capacity.sealing.submit(_copy, self.content, self.upload))
            except (OSError, ConflictError, StoreError) as error:
                log.error("an upload over the limit of an answer could not be kept: %s", error)
                self.fault = GatewayFault.OVER_LIMIT
        self._empty()
        if self.fault is not None:
            await self.discard_upload()

    async def finish_upload(self) -> Upload | None:
        """The whole upload of a job, once what is left of the content went there; None where that failed."""
        if self.upload is not None and len(self.content):
            await self._spool()
        upload, self.upload = self.upload, None
        return upload

    async def discard_upload(self) -> None:
        """Forget what went to the disk."""
        upload, self.upload = self.upload, None
        if upload is not None:
            await self._intake.on_disk(upload.discard)

    def share(self) -> None:
        """Somebody else uses the content, too, until they call `close`."""
        self._users += 1

    def close(self) -> None:
        """Let go of the content; it is gone when nobody uses it."""
        self._users -= 1
        if self._users == 0:
            self._intake.capacity.give_back(self)
            self.content.close()
            if self.upload is not None:
                self._intake.capacity.disk.submit(self.upload.discard)
                self.upload = None

    def _empty(self) -> None:
        self._intake.capacity.give_back(self)
        self.content.close()
        self.content = GatheredContent(self._intake.capacity.spare)


class Intake:
    """What one gateway hands content to. Belongs to one event loop."""

    def __init__(
        self, name: str, deployment: Deployment, screener: Screener, capacity: Capacity, terms: Terms | None = None
    ) -> None:
        self.name = name
        self.deployment = deployment
        self.capacity = capacity
        self.terms = terms or Terms()
        self.counts = metrics.of(name)
        self._screener = screener
        self._stopping = False
        self._waiting: set[asyncio.Timeout] = set()
        """Of every body that is being screened: when it is answered at the latest."""

    @property
    def max_bytes(self) -> int:
        """The longest content that is answered at once."""
        return self._screener.limits.max_bytes

    @property
    def max_job_bytes(self) -> int:
        """The longest content that is screened at all."""
        return max(self.max_bytes, self.deployment.job_screener.limits.max_bytes)

    def begin(self, item: str = "", **details: str) -> Body:
        """Take content that is about to come. `item` is the peer's own id of it, where it has one."""
        return Body(self, Context(f"{self.name}:{item}" if item else self.name, details))

    async def judge(self, body: Body, unwrap: Unwrap | None = None) -> GatewayOutcome:
        """What is said of a whole body, within the time of an answer. Never raises for anything in it.

        `unwrap` finds the pieces of a body that are screened each by itself: the severest verdict is the body's. Where
        it raises InputError the body is held.
        """
        self.counts.requests.inc()
        self.counts.bytes.inc(body.length)
        if body.length > self.max_bytes and body.upload is None and body.fault is None:
            await body.settle()
        if body.upload is not None and (upload := await body.finish_upload()) is not None:
            outcome = await self._submitted(upload, body)
        elif body.fault is not None:
            outcome = await self._held(body, body.fault)
        else:
            outcome = await self._screened(body, unwrap)
        return self._counted(outcome, body)

    async def hold(self, body: Body, fault: GatewayFault) -> GatewayOutcome:
        """Hold what came of a body that will not be whole, or that is not to be had."""
        self.counts.requests.inc()
        await body.discard_upload()
        return self._counted(await self._held(body, fault), body)

    def stop(self) -> None:
        """Whoever waits for a verdict waits no longer: it is held, and screened later."""
        self._stopping = True
        latest = asyncio.get_running_loop().time() + STOP_GRACE_S
        for waiting in self._waiting:
            if not waiting.expired() and (waiting.when() or latest) > latest:
                waiting.reschedule(latest)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    async def on_disk(self, call: Callable[..., Result], *arguments: object) -> Result:
        """A call in a thread that never stands behind a screening."""
        return await asyncio.get_running_loop().run_in_executor(self.capacity.disk, call, *arguments)

    def begin_job(self, body: Body) -> Upload:
        """An upload to the spool. Raises ConflictError, OSError, StoreError."""
        if self.deployment.jobs.spool.free_bytes() < _MIN_FREE_BYTES:
            raise OSError("the disk has no room for uploads")
        upload = self.deployment.jobs.begin(body.context)
        upload.write(body.head)
        return upload

    def _counted(self, outcome: GatewayOutcome, body: Body) -> GatewayOutcome:
        self.counts.outcome(outcome.decision.value).inc()
        access.info(
            "content",
            gateway=self.name,
            length=body.length,
            milliseconds=round((time.perf_counter() - body.begun) * 1000, 2),
            verdict=outcome.verdict_id,
            decision=outcome.decision.value,
        )
        return outcome

    async def _screened(self, body: Body, unwrap: Unwrap | None) -> GatewayOutcome:
        waiting = asyncio.timeout(STOP_GRACE_S if self._stopping else self.terms.answer_s)
        try:
            async with waiting:
                self._waiting.add(waiting)
                try:
                    verdict = await self._screen(body, unwrap)
                finally:
                    self._waiting.discard(waiting)
        except (NotReadyError, TimeoutError):
            return await self._later(body)
        except InputError:
            return await self._held(body, GatewayFault.NOT_GIVEN)
        except StoreError as error:
            log.error("a verdict could not be written down: %s", error)
            return unrecorded()
        except Exception:
            log.exception("content could not be screened")
            return await self._later(body)
        return outcome_of(verdict) if verdict is not None else GatewayOutcome(Decision.ALLOW, uuid.uuid4().hex)

    async def _screen(self, body: Body, unwrap: Unwrap | None) -> Verdict | None:
        cut = tuple(reason(doubt) for doubt in body.doubts)
        if body.length in self.terms.cut_at:
            cut = (*cut, reason(GatewayFault.CUT_SHORT))
        async with self.capacity.places.waited():
            future = self.capacity.threads.submit(self._screen_now, body.content, body.context, cut, unwrap)
            return await _shared(body, future)

    def _screen_now(
        self, body: GatheredContent, context: Context, shortcomings: tuple[Reason, ...], unwrap: Unwrap | None
    ) -> Verdict | None:
        """The severest verdict; None where there is nothing to be screened in the body."""
        found: Verdict | None = None
        for piece in (body.whole(),) if unwrap is None else unwrap(body.view()):
            content, profile = (
                (piece.content, Profile.FILES) if isinstance(piece, CarriedText) else (piece, self.terms.profile)
            )
            verdict = self._screener.screen(
                content,
                context,
                profile=profile,
                shortcomings=shortcomings,
                asked_by=f"gateway:{self.name}",
            )
            count_verdict(verdict)
            if found is None or _SEVERITY[verdict.decision] > _SEVERITY[found.decision]:
                found = verdict
            if verdict.decision is Decision.BLOCK:
                break
        return found

    async def _later(self, body: Body) -> GatewayOutcome:
        """Held now, screened as a job."""
        try:
            upload = await _shared(body, self.capacity.disk.submit(self._spooled, body))
        except (OSError, ConflictError) as error:
            log.error("content could not be kept for later: %s", error)
            return await self._held(body, GatewayFault.OVER_LIMIT)
        except StoreError as error:
            log.error("content could not be kept for later: %s", error)
            return unrecorded()
        return await self._submitted(upload, body)

    def _spooled(self, body: Body) -> Upload:
        upload = self.begin_job(body)
        try:
            _copy(body.content, upload)
        except BaseException:
            upload.discard()
            raise
        return upload

    async def _submitted(self, upload: Upload, body: Body) -> GatewayOutcome:
        try:
            job = await self.on_disk(self.deployment.jobs.submit, upload, f"gateway:{self.name}")
        except (OSError, StoreError) as error:
            log.error("a job could not be written down: %s", error)
            await self.on_disk(upload.discard)
            return unrecorded()
        self.deployment.job_runner.wake()
        return GatewayOutcome(Decision.HOLD, job.id)

    async def _held(self, body: Body, fault: GatewayFault) -> GatewayOutcome:
        content, pace = body.content.whole(), self.capacity.pace
        if (wait_s := pace.wait_s(time.monotonic())) and not self._stopping:
            await asyncio.sleep(wait_s)
        began = time.monotonic()
        try:
            held = self.capacity.disk.submit(self._screener.hold, content, reason(fault), body.context)
            verdict = await _shared(body, held)
        except TutelaError as error:
            log.error("a hold could not be written down: %s", error)
            return unrecorded()
        finally:
            pace.took(time.monotonic() - began)
        count_verdict(verdict)
        return outcome_of(verdict)


async def _shared(body: Body, future: Future[Result]) -> Result:
    """What comes of a thread. The content is kept until it is through, even where nobody waits for it any more."""
    loop = asyncio.get_running_loop()
    through = loop.create_future()
    body.share()

    def end() -> None:
        body.close()
        if not through.done():
            through.set_result(None)

    def done(_: Future[Result]) -> None:
        try:
            loop.call_soon_threadsafe(end)
        except RuntimeError:  # the loop is closed: the process ends
            body.content.close()

    future.add_done_callback(done)
    try:
        await through
    except asyncio.CancelledError:
        future.cancel()
        raise
    return future.result()


def _copy(content: GatheredContent, upload: Upload) -> None:
    view = content.view()
    for begin in range(0, len(view), _BLOCK):
        upload.write(view[begin : begin + _BLOCK])
