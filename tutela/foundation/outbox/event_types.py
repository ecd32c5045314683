"""The types of events that endpoints can be told of.

Whoever announces a new one adds it here: what an endpoint wants is compared with these, so that a word that is written
wrongly is an error and not silence.
"""

EVENT_TYPES = frozenset(
    {
        *(f"appeal.{what}" for what in ("received", "due", "late", "lifted", "upheld")),
        *(f"case.{what}" for what in ("opened", "joined", "decided", "alarm", "undone", "reopened")),
        "context.wanted",
        *(f"dns.{what}" for what in ("policy-applied", "policy-lost")),
        *(f"effect.{what}" for what in ("hide", "restore", "suspend", "lock")),
        *(f"effect.{what}" for what in ("hide-from-suggestions", "limit-contact", "step-up")),
        *(f"effect.{what}" for what in ("notice-recipient", "notice-sender")),
        *(f"job.{what}" for what in ("done", "failed")),
        *(f"notice.{what}" for what in ("received", "due", "late")),
        "protection.asked",
        *(f"report.{what}" for what in ("alarm", "rejected-after-filing")),
        *(f"risk.{what}" for what in ("raised", "drift", "delayed", "unreadable")),
        *(f"stream.{what}" for what in ("paused", "cut", "dropped", "unwatched")),
    }
)
