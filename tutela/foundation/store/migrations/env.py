"""Alembic's entry: run the migrations on the connection that `tutela.foundation.store.database.migrate` hands over."""

import pkgutil
from importlib import import_module

from alembic import context

from tutela.foundation import store
from tutela.foundation.store.tables import metadata

# A room's tables are in the metadata once their module is imported.
for module in pkgutil.iter_modules(store.__path__, "tutela.foundation.store."):
    if module.name.endswith("_tables"):
        import_module(module.name)

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
