"""The operator's settings: tutela.toml, and the environment over it. Each section is the option class of a room.

What is read here is a default for everything, so that a small site needs no file.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from tutela.casework.audit.options import AuditOptions
from tutela.casework.cases.options import CaseOptions, EvidenceOptions
from tutela.casework.reports.options import ReportOptions
from tutela.content.media.limits import Limits
from tutela.content.views.view_set import ViewSet
from tutela.deployment.settings.doors import DOORS, NAMED_DOORS, Chosen, door_section
from tutela.deployment.settings.keys import Key, keys_of, summary_of
from tutela.deployment.settings.source import FILE_NAME
from tutela.foundation.options import NOT_A_KEY, Secret, require, require_positive
from tutela.foundation.outbox.options import MailServer, WebhookOptions
from tutela.foundation.outward import permit, read_networks
from tutela.screening.conversations import ConversationOptions
from tutela.screening.jobs.limits import JobLimits
from tutela.screening.options import ScreeningPolicy
from tutela.screening.streams.options import StreamOptions

if TYPE_CHECKING:
    from tutela.deployment.casework import CaseworkOptions
    from tutela.deployment.composition import Deployment

DoorT = TypeVar("DoorT")


def default_home() -> Path:
    """`$XDG_DATA_HOME/tutela`, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "tutela"


class DatabaseUrl(Secret):
    """A database's URL, which may stand in a file unless it has a password in it."""

    @classmethod
    def read(cls, text: str, key: str, *, folder: Path | None = None) -> Self:
        """The URL, or where it is. Raises OptionError."""
        if "://" not in text or folder is None:
            return super().read(text, key, folder=folder)
        require(
            urlsplit(text).password is None,
            key,
            "has a password in it: give where the URL is, as env:NAME or file:path",
        )
        return cls(text=text, key=key)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one deployment."""

    home: Path = field(default_factory=default_home)
    """Folder of the database, the index and run files. By default the one that this file lies in, else
    `$XDG_DATA_HOME/tutela`."""
    database: DatabaseUrl | None = None
    """URL of the database, postgresql://… or sqlite:///…; a SQLite file in the home by default. With a password in it,
    where the URL is: env:NAME or file:path."""
    decoders: int | None = None
    """Decoding workers of a service process; by default the machine's cores, divided by the processes."""
    private_networks: tuple[str, ...] = ()
    """Private networks that exchanges may connect to: ["10.0.0.0/8"]."""
    limits: Limits = field(default_factory=Limits)
    screening: ScreeningPolicy = field(default_factory=ScreeningPolicy)
    jobs: JobLimits = field(default_factory=JobLimits)
    streams: StreamOptions = field(default_factory=StreamOptions)
    conversations: ConversationOptions = field(default_factory=ConversationOptions)
    webhooks: Mapping[str, WebhookOptions] = field(default_factory=dict)
    evidence: EvidenceOptions | None = None
    cases: CaseOptions = field(default_factory=CaseOptions)
    reports: ReportOptions = field(default_factory=ReportOptions)
    mail: MailServer | None = None
    audit: AuditOptions = field(default_factory=AuditOptions)
    doors: Mapping[str, Any] = field(default_factory=dict, metadata=NOT_A_KEY)
    """Options of the doors, by section."""
    file: Path | None = field(default=None, metadata=NOT_A_KEY)
    """The file that was read."""

    def __post_init__(self) -> None:
        require_positive(self, "decoders")
        read_networks(self.private_networks)
        for_uploads = self.limits.views is not ViewSet.LISTED
        require(for_uploads, "limits.views", "must be plain, standard or thorough: listed is for what a bank lists")

    def permit_networks(self) -> None:
        """Let exchanges be in the operator's private networks, for this process and its children."""
        permit(self.private_networks)

    def door(self, kind: type[DoorT]) -> DoorT:
        """The options of a door, by their class."""
        (name,) = [name for name in DOORS if door_section(name) is kind]
        options = self.doors.get(name)
        return options if isinstance(options, kind) else kind()

    def named(self, section: str) -> Mapping[str, Any]:
        """The options of a door that has a table for each name."""
        found: Mapping[str, Any] = self.doors.get(section, {})
        return found

    def environment(self, workers: int) -> dict[str, str]:
        """The environment that gives service processes these settings; they share the cores' decoding workers."""
        decoders = self.decoders or max(1, (os.cpu_count() or 1) // workers)
        chosen = {"HOME": str(self.home.absolute()), "SERVICE__WORKERS": str(workers), "DECODERS": str(decoders)}
        if self.file is not None:
            chosen["CONFIG"] = str(self.file.absolute())
        if self.database is not None:
            chosen["DATABASE"] = self.database.variable()
        return {f"TUTELA_{name}": value for name, value in chosen.items()}

    @property
    def database_text(self) -> str | None:
        """The database's URL with its password. Raises InputError."""
        return self.database.reveal() if self.database else None

    @property
    def casework(self) -> "CaseworkOptions":
        """What happens to what is held, and who is told. Raises InputError."""
        from tutela.deployment.casework import CaseworkOptions
        from tutela.foundation.outbox.webhooks import Endpoint

        return CaseworkOptions(
            evidence=self.evidence,
            cases=self.cases,
            reports=self.reports,
            webhooks=tuple(Endpoint.of(name, webhook) for name, webhook in self.webhooks.items()),
            mail=self.mail,
            signing_key=self.audit.signing_key(),
        )

    def open(self, casework: "CaseworkOptions | None" = None) -> "Deployment":
        """Open the deployment these settings describe, with other casework where that is given.

        Raises StoreError, IndexCorruptError, InputError.
        """
        from tutela.deployment.composition import compose_deployment

        self.permit_networks()
        deployment = compose_deployment(
            self.home,
            database=self.database_text,
            limits=self.limits,
            decoders=self.decoders,
            policy=self.screening,
            job_limits=self.jobs,
            conversations=self.conversations,
            casework=casework or self.casework,
        )
        deployment.doors = self.doors
        return deployment


@cache
def root_keys() -> Mapping[str, Key]:
    """Every key and section of the file, in the order in which they are shown."""
    found = dict(keys_of(Settings))
    for name in DOORS:
        kind = door_section(name)
        found[name] = Key(name, kind, said=summary_of(kind))
    for name, (_, use) in NAMED_DOORS.items():
        found[name] = Key(name, Mapping[str, Chosen], {}, said=use)
    return MappingProxyType(found)


__all__ = ["FILE_NAME", "DatabaseUrl", "Settings", "default_home", "root_keys"]
