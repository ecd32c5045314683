"""The section [audit]: who signs the audit log."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tutela.errors import InputError

if TYPE_CHECKING:
    from tutela.casework.audit.checkpoints import SigningKey


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """How the audit log is signed."""

    key: Path | None = None
    """File of the key that signs the audit log every hour; better kept on another machine, see `tutela audit
    checkpoint`."""

    def signing_key(self) -> "SigningKey | None":
        """The key; None where none is named. Raises InputError."""
        if self.key is None:
            return None
        from tutela.casework.audit.checkpoints import SigningKey

        try:
            return SigningKey.read(self.key.read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                "the key of checkpoints, {key}, cannot be read: {error}", key=self.key, error=error
            ) from None
