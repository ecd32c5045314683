"""A network's edge as the tests meet it: lists of its own, and the stop page served in a thread."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.support.waiting import PATIENCE_S
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.seal import new_identity
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.edge import Edge, opened_edge
from tutela.gateways.pages.app import StopPageApp
from tutela.gateways.pages.options import StopPageOptions
from tutela.gateways.pages.server import serving
from tutela.lists.banks.model import Action, BankUse, Policy
from tutela.lists.banks.values import new_entry
from tutela.screening.check.deterrence import Deterrences

ORGANISATION = "Example Net"


@dataclass
class Lists:
    """An edge, and what is listed there."""

    edge: Edge
    home: Path
    identity: str

    def add(self, signal: str, *texts: str, bank: str = "pages") -> tuple[int, ...]:
        """List links in a bank, visible at once."""
        entries = [new_entry(signal, text) for text in texts]
        found = self.edge.banks.add(bank, entries, actor="test", reason="for the test").entry_ids
        self.edge.refresh()
        return found


@contextlib.contextmanager
def edge_of(home: Path, dry_run: timedelta = timedelta(), *, seals: bool = True) -> Iterator[Lists]:
    """An edge with a bank of pages for a proxy and one of names for resolvers."""
    identity, recipient = new_identity()
    casework = CaseworkOptions(evidence=EvidenceOptions(recipients=(recipient,)) if seals else None)
    with opened_edge(home, None, casework, dry_run) as edge:
        edge.banks.create("pages", policy=Policy(Action.BLOCK), uses={BankUse.PROXY}, actor="test")
        edge.banks.create("names", policy=Policy(Action.BLOCK), uses={BankUse.DNS}, actor="test")
        yield Lists(edge, home, identity)


def options_at(port: int, **more: str) -> StopPageOptions:
    """What an operator says for a page at a port of this machine."""
    said = {"organisation": ORGANISATION, "site": "https://example.net/blocking", "country": "GB"}
    said |= {"ground": "The list of Example Hotline", "contact": "appeals@example.net"}
    return StopPageOptions(**(said | more), port=port, address=f"http://127.0.0.1:{port}")  # type: ignore[arg-type]


@contextlib.contextmanager
def stop_page(lists: Lists, **more: str) -> Iterator[StopPageOptions]:
    """The stop page over HTTP, as long as the block runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    options = options_at(listener.getsockname()[1], **more)
    app = StopPageApp(lists.edge, options, Deterrences(lists.home))
    loop, up, end = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def run() -> None:
        async with serving(app, listener):
            up.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert up.wait(PATIENCE_S)
        yield options
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(PATIENCE_S)
        loop.close()
