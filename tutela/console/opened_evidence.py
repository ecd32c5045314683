"""Evidence as the console opens it: with the review key, in memory, for a person and a purpose that the log knows."""

import json
from collections.abc import Mapping

from tutela.errors import TutelaError
from tutela.evidence.sealing import ReviewKey
from tutela.evidence.vault import Vault


class OpenedEvidence:
    """The vault together with the review key. Only the console's process has one."""

    def __init__(self, vault: Vault, key: ReviewKey) -> None:
        self._vault = vault
        self._key = key

    def read(self, evidence_id: str, *, actor: str) -> bytes:
        """The content. Raises NotFoundError, ConflictError when it was destroyed, EvidenceError."""
        return self._vault.content(evidence_id, self._key, actor=actor, purpose="review")

    def context(self, evidence_id: str, *, actor: str, purpose: str = "review") -> Mapping[str, str]:
        """What the platform said, as flat texts. Raises as `read` does."""
        sealed = self._vault.context(evidence_id, self._key, actor=actor, purpose=purpose)
        try:
            return dict(_flat("", json.loads(sealed)))
        except (ValueError, RecursionError) as error:
            raise TutelaError(f"the sealed context of evidence {evidence_id} is not of its form") from error


def _flat(name: str, value: object) -> list[tuple[str, str]]:
    """Every text in a JSON value, with the way to it as its name."""
    match value:
        case dict():
            return [pair for key, part in value.items() for pair in _flat(f"{name} {key}".strip(), part)]
        case list():
            return [pair for number, part in enumerate(value, 1) for pair in _flat(f"{name} {number}", part)]
        case None | "":
            return []
        case _:
            return [(name, str(value))]
