"""Classification schemes are data: ours beside this file, the operator's own in a file of the same form."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from tutela.errors import InputError


@dataclass(frozen=True, slots=True)
class Label:
    """One class of a scheme."""

    scheme: str
    name: str
    meaning: str
    severity: int
    """0 is the most severe of its scheme."""


def read_labels(text: str) -> dict[str, Label]:
    """The labels of a TOML text, by name. Raises InputError naming what is wrong."""
    try:
        schemes = tomllib.loads(text)
        return {
            name: Label(scheme, name, str(meaning), severity)
            for scheme, content in schemes.items()
            for severity, (name, meaning) in enumerate(content["labels"].items())
        }
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "not a file of labels ([scheme] title, [scheme.labels] name = meaning): {error}", error=error
        ) from None


@cache
def standard_labels() -> Mapping[str, Label]:
    """The labels that come with Tutela."""
    return read_labels((files("tutela.lists.banks") / "labels.toml").read_text(encoding="utf-8"))


def labels_of(home: Path | None) -> Mapping[str, Label]:
    """Every label of an installation: the standard ones, and those in labels.toml of its home."""
    own = home / "labels.toml" if home else None
    if own is None or not own.exists():
        return standard_labels()
    return {**standard_labels(), **read_labels(own.read_text(encoding="utf-8"))}
