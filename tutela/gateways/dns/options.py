"""What an operator chooses for a zone: `[dns.NAME]` in the settings."""

import base64
import binascii
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any, Self

import dns.exception
import dns.name
import dns.tsig
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tutela.errors import InputError
from tutela.foundation.secrets import check_reference, resolve
from tutela.gateways.listeners import ListenAddress

WEEK_S = 7 * 24 * 3600


class Resolver(BaseModel):
    """A resolver that applies the zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asked_at: ListenAddress = Field(description="Where it answers questions: `host:port`; the canary is asked there.")
    notified_at: ListenAddress | None = Field(default=None, description="Where it takes NOTIFY: `host:port`.")


class DnsOptions(BaseModel):
    """A zone for resolvers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen: ListenAddress = Field(default=ListenAddress("127.0.0.1", 5354), description="Where transfers are answered.")
    zone: str = Field(default="rpz.tutela.invalid", description="The zone's name; it is never looked up by anybody.")
    recent: str | None = Field(
        default=None,
        description="For lists of more than 20,000 names: a second, small zone of what changed lately, which resolvers "
        "apply before the other.",
    )
    recent_most: int = Field(
        default=5_000, ge=1, description="When so many names have changed, the large zone is renewed."
    )
    fold_hour: int | None = Field(
        default=None,
        ge=0,
        le=23,
        description="Of the day (UTC): the large zone is renewed only then, unless twice as many names have changed.",
    )
    garden: tuple[IPv4Address | IPv6Address, ...] = Field(
        default=(), description="Addresses of the stop page; without them listed names do not exist (NXDOMAIN)."
    )
    canary: str = Field(
        default="canary.tutela.alt",
        description="A name that resolves only where the policy is applied; not below `invalid`, which Unbound keeps.",
    )
    canary_address: IPv4Address = Field(default=IPv4Address("192.0.2.53"), description="What the canary resolves to.")
    canary_every_s: float = Field(default=10.0, ge=1, description="How often each resolver is asked for the canary.")
    keys: dict[str, str] = Field(
        default_factory=dict,
        description="TSIG keys by name: where each secret is (env:NAME or file:/path), base64.",
    )
    allow: tuple[str, ...] = Field(
        default=("127.0.0.0/8", "::1/128"), description="Networks whose resolvers are answered."
    )
    resolvers: dict[str, Resolver] = Field(default_factory=dict, description="The resolvers that apply it, by name.")
    ttl_s: int = Field(default=60, ge=1, description="Of listed names: how long a resolver's clients keep the answer.")
    refresh_s: int = Field(default=60, ge=1, description="How often resolvers without NOTIFY ask for a new version.")
    retry_s: int = Field(default=30, ge=1)
    expire_s: int = Field(
        default=4 * WEEK_S, ge=WEEK_S, description="BIND drops the policy silently when no primary answered so long."
    )

    @property
    def zones(self) -> tuple[str, ...]:
        """The names of its zones, in the order in which resolvers apply them."""
        return (self.zone,) if self.recent is None else (self.recent, self.zone)

    def canary_of(self, zone: str) -> str:
        """The canary of one of its zones."""
        return self.canary if zone == self.zone else f"recent.{self.canary}"

    @model_validator(mode="after")
    def _are_two(self) -> Self:
        if self.recent == self.zone:
            raise ValueError("recent: the small zone needs a name of its own")
        return self

    @field_validator("zone", "canary", "recent")
    @classmethod
    def _is_a_name(cls, text: str | None) -> str | None:
        if text is None:
            return None
        try:
            return dns.name.from_text(text).to_text(omit_final_dot=True).lower()
        except dns.exception.DNSException as error:
            raise ValueError(f"{text!r} is not a name: {error}") from None

    @field_validator("allow")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ip_network(network)
        return networks

    @field_validator("keys")
    @classmethod
    def _are_references(cls, keys: dict[str, str]) -> dict[str, str]:
        for name, reference in keys.items():
            try:
                check_reference(reference, f"keys.{name}")
            except InputError as error:
                raise ValueError(str(error)) from None
        return keys

    def keyring(self) -> dict[dns.name.Name, dns.tsig.Key]:
        """The keys as dnspython takes them. Raises InputError where a secret is not there or too short."""
        made = [
            dns.tsig.Key(name, _secret(name, resolve(at, name)), dns.tsig.HMAC_SHA256) for name, at in self.keys.items()
        ]
        return {key.name: key for key in made}


def _secret(name: str, text: str) -> bytes:
    try:
        secret = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise InputError("the secret of TSIG key {name!r} is not base64", name=name) from None
    if len(secret) < 16:
        raise InputError("the secret of TSIG key {name!r} has fewer than 16 bytes", name=name)
    return secret


def option_class(name: str, given: Mapping[str, Any]) -> type[DnsOptions]:
    """What reads the table `[dns.NAME]` of the settings."""
    return DnsOptions
