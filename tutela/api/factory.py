"""Makes the application of one service process. It is pickled to the process, and the gateways' sockets go along.

Light to import: what is imported to unpickle it comes before the process answers its parent for the first time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from socket import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class Factory:
    """What a server calls for its application."""

    gateway_sockets: Mapping[str, Sequence[socket]]

    def __call__(self) -> "FastAPI":
        from tutela.api.server import app_from_environment

        return app_from_environment(self.gateway_sockets)
