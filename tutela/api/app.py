"""The HTTP face: routes, keys, limits and problem documents around one deployment. No logic of its own."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import anyio.to_thread
import structlog
from fastapi import Depends, FastAPI, Request
from fastapi_swagger import patch_fastapi
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tutela._version import __version__
from tutela.api import (
    appeal_routes,
    bank_routes,
    case_routes,
    check_routes,
    intake_routes,
    job_routes,
    metrics,
    report_routes,
    risk_routes,
    screening_routes,
    stream_routes,
)
from tutela.api.access import AccessLog
from tutela.api.bodies import BodyLimit
from tutela.api.keys import Keys
from tutela.api.options import ApiOptions
from tutela.api.problems import MEDIA_TYPE, answer_with_problems, refuse_unknown_parameters
from tutela.api.security import Gate
from tutela.api.short_way import ShortWay
from tutela.deployment.composition import Deployment
from tutela.deployment.metrics import count_verdict
from tutela.errors import BusyError, TutelaError
from tutela.foundation.allowance import Allowance, Taken
from tutela.gateways.base import Options as GatewayOptions
from tutela.gateways.service import Gateways, Sockets
from tutela.lists.exchanges import installed as exchanges_installed

log = structlog.get_logger(__name__)

_DESCRIPTION = """
Screens content against hash lists before anybody sees it.

Every route under `/v1` needs `Authorization: Bearer KEY`; keys are made with `tutela key create`. Whatever is not a 2xx
is a problem document (RFC 9457). No route fetches an address but those of exchanges, which an operator names.
"""
_KEYS_WRITTEN_EVERY_S = 30.0


class Bound:
    """Turns requests away quickly instead of queueing them without end."""

    def __init__(self, places: int) -> None:
        """So many at once; half of them at most are of content that takes long, however many send it."""
        self._places = Allowance("too many screenings are under way", places)
        self._costly = Allowance("too many screenings of content that takes long are under way", max(1, places // 2))
        self._waiting: deque[asyncio.Future[None]] = deque()

    @contextlib.contextmanager
    def place(self, who: str, *, costly: bool = False) -> Iterator[None]:
        """A place for one screening of somebody's. Raises BusyError when none is free."""
        try:
            with self._places.take(who):
                if not costly:
                    yield
                    return
                with self._costly.take(who):
                    yield
        finally:
            self._call()

    @contextlib.asynccontextmanager
    async def waited(self, who: str = "gateways") -> AsyncIterator[None]:
        """A place for one screening, as soon as one is free: for gateways, which share them."""
        while (taken := self._tried(who)) is None:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
        try:
            with taken:
                yield
        finally:
            self._call()

    def _tried(self, who: str) -> Taken | None:
        try:
            return self._places.take(who)
        except BusyError:
            return None

    def _call(self) -> None:
        while self._waiting:
            if not (turn := self._waiting.popleft()).done():
                turn.set_result(None)
                return


def create_app(
    deployment: Deployment,
    options: ApiOptions | None = None,
    *,
    gateways: Mapping[str, GatewayOptions] | None = None,
    gateway_sockets: Sockets | None = None,
) -> FastAPI:
    """The application around an open deployment. Gateways are further doors, which share its limit of screenings."""
    options = options or ApiOptions()
    keys = Keys(deployment.store)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = options.max_in_flight + 40
        tasks = [asyncio.create_task(_warm(deployment)), asyncio.create_task(_write_used_keys(keys))]
        stop_exchanges = _start_exchanges(deployment, pulls=options.pulls_exchanges)
        deployment.job_runner.on_verdict = count_verdict
        deployment.start()
        doors = Gateways(deployment, gateways or {}, gateway_sockets or {}, app.state.bound, threads)
        await doors.start()
        yield
        await doors.stop()
        await run_in_threadpool(stop_exchanges)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(TutelaError):
            await run_in_threadpool(keys.write_used)
        await run_in_threadpool(threads.shutdown)
        await run_in_threadpool(deployment.stop)
        if options.closes_deployment:
            await run_in_threadpool(deployment.close)

    app = FastAPI(
        title="Tutela",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redoc_url=None,
        redirect_slashes=False,  # to an address that the client's Host names
        # Traces name the client's address, and asking for each request whether any are wanted takes time.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.deployment = deployment
    app.state.gate = Gate(keys, rate=options.rate, required=options.auth_required)
    app.state.bound = Bound(options.max_in_flight)
    app.state.stream_indicators = options.stream_indicators
    app.state.upload_memory = Allowance("the memory for uploads is taken", options.max_upload_memory_bytes)
    app.state.screening_threads = threads = ThreadPoolExecutor(options.max_in_flight, "tutela-screening")
    answer_with_problems(app)
    strictly = [Depends(refuse_unknown_parameters)]
    app.include_router(screening_routes.uploads)
    app.include_router(screening_routes.router, dependencies=strictly)
    app.include_router(check_routes.router)
    app.include_router(job_routes.router, dependencies=strictly)
    app.include_router(bank_routes.router, dependencies=strictly)
    app.include_router(case_routes.router, dependencies=strictly)
    app.include_router(risk_routes.router, dependencies=strictly)
    app.include_router(appeal_routes.router, dependencies=strictly)
    app.include_router(stream_routes.router, dependencies=strictly)
    app.include_router(report_routes.router, dependencies=strictly)
    app.include_router(intake_routes.router, dependencies=strictly)
    app.state.intake_brake = intake_routes.IntakeBrake(deployment.casework.options.reports.intake_rate)
    if exchanges_installed():
        from tutela.api import exchange_routes, feed_routes

        app.include_router(exchange_routes.router, dependencies=strictly)
        app.include_router(feed_routes.router, dependencies=strictly)
    _add_operations(app, deployment)
    _describe_problems(app)
    # The page of the API comes from this process: an operator's browser asks nobody else.
    patch_fastapi(app, redirect_from_root_to_docs=False, swagger_ui_parameters={"persistAuthorization": False})
    app.add_middleware(BodyLimit)
    app.add_middleware(AccessLog)
    return app


def shortened(app: FastAPI) -> ShortWay:
    """The application for a server of ours, where no layer of somebody else's lies around it."""
    return ShortWay(app, routers=(screening_routes.uploads, check_routes.router))


def _add_operations(app: FastAPI, deployment: Deployment) -> None:
    @app.get("/healthz", dependencies=[Depends(refuse_unknown_parameters)], tags=["operation"], operation_id="health")
    async def health() -> dict[str, str]:
        """The process is up."""
        return {"status": "up"}

    @app.get("/readyz", dependencies=[Depends(refuse_unknown_parameters)], tags=["operation"], operation_id="ready")
    def ready() -> Response:
        """200 when this process answers safely; 503 with what is missing until then.

        `weaker` names what this system does not give to the isolation of decoders, where there is such.
        """
        missing, weaker = deployment.shortcomings(), deployment.pool.weaknesses()
        document: dict[str, object] = {"ready": not missing, "missing": missing}
        if weaker:
            document["weaker"] = weaker
        return JSONResponse(document, 503 if missing else 200)

    @app.get("/metrics", dependencies=[Depends(refuse_unknown_parameters)], tags=["operation"], operation_id="metrics")
    def scrape(_: Request) -> Response:
        """Prometheus metrics. They name no content; keep the address to your own network all the same."""
        return Response(metrics.exposition(deployment), media_type="text/plain; version=0.0.4; charset=utf-8")


def _describe_problems(app: FastAPI) -> None:
    """Say in the OpenAPI document which problems routes under /v1 answer."""
    build = app.openapi

    def described() -> dict[str, object]:
        document = build()
        for path, operations in document["paths"].items():
            if path.startswith("/v1/"):
                for method, operation in operations.items():
                    statuses = [400, 401, 403, 429, 503]
                    statuses += [404] if "{" in path else []
                    statuses += [409, 413] if method != "get" else []
                    answers = operation["responses"]
                    named = {*map(str, statuses), *(status for status in answers if status >= "400")}
                    bare = [status for status in named if "content" not in answers.get(status, {})]
                    answers |= {status: _problem(int(status)) for status in sorted(bare)}
        return document

    app.openapi = described  # type: ignore[method-assign]


def _problem(status: int) -> dict[str, object]:
    """How the OpenAPI document describes a problem document."""
    names = ("type", "title", "status", "detail")
    properties = {name: {"type": "integer" if name == "status" else "string"} for name in names}
    schema = {"type": "object", "required": list(names), "properties": properties}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}


def _start_exchanges(deployment: Deployment, *, pulls: bool) -> Callable[[], None]:
    """Pull exchanges where this process takes part in that; what is returned ends it."""
    if not pulls or not exchanges_installed():
        return lambda: None
    from tutela.lists.exchanges.schedule import Schedule
    from tutela.lists.exchanges.service import Exchanges

    schedule = Schedule(Exchanges(deployment.banks), deployment.home)
    schedule.start()
    return schedule.stop


async def _warm(deployment: Deployment) -> None:
    try:
        await run_in_threadpool(deployment.pool.warm)
    except TutelaError as error:
        log.error("the decoding workers did not start", error=str(error))


async def _write_used_keys(keys: Keys) -> None:
    while True:
        await asyncio.sleep(_KEYS_WRITTEN_EVERY_S)
        try:
            await run_in_threadpool(keys.write_used)
        except TutelaError as error:
            log.warning("the use of keys could not be written down", error=str(error))
