"""Connections to addresses that were checked: a name is resolved once, and the connection goes to what was checked."""

import ipaddress
import json
import os
import socket
from collections.abc import Iterable

import httpcore
import httpx

from tutela.foundation.outward import PRIVATE_NETWORKS, is_loopback, read_networks


class CheckedBackend(httpcore.SyncBackend):
    """Connects to addresses that were checked, and to no other."""

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
        for address in checked_addresses(host, port):
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def checked_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises httpcore.ConnectError where one of them is not permitted, or there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise httpcore.ConnectError(f"{host} cannot be resolved") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
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


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_global and not address.is_multicast


def checked(client: httpx.Client) -> httpx.Client:
    """The client, connecting by itself to checked addresses only; a proxy resolves and connects in its own place."""
    client._transport._pool._network_backend = CheckedBackend()  # type: ignore[attr-defined]
    return client
