"""What is left when the process that watches has died: a child of its own, which ends what then runs unwatched on media
servers that fail open, until somebody watches again. Those that fail closed end it themselves.
"""

import contextlib
import logging
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence

from tutela.errors import TutelaError
from tutela.foundation.http import Http
from tutela.gateways.streams.base import PATIENCE, Door
from tutela.screening.streams.model import MediaServer

log = logging.getLogger(__name__)

_EVERY_S = 0.5
_LONGEST_S = 3600.0
"""A machine on which nobody has watched for so long needs a person."""
_IN_ORDER = b"."


@contextlib.contextmanager
def guarded(doors: Mapping[str, Door], gate: str) -> Iterator[None]:
    """A death of this process within the block, or an error that ends the block, ends what runs on servers that fail
    open, again and again, until a gate answers at that address. To be entered before the process has threads: it is
    forked."""
    servers = [door.server for door in doors.values() if door.server.fails_open]
    if not servers:
        yield
        return
    heard, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(tell)
            for number in (signal.SIGTERM, signal.SIGINT):  # it ends when its parent has
                signal.signal(number, signal.SIG_IGN)
            if os.read(heard, 1) != _IN_ORDER:
                _end_all(servers, gate)
        finally:
            os._exit(0)
    os.close(heard)
    try:
        yield
        with contextlib.suppress(BrokenPipeError):  # it was killed
            os.write(tell, _IN_ORDER)
            os.waitpid(child, 0)
    finally:
        os.close(tell)  # after an error the child has work to do, and nobody waits for it: its parent is to start anew


def _end_all(servers: Sequence[MediaServer], gate: str) -> None:
    """End every publisher of these servers until the gate answers."""
    deadline = time.monotonic() + _LONGEST_S
    with Http(patience=PATIENCE, trust_env=False) as http:
        while time.monotonic() < deadline and not _answers(http, gate):
            for server in servers:
                try:
                    for running in server.running():
                        log.error("nobody watches %s: it is ended", running.channel.item)
                        server.cut(running.channel, running.session)
                except (TutelaError, OSError) as error:
                    log.error("media server %s: %s", server.name, error)
            time.sleep(_EVERY_S)


def _answers(http: Http, gate: str) -> bool:
    with contextlib.suppress(TutelaError):
        http.ask("GET", gate)
        return True
    return False
