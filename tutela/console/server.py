"""Running the console: one process, which reads the review key at its start and lets no other process look into it."""

import uvicorn

from tutela.casework.evidence.memory import guard_memory, start_anew_with_clean_memory
from tutela.console.app import Console, create_console
from tutela.console.options import ConsoleSettings
from tutela.console.rooms import open_rooms
from tutela.deployment.settings import Settings
from tutela.foundation.logs import configure_logs, log_config


def serve(settings: Settings, options: ConsoleSettings, host: str, port: int) -> None:
    """Serve until told to stop. Raises InputError when the review key cannot be read, StoreError as the store does."""
    start_anew_with_clean_memory()
    guard_memory()
    with open_rooms(settings, options) as rooms:
        configure_logs()
        console = Console(rooms, options, settings.limits)
        try:
            uvicorn.run(
                create_console(console),
                host=host,
                port=port,
                access_log=False,
                server_header=False,
                log_config=log_config(),
                timeout_graceful_shutdown=5,
                h11_max_incomplete_event_size=64 * 1024,
            )
        finally:
            console.close()
