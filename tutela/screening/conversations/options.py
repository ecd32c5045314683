"""The section [conversations]: whether events are taken, where from, and whether messages' words may be scored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from tutela.foundation.options import Secret, require, require_positive

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class SourceKind(StrEnum):
    """What brings events."""

    KAFKA = "kafka"
    REDIS = "redis"


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """A broker that events come from, so that several processes can judge: each is a `tutela risk consume`."""

    kind: SourceKind
    """kafka, for many machines; redis, for a few processes."""
    address: str
    """Of Kafka the bootstrap servers, host:port,host:port; of Redis redis://host:port/0 or rediss://…"""
    topic: str = "tutela.events"
    """The topic; in Redis the streams TOPIC:0, TOPIC:1, …"""
    partitions: int = 12
    """How many there are. It cannot be changed later: an account's partition follows from it."""
    group: str = "tutela"
    """The name of the processes that share the partitions."""
    folder: Path | None = None
    """Where the partitions' state lies: shared by all machines, on a file system with locks. In the home by default."""
    silent_s: float = 10.0
    """Seconds of silence after which a process's partitions are given to others; Kafka's brokers allow 6 and more."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What librdkafka or redis-py is told besides and is not secret: { "security.protocol" = "SASL_SSL" }."""
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """What is secret, each as env:NAME or file:path: { "sasl.password" = "file:kafka.password" }."""

    def __post_init__(self) -> None:
        require(bool(self.address.strip()), "address", "must be given")
        require(1 <= self.partitions <= 1_000, "partitions", "must be from 1 to 1000")
        require(self.silent_s >= 1, "silent_s", "must be at least 1")
        secret = [name for name in self.options if "password" in name.lower() or "secret" in name.lower()]
        require(not secret, "options", f"must not have secrets in it: give {', '.join(secret)} in secrets")
        if self.kind is SourceKind.REDIS:
            parts = urlsplit(self.address)
            known = parts.scheme in ("redis", "rediss", "unix")
            require(known, "address", "must begin with redis://, rediss:// or unix://")
            require(
                parts.password is None,
                "address",
                'has a password in it: give it as secrets = { password = "env:NAME" }',
            )

    def connection(self) -> dict[str, str]:
        """What the client is told besides, with what is secret. Raises InputError where a secret is not there."""
        return {**self.options, **{name: secret.reveal() for name, secret in self.secrets.items()}}


@dataclass(frozen=True, slots=True)
class ConversationOptions:
    """Contacts and conversations over time, as a risk with reasons."""

    enabled: bool = False
    """Whether events are taken. Without content they are of platform functions only: requests, blocks, reports."""
    content: bool = False
    """Whether the text of messages is scored. Not without a legal basis: read docs/conversations.md first."""
    legal_basis: str = ""
    """The law by which the text of messages may be scored; recorded in the audit log."""
    legal_basis_since: str = ""
    """The day on which someone responsible checked that: 2026-11-30."""
    snapshot_every_s: float = 60.0
    """Seconds between snapshots of the state."""
    notices: bool = False
    """Whether the platform is asked at once to show a child neutral safety words at the level notice and above."""
    general_notices: float = 0.05
    """With notices, the share of pairs of an adult stranger and a child that get them though nothing was noticed, so
    that nobody learns from a notice that something was; one a child in 90 days at most."""
    deterrence: bool = False
    """Whether the platform is also asked to show the sender a message with help services."""
    source: SourceOptions | None = None

    def __post_init__(self) -> None:
        require_positive(self, "snapshot_every_s")
        named = not self.content or (self.legal_basis.strip() != "" and _DAY.fullmatch(self.legal_basis_since))
        require(bool(named), "content", "needs legal_basis, the law, and legal_basis_since, the day it was checked")
        require(not self.content or self.enabled, "content", "needs enabled = true")
        require(0 <= self.general_notices <= 0.5, "general_notices", "must be from 0 to 0.5")
        require(self.source is None or self.enabled, "source", "needs enabled = true")
