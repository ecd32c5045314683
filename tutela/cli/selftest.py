"""`tutela selftest`: canaries through the engine, or through a running service."""

import json
import os
import time

from rich.markup import escape

from tutela.cli.output import coloured, print_json, print_table
from tutela.deployment.selftest import CANARY_MATCHES, Screen, Seen, SelftestCheck, canary, seen_in, selftest
from tutela.deployment.settings import Settings
from tutela.errors import InputError

_FOLLOWS_WITHIN_S = 10.0


def run(settings: Settings, url: str | None, *, holds: bool, as_json: bool) -> int:
    """Print every check; a running service is sent what it `holds` only where that is asked for. Returns the exit
    code."""
    with settings.open() as deployment:
        checks = list(selftest(deployment, service(url) if url else None, holds=holds or not url))
    if as_json:
        for check in checks:
            print_json({"state": _state(check), "what": check.what, "detail": check.detail})
    else:
        rows = [[coloured(_state(check)), escape(check.what), escape(check.detail)] for check in checks]
        print_table(("state", "what", "detail"), rows)
    return 0 if all(check.ok for check in checks) else 1


def service(url: str) -> Screen:
    """Screening by a running service on the same lists. Raises InputError without a key."""
    from tutela.foundation.http import Http

    key = os.environ.get("TUTELA_KEY", "")
    if not key:
        raise InputError("put an API key of scope screen into TUTELA_KEY")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/octet-stream"}
    http = Http(headers=headers)
    followed = False

    def screen(content: bytes) -> Seen:
        nonlocal followed
        deadline = time.monotonic() + _FOLLOWS_WITHIN_S
        while True:
            seen = seen_in(json.loads(http.send("POST", f"{url.rstrip('/')}/v1/screen", content).body))
            # The canary may have been listed a moment ago; the service follows within a second, one type after another.
            if followed or seen.matched >= CANARY_MATCHES or content != canary() or time.monotonic() > deadline:
                followed = True
                return seen
            time.sleep(0.2)

    return screen


def _state(check: SelftestCheck) -> str:
    return "ok" if check.ok else "fail"
