"""Running the HTTP face: uvicorn with one or more worker processes, structured logs, metrics across processes."""

import ctypes
import gc
import ipaddress
import logging
import logging.config
import os
import sys
import tempfile
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from tutela.errors import InputError
from tutela.evidence.memory import start_anew_with_clean_memory
from tutela.settings import Settings

_PR_SET_DUMPABLE = 4


def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until told to stop. Raises InputError when the address would be open to everybody without keys."""
    if settings.evidence is not None:
        start_anew_with_clean_memory()
    if not settings.auth_required and not _is_loopback(host):
        raise InputError(f"without keys the service is only served on a loopback address, not on {host}")
    settings.open().close()  # what is wrong with the home or the database is said here, once, not by every worker
    with tempfile.TemporaryDirectory(prefix="tutela-metrics-") as metrics:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        _run(settings, host, port, workers)


def _run(settings: Settings, host: str, port: int, workers: int) -> None:
    os.environ.update(settings.environment(workers))
    uvicorn.run(
        "tutela.api.server:app_from_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http="tutela.api.receiving:Receiver",
        ws="none",
        access_log=False,
        server_header=False,
        log_config=log_config(),
        timeout_graceful_shutdown=15,
        timeout_keep_alive=15,
        h11_max_incomplete_event_size=64 * 1024,
    )


def app_from_environment() -> FastAPI:
    """The application of one worker process, from the environment that `serve` prepared."""
    from tutela.api.app import ApiOptions, create_app

    configure_logs()
    settings = Settings()
    deployment = settings.open()
    guard_memory()
    options = ApiOptions(
        settings.auth_required,
        settings.rate_of_a_worker(),
        settings.max_in_flight,
        pulls_exchanges=settings.pull_exchanges,
        closes_deployment=True,
    )
    app = create_app(deployment, options)
    gc.freeze()  # what is there now stays: no collection looks through it again
    return app


def guard_memory() -> None:
    """Let no process of the same user read this one's memory or environment: decoding workers meet hostile files."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def configure_logs() -> None:
    """JSON lines on standard error, from our code and from libraries alike."""
    logging.config.dictConfig(log_config())
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def log_config() -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(),
                ],
                "foreign_pre_chain": [
                    structlog.stdlib.add_log_level,
                    structlog.stdlib.add_logger_name,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.processors.format_exc_info,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "uvicorn": {"level": "INFO"},
            # Its lines hold queries, which may hold anything; ours do not.
            "uvicorn.access": {"level": "CRITICAL", "propagate": False},
            "alembic": {"level": "WARNING"},
        },
    }


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
