"""What option classes are made of. A room owns the class of its section in tutela.toml: a frozen dataclass.

Each field is a key of the section; the docstring under the field is the key's description, its default the key's
default, and what is allowed is checked in `__post_init__` with `require`. See docs/settings.md.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from tutela.errors import InputError, Statement
from tutela.foundation.secrets import is_reference, resolve

NOT_A_KEY: dict[str, Any] = {"key": False}
"""Metadata of a field that a program sets, never a file: `field(default=None, metadata=NOT_A_KEY)`."""
_RATE = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)")


class OptionError(InputError):
    """A key of a section has a value that is not allowed."""

    code = "option"

    def __init__(self, key: str, rule: str, /, **values: object) -> None:
        super().__init__(f"{key} {rule}" if key else rule, field=None, **values)
        self.key = key
        self.rule = str(Statement(rule, values))


class SettingsError(InputError):
    """Settings that cannot be used: each fault with its place."""

    code = "settings"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def require(condition: bool, key: str, rule: str) -> None:
    """Raise OptionError, which says the rule, unless the condition holds."""
    if not condition:
        raise OptionError(key, rule)


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint at the name that was meant, where one is near."""
    near = difflib.get_close_matches(name, list(map(str, names)), 1, 0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def require_positive(options: object, *keys: str) -> None:
    """Raise OptionError for the first of the keys whose value is not above 0."""
    for key in keys:
        value = getattr(options, key)
        if value is not None and not value > 0:
            raise OptionError(key, "must be greater than 0")


def require_rate(text: str, key: str) -> None:
    """Raise OptionError for what is not a rate."""
    require(bool(_RATE.fullmatch(text)), key, "must be a number and a period, such as 1000/second or 600/minute")


class Secret:
    """A secret by its reference: `env:NAME` or `file:/path`. It is read where it is used, so that a new one counts.

    An environment variable may hold the secret itself; a file may not.
    """

    __slots__ = ("_key", "_reference", "_text")

    def __init__(self, reference: str | None = None, *, text: str | None = None, key: str = "a secret") -> None:
        self._reference = reference
        self._text = text
        self._key = key

    @classmethod
    def read(cls, text: str, key: str, *, folder: Path | None = None) -> Self:
        """The secret of a key; in a file, whose folder is given, it must be a reference. Raises OptionError."""
        if not is_reference(text):
            require(
                folder is None, key, "is a secret: give where it is, as env:NAME or file:path, not the secret itself"
            )
            return cls(text=text, key=key)
        scheme, _, rest = text.partition(":")
        return cls(f"file:{(folder or Path()).absolute() / rest}" if scheme == "file" else text, key=key)

    def reveal(self) -> str:
        """The secret. Raises InputError when it is not where it should be."""
        return self._text if self._text is not None else resolve(self._reference or "", self._key)

    def variable(self) -> str:
        """What another process is given in its environment for it."""
        return self._text if self._text is not None else self._reference or ""

    def shown(self) -> str:
        """Where it is, for people; never the secret."""
        return self._reference or "(given in the environment)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._text, self._reference) == (other._text, other._reference)

    def __hash__(self) -> int:
        return hash((self._text, self._reference))

    def __repr__(self) -> str:
        return f"Secret({self._reference!r})" if self._reference else "Secret(…)"
