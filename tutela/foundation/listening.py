"""Addresses that a service listens at, taken before anything else is done, so that what is wrong is said at once."""

import errno
import socket
from collections.abc import Sequence

from tutela.errors import InputError


def bound(host: str, port: int) -> Sequence[socket.socket]:
    """A socket for each address of the host, of which none listens yet. Raises InputError where one is taken."""
    made: list[socket.socket] = []
    try:
        for family, kind, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                made.append(_bound(family, kind, address))
            except OSError as error:
                # `localhost` has an address of each family, of which a machine may have one only.
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) or not made:
                    raise
    except (OSError, UnicodeError) as error:
        for each in made:
            each.close()
        why = getattr(error, "strerror", None) or error
        raise InputError("nothing can listen at {host}, port {port}: {why}", host=host, port=port, why=why) from None
    return made


def _bound(family: int, kind: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, kind)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made
