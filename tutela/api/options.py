"""The section [service]: how the HTTP service is run, and how it guards itself."""

import ipaddress
from dataclasses import dataclass, field, replace

from tutela.foundation.options import NOT_A_KEY, require, require_positive, require_rate


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """How the service guards itself. Limits are a process's own."""

    auth_required: bool = True
    """Whether requests need a key; false is accepted on a loopback address only."""
    rate: str = "1000/second"
    """Requests that one key may make, all routes together, over all service processes."""
    max_in_flight: int = 64
    """Screenings in progress at once in a service process; one more is answered 503 at once instead of waiting."""
    max_upload_memory_bytes: int = 1024**3
    """Memory of a service process for uploads that are received or screened; what comes beyond it is answered 503."""
    pulls_exchanges: bool = field(default=False, metadata=NOT_A_KEY)
    """Whether this process takes part in the schedule of exchanges."""
    closes_deployment: bool = field(default=False, metadata=NOT_A_KEY)
    """Whether the deployment ends with the application; otherwise closing it stays the caller's."""

    stream_indicators: bool = field(default=False, metadata=NOT_A_KEY)
    """Whether the platform may tell weak signals about live streams."""

    def __post_init__(self) -> None:
        require_rate(self.rate, "rate")
        require_positive(self, "max_in_flight", "max_upload_memory_bytes")


@dataclass(frozen=True, slots=True)
class ServiceOptions(ApiOptions):
    """The HTTP service."""

    host: str = "127.0.0.1"
    """Address that the service listens on."""
    port: int = 8080
    """Port that the service listens on."""
    workers: int = 1
    """Service processes."""
    pull_exchanges: bool = True
    """Whether the service pulls exchanges by their schedule."""

    def __post_init__(self) -> None:
        ApiOptions.__post_init__(self)
        require(bool(self.host), "host", "must be an address; 0.0.0.0 and :: are all of this machine's")
        require(
            self.auth_required or is_loopback(self.host), "host", "must be this machine's own where no key is asked for"
        )
        require_positive(self, "workers")
        require(1 <= self.port <= 65535, "port", "must be from 1 to 65535")

    def of_a_process(self) -> "ServiceOptions":
        """The options of one of the service's processes, which counts its share of the rate."""
        amount, _, period = self.rate.partition("/")
        share = f"{max(1, int(amount) // self.workers)}/{period}"
        return replace(self, rate=share, pulls_exchanges=self.pull_exchanges, closes_deployment=True)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
