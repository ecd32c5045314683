"""A pull in a process of its own, which says so after each transaction and can be killed at any moment.

Its processes are forked from one that has imported everything, so that many of them cost little.
"""

import contextlib
import multiprocessing
import os
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.connection import Connection

from tests.support.exchange_tools import QUICK, opened
from tutela.errors import TutelaError
from tutela.lists.exchanges import files
from tutela.lists.exchanges.puller import Puller

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.support.pull_until_killed"])
HASTY = replace(QUICK, timeout_s=1.0, deadline_s=1.0, attempts=3)


def kill_a_pull(url: str, name: str, secrets: Mapping[str, str], rng: random.Random, *, full: bool) -> bool:
    """Start a pull and kill it after some transactions; whether it was still at it."""
    ours, theirs = CONTEXT.Pipe(duplex=False)
    together = rng.choice([1, 300, 5_000])  # where pages wait, a transaction holds one of them, some, or all
    process = CONTEXT.Process(target=pull, args=(url, name, dict(secrets), together, full, theirs))
    process.start()
    theirs.close()
    with contextlib.suppress(EOFError):  # it ended first
        ours.recv()  # it begins
        for _ in range(rng.randrange(6)):
            ours.recv()
    time.sleep(rng.random() * 0.03)
    process.kill()
    process.join()
    ours.close()
    assert process.exitcode is not None
    return process.exitcode < 0


def pull(url: str, name: str, secrets: Mapping[str, str], together: int, full: bool, said: Connection) -> None:
    """Pull an exchange of the store at a URL, over a wire that may fail."""
    os.environ.update(secrets)
    files.PAGE = 150  # the list of the test is short, and is to have several pages all the same
    with opened(url) as exchanges:
        said.send("begins")
        puller = Puller(exchanges, patience=HASTY, settles_after_s=0, together=together)
        with contextlib.suppress(TutelaError):  # as it should when the wire fails; the next pull goes on
            puller.pull(name, actor="test", full=full, on_page=lambda _: said.send("page"))
