"""Gauges of what waits for people and for the outside, as the database says at the moment of a scrape."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from prometheus_client.core import GaugeMetricFamily, Metric

from tutela.casework.cases.service import Cases
from tutela.casework.evidence.retention import Retention
from tutela.casework.evidence.vault import EvidenceState
from tutela.casework.reports.alarms import AlarmKind, alarms
from tutela.casework.reports.ledger import Ledger
from tutela.casework.reports.model import FilingState
from tutela.casework.reports.notices import Notices, NoticeState
from tutela.deployment.composition import Deployment
from tutela.foundation.outbox.service import Outbox
from tutela.screening.streams.model import StreamState as StreamState
from tutela.screening.streams.records import StreamRecords

ENDS_SOON = timedelta(days=7)
"""Evidence whose time is over within so long is counted: a legal hold may be wanted before."""


def work_gauges(deployment: Deployment) -> Iterator[Metric]:
    """Every gauge. Raises StoreError where the database does not answer."""
    yield from _outbox(deployment.outbox)
    jobs = GaugeMetricFamily("tutela_jobs", "Screenings that are answered later, by state.", labels=["state"])
    for state, count in deployment.jobs.counts().items():
        jobs.add_metric([state.value], count)
    yield jobs
    yield from _cases(deployment.casework.cases)
    yield from _reports(deployment.casework.ledger)
    yield from _notices(deployment.casework.notices)
    yield from _streams(StreamRecords(deployment.store))
    if deployment.casework.vault is not None:
        yield from _evidence(Retention(deployment.casework.vault))


def _outbox(outbox: Outbox) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("tutela_outbox", "Outward calls, by topic and state.", labels=["topic", "state"])
    for (topic, state), count in outbox.counts().items():
        waiting.add_metric([topic, state.value], count)
    late = GaugeMetricFamily("tutela_outbox_oldest_seconds", "Since the oldest undelivered outward call was decided.")
    late.add_metric([], outbox.oldest_s())
    yield from (waiting, late)


def _cases(cases: Cases) -> Iterator[Metric]:
    counted = GaugeMetricFamily("tutela_cases", "Cases, by queue and state.", labels=["queue", "state"])
    for (queue, state), count in cases.counts().items():
        counted.add_metric([queue.value, state.value], count)
    oldest = GaugeMetricFamily("tutela_case_oldest_seconds", "Since the oldest undecided case was opened.")
    oldest.add_metric([], cases.oldest_s())
    yield from (counted, oldest)


def _reports(ledger: Ledger) -> Iterator[Metric]:
    counts, kinds = ledger.counts(), Counter(alarm.kind for alarm in alarms(ledger))
    reports = GaugeMetricFamily("tutela_reports", "Reports, by state.", labels=["state"])
    for state in FilingState:
        reports.add_metric([state.value], counts.get(state, 0))
    pressing = GaugeMetricFamily("tutela_report_alarms", "Reports that cannot wait, by why.", labels=["kind"])
    for kind in AlarmKind:
        pressing.add_metric([kind.value], kinds[kind])
    yield from (reports, pressing)


def _notices(notices: Notices) -> Iterator[Metric]:
    counts = notices.counts()
    counted = GaugeMetricFamily("tutela_notices", "Takedown notices, by state.", labels=["state"])
    for state in NoticeState:
        counted.add_metric([state.value], counts.get(state, 0))
    late = GaugeMetricFamily("tutela_notices_late", "Open takedown notices whose time is over.")
    late.add_metric([], notices.late())
    yield from (counted, late)


def _streams(records: StreamRecords) -> Iterator[Metric]:
    counts = records.counts()
    streams = GaugeMetricFamily("tutela_streams_written", "Live streams as written down, by state.", labels=["state"])
    for state in StreamState:
        streams.add_metric([state.value], counts.get(state, 0))
    yield streams


def _evidence(retention: Retention) -> Iterator[Metric]:
    counts = retention.counts()
    kept = GaugeMetricFamily("tutela_evidence", "Pieces of evidence, by state.", labels=["state"])
    for state in EvidenceState:
        kept.add_metric([state.value], counts.get(state, 0))
    ending = GaugeMetricFamily(
        "tutela_evidence_ending", "Kept evidence without a legal hold whose time is over within seven days."
    )
    ending.add_metric([], retention.ending(ENDS_SOON))
    yield from (kept, ending)
