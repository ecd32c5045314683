"""What the platform is asked to do: written into the outbox with the decision, delivered by webhook and callback."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from tutela.casework.cases.model import CaseItem, Change, EffectRequest
from tutela.casework.cases.outcomes import Effect, Outcome
from tutela.foundation.outbox.service import Delivery, enqueue
from tutela.foundation.outbox.webhooks import Webhooks
from tutela.foundation.outbox.worker import Progress

TOPIC = "effect"
"""Of the outbox: effects for a callback of the embedding application."""

EffectCallback = Callable[[EffectRequest], None]
"""Does what is asked; may be called again with the same key. What it raises is tried again."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Writes what the platform is to be told into the outbox, inside the transaction that decides it."""

    webhooks: Webhooks
    callback: bool = False
    """Whether an application has a callback that effects are for."""

    def request(
        self,
        connection: Connection,
        effect: Effect,
        case_id: str,
        items: Sequence[CaseItem],
        outcome: Outcome | None,
        key: str,
    ) -> None:
        """Ask for one effect on these items. In one case, effects are delivered in their order."""
        document = {
            "effect": effect.value,
            "case": case_id,
            "items": [item.item for item in items if item.item is not None],
            "verdicts": [item.verdict_id for item in items if item.verdict_id is not None],
            "outcome": outcome.value if outcome else None,
        }
        event_id = f"{effect.value}/{key}"
        self.webhooks.announce(connection, f"effect.{effect.value}", event_id, document, lane=f"case/{case_id}")
        if self.callback:
            enqueue(connection, TOPIC, event_id, document, lane=f"case/{case_id}")

    def tell(self, connection: Connection, change: Change, case_id: str, key: str, facts: Mapping[str, Any]) -> None:
        """Tell the endpoints that a case changed."""
        document = {"case": case_id, **facts}
        self.webhooks.announce(connection, change.value, f"{change.value}/{key}", document, lane=f"case/{case_id}")


class CallbackHandler:
    """Delivers the topic `effect` to a function of the embedding application."""

    def __init__(self, callback: EffectCallback) -> None:
        self._callback = callback

    def __call__(self, delivery: Delivery, progress: Progress) -> None:
        """Call it."""
        fields = delivery.payload
        self._callback(
            EffectRequest(
                effect=Effect(fields["effect"]),
                case_id=fields["case"],
                items=tuple(fields["items"]),
                verdicts=tuple(fields["verdicts"]),
                outcome=Outcome(fields["outcome"]) if fields["outcome"] else None,
                key=delivery.key,
            )
        )
