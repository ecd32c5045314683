"""From tables to option classes: every value is checked against the type of its key, and every fault is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from tutela.deployment.settings.keys import is_section, keys_of, without_none
from tutela.errors import InputError
from tutela.foundation.options import OptionError, Secret, nearest

_NOTHING = object()
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a key."""

    path: tuple[str, ...]
    rule: str


@dataclass
class Reader:
    """Reads values of the types that option classes have."""

    folder: Path | None
    """What paths are relative to, and where secrets must be references: of a file."""
    from_environment: frozenset[tuple[str, ...]] = frozenset()
    """The keys that a variable gave: paths there are the shell's, and a secret may be itself."""
    faults: list[Fault] = field(default_factory=list)

    def section(self, kind: type, table: Any, path: tuple[str, ...] = ()) -> Any:
        """The option class with what the table says. What is wrong is in `faults`; there is no object then."""
        if not isinstance(table, dict):
            return self._fault(path, "must be a table")
        if not hasattr(kind, "__dataclass_fields__"):
            return self._model(kind, table, path)
        keys, values, before = keys_of(kind), {}, len(self.faults)
        for name in table.keys() - keys.keys():
            self._fault((*path, name), f"is not a key{nearest(name, keys)}")
        for name, key in keys.items():
            if name in table:
                values[name] = self._value(without_none(key.kind), table[name], (*path, name))
            elif key.required:
                self._fault((*path, name), "must be given")
        if len(self.faults) > before:
            return _NOTHING
        try:
            return kind(**values)
        except OptionError as error:
            return self._fault((*path, *error.key.split(".")) if error.key else path, error.rule)
        except InputError as error:
            return self._fault(path, str(error))

    def _model(self, kind: Any, table: Mapping[str, Any], path: tuple[str, ...]) -> Any:
        """A plug-in's section, which pydantic reads."""
        from pydantic import ValidationError

        try:
            return kind.model_validate(table)
        except ValidationError as error:
            for item in error.errors():
                place = [str(part) for part in item["loc"] if "[" not in str(part)]  # not the steps of its own reading
                self._fault((*path, *place), item["msg"].removeprefix("Value error, "))
            return _NOTHING

    def _value(self, kind: Any, value: Any, path: tuple[str, ...]) -> Any:
        if is_section(kind):
            return self.section(kind, value, path)
        origin = get_origin(kind)
        if origin is Mapping:
            return self._mapping(kind, value, path)
        if origin in (tuple, frozenset):
            if not isinstance(value, list):
                return self._fault(path, "must be a list")
            (item_kind, *_) = get_args(kind)
            return origin([self._value(item_kind, item, (*path, str(place))) for place, item in enumerate(value)])
        if issubclass(kind, Secret):
            if not isinstance(value, str):
                return self._fault(path, "must be a text")
            return self._secret(kind, value, path)
        if issubclass(kind, Enum):
            return self._choice(kind, value, path)
        if kind is Path:
            if not isinstance(value, str):
                return self._fault(path, "must be a path")
            folder = None if self._shell_gave(path) else self.folder
            return (folder or Path()) / Path(value).expanduser()
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            return self._fault(path, f"must be {_WORDS[kind]}")
        return value

    def _mapping(self, kind: Any, value: Any, path: tuple[str, ...]) -> Any:
        name_kind, item_kind = get_args(kind)
        if not isinstance(value, dict):
            return self._fault(path, "must be a table")
        found = {}
        for name, item in value.items():
            key = self._choice(name_kind, name, (*path, name)) if issubclass(name_kind, Enum) else name
            found[key] = self._value(without_none(item_kind), item, (*path, name))
        return found

    def _choice(self, kind: type[Enum], value: Any, path: tuple[str, ...]) -> Any:
        names = [str(item.value) for item in kind]
        if value not in names:
            hint = nearest(value, names) if isinstance(value, str) else ""
            return self._fault(path, f"must be one of {', '.join(names)}{hint}")
        return kind(value)

    def _secret(self, kind: type[Secret], value: str, path: tuple[str, ...]) -> Any:
        try:
            return kind.read(value, ".".join(path), folder=None if self._shell_gave(path) else self.folder)
        except OptionError as error:
            return self._fault(path, error.rule)

    def _shell_gave(self, path: tuple[str, ...]) -> bool:
        return any(path[:length] in self.from_environment for length in range(1, len(path) + 1))

    def _fault(self, path: tuple[str, ...], rule: str) -> Any:
        self.faults.append(Fault(path, rule))
        return _NOTHING
