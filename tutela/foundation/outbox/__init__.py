"""The outbox: every call to the outside is a row of the transaction that decides it, and is made at least once."""

__all__ = ["event_types", "mail", "options", "service", "webhooks", "worker"]
