"""Reference numbers: what a stop page shows of an entry. They name it to us and to nobody else, and cannot be
guessed."""

import hmac

from tutela.errors import InputError

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is taken for a digit."""
_MISREAD = str.maketrans("ILO", "110")
_ENTRY, _MARK = 5, 5
_DIGITS = 16


class References:
    """Makes and reads the reference numbers of one deployment."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, entry_id: int) -> str:
        """The number of an entry, such as `0000-002A-7KQ3-ZD9M`."""
        entry = entry_id.to_bytes(_ENTRY)
        number = int.from_bytes(entry + self._mark(entry))
        digits = "".join(_ALPHABET[number >> 5 * at & 31] for at in range(_DIGITS - 1, -1, -1))
        return "-".join(digits[at : at + 4] for at in range(0, _DIGITS, 4))

    def entry(self, reference: str) -> int:
        """The entry that a number names. Raises InputError."""
        digits = reference.upper().replace("-", "").replace(" ", "").translate(_MISREAD)
        if len(digits) == _DIGITS and all(digit in _ALPHABET for digit in digits):
            number = 0
            for digit in digits:
                number = number << 5 | _ALPHABET.index(digit)
            entry, mark = (joined := number.to_bytes(_ENTRY + _MARK))[:_ENTRY], joined[_ENTRY:]
            if hmac.compare_digest(mark, self._mark(entry)):
                return int.from_bytes(entry)
        raise InputError("this is not a reference number of ours: it has four groups of four letters and digits")

    def _mark(self, entry: bytes) -> bytes:
        return hmac.digest(self._secret, entry, "sha256")[:_MARK]
