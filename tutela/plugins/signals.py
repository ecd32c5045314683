"""For signal types, the entry points of the group `tutela.signals`: an object that satisfies `SignalType`."""

from tutela.content.media.content import Content, Mode, Picture
from tutela.content.signals.base import (
    Composite,
    Computable,
    Digesting,
    InClear,
    OnlyHolding,
    Optional,
    Region,
    Sample,
    SignalKind,
    SignalType,
)
from tutela.errors import InvalidSignalError, UnscreenableError

__all__ = [
    "Composite",
    "Computable",
    "Content",
    "Digesting",
    "InClear",
    "InvalidSignalError",
    "Mode",
    "OnlyHolding",
    "Optional",
    "Picture",
    "Region",
    "Sample",
    "SignalKind",
    "SignalType",
    "UnscreenableError",
]
