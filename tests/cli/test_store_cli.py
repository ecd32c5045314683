"""`tutela store`."""

import re
import sqlite3
import stat


def test_the_store_is_made_and_made_only_once(call, home):
    answer = call("store", "migrate")
    assert answer.code == 0
    assert re.fullmatch(r"the database is at revision \w+\n", answer.out)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    with sqlite3.connect(home / "tutela.db") as connection:
        identity = connection.execute("SELECT value FROM meta WHERE name = 'identity'").fetchall()
    assert len(identity) == 1
    assert call("store", "migrate").out == answer.out
    with sqlite3.connect(home / "tutela.db") as connection:
        assert connection.execute("SELECT value FROM meta WHERE name = 'identity'").fetchall() == identity


def test_the_database_option_names_another_database(call, filled, tmp_path):
    url = f"sqlite:///{tmp_path / 'other.db'}"
    assert call("--database", url, "bank", "create", "elsewhere").code == 0
    assert [row[0] for row in call("--database", url, "bank", "list").rows] == ["elsewhere"]
    assert [row[0] for row in call("bank", "list").rows] == ["known"]
