"""Listing pictures for a test as an outside list has them: by their plain hashes."""

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
