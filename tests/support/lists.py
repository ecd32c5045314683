"""Listing pictures for a test: some of their hashes, or their plain ones as an outside list has them."""

from collections.abc import Sequence
from typing import Any

from tutela.content.signals.registry import signal_type
from tutela.deployment.composition import Deployment
from tutela.lists.banks.model import Action, NewEntry, Policy


def list_plainly(deployment: Deployment, *contents: bytes, action: Action = Action.BLOCK) -> None:
    """Make a bank `known` that lists the contents' plain PDQ hashes."""
    entries = []
    for content in contents:
        found = deployment.screener.screen(content).hashes
        (whole,) = (one for one in found if one.signal == "pdq" and one.view == "whole" and not one.part)
        entries.append(NewEntry("pdq", signal_type("pdq").parse(whole.value)))
    deployment.banks.create("known", policy=Policy(action), actor="test")
    deployment.banks.add("known", entries, actor="test", reason="for the test")
    deployment.refresh()


def hashes(deployment: Deployment, content: bytes) -> dict[str, bytes]:
    verdict = deployment.screener.screen(content)
    return {item.signal: signal_type(item.signal).parse(item.value) for item in verdict.hashes}


def list_in(
    deployment: Deployment, bank: str, content: bytes, *signals: str, policy: Policy | None = None, **options: Any
) -> Sequence[int]:
    """Make a bank and list some of a content's hashes in it."""
    values = hashes(deployment, content)
    deployment.banks.create(bank, policy=policy or Policy(Action.BLOCK), actor="test", **options)
    entries = [NewEntry(signal, values[signal]) for signal in signals]
    outcome = deployment.banks.add(bank, entries, actor="test", reason="for the test")
    deployment.refresh()
    return outcome.entry_ids
