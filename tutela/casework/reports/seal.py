"""Keeps drafts sealed with age: the process that files has the review key, one that only screens does not."""

from tutela.casework.evidence.seal import Recipients, ReviewKey
from tutela.errors import TutelaError


class AgeSealing:
    """Seals to the recipients of evidence, and opens with the review key where this process has it."""

    def __init__(self, recipients: Recipients | None, key: ReviewKey | None = None) -> None:
        self._recipients = recipients
        self._key = key

    def seal(self, plain: bytes) -> bytes:
        """The bytes, readable only with the review key. Raises TutelaError where there is nobody to seal to."""
        import pyrage

        if self._recipients is None:
            raise TutelaError("reports are sealed as evidence is: set recipients in [evidence] of tutela.toml")
        return bytes(pyrage.encrypt(plain, self._recipients.keys))

    def unseal(self, sealed: bytes) -> bytes:
        """The bytes as they were. Raises TutelaError without the key."""
        if self._key is None:
            raise TutelaError("this process has no review key, which opens reports; use the one that has it")
        return self._key.unwrap(sealed)
