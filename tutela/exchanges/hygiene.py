"""List hygiene: what is dubious about the entries that lists bring, marked for a person; nothing is dropped."""

from collections.abc import Sequence

from sqlalchemy import Connection

from tutela.banks.banks import Banks


class Hygiene:
    """Examines new entries."""

    def __init__(self, banks: Banks) -> None:
        self._banks = banks

    def examine(self, connection: Connection, entry_ids: Sequence[int], at: int) -> int:
        """Mark what is dubious among new entries; how many were."""
        return 0
