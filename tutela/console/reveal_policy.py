"""Who may be shown what, and how clearly: the claim, the severest labels, and the two-person rule."""

from collections.abc import Set
from dataclasses import dataclass

from tutela.casework.cases.model import Case, CaseItem
from tutela.console.people import Person
from tutela.console.reveals import Subject
from tutela.console.second_looks import SecondLooks
from tutela.errors import ConflictError, NotFoundError

MAX_PARTS = 9


@dataclass(frozen=True, slots=True)
class RevealPolicy:
    """The operator's policy."""

    severe_labels: Set[str]
    two_person: bool
    second_looks: SecondLooks

    def severe(self, item: CaseItem) -> bool:
        """Whether the item has one of the severest labels, by any of its matches or by a decision."""
        labels = {item.label, *(match.label for match in item.matches)}
        if item.decision is not None:
            labels.add(item.decision.label)
        return not self.severe_labels.isdisjoint(label for label in labels if label)

    def waits_for_second(self, person: Person, item: CaseItem) -> bool:
        """Whether the person still needs a second one to see the item clearly."""
        if not self.two_person or not self.severe(item):
            return False
        return not self.second_looks.granted(person, item.case_id, str(item.id))

    def subject(self, person: Person, case: Case, item_id: int) -> tuple[Subject, CaseItem]:
        """What the person may be shown of an item. Raises ConflictError without their claim, NotFoundError."""
        if case.claim is None or case.claim.by != person.actor:
            raise ConflictError("claim the case first: only whoever decides of it is shown what it holds")
        item = next((item for item in case.items if item.id == item_id), None)
        if item is None:
            raise NotFoundError("there is no such item in this case")
        clear = not self.waits_for_second(person, item)
        parts = tuple(dict.fromkeys(match.part for match in item.matches if match.part))[:MAX_PARTS]
        if any(not match.part for match in item.matches):
            parts = ()
        matched = tuple(dict.fromkeys(match.seconds for match in item.matches if match.seconds is not None))
        return Subject(case.id, str(item.id), self.severe(item), clear, parts, matched), item
