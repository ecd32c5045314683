"""The signal types of this installation: ours and those that plug-ins bring, found by entry point."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType

from tutela.content.signals.base import Composite, Computable, Digesting, Optional, SignalType
from tutela.errors import InputError, TutelaError

GROUP = "tutela.signals"


@cache
def signal_types() -> Mapping[str, SignalType]:
    """Every installed signal type by name. Raises TutelaError when a plug-in does not keep the protocol."""
    found: dict[str, SignalType] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        signal_type = point.load()
        if not isinstance(signal_type, SignalType):
            raise TutelaError(
                "entry point {value!r} of group {group} is not a SignalType", value=point.value, group=GROUP
            )
        if signal_type.name != point.name:
            raise TutelaError(
                "entry point {name!r} names itself {name_2!r}; make the two equal",
                name=point.name,
                name_2=signal_type.name,
            )
        found[signal_type.name] = signal_type
    return MappingProxyType(found)


def prepare() -> None:
    """Load every type, and what it computes with, before a worker is confined. Raises TutelaError as the types do."""
    for found in signal_types().values():
        own: Callable[[], None] | None = getattr(found, "prepare", None)
        if own is not None:
            own()


def signal_type(name: str) -> SignalType:
    """The type of that name. Raises InputError naming the known ones."""
    try:
        return signal_types()[name]
    except KeyError:
        known = ", ".join(signal_types())
        raise InputError("unknown signal type {name!r}; known here: {known}", name=name, known=known) from None


def is_computed(kind: SignalType) -> bool:
    """Whether values of a type are computed by this installation, or only looked up where they are given."""
    if isinstance(kind, Optional) and not kind.ready:
        return False
    return isinstance(kind, Digesting | Computable | Composite)


@cache
def composite_type(name: str) -> Composite | None:
    """The type of that name where it stands for many values; None for any other. Raises InputError for no type."""
    found = signal_type(name)
    return found if isinstance(found, Composite) else None
