"""What gateways count: connections, requests, bytes and outcomes, each by the gateway's name."""

from functools import cache

from prometheus_client import Counter

connections = Counter("tutela_gateway_connections_total", "Connections that a gateway took.", ["gateway"])
requests = Counter("tutela_gateway_requests_total", "Contents that a gateway answered.", ["gateway"])
content_bytes = Counter("tutela_gateway_bytes_total", "Bytes of content that a gateway took.", ["gateway"])
outcomes = Counter("tutela_gateway_outcomes_total", "Answers of a gateway, by decision.", ["gateway", "decision"])
cut = Counter("tutela_gateway_cut_total", "Contents whose sender went away before the end.", ["gateway"])
COUNTERS = (connections, requests, content_bytes, outcomes, cut)


class Counts:
    """The counters of one gateway; labels are looked up once."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self.connections = connections.labels(gateway)
        self.requests = requests.labels(gateway)
        self.bytes = content_bytes.labels(gateway)
        self.cut = cut.labels(gateway)

    @cache  # noqa: B019  # one object a gateway, for as long as the process lives
    def outcome(self, decision: str) -> Counter:
        """The count of answers with that decision."""
        return outcomes.labels(self._gateway, decision)


@cache
def of(gateway: str) -> Counts:
    """The counters of a gateway."""
    return Counts(gateway)
