"""Reports: a decided case becomes a report to NCMEC or a package for another authority; notices and public figures.

Flow: decided case, sealed evidence and review key → incident → draft → ledger → authority.
"""

__all__ = [
    "alarms",
    "bundle",
    "cybertipline",
    "decisions",
    "desk",
    "draft",
    "filer",
    "held_content",
    "incident",
    "intake",
    "ledger",
    "listeners",
    "model",
    "notices",
    "options",
    "package",
    "pages",
    "publication",
    "seal",
    "transparency",
    "worker",
]
