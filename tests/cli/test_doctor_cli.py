"""`tutela doctor`."""

import sqlite3

import pytest

from tests.support.processes import Answer, run_as_nobody_special


def findings(answer: Answer, state: str) -> dict[str, str]:
    return {line["what"]: line["detail"] for line in answer.documents if line["state"] == state}


def test_the_doctor_finds_nothing_wrong_with_a_good_home(call, filled):
    assert call("index", "build").code == 0
    filled.chmod(0o700)
    answer = call("doctor", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert {"native core", "signals", "home", "database", "index of pdq", "fail closed"} <= set(findings(answer, "ok"))
    assert findings(answer, "fail") == {}
    assert findings(answer, "ok")["index of pdq"] == "1 values"
    table = call("doctor")
    assert table.code == 0
    assert [row[0] for row in table.rows] == [line["state"] for line in answer.documents]


def test_the_doctor_says_that_nothing_is_there_yet_and_makes_nothing(call, home):
    answer = call("doctor", "--json")
    assert answer.code == 0
    assert "made on first use" in findings(answer, "warn")["home"]
    assert "made on first use" in findings(answer, "warn")["database"]
    assert not home.exists()


def test_a_home_that_others_read_is_closed_and_the_doctor_warns_of_no_bank(call, filled):
    filled.chmod(0o755)
    assert call("bank", "update", "known", "--disable").code == 0
    assert filled.stat().st_mode & 0o777 == 0o700
    warnings = findings(call("doctor", "--json"), "warn")
    assert "home" not in warnings
    assert warnings["banks"].startswith("no bank is enabled")


def test_the_doctor_says_that_a_home_is_no_folder(call, tmp_path):
    (tmp_path / "file").write_text("x")
    answer = call("--home", tmp_path / "file", "doctor", "--json")
    assert answer.code == 1
    assert findings(answer, "fail") == {
        "home": f"{tmp_path / 'file'} is not a folder; name another: tutela --home, or TUTELA_HOME"
    }
    assert "database" not in findings(answer, "warn")


@pytest.mark.slow
def test_the_doctor_says_that_a_home_belongs_to_somebody_else(filled, closed):
    closed(filled, 0o500)
    answer = run_as_nobody_special(filled, "doctor", "--json")
    assert answer.code == 1
    assert findings(answer, "fail")["home"].endswith(f"chown -R USER {filled}")


@pytest.mark.parametrize(
    ("damage", "what", "detail"),
    [
        (lambda home: (home / "tutela.db").write_bytes(b"no database " * 500), "database", "file is not a database"),
        (lambda home: (home / "labels.toml").write_text("[x"), "labels", "not a file of labels"),
        (
            lambda home: sqlite3.connect(home / "tutela.db", isolation_level=None).execute(
                "DROP TABLE alembic_version"
            ),
            "database",
            "run `tutela store migrate`",
        ),
    ],
    ids=["database", "labels", "revision"],
)
def test_the_doctor_says_what_is_broken_in_a_home(call, filled, damage, what, detail):
    damage(filled)
    answer = call("doctor", "--json")
    assert answer.code == 1
    assert detail in findings(answer, "fail")[what]
    assert set(findings(answer, "fail")) == {what}


def test_the_doctor_says_what_is_asked_for_banks_that_are_not_there(call, filled):
    (filled / "tutela.toml").write_text(
        "[cases.banks.knwon]\nsecond_opinion = ['confirm']\n[reports]\nat_match = ['known']\n"
    )
    answer = call("doctor", "--json")
    assert answer.code == 1
    assert "[cases.banks.knwon]: there is no bank 'knwon'; did you mean 'known'?" in findings(answer, "fail")["banks"]
    assert set(findings(answer, "fail")) == {"banks"}


def test_the_doctor_says_that_the_database_does_not_answer(call, filled):
    answer = call("--database", "postgresql://somebody:s3cret@127.0.0.1:1/tutela", "doctor", "--json")
    assert answer.code == 1
    assert "(postgresql) does not answer" in findings(answer, "fail")["database"]
    assert "s3cret" not in answer.out + answer.err
