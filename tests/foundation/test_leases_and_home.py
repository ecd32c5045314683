"""A lease that was taken while a clock was wrong keeps nobody waiting; a home is its user's only."""

import pytest

from tutela.foundation import leases
from tutela.foundation.leases import Leases
from tutela.foundation.store import database
from tutela.foundation.store.database import Store


def test_a_lease_from_the_future_counts_for_nothing(tmp_path, monkeypatch):
    store = Store.create(f"sqlite:///{tmp_path / 'leases.db'}")
    held = Leases(store)
    with monkeypatch.context() as leapt:
        leapt.setattr(leases, "now", lambda: database.now() + 100 * 86_400 * 1_000_000)
        assert held.take("work", "one")
        assert not held.take("work", "two")
    assert not held.held("work")
    assert held.take("work", "two")
    assert not held.take("work", "one")
    store.close()


@pytest.mark.parametrize(("mode", "refused"), [(0o755, False), (0o1777, True), (0o700, False)])
def test_a_home_is_its_users_only(tmp_path, mode, refused):
    from tutela.errors import InputError
    from tutela.foundation.home import prepare_home

    home = tmp_path / "home"
    home.mkdir()
    home.chmod(mode)
    if refused:
        with pytest.raises(InputError):
            prepare_home(home)
    else:
        prepare_home(home)
        assert home.stat().st_mode & 0o777 == 0o700
