"""Whether settings that can be read can also be used: the files, keys and secrets that they name are there."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from tutela.deployment.settings.model import Settings
from tutela.errors import InputError
from tutela.foundation.options import Secret


def check_settings(settings: Settings) -> None:
    """Read everything that the settings name, and change nothing. Raises InputError for the first that is wrong.

    What reads keys, addresses and stores takes longer to load than settings to check: only what is named is loaded.
    """
    for secret in _secrets(settings):
        secret.reveal()
    settings.audit.signing_key()
    if settings.webhooks:
        from tutela.foundation.outbox.webhooks import Endpoint

        for name, webhook in settings.webhooks.items():
            Endpoint.of(name, webhook)
    if (evidence := settings.evidence) is not None:
        from tutela.casework.evidence.objects import Objects
        from tutela.casework.evidence.seal import Recipients

        if evidence.recipients:
            Recipients(evidence.recipients)
        if evidence.store is not None:
            Objects(evidence.store, evidence.store_options())
    _check_places(settings.named("gateways"))
    xsd = settings.reports.xsd
    if xsd is not None and not xsd.is_file():
        raise InputError("reports.xsd: {xsd} is not a file", xsd=xsd)


def _check_places(gateways: Mapping[str, Any]) -> None:
    """Raise InputError where two gateways listen at one place, or at a path in a folder that is not there."""
    taken: dict[str, str] = {}
    for name, options in gateways.items():
        for place in map(str, getattr(options, "listen", ())):
            if other := taken.get(place):
                raise InputError(
                    "gateways.{name}.listen: {place} is that of {other}", name=name, other=other, place=place
                )
            taken[place] = name
            if place.startswith("/") and not Path(place).parent.is_dir():
                raise InputError("gateways.{name}.listen: the folder of {place} is not there", name=name, place=place)


def _secrets(options: object) -> Iterator[Secret]:
    """Every secret below."""
    if isinstance(options, Secret):
        yield options
    elif isinstance(options, Mapping):
        for item in options.values():
            yield from _secrets(item)
    elif isinstance(options, tuple):
        for item in options:
            yield from _secrets(item)
    elif is_dataclass(options):
        for field in fields(options):
            yield from _secrets(getattr(options, field.name))
