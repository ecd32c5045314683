"""Lessons: the messages that people finally confirmed, opened with the review key, for a model of the operator's own.

Only what the account of an alarm wrote, only of cases that are confirmed and not reopened; each with its two people.
"""

from collections.abc import Iterator

from sqlalchemy import select

from tutela.casework.cases.contacts import ContactCases, read_lines
from tutela.casework.cases.model import Queue
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.seal import ReviewKey
from tutela.casework.evidence.vault import Vault
from tutela.foundation.store.case_tables import case as case_table
from tutela.foundation.store.database import Store
from tutela.screening.conversations.events import ConversationStage
from tutela.screening.conversations.guard import Lesson

_STAGE = "stage-"


def lessons(
    store: Store, cases: Cases, contacts: ContactCases, vault: Vault, key: ReviewKey, *, actor: str
) -> Iterator[Lesson]:
    """What decided cases teach; each opening is in the audit log. Raises EvidenceError."""
    query = select(case_table.c.id).where(case_table.c.queue == Queue.CONTACT.value, case_table.c.state == "decided")
    with store.read() as connection:
        decided = list(connection.execute(query.order_by(case_table.c.opened_at)).scalars())
    for case_id in decided:
        case = cases.get(case_id)
        confirmed = {item.item for item in case.confirmed()}
        alarms = [alarm for alarm in contacts.of_case(case_id) if f"alarm:{alarm.id}" in confirmed]
        if not alarms:
            continue
        people = frozenset(
            decision.by for decision in case.decisions if decision.outcome is Outcome.CONFIRM and not decision.set_aside
        )
        weigh = {name for alarm in alarms for name in alarm.document["lines"]}
        stages = _stages([reason for alarm in alarms for reason in alarm.document["reasons"]])
        for words in contacts.words_of(case_id):
            for line in read_lines(vault.context(words.evidence_id, key, actor=actor, purpose="training")):
                if line.by_suspect and line.id in weigh:
                    stage = stages.get(line.id, ConversationStage.TRUST)
                    yield Lesson(line.text, stage, case.uploader or case_id, people)


def _stages(reasons: list[dict[str, object]]) -> dict[str, ConversationStage]:
    """The stage of each message that a reason named."""
    found: dict[str, ConversationStage] = {}
    for reason in reasons:
        code, references = str(reason["code"]), reason["references"]
        if code.startswith(_STAGE) and isinstance(references, list):
            found |= dict.fromkeys(map(str, references), ConversationStage[code.removeprefix(_STAGE).upper()])
    return found
