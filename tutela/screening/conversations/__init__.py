"""Conversations over time: who contacts whom, and how, becomes a risk with reasons that trained people look at.

Flow: event → (text becomes numbers and is dropped) → durable ledger → state that fades → rules of the policy → level →
alarm with reasons. No score punishes anybody, and a child's own words never count against the child.
"""

from tutela.screening.conversations.events import AgeBand, AgeSource, ConversationStage, Event, EventKind
from tutela.screening.conversations.levels import Level
from tutela.screening.conversations.options import ConversationOptions

__all__ = [
    "AgeBand",
    "AgeSource",
    "ConversationOptions",
    "ConversationStage",
    "Event",
    "EventKind",
    "Level",
    "alarms",
    "calibration",
    "consumer",
    "edge",
    "events",
    "fleet",
    "guard",
    "levels",
    "model",
    "policy",
    "replay",
    "scorers",
    "service",
    "sources",
    "strata",
    "training",
    "vectors",
    "versions",
    "wire",
]
