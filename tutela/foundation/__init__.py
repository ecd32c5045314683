"""What everything stands on, each thing once: the store, the outbox, the home, logs, leases, background loops, HTTP."""

__all__ = [
    "allowance",
    "background",
    "backoff",
    "bodies",
    "home",
    "http",
    "leases",
    "listening",
    "logs",
    "moments",
    "options",
    "outbox",
    "outward",
    "pinned",
    "processes",
    "rates",
    "receiver",
    "secrets",
    "store",
]
