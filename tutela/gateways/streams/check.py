"""Whether media servers and the gate answer, and what a server does where they do not: `tutela stream check`."""

from collections.abc import Iterator
from dataclasses import dataclass

from tutela.deployment.settings import Settings
from tutela.errors import TutelaError
from tutela.foundation.http import Http, HttpError
from tutela.gateways.streams.base import PATIENCE
from tutela.gateways.streams.options import HookOptions
from tutela.gateways.streams.registry import open_servers


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked."""

    state: str
    """ok, warn or fail."""
    what: str
    detail: str


def check_streams(settings: Settings) -> Iterator[Check]:
    """The gate, then each media server."""
    options = settings.door(HookOptions)
    with Http(patience=PATIENCE, trust_env=False) as http:
        try:
            answer = http.ask("GET", f"http://{options.host}:{options.port}/readyz")
            said = answer.body.decode("utf-8", "replace").strip()
            yield Check("ok" if answer.status == 200 else "fail", "gate", said)
        except HttpError as error:
            yield Check("fail", "gate", f"{error}; start it with `tutela stream serve`")
    for name, door in open_servers(settings.named("media_servers")).items():
        try:
            count = len(door.server.running())
            yield Check("ok", f"media server {name}", f"says what it runs: {count} streams")
        except (TutelaError, OSError) as error:
            yield Check("fail", f"media server {name}", str(error))
        if door.server.fails_open:
            what = "runs streams while the gate does not answer"
            yield Check("warn", f"media server {name}", f"{what}: {door.settles}" if door.settles else what)
        elif door.settles:
            yield Check("ok", f"media server {name}", f"fails closed with {door.settles}")
    if settings.evidence is None or not settings.evidence.recipients:
        yield Check("warn", "evidence", "nothing is kept of a stream that is cut: write a table [evidence]")
