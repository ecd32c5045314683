"""Where media servers reach the gate of live streams: the section `[stream_hooks]`."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from tutela.foundation.options import Secret, require


@dataclass(frozen=True, slots=True)
class HookOptions:
    """Where media servers ask about live streams."""

    host: str = "127.0.0.1"
    """Address that the gate listens on."""
    port: int = 8083
    """Port that the gate listens on."""
    allow: tuple[str, ...] = ()
    """Networks whose media servers are answered, besides this machine."""
    secret: Secret | None = None
    """What hooks must carry as the parameter `secret`, as env:NAME or file:path; needed where others can reach it."""

    def __post_init__(self) -> None:
        require(1 <= self.port <= 65535, "port", "must be from 1 to 65535")
        for network in self.allow:
            require(_is_network(network), "allow", f"has {network!r} in it, which is not a network: write 10.0.0.0/8")
        require(self.is_local or self.secret is not None, "secret", "must be given where the gate is not on loopback")
        require(self.is_local or bool(self.allow), "allow", "must name who may ask where the gate is not on loopback")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can ask."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
