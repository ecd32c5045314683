"""What we found: one upload, a text, a running stream, a conversation over time, everything already stored.

Flow: bytes → digests, examination in a worker → samples → index → entries → policy → verdict.
"""

__all__ = [
    "check",
    "conversations",
    "decision",
    "evaluation",
    "examination",
    "jobs",
    "journal",
    "options",
    "policy",
    "reason_codes",
    "recheck",
    "screener",
    "sentences",
    "streams",
    "verdict",
    "video",
]
