"""Sections of the doors. The deployment stands below them and imports none, so they are named here as text.

To add a section: write its option class in the door, and a line here. The door reads it with `settings.door(Class)`.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, cast

DOORS = {
    "service": "tutela.api.options:ServiceOptions",
    "console": "tutela.console.options:ConsoleOptions",
    "stream_hooks": "tutela.gateways.streams.options:HookOptions",
    "stop_page": "tutela.gateways.pages.options:StopPageOptions",
}
"""Option classes by section."""
NAMED_DOORS = {
    "gateways": (
        "tutela.gateways.registry:option_class",
        "Where platforms already call a scanner: a table [gateways.NAME] for each, see docs/gateways.md.",
    ),
    "dns": (
        "tutela.gateways.dns.options:option_class",
        "Zones of listed domains for resolvers: a table [dns.NAME] for each, see docs/for-an-internet-provider.md.",
    ),
    "media_servers": (
        "tutela.gateways.streams.registry:option_class",
        "Servers of live streams: a table [media_servers.NAME] for each, see docs/live-streams.md.",
    ),
}
"""By section that has a table for each name: what tells from such a table which option class reads it, and its use."""


Choice = Callable[[str, Mapping[str, Any]], type]
"""Tells the option class of a table from its name and what it says. Raises InputError."""


class Chosen:
    """The type of such a table, whose keys are not known before."""


def door_section(name: str) -> type:
    """The option class of a door's section."""
    return cast(type, _load(DOORS[name]))


def choice_of(name: str) -> Choice:
    """What tells the option class of each table of such a section."""
    return cast(Choice, _load(NAMED_DOORS[name][0]))


@cache
def _load(place: str) -> object:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
