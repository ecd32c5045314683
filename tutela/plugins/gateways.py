"""For gateways, the entry points of the group `tutela.gateways`: a `GatewayKind` with options, gateway and asker."""

from tutela.gateways.base import Gateway, GatewayKind, ListenerOptions, Opening, Options, Passes
from tutela.gateways.outcome import GatewayOutcome
from tutela.screening.reason_codes import GatewayFault

__all__ = [
    "Gateway",
    "GatewayFault",
    "GatewayKind",
    "GatewayOutcome",
    "ListenerOptions",
    "Opening",
    "Options",
    "Passes",
]
