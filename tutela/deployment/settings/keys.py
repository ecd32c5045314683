"""The keys that an option class has: its fields, their types, and what is written under them."""

import ast
import dataclasses
import inspect
import textwrap
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

REQUIRED = object()
"""The default of a key that has none."""
ANY_NAME = "NAME"
"""Stands in a path for a name that the operator chooses."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section."""

    name: str
    kind: Any
    """The type of its value."""
    fixed: object = REQUIRED
    """The default, ..."""
    factory: Callable[[], object] | None = None
    """... or what makes it."""
    said: str = ""
    """Its description, ..."""
    owner: type | None = None
    """... or the option class in whose source it stands. That is read only where descriptions are shown."""

    @property
    def description(self) -> str:
        """What the operator should know of it."""
        return self.said if self.owner is None else _descriptions(self.owner).get(self.name, "")

    @property
    def default(self) -> object:
        """What counts where nothing is given; REQUIRED where a value must be."""
        return self.factory() if self.factory is not None else self.fixed

    @property
    def required(self) -> bool:
        """Whether the section cannot do without it."""
        return self.factory is None and self.fixed is REQUIRED


@cache
def keys_of(section: type) -> Mapping[str, Key]:
    """The keys of an option class: a dataclass, or a pydantic model of a plug-in."""
    if not dataclasses.is_dataclass(section):
        return _keys_of_model(section)
    kinds, found = get_type_hints(section), {}
    for item in dataclasses.fields(section):
        if item.init and item.metadata.get("key", True):
            factory = None if item.default_factory is dataclasses.MISSING else item.default_factory
            fixed = REQUIRED if item.default is dataclasses.MISSING else item.default
            found[item.name] = Key(item.name, kinds[item.name], fixed, factory, owner=section)
    return types.MappingProxyType(found)


def _keys_of_model(model: Any) -> Mapping[str, Key]:
    found = {}
    for name, item in model.model_fields.items():
        default = REQUIRED if item.is_required() else item.get_default(call_default_factory=True)
        found[name] = Key(name, item.annotation, default, said=item.description or "")
    return types.MappingProxyType(found)


@cache
def _descriptions(section: type) -> dict[str, str]:
    """The docstring under each field, those of the classes that it extends too."""
    found: dict[str, str] = {}
    for owner in reversed(section.__mro__):
        if not dataclasses.is_dataclass(owner):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(definition, ast.ClassDef)
        for field, below in zip(definition.body, definition.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                match below:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        found[field.target.id] = inspect.cleandoc(text)
    return found


def summary_of(section: type) -> str:
    """The first line of what is said of an option class."""
    return (inspect.getdoc(section) or "").partition("\n")[0]


def is_section(kind: Any) -> bool:
    """Whether values of the type are tables with keys of their own."""
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or hasattr(kind, "model_fields"))


def without_none(kind: Any) -> Any:
    """The type of a key that may be left out: `X` of `X | None`."""
    if get_origin(kind) in (Union, types.UnionType):
        (kind,) = [part for part in get_args(kind) if part is not types.NoneType]
    return kind


def value_kind(kind: Any) -> Any:
    """The type of the values of a mapping; None for what is not a mapping."""
    return get_args(kind)[1] if get_origin(kind) is Mapping else None
