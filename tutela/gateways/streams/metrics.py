"""What a watching process says of its streams, for Prometheus."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tutela.screening.streams.gate import Refusal
from tutela.screening.streams.model import LIVE, StreamState
from tutela.screening.streams.service import Streams


class _StreamMetrics(Collector):
    """How the streams of this process stand at the moment of a scrape."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        totals, live = self._streams.totals(), self._streams.watches.live()
        running = GaugeMetricFamily("tutela_streams", "Streams that are watched, by state.", labels=["state"])
        for state in LIVE:
            running.add_metric([state.value], sum(watch.state is state for watch in live))
        most = GaugeMetricFamily("tutela_streams_most", "Streams that this process may watch at once.")
        most.add_metric([], self._streams.most)
        lag = GaugeMetricFamily("tutela_stream_lag_seconds", "From a sample's arrival to its ruling: the slowest now.")
        lag.add_metric([], max((watch.lag_s() for watch in live), default=0.0))
        overloaded = GaugeMetricFamily("tutela_streams_overloaded", "1 where further streams are refused for now.")
        full = len(live) >= self._streams.most
        overloaded.add_metric([], float(full or self._streams.hindrance() is Refusal.OVERLOADED))
        waiting = GaugeMetricFamily(
            "tutela_stream_endings_waiting", "Ends of streams that are not in the database yet."
        )
        waiting.add_metric([], self._streams.unwritten)
        late = GaugeMetricFamily("tutela_streams_late_keys", "Streams whose key frames are late.")
        late.add_metric([], sum(watch.counts.late_keys for watch in live))
        ended = CounterMetricFamily("tutela_streams_ended", "Streams that have ended, by how.", labels=["state"])
        for state in (StreamState.CUT, StreamState.DROPPED, StreamState.ENDED):
            ended.add_metric([state.value], totals.ended.get(state, 0))
        refused = CounterMetricFamily("tutela_streams_refused", "Publishers not let in, by why.", labels=["why"])
        for why, count in totals.refused.items():
            refused.add_metric([why.value], count)
        yield from (running, most, overloaded, lag, late, waiting, ended, refused)
        counted: tuple[tuple[str, str, float], ...] = (
            ("samples", "Frames of streams that were examined.", totals.samples),
            ("hits", "Frames of streams that matched.", totals.hits),
            ("pauses", "Times that a stream was paused.", totals.pauses),
            ("unwatched_seconds", "Seconds for which something of a stream waited too long.", totals.unwatched_s),
            ("unknown", "Streams that ran without a watch, and were ended.", totals.unknown),
        )
        for name, text, amount in counted:
            family = CounterMetricFamily(f"tutela_stream_{name}", text)
            family.add_metric([], amount)
            yield family


def exposition(streams: Streams) -> bytes:
    """All of them in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_StreamMetrics(streams))
    return generate_latest(registry)
