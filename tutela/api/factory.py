"""Makes the application of one service process. It is pickled to the process, and the gateways' sockets go along.

Light to import: what is imported to unpickle it comes before the process answers its parent for the first time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from socket import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tutela.api.short_way import ShortWay


@dataclass(frozen=True, slots=True)
class Factory:
    """What a server calls for its application, made from the environment that `serve` prepared."""

    gateway_sockets: Mapping[str, Sequence[socket]]

    def __call__(self) -> "ShortWay":
        from tutela.api.app import create_app, shortened
        from tutela.api.options import ServiceOptions
        from tutela.casework.evidence.memory import guard_memory
        from tutela.deployment.settings import load_settings
        from tutela.foundation.logs import configure_logs
        from tutela.foundation.processes import answer_promptly

        configure_logs()
        settings = load_settings()
        deployment = settings.open()
        guard_memory()
        service, gateways = settings.door(ServiceOptions).of_a_process(), settings.named("gateways")
        service = replace(service, stream_indicators=settings.streams.indicators)
        app = create_app(deployment, service, gateways=gateways, gateway_sockets=self.gateway_sockets)
        answer_promptly()
        return shortened(app)
