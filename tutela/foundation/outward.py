"""Where Tutela may connect to at somebody else's request: public addresses, by TLS, and those the operator permits.

A name is resolved once, every address that it has is checked, and the connection goes to one that was checked: a name
that stands for another address a moment later (DNS rebinding) leads nowhere.
"""

import ipaddress
import json
import os
from collections.abc import Iterable
from urllib.parse import urlsplit

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
        raise InputError("{name}: an address is https://host/path", name=name)
    # Names under .invalid are nobody's (RFC 6761): only a proxy of a test answers for one.
    if parts.scheme == "http" and not is_loopback(host) and not host.endswith(".invalid"):
        raise InputError("{name}: http is only for this machine's own address; use https", name=name)
    if parts.username is not None:
        raise InputError("{name}: leave the user out of the address", name=name)


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
        raise InputError("private_networks: {error}; a network is written as 10.0.0.0/8", error=error) from None
