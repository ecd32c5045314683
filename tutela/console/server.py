"""Running the console: one process, which reads the review key at its start and lets no other process look into it."""

import contextlib
import sys
from collections.abc import Iterator

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from tutela.casework.evidence.memory import guard_memory, start_anew_with_clean_memory
from tutela.casework.evidence.review_key import read_review_key
from tutela.console.app import create_console
from tutela.console.options import ConsoleOptions
from tutela.console.service import Console
from tutela.deployment.casework import opened_casework
from tutela.deployment.settings import Settings
from tutela.errors import InputError
from tutela.foundation.listening import bound
from tutela.foundation.logs import configure_logs, log_config


def serve(settings: Settings, options: ConsoleOptions, host: str, port: int) -> None:
    """Serve until told to stop. Raises InputError when the review key cannot be read, StoreError as the store does."""
    start_anew_with_clean_memory()
    guard_memory()
    with opened_console(settings, options) as console:
        configure_logs()
        sockets = list(bound(host, port))
        config = uvicorn.Config(
            create_console(console),
            host=host,
            port=port,
            access_log=False,
            server_header=False,
            log_config=log_config(),
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=64 * 1024,
        )
        server = uvicorn.Server(config)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=sockets)
        if not server.started:
            sys.exit(STARTUP_FAILURE)


@contextlib.contextmanager
def opened_console(settings: Settings, options: ConsoleOptions) -> Iterator[Console]:
    """The console over its casework, while reports are filed in the background: this process has the review key.

    Raises InputError when the key cannot be read or opens nothing here, StoreError as the store does.
    """
    if options.identity is None:
        raise InputError("the console needs the review key: set identity in [console] of tutela.toml to its file")
    if settings.evidence is None:
        raise InputError("the console needs to know where evidence lies: set [evidence] as the service has it")
    key = read_review_key(options.identity, settings.home, recipients=settings.evidence.recipients)
    with (
        opened_casework(settings.home, settings.database_text, settings.casework, key) as casework,
        casework.report_worker() as worker,
        contextlib.closing(Console(casework, settings.home, options, settings.limits)) as console,
    ):
        worker.start()
        try:
            yield console
        finally:
            worker.stop()
