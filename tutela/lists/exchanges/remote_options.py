"""What may be set from afar: an API key of scope admin does not open every file and variable of the machine."""

from collections.abc import Mapping
from pathlib import Path

from tutela.errors import InputError
from tutela.lists.exchanges.registry import kind

PREFIX = "TUTELA_SECRET_"
SECRETS = "secrets"
LISTS = "lists"


def check_remote_options(kind_name: str, options: Mapping[str, str], home: Path) -> None:
    """Raise InputError for a secret or a list from a place that only the machine's operator may name."""
    secret = {option.name for option in kind(kind_name).options if option.secret} | {"proxy"}
    for name, text in options.items():
        if name in secret:
            check_reference_from_afar(text, name, home)
        if kind_name == "files" and name == "path" and not _within(Path(text), home / LISTS):
            raise InputError("path: over HTTP a list is in the folder {lists} of the home", lists=LISTS)


def check_reference_from_afar(text: str, name: str, home: Path) -> None:
    """Raise InputError for a reference to a secret that only the machine's operator may name."""
    scheme, _, rest = text.partition(":")
    if scheme == "env" and not rest.startswith(PREFIX):
        raise InputError(
            "{name}: over HTTP a secret is in a variable whose name begins with {prefix}", name=name, prefix=PREFIX
        )
    if scheme == "file" and not _within(Path(rest), home / SECRETS):
        raise InputError(
            "{name}: over HTTP a secret is in a file of the folder {secrets} of the home", name=name, secrets=SECRETS
        )


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
