"""The kinds of exchanges of this installation: ours and those that plug-ins bring, found by entry point."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType

from tutela.errors import InputError, TutelaError
from tutela.foundation.http import Http, Patience
from tutela.foundation.secrets import check_reference, resolve
from tutela.lists.exchanges.base import Exchange, ExchangeKind
from tutela.lists.exchanges.destinations import check_addresses

GROUP = "tutela.exchanges"


@cache
def kinds() -> Mapping[str, ExchangeKind]:
    """Every installed kind by name. Raises TutelaError when a plug-in does not keep the protocol."""
    found: dict[str, ExchangeKind] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        kind = point.load()
        if not isinstance(kind, ExchangeKind) or kind.name != point.name:
            raise TutelaError(
                "entry point {value!r} of group {group} is not a Kind named {name!r}",
                value=point.value,
                group=GROUP,
                name=point.name,
            )
        found[kind.name] = kind
    return MappingProxyType(found)


def kind(name: str) -> ExchangeKind:
    """The kind of that name. Raises InputError naming the known ones."""
    try:
        return kinds()[name]
    except KeyError:
        raise InputError(
            "unknown kind of exchange {name!r}; known here: {value}", name=name, value=", ".join(kinds())
        ) from None


def checked(kind: ExchangeKind, given: Mapping[str, str]) -> dict[str, str]:
    """The options that are kept. Raises InputError for an unknown, missing or wrong one, or a secret in clear."""
    known = {option.name: option for option in kind.options}
    for name, text in given.items():
        if name in COMMON:
            continue
        option = known.get(name)
        if option is None:
            raise InputError(
                "{name} has no option {name_2!r}; it has {known}",
                name=kind.name,
                name_2=name,
                known=", ".join([*known, *COMMON]),
            )
        if option.secret:
            check_reference(text, name)
        elif option.choices and text not in option.choices:
            raise InputError("{name} is one of {choices}", name=name, choices=", ".join(option.choices))
    if "proxy" in given and given["proxy"].partition(":")[0] not in ("http", "https", "env", "file"):
        raise InputError("a proxy is an address, or env:NAME or file:/path where one with a password is")
    if "@" in given.get("proxy", ""):
        raise InputError("the proxy's address holds a password: give env:NAME or file:/path where it is")
    check_addresses(kind, given)
    missing = [option.name for option in kind.options if option.required and not given.get(option.name)]
    if missing:
        raise InputError("{name} needs {missing}", name=kind.name, missing=", ".join(missing))
    _number(given.get("timeout_s", "30"), "timeout_s")
    return dict(given)


COMMON = {
    "proxy": "address of a proxy, or env:NAME or file:/path where it holds a password",
    "timeout_s": "seconds to wait for an answer",
    "canaries": "published test hashes that its bank must match, TYPE:HASH by comma; see `tutela selftest`",
}


def open_exchange(kind: ExchangeKind, options: Mapping[str, str], patience: Patience | None = None) -> Exchange:
    """A connection, with secrets read where their references say. Raises InputError."""
    complete = {option.name: option.default for option in kind.options} | dict(options)
    for option in kind.options:
        if option.secret and complete[option.name]:
            complete[option.name] = resolve(complete[option.name], option.name)
    proxy = options.get("proxy", "")
    if proxy.partition(":")[0] in ("env", "file"):
        proxy = resolve(proxy, "proxy")
    timeout_s = _number(options.get("timeout_s", "30"), "timeout_s")
    patience = patience or Patience(timeout_s=timeout_s, deadline_s=10 * timeout_s)
    http = Http(proxy=proxy or None, patience=patience, public_only=True)
    try:
        return kind.open(complete, http)
    except BaseException:
        http.close()
        raise


def _number(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.05 <= number <= 3600:
        raise InputError("{name} is a number of seconds, at most 3600", name=name)
    return number
