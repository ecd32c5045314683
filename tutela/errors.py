"""The one error hierarchy. A message says the rule that was broken, with which input, and what to do about it.

Each error has a stable `code` for programs, and its message as a `Statement`: a sentence and the values that it names,
so that every door can render it: as an HTTP problem, a page in the reader's language, or a line on a terminal.

    TutelaError            fault            ours: HTTP 5xx, exit code 3; screening *holds*, never allows
    ├── InputError         invalid-input    the caller's: HTTP 4xx, exit code 2
    │   ├── NotFoundError        not-found
    │   ├── ConflictError        conflict
    │   └── InvalidSignalError   invalid-signal
    ├── UnscreenableError  unscreenable     content is held; `reason` says why
    ├── StoreError         store
    ├── IndexCorruptError  index-corrupt
    └── NotReadyError      not-ready
        └── BusyError      busy
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar


def message(text: str) -> str:
    """Marks a sentence for `make messages`; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence with places for what it names, as `there is no case {case_id!r}`, and the values for them.

    The sentence is a constant of the code, so that catalogues can translate it. Without values it is taken as it is.
    """

    sentence: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.sentence.format(**self.values) if self.values else self.sentence

    def stored(self) -> str:
        """The statement as a text for a database; a sentence without values stands for itself."""
        if not self.values:
            return self.sentence
        plain = {
            name: value if isinstance(value, str | int | float) else str(value) for name, value in self.values.items()
        }
        return json.dumps({"sentence": self.sentence, "values": plain}, ensure_ascii=False)

    @classmethod
    def of_stored(cls, text: str) -> "Statement":
        """What `stored` made, or any other text as it is."""
        if not text.startswith('{"sentence": '):
            return cls(text)
        found = json.loads(text)
        return cls(found["sentence"], found["values"])


class TutelaError(Exception):
    """Root of every error that Tutela raises on purpose."""

    code: ClassVar[str] = "fault"

    def __init__(self, sentence: str, /, **values: object) -> None:
        super().__init__(sentence)
        self.statement = Statement(sentence, values)

    def __str__(self) -> str:
        return str(self.statement)


class InputError(TutelaError):
    """The caller's input is wrong and only the caller can mend it. `field` names the part that is wrong, if one."""

    code = "invalid-input"

    def __init__(self, sentence: str, /, *, field: str | None = None, **values: object) -> None:
        super().__init__(sentence, **values)
        self.field = field


class NotFoundError(InputError):
    """The named thing does not exist."""

    code = "not-found"


class ConflictError(InputError):
    """The request contradicts what already exists."""

    code = "conflict"


class InvalidSignalError(InputError):
    """A hash text or value is not of the form that its signal type needs."""

    code = "invalid-signal"


class UnscreenableError(TutelaError):
    """Content could not be screened; the caller must hold it. `reason` is a stable machine-readable code."""

    code = "unscreenable"

    def __init__(self, reason: str, sentence: str, /, **values: object) -> None:
        super().__init__(sentence, **values)
        self.reason = reason


class StoreError(TutelaError):
    """The database is unreachable, of another version, or refused a write."""

    code = "store"


class IndexCorruptError(TutelaError):
    """An index file is torn, truncated or not ours; it is never served."""

    code = "index-corrupt"


class NotReadyError(TutelaError):
    """The engine has not finished loading what it needs to answer safely."""

    code = "not-ready"


class BusyError(NotReadyError):
    """Too much is under way: nothing was decided and nothing written down; ask again in a moment."""

    code = "busy"
