"""The audit log: every access, decision, export and use of a key, hash-chained, signed and provable."""

__all__ = ["checkpoints", "log", "options", "verification"]
