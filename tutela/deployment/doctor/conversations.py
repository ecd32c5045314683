"""Checks of conversations: whether anybody judges, and whether the broker of their events is there."""

from collections.abc import Iterator

from tutela.deployment.doctor.model import Diagnosis
from tutela.deployment.settings import Settings
from tutela.errors import TutelaError


def check_conversations(settings: Settings) -> Iterator[Diagnosis]:
    """Nothing where they are not enabled."""
    options = settings.conversations
    if not options.enabled:
        return
    if settings.evidence is None or not settings.evidence.recipients:
        yield Diagnosis("warn", "conversations", "risk alarms need [evidence] with recipients; events wait until then")
    if options.source is None:
        return
    from tutela.screening.conversations.fleet import being_judged, check_agreed, shards_folder
    from tutela.screening.conversations.sources import open_source

    try:
        check_agreed(shards_folder(settings.home, options.source), options.source.partitions)
        source = open_source(options.source)
        found = source.partitions
        source.close()
    except TutelaError as error:
        yield Diagnosis("fail", "broker of events", str(error))
        return
    except ModuleNotFoundError:
        kind = options.source.kind.value
        yield Diagnosis("fail", "broker of events", f"install tutela[{kind}] to read {kind}")
        return
    wanted = options.source.partitions
    if found != wanted:
        said = f"the topic has {found} partitions, and conversations.source.partitions is {wanted}"
        yield Diagnosis("fail", "broker of events", said)
        return
    judged = being_judged(settings.home, options.source)
    state = "ok" if judged == wanted else "warn"
    hint = "" if judged == wanted else "; run tutela risk consume for the others"
    yield Diagnosis(
        state, "broker of events", f"{options.source.kind.value}, {judged} of {wanted} partitions are read{hint}"
    )
