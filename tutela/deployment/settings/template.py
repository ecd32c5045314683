"""The settings as a file: every key with its description and its value, as `tutela config show` prints them."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from tutela.deployment.settings.doors import Chosen
from tutela.deployment.settings.keys import (
    ANY_NAME,
    REQUIRED,
    Key,
    is_section,
    keys_of,
    summary_of,
    value_kind,
    without_none,
)
from tutela.deployment.settings.model import Settings, root_keys
from tutela.foundation.options import Secret

_WIDTH = 100
_LONG = 100_000
"""Numbers from here on have their thousands apart."""


def template(settings: Settings | None = None) -> str:
    """A settings file with every key. A value that is the default stands in a comment."""
    values = {} if settings is None else {name: getattr(settings, name, None) for name in root_keys()}
    if settings is not None:
        values |= settings.doors
        values["home"] = settings.home
    head = (
        "tutela.toml: every key with its default. What stands in a comment is the default; remove the # to change it."
    )
    lines = [*_comment(head), ""]
    lines += _table(root_keys(), values, ())
    return "\n".join(lines).rstrip() + "\n"


def _table(keys: Mapping[str, Key], values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """The keys of a table, its plain ones first, as TOML needs them."""
    tables = {name: key for name, key in keys.items() if _is_table(key.kind)}
    for name, key in keys.items():
        if name not in tables:
            yield from _comment(key.description)
            yield _assignment(name, key, values.get(name, REQUIRED))
    for name, key in tables.items():
        kind = without_none(key.kind)
        value = values.get(name)
        if is_section(kind):
            left_out = value is None and key.default is None
            yield from _section(kind, key.description, value, (*path, name), left_out=left_out)
            continue
        inner = without_none(value_kind(kind))
        if inner is Chosen and not value:
            yield from ("", *_comment(key.description))
            continue
        for given, options in (value or {ANY_NAME: None}).items():
            section = type(options) if inner is Chosen else inner
            yield from _section(section, key.description, options, (*path, name, given), left_out=options is None)


def _section(kind: type, description: str, value: Any, path: tuple[str, ...], *, left_out: bool) -> Iterator[str]:
    keys = keys_of(kind)
    yield ""
    yield from _comment(description or summary_of(kind))
    yield f"{'# ' if left_out else ''}[{'.'.join(map(_name, path))}]"
    yield from _table(keys, {name: getattr(value, name) for name in keys} if value is not None else {}, path)


def _assignment(name: str, key: Key, value: Any) -> str:
    if value is REQUIRED or value == key.default:
        return f"# {name} = {_text(key.default) if key.default not in (REQUIRED, None) else _example(key)}"
    return f"{name} = {_text(value)}"


def _example(key: Key) -> str:
    """What stands for a value that has no default."""
    kind = without_none(key.kind)
    if kind in (int, float):
        return "…"
    if isinstance(kind, type):
        return '""'
    return "{}" if value_kind(kind) is not None else "[]"


def _is_table(kind: Any) -> bool:
    kind = without_none(kind)
    inner = without_none(value_kind(kind))
    return is_section(kind) or is_section(inner) or inner is Chosen


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return _text(value.value)
    if isinstance(value, Secret):
        return _text(value.shown())
    if isinstance(value, Path) and value.is_relative_to(Path.home()):
        return _text(f"~/{value.relative_to(Path.home())}")
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return (
            "{}"
            if not value
            else "{ " + ", ".join(f"{_name(str(name))} = {_text(item)}" for name, item in value.items()) + " }"
        )
    if isinstance(value, frozenset):
        return _text(sorted(value, key=str))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, int | float):
        return f"{value:_}" if isinstance(value, int) and value >= _LONG else str(value)
    return _text(str(value))


def _name(name: str) -> str:
    return name if name.replace("-", "a").replace("_", "a").isalnum() and name.isascii() else _text(name)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
