"""The zone as a file in the words of each resolver, where it is not transferred, and what each resolver's settings say.

Measured: a walled garden as A and AAAA works everywhere; as CNAME Knot Resolver ignores it and the name resolves.
dnsmasq knows no response policy zones, only `address=` lines.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

from tutela.gateways.dns.options import DnsOptions


class Dialect(StrEnum):
    """A form of the zone."""

    RPZ = "rpz"
    """A master file: BIND, Unbound, PowerDNS Recursor, Knot Resolver."""
    DNSMASQ = "dnsmasq"
    """Lines of `address=`."""


def zone_file(dialect: Dialect, options: DnsOptions, serial: int, names: Iterable[str]) -> Iterator[str]:
    """The lines of the zone."""
    return _DIALECTS[dialect](options, serial, names)


def _rpz(options: DnsOptions, serial: int, names: Iterable[str]) -> Iterator[str]:
    times = f"{serial} {options.refresh_s} {options.retry_s} {options.expire_s} {options.ttl_s}"
    yield f"$ORIGIN {options.zone}."
    yield f"$TTL {options.ttl_s}"
    yield f"@ SOA ns hostmaster {times}"
    yield "@ NS ns"
    yield f"{options.canary} 1 A {options.canary_address}"
    rules = [f"{'A' if address.version == 4 else 'AAAA'} {address}" for address in options.garden] or ["CNAME ."]
    for name in names:
        for owner in (name, f"*.{name}"):
            for rule in rules:
                yield f"{owner} {rule}"


def _dnsmasq(options: DnsOptions, serial: int, names: Iterable[str]) -> Iterator[str]:
    yield f"# version {serial}"
    yield f"address=/{options.canary}/{options.canary_address}"
    for name in names:
        if not options.garden:
            yield f"address=/{name}/"  # with nothing behind it: NXDOMAIN
        for address in options.garden:
            yield f"address=/{name}/{address}"


_DIALECTS: dict[Dialect, Callable[[DnsOptions, int, Iterable[str]], Iterator[str]]] = {
    Dialect.RPZ: _rpz,
    Dialect.DNSMASQ: _dnsmasq,
}
