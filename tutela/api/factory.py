"""Makes the application of one service process. It is pickled to the process, and the gateways' sockets go along.

Light to import: what is imported to unpickle it comes before the process answers its parent for the first time.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from socket import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI


_SWITCH_S = 0.0005
"""How long a thread goes on while another waits for the interpreter, a tenth of what is usual: an upload changes
threads ten times, and would wait as often for whoever reads what a worker found in a large archive."""


@dataclass(frozen=True, slots=True)
class Factory:
    """What a server calls for its application, made from the environment that `serve` prepared."""

    gateway_sockets: Mapping[str, Sequence[socket]]

    def __call__(self) -> "FastAPI":
        import gc

        from tutela.api.app import create_app
        from tutela.api.options import ServiceOptions
        from tutela.casework.evidence.memory import guard_memory
        from tutela.deployment.settings import load_settings
        from tutela.foundation.logs import configure_logs

        sys.setswitchinterval(_SWITCH_S)
        configure_logs()
        settings = load_settings()
        deployment = settings.open()
        guard_memory()
        service, gateways = settings.door(ServiceOptions).of_a_process(), settings.named("gateways")
        service = replace(service, stream_indicators=settings.streams.indicators)
        app = create_app(deployment, service, gateways=gateways, gateway_sockets=self.gateway_sockets)
        gc.freeze()  # what is there now stays: no collection looks through it again
        return app
