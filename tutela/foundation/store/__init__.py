"""The store: tables, migrations and the rules of transactions, in SQLite or PostgreSQL. It knows no policy."""

__all__ = [
    "announcements",
    "appeal_tables",
    "bulk",
    "case_tables",
    "console_tables",
    "database",
    "entry_tables",
    "evidence_tables",
    "exchange_tables",
    "ids",
    "job_tables",
    "notices_tables",
    "outbox_tables",
    "reports_tables",
    "revisions",
    "risk_tables",
    "stream_tables",
    "tables",
]
