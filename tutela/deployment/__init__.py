"""The one place that puts the house together; every door opens it here."""

__all__ = [
    "casework",
    "composition",
    "conversations",
    "doctor",
    "edge",
    "installation",
    "library",
    "metrics",
    "selftest",
    "settings",
    "store",
    "streams",
]
