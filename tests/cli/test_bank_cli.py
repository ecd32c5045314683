"""`tutela bank`: banks and entries, and what is remembered of them."""

from tests.support.processes import banks_of, printed
from tutela.lists.banks.model import Action, BankKind, EntryState, NewEntry, Policy


def test_what_others_stored_does_not_garble_the_terminal(call, filled):
    banks = banks_of(filled)
    nasty = "a\x1b[2J\r\n[red]b"
    entry = NewEntry("md5", bytes(16), f"source {nasty}", f"reference {nasty}", None, nasty)
    (entry_id,) = banks.add("known", [entry], actor=nasty).entry_ids
    banks.set_state(entry_id, EntryState.DISABLED, reason=nasty, actor=nasty)
    banks.store.close()
    shown = r"a\x1b[2J\r\n[red]b"
    entries = call("bank", "entries", "known", "--state", "disabled")
    assert printed(entries.out) == entries.out
    assert [row[5:] for row in entries.rows] == [[f"source {shown}", f"reference {shown}"]]
    history = call("bank", "history", "--entry", str(entry_id))
    assert printed(history.out) == history.out
    assert [row[1] for row in history.rows] == [shown, shown]
    assert shown in history.rows[1][3]


def test_whoever_acts_is_written_down_whatever_the_name(call, filled, monkeypatch):
    monkeypatch.setenv("LOGNAME", "x\udcff\x1b[31m")
    assert call("bank", "create", "other").code == 0
    ((_, who, what, _),) = call("bank", "history", "other").rows
    assert (who, what) == (r"cli:x\udcff\x1b[31m", "created")


def test_a_bank_is_made_changed_and_remembered(call, home):
    args = ("--action", "block", "--threshold", "pdq=25", "--min-quality", "40", "--label", "A1")
    assert call("bank", "create", "first", *args, "--description", "of somebody").out == "made bank first\n"
    assert call("bank", "create", "false-matches", "--kind", "allow").code == 0
    assert call("bank", "list").rows == [
        ["false-matches", "allow", "hold", "", "50", "", "yes", "0", "0"],
        ["first", "known", "block", "pdq=25", "40", "A1", "yes", "0", "0"],
    ]
    assert call("bank", "update", "first", "--rename", "second", "--threshold", "pdq=20", "--disable").code == 0
    assert call("bank", "list").rows[1] == ["second", "known", "block", "pdq=20", "40", "A1", "no", "0", "0"]
    assert call("bank", "update", "first", "--enable").code == 2
    assert call("bank", "update", "second", "--enable", "--action", "log", "--label", "B2").code == 0
    assert call("bank", "list").rows[1] == ["second", "known", "log", "pdq=20", "40", "B2", "yes", "0", "0"]
    history = call("bank", "history", "second").rows
    assert [row[2] for row in history] == ["created", "changed", "changed"]
    assert "name: first -> second" in history[1][3]
    assert "enabled: True -> False" in history[1][3]
    assert "action: block -> log" in history[2][3]
    assert {row[1] for row in history} == {history[0][1]}
    banks = banks_of(home)
    bank = banks.get("second")
    assert (bank.kind, bank.description, bank.policy) == (
        BankKind.KNOWN,
        "of somebody",
        Policy(Action.LOG, {"pdq": 20}, 40),
    )
    banks.store.close()


def test_a_disabled_bank_and_a_withdrawn_entry_no_longer_match(call, filled, pictures):
    def decision() -> str:
        (verdict,) = call("screen", "--json", pictures / "copy.jpg").documents
        return verdict["decision"]

    assert decision() == "block"
    assert call("bank", "update", "known", "--disable").code == 0
    assert decision() == "allow"
    assert call("bank", "update", "known", "--enable").code == 0
    assert decision() == "block"
    answer = call("bank", "withdraw", "1", "2", "--reason", "taken back")
    assert answer.out == "entry 1 of bank known is withdrawn\nentry 2 of bank known is withdrawn\n"
    assert decision() == "allow"
    assert call("bank", "disable", "2", "--reason", "set aside").out == "entry 2 of bank known is disabled\n"
    assert decision() == "allow"
    assert call("bank", "enable", "2", "--reason", "an error").out == "entry 2 of bank known is active\n"
    assert decision() == "block"
    assert [row[:2] + row[3:] for row in call("bank", "entries", "known").rows] == [
        ["1", "sha256", "withdrawn", "", "operator", "case-7"],
        ["2", "pdq", "active", "", "operator", "case-7"],
    ]
    assert [row[0] for row in call("bank", "entries", "known", "--state", "active").rows] == ["2"]
    assert [row[0] for row in call("bank", "entries", "known", "--after", "1", "--limit", "1").rows] == ["2"]
    told = call("bank", "history", "--entry", "2").rows
    assert [(row[2], row[3].rpartition("reason: ")[2]) for row in told][1:] == [
        (told[1][2], "taken back"),
        (told[2][2], "set aside"),
        (told[3][2], "an error"),
    ]


def test_an_allow_list_takes_matches_back_and_wants_a_reason(call, filled, pictures):
    assert call("bank", "create", "false-matches", "--kind", "allow").code == 0
    copy = pictures / "copy.jpg"
    assert call("bank", "add", "false-matches", copy).code == 2
    assert call("bank", "add", "false-matches", copy, "--reason", "a lawful look-alike").code == 0
    answer = call("screen", "--json", copy)
    (verdict,) = answer.documents
    assert verdict["decision"] == "allow"
    assert [match["bank"] for match in verdict["matches"] if match["suppressed_by"] is None] == []
    assert [match["bank"] for match in verdict["matches"]] == ["known"]


def test_labels_are_listed_with_the_operators_own(call, filled):
    (filled / "labels.toml").write_text('[ours]\ntitle = "Ours"\n[ours.labels]\nX1 = "the first [red]of ours"\n')
    rows = call("bank", "labels").rows
    assert ["X1", "ours", "the first [red]of ours"] in rows
    assert "A1" in [row[0] for row in rows]
    assert call("bank", "update", "known", "--label", "X1").code == 0
    (filled / "labels.toml").write_text("[ours")
    answer = call("bank", "labels")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("tutela: not a file of labels")
