"""A lease that was taken while a clock was wrong keeps nobody waiting; a home is its user's only."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

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


_AS_ANOTHER = """
import os, sys
from pathlib import Path
from tutela.errors import InputError
from tutela.foundation.home import prepare_home
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in sys.argv[1:]:
    try:
        prepare_home(Path(path))
        print("taken")
    except InputError as error:
        print("refused")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_home_of_another_user_is_refused_by_and_to_a_real_other_user():
    with tempfile.TemporaryDirectory(prefix="tutela-home-") as folder:
        base = Path(folder)
        base.chmod(0o755)
        closed, opened, own = base / "closed", base / "opened", base / "own"
        for home, mode in ((closed, 0o700), (opened, 0o777), (own, 0o755)):
            home.mkdir()
            home.chmod(mode)
        os.chown(own, 65534, 65534)
        (closed / "tutela.db").write_bytes(b"")
        command = [sys.executable, "-c", _AS_ANOTHER, str(closed), str(closed / "below"), str(opened), str(own)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["refused", "refused", "refused", "taken"]
        assert own.stat().st_mode & 0o777 == 0o700
        assert opened.stat().st_mode & 0o777 == 0o777, "nobody changes what is another's"
