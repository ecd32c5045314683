"""From the answer to a list change until another process of the same home follows it; and until a revoked key ends.

Two services run on one home. What is changed through the one is asked of the other, over and over.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np

from benchmarks.hashes import random_hashes
from benchmarks.http_screening import free_port, running
from benchmarks.report import Scale, Table, duration
from tutela.api.keys import Keys, Scope
from tutela.deployment.composition import compose_deployment
from tutela.lists.banks.model import Action, Policy

_CHANGES = {Scale.TINY: 1, Scale.USUAL: 20, Scale.FULL: 100}


def run(scale: Scale) -> Iterator[Table]:
    """One table: kinds of change by the time until the other process follows."""
    table = Table(
        "A change followed by another service process, one core for all",
        ("change", "changes", "median", "most"),
        "From the answer to the change until the other process first answered by it.",
    )
    seconds: dict[str, list[float]] = {"listed": [], "withdrawn": [], "key revoked": []}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with compose_deployment(home, decoders=1) as deployment:
            deployment.banks.create("known", policy=Policy(action=Action.BLOCK), actor="benchmark")
            keys = Keys(deployment.store)
            curator = keys.create("benchmark", [Scope.ADMIN], by="test")[1]
            with _service(home, curator) as one, _service(home, curator) as other:
                for row in random_hashes(_CHANGES[scale], seed=5):
                    value = row.tobytes().hex()
                    entry = _list(one, value)
                    seconds["listed"].append(_until(lambda: _found(other, value)))  # noqa: B023
                    _withdraw(one, entry)
                    seconds["withdrawn"].append(_until(lambda: not _found(other, value)))  # noqa: B023
                    seconds["key revoked"].append(_revoked(other, keys))
    for name, measured in seconds.items():
        table.add(name, str(len(measured)), duration(float(np.median(measured))), duration(max(measured)))
    yield table


@contextlib.contextmanager
def _service(home: Path, key: str) -> Iterator[httpx.Client]:
    port = free_port()
    command = [sys.executable, "-m", "tutela", "--home", str(home), "serve", "--port", str(port)]
    with running(command, port, "/readyz", TUTELA_DECODERS="1") as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client


def _list(client: httpx.Client, value: str) -> int:
    answer = client.post("/v1/banks/known/entries", json={"entries": [{"signal": "pdq", "value": value}]})
    return int(answer.raise_for_status().json()["entry_ids"][0])


def _withdraw(client: httpx.Client, entry: int) -> None:
    client.patch(f"/v1/entries/{entry}", json={"state": "withdrawn", "reason": "benchmark"}).raise_for_status()


def _found(client: httpx.Client, value: str) -> bool:
    answer = client.post("/v1/lookup", json={"hashes": [{"signal": "pdq", "value": value}]})
    return bool(answer.raise_for_status().json()["results"][0])


def _revoked(client: httpx.Client, keys: Keys) -> float:
    key, text = keys.create("revoked", [Scope.SCREEN], by="test")

    def refused() -> bool:
        return client.get("/v1/signals", headers={"Authorization": f"Bearer {text}"}).status_code == 401

    if refused():
        raise AssertionError("a key that counts was refused")
    keys.revoke(key.id, by="test")
    return _until(refused)


def _until(followed: Callable[[], bool]) -> float:
    """Seconds until it is so."""
    started = time.perf_counter()
    while not followed():
        time.sleep(0.002)
    return time.perf_counter() - started
