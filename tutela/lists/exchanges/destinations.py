"""Where an exchange's credentials go: to the address that they were given for, and to no other.

A changed address needs its credentials again. Over HTTP a reference goes only where the operator, or its first use,
sent it: anyone with an admin's API key knows a secret's name, not the secret.
"""

import hashlib
import json
from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from tutela.errors import ConflictError, InputError
from tutela.foundation.outward import check_address, origin
from tutela.foundation.store.tables import meta
from tutela.lists.exchanges.base import ExchangeKind

_PREFIX = "secret-goes-to/"


def addresses_of(kind: ExchangeKind, options: Mapping[str, str]) -> dict[str, str]:
    """The addresses that an exchange is reached by, by option: what is not given is the kind's own."""
    complete = {option.name: option.default for option in kind.options} | dict(options)
    return {name: text for name, text in complete.items() if text and _is_address(name, text)}


def check_addresses(kind: ExchangeKind, options: Mapping[str, str]) -> None:
    """Raise InputError for an address that is not https, but for this machine's own."""
    for name, text in addresses_of(kind, options).items():
        if name != "proxy":
            check_address(text, name)


def check_moved(kind: ExchangeKind, before: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Raise InputError where a change leads stored credentials to another address without naming them again."""
    was, now = addresses_of(kind, before), addresses_of(kind, {**before, **given})
    moved = sorted(name for name in was.keys() | now.keys() if _target(was.get(name)) != _target(now.get(name)))
    kept = [option.name for option in kind.options if option.secret and before.get(option.name)]
    missing = [name for name in kept if name not in given]
    if moved and missing:
        raise InputError(
            "{moved} is another address: credentials do not follow it; give {missing} again for the new one",
            moved=", ".join(moved),
            missing=", ".join(missing),
        )


def bind(connection: Connection, kind: ExchangeKind, options: Mapping[str, str], *, from_afar: bool) -> None:
    """Remember where an exchange's secrets go. Raises ConflictError where they are sent elsewhere from afar."""
    target = "|".join(sorted(map(str, map(_target, addresses_of(kind, options).values())))) or kind.name
    for option in kind.options:
        reference = options.get(option.name, "")
        if not option.secret or not reference:
            continue
        name = _PREFIX + hashlib.sha256(reference.encode()).hexdigest()[:48]
        row = connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()
        known = json.loads(row) if row is not None else []
        if target in known:
            continue
        if known and from_afar:
            raise ConflictError(
                "{name}: this secret was given for another address; only the machine's operator sends it "
                "elsewhere, on the command line: tutela exchange update",
                name=option.name,
            )
        connection.execute(delete(meta).where(meta.c.name == name))
        connection.execute(insert(meta).values(name=name, value=json.dumps([*known, target])))


def _is_address(name: str, text: str) -> bool:
    return name in ("url", "proxy") or name.endswith("_url") or "://" in text


def _target(text: str | None) -> str | None:
    """What credentials belong to; a reference to an address is told from another by its text."""
    return None if text is None else text if text.partition(":")[0] in ("env", "file") else origin(text)
