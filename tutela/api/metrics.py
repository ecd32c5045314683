"""Prometheus metrics, correct across the service's worker processes."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from tutela.api.work_gauges import work_gauges
from tutela.deployment.composition import Deployment
from tutela.deployment.metrics import VERDICT_METRICS, general_notices
from tutela.errors import StoreError
from tutela.gateways.metrics import COUNTERS as GATEWAY_COUNTERS
from tutela.lists.exchanges import installed as exchanges_installed

requests = Counter("tutela_requests_total", "HTTP requests.", ["method", "route", "status"])


@cache
def requests_of(method: str, route: str, status: int) -> Counter:
    """The count of one kind of request. Labels are looked up once: that takes longer than to count."""
    return requests.labels(method, route, status)


class _DeploymentGauges(Collector):
    """What this process's deployment looks like at the moment of the scrape."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def collect(self) -> Iterator[Metric]:
        size = GaugeMetricFamily("tutela_index_values", "Values searched, by signal type.", labels=["signal"])
        changed = GaugeMetricFamily("tutela_index_changed", "Changes not yet built in.", labels=["signal"])
        sequence = GaugeMetricFamily("tutela_index_sequence", "Last list change searched.", labels=["signal"])
        for name, index in self._deployment.indexes.by_signal.items():
            size.add_metric([name], len(index))
            changed.add_metric([name], index.changed)
            sequence.add_metric([name], index.sequence)
        age = GaugeMetricFamily("tutela_lists_age_seconds", "Since the lists were last known to be current.")
        age.add_metric([], self._deployment.lists_age_s())
        restarts = GaugeMetricFamily("tutela_decoder_starts", "Decoding workers started by this process.")
        restarts.add_metric([], self._deployment.pool.starts)
        ready = GaugeMetricFamily("tutela_ready", "1 when this process answers safely.")
        ready.add_metric([], 0 if self._deployment.shortcomings() else 1)
        yield from (size, changed, sequence, age, restarts, ready)
        with contextlib.suppress(StoreError):  # what this process knows by itself is told all the same
            yield from work_gauges(self._deployment)
        if exchanges_installed():
            yield from _exchange_gauges(self._deployment)


def _exchange_gauges(deployment: Deployment) -> Iterator[Metric]:
    """How old every enabled exchange's list is, and how it fares."""
    from tutela.lists.exchanges.service import Exchanges

    labels = ["exchange", "kind"]
    age = GaugeMetricFamily("tutela_exchange_age_seconds", "Since everything was last read.", labels=labels)
    stale = GaugeMetricFamily("tutela_exchange_stale", "1 when the list is older than accepted.", labels=labels)
    listed = GaugeMetricFamily("tutela_exchange_entries", "Entries that the list names now.", labels=labels)
    failures = GaugeMetricFamily("tutela_exchange_failures", "Pulls that failed in a row.", labels=labels)
    try:
        rows, at = Exchanges(deployment.banks).all(), datetime.now(UTC)
    except StoreError:
        return  # the age of the lists says that the database is away
    for row in rows:
        if row.enabled:
            names = [row.name, row.kind]
            age.add_metric(names, row.age_s(at))
            stale.add_metric(names, 1 if row.stale(at) else 0)
            listed.add_metric(names, row.listed)
            failures.add_metric(names, row.failures)
    yield from (age, stale, listed, failures)


def exposition(deployment: Deployment) -> bytes:
    """All metrics in Prometheus' text format: counts over all worker processes, gauges of this one."""
    counts = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(counts)  # type: ignore[no-untyped-call]
    else:
        for metric in (requests, *VERDICT_METRICS, general_notices, *GATEWAY_COUNTERS):
            counts.register(metric)
    gauges = CollectorRegistry()
    gauges.register(_DeploymentGauges(deployment))
    return generate_latest(counts) + generate_latest(gauges)
