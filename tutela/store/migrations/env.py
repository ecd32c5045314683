"""Alembic's entry: run the migrations on the connection that `tutela.store.database.migrate` hands over."""

from alembic import context

from tutela.store import console_tables, outbox_tables  # noqa: F401  (the metadata has them once they are imported)
from tutela.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
