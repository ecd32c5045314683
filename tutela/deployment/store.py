"""The store of a deployment, opened by its settings: made on first use, or only where it is."""

import contextlib
from collections.abc import Iterator

from tutela.deployment.settings import Settings
from tutela.foundation.home import database_url, prepare_home
from tutela.foundation.store.database import Store


def made_store(settings: Settings) -> Store:
    """The store, made on first use and brought up to this version. Close it. Raises InputError, StoreError."""
    prepare_home(settings.home)
    return Store.create(database_url(settings.home, settings.database_text))


@contextlib.contextmanager
def existing_store(settings: Settings) -> Iterator[Store | None]:
    """The store as it is, for looking; None where nothing was made yet. Raises StoreError."""
    if settings.database is None and not (settings.home / "tutela.db").exists():
        yield None
        return
    store = Store.open(database_url(settings.home, settings.database_text))
    try:
        yield store
    finally:
        store.close()
