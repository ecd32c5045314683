"""What a gateway is: a place where platforms and networks already call a scanner.

To add a gateway: write its option class (a subclass of `Options`, or of `ListenerOptions` where it listens), a class
with `start` and `stop`, and a function that asks a running gateway of the kind through its own protocol; put them
together in a `GatewayKind` and name that in the entry-point group `tutela.gateways`:

    [project.entry-points."tutela.gateways"]
    mine = "my_package.gateway:KIND"

The gateway takes content with `intake.begin()`, adds to it with `Body.write`, and answers what `intake.judge` says.
Three rules hold for each: what is not allowed is refused in the protocol's word that no client takes for a pass; an
answer names nothing but the verdict; silence is never an answer to content that came whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from socket import socket
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

from tutela.content.media.profile import Profile
from tutela.foundation.options import OptionError
from tutela.gateways.intake import Intake
from tutela.gateways.listeners import ListenAddress
from tutela.screening.decision import Decision
from tutela.screening.reason_codes import require_overridable

CUT_AT = (26_214_400, 104_857_600)
"""Where clients cut files by default: Nextcloud and OpenCloud, clamdscan."""


class Options(BaseModel):
    """What every gateway is told: `[gateways.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    profile: Profile = Field(default=Profile.FILES, description="`pictures` or `files`: what the platform takes.")
    overrides: dict[str, Decision] = Field(
        default_factory=dict, description="Decision by reason code, over the deployment's own overrides."
    )
    answer_s: float = Field(
        default=20.0, gt=0, le=3600, description="Within so long a body is answered, else held; below the client's."
    )

    @field_validator("overrides")
    @classmethod
    def _are_known_codes(cls, overrides: dict[str, Decision]) -> dict[str, Decision]:
        try:
            require_overridable(overrides, "overrides")
        except OptionError as error:
            raise ValueError(error.rule) from None
        return overrides

    def warnings(self) -> list[str]:
        """What an operator should know of these options, for `tutela doctor`."""
        loose = sorted(code for code, decision in self.overrides.items() if decision is Decision.ALLOW)
        return [f"content passes unscreened where it is {', '.join(loose)}: see `overrides`"] if loose else []


class ListenerOptions(Options):
    """What a gateway is told that others call."""

    listen: tuple[ListenAddress, ...] = Field(min_length=1, description="`host:port`, or the path of a UNIX socket.")
    allow: tuple[str, ...] = Field(
        default=(), description="Networks whose peers are heard; only this machine where none is named."
    )
    max_idle: PositiveInt = Field(
        default=20_000, description="Connections without a request; the oldest of them makes room for a new one."
    )
    first_s: float = Field(default=30.0, gt=0, description="Seconds until the first command, or the next.")
    body_s: float = Field(default=300.0, gt=0, description="Seconds that a body may take in all.")
    min_rate: int = Field(
        default=16 * 1024, ge=0, description="Bytes a second that a body comes with on average, after ten seconds."
    )
    cut_at: frozenset[int] = Field(
        default=frozenset(CUT_AT), description="Lengths at which clients cut files silently: such content is held."
    )

    clients: tuple[str, ...] = Field(
        default=(), description="Who asks, so that `tutela doctor` says which of their defaults let content pass."
    )
    advice: ClassVar[Mapping[str, str]] = {}
    """Of each client that is known: what it lets pass, and what its operator should set."""

    def warnings(self) -> list[str]:
        """As of every gateway, and what is known of its clients."""
        return super().warnings() + [f"{client} {self.advice[client]}" for client in self.clients]

    @field_validator("clients")
    @classmethod
    def _are_known(cls, clients: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(clients) - set(cls.advice)):
            known = ", ".join(sorted(cls.advice)) or "none"
            raise ValueError(f"nothing is known of {', '.join(unknown)}; of this kind's clients {known} are known")
        return clients

    @field_validator("allow")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ip_network(network)
        return networks

    @model_validator(mode="after")
    def _is_not_open_to_all(self) -> "ListenerOptions":
        for address in self.listen:
            if not address.is_local and not self.allow:
                raise ValueError(f"{address} is open to other machines: name in `allow` the networks that may ask")
        return self


OptionsT = TypeVar("OptionsT", bound=Options)


@dataclass(frozen=True, slots=True)
class Opening(Generic[OptionsT]):
    """What a gateway is opened with."""

    name: str
    options: OptionsT
    intake: Intake
    sockets: tuple[socket, ...] = ()
    """They listen already, at `options.listen`; other processes may listen at the same."""


class Gateway(Protocol):
    """A gateway of one process, in its event loop."""

    async def start(self) -> None:
        """Begin to answer."""

    async def stop(self) -> None:
        """Take nothing new, and return when all that was under way is answered: by its verdict, or held."""


class Passes(Protocol):
    """Asks a running gateway through its own protocol."""

    def __call__(self, content: bytes) -> bool:
        """Whether the content is let through. Raises OSError, ValueError when the gateway gives no proper answer."""


@dataclass(frozen=True, slots=True)
class GatewayKind(Generic[OptionsT]):
    """A kind of gateway."""

    name: str
    summary: str
    """A line for people."""
    options: type[OptionsT]
    open: Callable[[Opening[Any]], Gateway]
    asking: Callable[[Any], Passes]
    """How a gateway with such options is asked, for `tutela gateway check`."""
