"""Where settings come from: a TOML file, whose lines are known, and the environment over it."""

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tutela.deployment.settings.keys import Key, is_section, keys_of, value_kind, without_none
from tutela.errors import InputError

FILE_NAME = "tutela.toml"
SYSTEM_FILE = Path("/etc/tutela") / FILE_NAME
PREFIX = "TUTELA_"
Path_ = tuple[str, ...]
Table = dict[str, Any]


@dataclass(frozen=True)
class SettingsFile:
    """A settings file that was read."""

    path: Path
    text: str
    table: Table

    @classmethod
    def read(cls, path: Path) -> "SettingsFile":
        """The file at that path. Raises InputError."""
        try:
            text = path.read_text(encoding="utf-8")
            return cls(path, text, tomllib.loads(text))
        except OSError as error:
            raise InputError("{path} cannot be read: {why}", path=path, why=error.strerror) from None
        except UnicodeDecodeError:
            raise InputError("{path} is not UTF-8 text", path=path) from None
        except tomllib.TOMLDecodeError as error:
            raise InputError("{path} is not TOML: {error}", path=path, error=error) from None
        except RecursionError:
            raise InputError("{path} is not TOML: its values lie too deep in each other", path=path) from None

    @property
    def folder(self) -> Path:
        """What paths in the file are relative to."""
        return self.path.absolute().parent

    def line_of(self, path: Sequence[str]) -> int | None:
        """The line on which that key, or the nearest table around it that is written, begins."""
        for length in range(len(path), 0, -1):
            if (line := self._lines.get(tuple(path[:length]))) is not None:
                return line
        return None

    @cached_property
    def _lines(self) -> Mapping[Path_, int]:
        """The line of every key, told by TOML's own grammar: the first beginning of the file in which it is there."""
        lines, start = self.text.splitlines(keepends=True), 1
        found: dict[Path_, int] = {}
        for count in range(1, len(lines) + 1):
            try:
                table = tomllib.loads("".join(lines[:count]))
            except tomllib.TOMLDecodeError:
                continue  # in the midst of a value of several lines
            for path in _paths(table):
                found.setdefault(path, start)
            start = count + 1
        return found


def _paths(table: Mapping[str, Any], above: Path_ = ()) -> list[Path_]:
    found = []
    for name, value in table.items():
        found.append((*above, name))
        if isinstance(value, dict):
            found += _paths(value, (*above, name))
    return found


def find_file(named: Path | None, home: Path) -> SettingsFile | None:
    """The settings file: the named one, else the home's, else the system's. Raises InputError."""
    if named is not None:
        return SettingsFile.read(named)
    for path in (home / FILE_NAME, SYSTEM_FILE):
        if os.path.lexists(path):
            return SettingsFile.read(path)
    return None


def variable_of(path: Sequence[str]) -> str:
    """The environment variable of a key."""
    return PREFIX + "__".join(path).upper()


@dataclass(frozen=True, slots=True)
class Given:
    """What a variable of the environment sets."""

    variable: str
    path: Path_
    value: Any


def read_variable(keys: Mapping[str, Key], variable: str, text: str) -> Given | None:
    """What the variable says, for the key that it names; None when it names none."""
    kind: Any = None
    path: list[str] = []
    for name in variable.removeprefix(PREFIX).lower().split("__"):
        if not path or is_section(kind):
            here = keys_of(kind) if path else keys
            if name not in here:
                return None
            kind = without_none(here[name].kind)
        elif (kind := value_kind(kind)) is not None:
            kind = without_none(kind)
        else:
            return None
        path.append(name)
    return Given(variable, tuple(path), _value(kind, text))


def _value(kind: Any, text: str) -> Any:
    """The value that a text is, where it is no text: JSON, or a number or truth value as shells have them."""
    if isinstance(kind, type) and not is_section(kind) and kind not in (bool, int, float):
        return text
    if kind is bool:
        return {"1": True, "0": False}.get(text, {"true": True, "false": False}.get(text.lower(), text))
    try:
        return json.loads(text)
    except ValueError:
        return text


def laid_over(table: Table, given: Given) -> None:
    """Put a variable's value into the table, over what is there."""
    *above, name = given.path
    for part in above:
        inner = table.get(part)
        if not isinstance(inner, dict):
            inner = table[part] = {}
        table = inner
    table[name] = given.value
