"""The kinds of gateways of this installation, ours and those of plug-ins, and the gateways that an operator set up."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from tutela.errors import InputError, TutelaError
from tutela.foundation.options import OptionError
from tutela.gateways.base import Kind, Options

GROUP = "tutela.gateways"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@cache
def kinds() -> Mapping[str, Kind[Any]]:
    """Every installed kind by name. Raises TutelaError when a plug-in does not keep the protocol."""
    found: dict[str, Kind[Any]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        kind = point.load()
        if not isinstance(kind, Kind) or kind.name != point.name:
            raise TutelaError(f"entry point {point.value!r} of group {GROUP} is not a Kind named {point.name!r}")
        found[kind.name] = kind
    return MappingProxyType(found)


def kind_of(options: Options) -> Kind[Any]:
    """The kind of a gateway with such options."""
    return kinds()[options.kind]


def option_class(name: str, given: Mapping[str, Any]) -> type[Options]:
    """What reads the table `[gateways.NAME]` of the settings. Raises InputError."""
    if not _NAME.fullmatch(name):
        raise InputError("is not a valid name of a gateway: use lower-case letters, digits and '-'")
    kind = kinds().get(str(given.get("kind", "")))
    if kind is None:
        raise OptionError("kind", f"must be one of {', '.join(kinds())}")
    options: type[Options] = kind.options
    return options
