"""The review key in its file: the one rule by which every door reads it.

The file lies outside the home, which the serving process reads. Where it is locked with a passphrase, that is asked for
at the terminal, or read from a file descriptor that whoever starts the program hands over.
"""

import getpass
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from tutela.casework.evidence.seal import ReviewKey, unlock_with_passphrase
from tutela.errors import InputError

MAX_KEY_BYTES = 64 * 1024
DESCRIPTOR = "TUTELA_REVIEW_KEY_PASSPHRASE_FD"
"""The environment variable that names the descriptor, such as 3 with `3< <(secret-tool lookup …)`."""
_LOCKED = b"age-encryption.org/"
_ARMORED = b"-----BEGIN AGE ENCRYPTED FILE-----"

Ask = Callable[[Path], str]
"""Where the passphrase of a locked key comes from; given the key's file."""


def ask_passphrase(path: Path) -> str:
    """The passphrase of a key, from the descriptor that the environment names, or else from the terminal.

    Raises InputError where there is neither.
    """
    number = os.environ.get(DESCRIPTOR)
    if number is not None:
        return _from_descriptor(number)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would be read, and shown, from elsewhere
            return getpass.getpass(f"passphrase of {path}: ")
    except (EOFError, OSError, getpass.GetPassWarning):
        raise InputError(
            "the review key {path} is locked and there is no terminal: hand its passphrase over by {descriptor}",
            path=path,
            descriptor=DESCRIPTOR,
        ) from None


def read_review_key(path: Path, home: Path, *, ask: Ask = ask_passphrase, recipients: Sequence[str] = ()) -> ReviewKey:
    """The review key in a file outside the home, unlocked where it is locked.

    `recipients` are the public keys that evidence is sealed to now: a key that is none of theirs is refused. Raises
    InputError saying what to do, EvidenceError for a wrong passphrase.
    """
    if path.resolve().is_relative_to(home.resolve()):
        raise InputError(
            "the review key {path} lies in the home, which the serving process reads; keep it elsewhere", path=path
        )
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_BYTES)
    except OSError as error:
        raise InputError("the review key {path} cannot be read: {why}", path=path, why=error.strerror) from None
    if data.startswith((_LOCKED, _ARMORED)):
        data = unlock_with_passphrase(data, ask(path))
    try:
        key = ReviewKey(data.decode("ascii"))
    except UnicodeDecodeError:
        raise InputError("the review key {path} cannot be read: it is not an age identity file", path=path) from None
    if recipients and not set(recipients) & set(key.recipients):
        raise InputError("the review key {path} does not open evidence: that is sealed to other public keys", path=path)
    return key


def _from_descriptor(number: str) -> str:
    try:
        with os.fdopen(int(number), "rb") as file:
            return file.read(MAX_KEY_BYTES).decode().rstrip("\r\n")
    except (ValueError, OSError):
        raise InputError(
            "{descriptor}={number!r} is not an open descriptor with a passphrase",
            descriptor=DESCRIPTOR,
            number=number[:20],
        ) from None
