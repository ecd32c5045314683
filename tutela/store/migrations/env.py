"""Alembic's entry: run the migrations on the connection that `tutela.store.database.migrate` hands over."""

from alembic import context

# The metadata knows their tables once they are imported.
from tutela.store import (  # noqa: F401
    case_tables,
    console_tables,
    evidence_tables,
    notices_tables,
    outbox_tables,
    reports_tables,
)
from tutela.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
