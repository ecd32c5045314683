"""Where the house may connect to on somebody else's word: public addresses, by TLS, and those the operator permits.

A name is resolved once, every address that it has is checked, and the connection goes to one that was checked: a name
that stands for another address a moment later (DNS rebinding) leads nowhere.
"""

import ipaddress
import json
import os
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import httpcore
import httpx

from tutela.errors import InputError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PRIVATE_NETWORKS = "TUTELA_PRIVATE_NETWORKS"
"""The setting in the environment, a JSON list. Processes that are started inherit it."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine by its very name; one that only resolves to it is not."""
    return host in _LOOPBACK


def origin(url: str) -> str:
    """Scheme, host and port of an address: what credentials belong to. This machine is one, whatever the port.

    Raises InputError.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        raise InputError("an address cannot be read") from None
    if is_loopback(parts.hostname):
        return "this machine"
    return f"{parts.scheme}://{parts.hostname or ''}:{port}"


def check_address(url: str, name: str) -> None:
    """Raise InputError for an address that is not https, but for this machine's own."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or parts.scheme not in ("https", "http"):
        raise InputError(f"{name}: an address is https://host/path")
    # Names under .invalid are nobody's (RFC 6761): only a proxy of a test answers for one.
    if parts.scheme == "http" and not is_loopback(host) and not host.endswith(".invalid"):
        raise InputError(f"{name}: http is only for this machine's own address; use https")
    if parts.username is not None:
        raise InputError(f"{name}: leave the user out of the address")


def permit(networks: Iterable[str]) -> None:
    """Have this process, and those that it starts, connect to these networks too. Raises InputError."""
    texts = list(networks)
    read_networks(texts)
    os.environ[PRIVATE_NETWORKS] = json.dumps(texts)


def read_networks(texts: Iterable[str]) -> list[Network]:
    """The networks of these texts. Raises InputError."""
    try:
        return [ipaddress.ip_network(one) for one in texts]
    except (ValueError, TypeError) as error:
        raise InputError(f"private_networks: {error}; a network is written as 10.0.0.0/8") from None


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
