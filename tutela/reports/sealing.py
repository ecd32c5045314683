"""Keeps drafts sealed with age: whoever files has the private key, whoever only screens does not."""

from collections.abc import Sequence

from tutela.errors import InputError, TutelaError


class AgeSealing:
    """Seals to recipients (`age1…`), and opens with identities (`AGE-SECRET-KEY-1…`) where there are any.

    Raises InputError for a key that is none.
    """

    def __init__(self, recipients: Sequence[str], identities: Sequence[str] = ()) -> None:
        from pyrage import IdentityError, RecipientError, x25519

        try:
            self._recipients = [x25519.Recipient.from_str(text.strip()) for text in recipients]
            self._identities = [x25519.Identity.from_str(text.strip()) for text in identities]
        except (RecipientError, IdentityError):
            raise InputError(
                "a report is sealed with age keys: recipients age1…, identities AGE-SECRET-KEY-1…"
            ) from None
        if not self._recipients:
            raise InputError("reports need a recipient's key; make one with `tutela evidence new-key`")

    def seal(self, plain: bytes) -> bytes:
        """The bytes, readable only with one of the recipients' identities."""
        import pyrage

        return bytes(pyrage.encrypt(plain, self._recipients))

    def unseal(self, sealed: bytes) -> bytes:
        """The bytes as they were. Raises TutelaError without the key."""
        import pyrage

        try:
            return bytes(pyrage.decrypt(sealed, self._identities))
        except pyrage.DecryptError:
            raise TutelaError("this process has no key that opens the report; file from the review service") from None
