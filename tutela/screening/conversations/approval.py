"""Approval: an operator's own policy has effects once somebody other than its author approved exactly that file."""

import json
from dataclasses import dataclass
from pathlib import Path

from tutela.errors import InputError
from tutela.screening.conversations.policy import RiskPolicy

FILE = "approved.json"


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved which version."""

    version: str
    by: str


def read_approval(folder: Path) -> Approval | None:
    """The last approval that was given, if any."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Approval(str(found["version"]), str(found["by"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def approve(folder: Path, policy: RiskPolicy, by: str) -> Approval:
    """Approve a policy. Raises InputError where the author approves, or where nobody is named as the author."""
    author = policy.author.strip().casefold()
    if not author:
        raise InputError("the policy names no author: nobody could tell whether another approved it")
    name = by.strip()
    if author in {name.casefold(), name.casefold().rpartition(":")[2]}:
        raise InputError("{author} wrote the policy: somebody else approves it", author=policy.author)
    approval = Approval(policy.version, name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = folder / f"{FILE}.new"
    beside.write_text(json.dumps({"version": approval.version, "by": approval.by}), encoding="utf-8")
    beside.replace(folder / FILE)
    return approval
