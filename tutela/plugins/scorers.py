"""For scorers of conversations, the entry points of the group `tutela.scorers`: one of these protocols."""

from tutela.screening.conversations.scorers.base import ContactScorer, Costly, Covering, OfHome, Ranking, TextScorer

__all__ = ["ContactScorer", "Costly", "Covering", "OfHome", "Ranking", "TextScorer"]
