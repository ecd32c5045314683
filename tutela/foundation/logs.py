"""The logs of a service: JSON lines on standard error, without what people sent."""

import contextlib
import logging.config
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import structlog


def configure_logs() -> None:
    """JSON lines on standard error, from our code and from libraries alike."""
    import structlog

    logging.config.dictConfig(log_config())
    # Straight to the stream: the way through `logging` took longer than a search.
    structlog.configure(
        processors=[*_stamped(), structlog.processors.JSONRenderer()],
        logger_factory=_lines,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )


def _lines(name: str) -> "structlog.WriteLogger":
    """A logger of that name that writes to standard error."""
    import structlog

    logger = structlog.WriteLogger(_StandardError())  # type: ignore[arg-type]  # all that is asked of the file
    logger.name = name  # type: ignore[attr-defined]  # `add_logger_name` asks for it
    return logger


class _StandardError:
    """What it cannot take is lost, as `logging` does it: a request is never the worse for a full disk or a reader that
    is gone."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def _stamped() -> list["structlog.typing.Processor"]:
    """What every line says beside its event."""
    import structlog

    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


def log_config() -> dict[str, Any]:
    """As `logging.config` and uvicorn take it."""
    import structlog

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
                "foreign_pre_chain": _stamped(),
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "uvicorn": {"level": "INFO"},
            # Its lines hold queries, which may hold anything; ours do not.
            "uvicorn.access": {"level": "CRITICAL", "propagate": False},
            "alembic": {"level": "WARNING"},
            "fontTools": {"level": "WARNING"},  # a line for each table of a font that a report leaves out
        },
    }
