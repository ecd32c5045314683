"""The kinds of gateways of this installation, ours and those of plug-ins, and the gateways that an operator set up."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from tutela.errors import InputError, TutelaError
from tutela.foundation.options import OptionError
from tutela.gateways.base import GatewayKind, Options

GROUP = "tutela.gateways"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@cache
def kinds() -> Mapping[str, GatewayKind[Any]]:
    """Every installed kind by name. Raises TutelaError when a plug-in does not keep the protocol."""
    return MappingProxyType({name: kind(name) for name in names()})


def names() -> list[str]:
    """The names of the installed kinds."""
    return sorted(point.name for point in entry_points(group=GROUP))


@cache
def kind(name: str) -> GatewayKind[Any]:
    """The kind of that name. Raises InputError; ModuleNotFoundError where a library that it needs is missing."""
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        raise InputError("`kind` is one of {value}", value=", ".join(names()))
    loaded = points[0].load()
    if not isinstance(loaded, GatewayKind) or loaded.name != name:
        raise TutelaError(
            "entry point {value!r} of group {group} is not a Kind named {name!r}",
            value=points[0].value,
            group=GROUP,
            name=name,
        )
    return loaded


def kind_of(options: Options) -> GatewayKind[Any]:
    """The kind of a gateway with such options."""
    return kind(options.kind)


def option_class(name: str, given: Mapping[str, Any]) -> type[Options]:
    """What reads the table `[gateways.NAME]` of the settings. Raises InputError."""
    if not _NAME.fullmatch(name):
        raise InputError("is not a valid name of a gateway: use lower-case letters, digits and '-'")
    try:
        described = kind(str(given.get("kind", "")))
    except InputError:
        raise OptionError("kind", "must be one of {value}", value=", ".join(names())) from None
    options: type[Options] = described.options
    return options
