"""Live streams, put together: a deployment's lists and casework around the media servers that a door knows."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from tutela.casework.cases.options import CaseOptions
from tutela.deployment.composition import Deployment
from tutela.foundation.outbox.mail import write_mail
from tutela.foundation.outbox.webhooks import Webhooks
from tutela.screening.streams.examiner import Examiner
from tutela.screening.streams.model import MediaServer
from tutela.screening.streams.options import StreamOptions
from tutela.screening.streams.records import StreamRecords
from tutela.screening.streams.service import TOPIC, Streams, Surroundings


def open_streams(deployment: Deployment, options: StreamOptions, servers: Mapping[str, MediaServer]) -> Streams:
    """The streams of one process; start and stop them. Their cuts are repeated by the deployment's dispatcher."""
    casework = deployment.casework
    examiner = Examiner(
        deployment.screener.lookup_each,
        deployment.pool.limits,
        workers=deployment.pool.size,
        max_followed=options.max_followed,
        lists_age_s=deployment.lists_age_s,
    )
    around = Surroundings(
        StreamRecords(deployment.store),
        deployment.journal,
        casework.custody,
        LiveAlarm(casework.webhooks, casework.options.cases),
        deployment.lists_ready,
        deployment.home / "streams",
    )
    streams = Streams(servers, examiner, around, options)
    deployment.handlers[TOPIC] = streams.deliver_cut
    return streams


class LiveAlarm:
    """Tells moderators at once, by webhook and by mail. Says nothing of what was shown."""

    def __init__(self, webhooks: Webhooks, options: CaseOptions) -> None:
        self._webhooks = webhooks
        self._options = options

    def __call__(self, connection: Connection, event: str, event_id: str, facts: Mapping[str, Any]) -> None:
        """Write both into the outbox, in the caller's transaction."""
        self._webhooks.announce(connection, event, f"{event}/{event_id}", facts, lane="streams")
        if not self._options.alarm_mail or event == "stream.paused":
            return
        what = event.partition(".")[2]
        lines = [f"{name}: {value}" for name, value in facts.items()]
        if self._options.console:
            lines.append(f"{self._options.console.rstrip('/')}/streams")
        subject = f"Tutela: a live stream was {what}"
        write_mail(connection, f"{event}/{event_id}"[-200:], self._options.alarm_mail, subject, "\n".join(lines) + "\n")
