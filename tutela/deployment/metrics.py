"""What every door counts of verdicts, for Prometheus."""

from functools import cache

from prometheus_client import Counter, Histogram

from tutela.screening.verdict import Verdict

_LATENCY_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

verdicts = Counter("tutela_verdicts_total", "Verdicts by decision.", ["decision"])
reasons = Counter("tutela_verdict_reasons_total", "Reasons of verdicts by code.", ["code"])
stage_seconds = Histogram("tutela_stage_seconds", "Time a verdict took, by stage.", ["stage"], buckets=_LATENCY_BUCKETS)
general_notices = Counter("tutela_general_notices_total", "Safety notices that were asked for without an alarm.")
VERDICT_METRICS = (verdicts, reasons, stage_seconds)


@cache
def _verdicts_of(decision: str) -> Counter:
    return verdicts.labels(decision)


@cache
def _seconds_of(stage: str) -> Histogram:
    return stage_seconds.labels(stage)


def count_verdict(verdict: Verdict) -> None:
    """Count one verdict."""
    _verdicts_of(verdict.decision.value).inc()
    for code in {reason.code for reason in verdict.reasons}:
        reasons.labels(code).inc()
    _seconds_of("examine").observe(verdict.timings.examine_ms / 1000)
    _seconds_of("search").observe(verdict.timings.search_ms / 1000)
    _seconds_of("total").observe(verdict.timings.total_ms / 1000)
