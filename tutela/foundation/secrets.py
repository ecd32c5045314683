"""Secrets by reference: the database and tutela.toml keep where a secret is, never the secret.

A reference is `env:NAME` or `file:/path`. It is resolved when a connection is opened, so that a changed secret counts
at the next pull.
"""

import os
import stat
from pathlib import Path

from tutela.errors import InputError

MAX_BYTES = 64 * 1024


def is_reference(text: str) -> bool:
    """Whether it says where a secret is; a path may be relative here."""
    scheme, _, rest = text.partition(":")
    return (scheme == "env" and rest.replace("_", "a").isalnum()) or (scheme == "file" and bool(rest))


def check_reference(text: str, option: str) -> None:
    """Raise InputError for what is no reference: most likely the secret itself. The text is not repeated."""
    if is_reference(text) and text.startswith(("env:", "file:/")):
        return
    raise InputError(
        "{option} is a secret: give where it is, as env:NAME or file:/path, not the secret "
        "itself; what was given is not kept, but your shell may remember it",
        option=option,
    )


def resolve(reference: str, option: str) -> str:
    """The secret that a reference stands for. Raises InputError when it is not there."""
    check_reference(reference, option)
    scheme, _, rest = reference.partition(":")
    secret = os.environ.get(rest, "") if scheme == "env" else _read(Path(rest), option)
    if not secret:
        raise InputError("{option}: {reference} is empty or not set", option=option, reference=reference)
    return secret


def _read(path: Path, option: str) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise InputError(
                "{option}: {path} is no file, or larger than {max_bytes:,} bytes",
                option=option,
                path=path,
                max_bytes=MAX_BYTES,
            )
        if status.st_mode & stat.S_IROTH:
            raise InputError(
                "{option}: everybody on this machine can read {path}; run: chmod o-r {path}", option=option, path=path
            )
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise InputError(
            "{option}: {path} cannot be read: {why}", option=option, path=path, why=error.strerror
        ) from None
    except UnicodeDecodeError:
        raise InputError("{option}: {path} is not UTF-8 text", option=option, path=path) from None
