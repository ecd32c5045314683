"""Hosts with a listed page, and their addresses: what a network routes to its proxy, and nothing else (hybrid routing).

Hosts that many people share are never among them, whoever listed a page there: routing them sends everybody's traffic
through one address. Addresses are asked of the operator's own resolver.
"""

import asyncio
import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import dns.asyncresolver
import dns.exception
import dns.rdatatype

from tutela.content.links.link import DOMAIN, URL, URL_TREE
from tutela.gateways.listeners import ListenAddress
from tutela.lists.banks.guard import ListingGuard
from tutela.lists.banks.model import BankUse
from tutela.lists.banks.service import Banks

AT_ONCE = 50
_TIMEOUT_S = 5.0
_LEAST_TTL_S, _MOST_TTL_S = 30, 3600


class SuspectForm(StrEnum):
    """How suspects are written."""

    HOSTS = "hosts"
    """A host a line."""
    ADDRESSES = "addresses"
    """An address a line."""
    NFTABLES = "nftables"
    """Two sets of nftables, to be loaded by `nft -f`."""
    BIRD = "bird"
    """Static routes of BIRD, to be announced to routers (BGP)."""


@dataclass(frozen=True, slots=True)
class Suspects:
    """The hosts, and where they are now."""

    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    ttl_s: int
    """So long the addresses are good."""


def suspect_hosts(banks: Banks, guard: ListingGuard) -> list[str]:
    """The hosts with a listed page or folder, and listed domains, of banks for proxies; never a shared host."""
    found = set()
    for signal in (URL, URL_TREE, DOMAIN):
        for _, _, text in banks.names_in_clear(signal, BankUse.PROXY):
            host = text.partition("/")[0]
            if not guard.shared.touched_by(host):
                found.add(host)
    return sorted(found)


async def resolve(hosts: Sequence[str], nameserver: ListenAddress | None = None) -> Suspects:
    """The addresses of hosts, from the system's resolver or another. A host that has none is left out.

    Private, loopback and link-local addresses are left out, too: whoever owns a listed host's name could otherwise
    have a network route its own machines to the proxy.
    """
    resolver = dns.asyncresolver.Resolver(configure=nameserver is None)
    if nameserver is not None:
        resolver.nameservers, resolver.port = [nameserver.host], nameserver.port
    resolver.lifetime = _TIMEOUT_S
    places = asyncio.Semaphore(AT_ONCE)
    found: set[str] = set()
    ttl_s = _MOST_TTL_S

    async def ask(host: str, kind: dns.rdatatype.RdataType) -> None:
        nonlocal ttl_s
        async with places:
            try:
                answer = await resolver.resolve(host, kind)
            except (dns.exception.DNSException, OSError):
                return
        found.update(str(rdata.address) for rdata in answer if _is_public(str(rdata.address)))
        if answer.rrset is not None:
            ttl_s = min(ttl_s, max(_LEAST_TTL_S, answer.rrset.ttl))

    names = [host for host in hosts if not _literal(host)]
    found.update(address for host in hosts if (address := _literal(host)) and _is_public(address))
    kinds = (dns.rdatatype.A, dns.rdatatype.AAAA)
    await asyncio.gather(*(ask(host, kind) for host in names for kind in kinds))
    return Suspects(tuple(hosts), tuple(sorted(found, key=_order)), ttl_s)


def written(suspects: Suspects, form: SuspectForm) -> Iterator[str]:
    """The lines of a form."""
    match form:
        case SuspectForm.HOSTS:
            yield from suspects.hosts
        case SuspectForm.ADDRESSES:
            yield from suspects.addresses
        case SuspectForm.NFTABLES:
            yield "table inet tutela {"
            for version in (4, 6):
                yield f"  set suspects{version} {{"
                yield f"    type ipv{version}_addr"
                if elements := [address for address in suspects.addresses if _version(address) == version]:
                    yield f"    elements = {{ {', '.join(elements)} }}"
                yield "  }"
            yield "}"
        case SuspectForm.BIRD:
            yield from _bird(suspects.addresses)


def _bird(addresses: Iterable[str]) -> Iterator[str]:
    by_version: dict[int, list[str]] = {4: [], 6: []}
    for address in addresses:
        by_version[_version(address)].append(address)
    for version, found in by_version.items():
        yield f"protocol static tutela_suspects{version} {{"
        yield f"  ipv{version};"
        for address in found:
            yield f"  route {address}/{32 if version == 4 else 128} blackhole;"
        yield "}"


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None


def _is_public(address: str) -> bool:
    return ipaddress.ip_address(address).is_global


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version


def _order(address: str) -> tuple[int, int]:
    parsed = ipaddress.ip_address(address)
    return parsed.version, int(parsed)
