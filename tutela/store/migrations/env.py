"""Alembic's entry: run the migrations on the connection that `tutela.store.database.migrate` hands over."""

from alembic import context

# Imported so that the metadata has their tables.
from tutela.store import case_tables, console_tables, evidence_tables, outbox_tables, reports_tables  # noqa: F401
from tutela.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
