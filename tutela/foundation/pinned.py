"""Connections to addresses that were checked: a name is resolved once, and the connection goes to what was checked."""

import ipaddress
import json
import os
import socket
from collections.abc import Callable, Iterable

import httpcore
import httpx

from tutela.foundation.outward import PRIVATE_NETWORKS, is_loopback, read_networks

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class CheckedBackend(httpcore.SyncBackend):
    """Connects to addresses that were checked, and to no other."""

    def __init__(self, addresses: Callable[[str, int], list[str]] | None = None) -> None:
        """`addresses` gives those of a host that may be connected to; `checked_addresses` by default."""
        self._addresses = addresses or checked_addresses

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """As its parent's, by a number. Raises httpcore.ConnectError for an address that is not permitted."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._addresses(host, port):
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def checked_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises httpcore.ConnectError where one of them is not permitted, or there is none."""
    addresses = _resolved(host, port)
    permitted = read_networks(json.loads(os.environ.get(PRIVATE_NETWORKS) or "[]"))
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        own = is_loopback(host) and mapped.is_loopback
        if not (own or _is_public(mapped) or any(mapped in network for network in permitted)):
            raise httpcore.ConnectError(
                f"{host} is at {text}, which is not public; see private_networks in tutela.toml"
            )
    return addresses


def public_addresses(
    host: str, port: int, permits: Callable[[Address, int], bool] = lambda address, port: is_public(address)
) -> list[str]:
    """The addresses of a host that anybody may have named: every one of them is public, whatever the operator permits
    elsewhere. Raises httpcore.ConnectError where one is not, or there is none."""
    addresses = _resolved(host, port)
    for text in addresses:
        if not permits(ipaddress.ip_address(text.partition("%")[0]), port):
            raise httpcore.ConnectError(f"{host} is at an address that is not public")
    return addresses


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet: none that is private, loopback, link-local or shared, and none
    that carries such a one (IPv4-mapped, 6to4, NAT64)."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = [address.ipv4_mapped, address.sixtofour]
        if address in _NAT64:
            carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if any(inner is not None and not _is_public(inner) for inner in carried):
            return False
        if address.ipv4_mapped is not None:
            return True
    return _is_public(address)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _resolved(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise httpcore.ConnectError(f"{host} cannot be resolved") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast


def checked(client: httpx.Client, backend: CheckedBackend | None = None) -> httpx.Client:
    """The client, connecting by itself to checked addresses only; a proxy resolves and connects in its own place."""
    client._transport._pool._network_backend = backend or CheckedBackend()  # type: ignore[attr-defined]
    return client
