"""Evidence as the console opens it: with the review key, in memory, for a person and a purpose that the log knows."""

import json
from collections.abc import Mapping
from typing import Any

from tutela.casework.evidence.seal import ReviewKey
from tutela.casework.evidence.vault import Vault
from tutela.errors import TutelaError


class OpenedEvidence:
    """The vault together with the review key. Only the console's process has one."""

    def __init__(self, vault: Vault, key: ReviewKey) -> None:
        self._vault = vault
        self._key = key

    def read(self, evidence_id: str, *, actor: str, purpose: str = "review") -> bytes:
        """The content. Raises NotFoundError, ConflictError when it was destroyed, EvidenceError."""
        return self._vault.content(evidence_id, self._key, actor=actor, purpose=purpose)

    def details(self, evidence_id: str, *, actor: str, purpose: str = "review") -> Mapping[str, str]:
        """What the platform said of the content and its uploader. Raises as `read` does."""
        sealed = self._vault.context(evidence_id, self._key, actor=actor, purpose=purpose)
        try:
            document: dict[str, Any] = json.loads(sealed)
            return {str(name): str(value) for name, value in document.get("details", {}).items()}
        except (ValueError, AttributeError, RecursionError) as error:
            raise TutelaError(f"the sealed context of evidence {evidence_id} is not of its form") from error
