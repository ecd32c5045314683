"""Transparency figures: counted from the audit log by hand-checkable rules, and published in three forms."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree
from sqlalchemy import insert

from tutela.casework.audit import log as audit_module
from tutela.casework.audit.log import AuditLog, append
from tutela.casework.reports.publication import as_csv, as_html, as_json
from tutela.casework.reports.transparency import Figures, transparency
from tutela.errors import InputError
from tutela.foundation.store.database import Store, microseconds
from tutela.foundation.store.tables import verdict

START = datetime(2026, 7, 1, tzinfo=UTC)
END = datetime(2026, 8, 1, tzinfo=UTC)


class Story:
    """Writes an audit log as time goes by."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = store
        self.at = START
        monkeypatch.setattr(audit_module, "now", lambda: microseconds(self.at))
        self.log = AuditLog(store)

    def after(self, **time: float) -> "Story":
        self.at += timedelta(**time)
        return self

    def row(self, action: str, subject: str, actor: str = "me", **detail: object) -> "Story":
        with self.store.write() as connection:
            append(connection, actor, action, subject, detail)
        return self

    def item(self, number: int, queue: str = "match", case: str = "1", *, joins: bool = False) -> "Story":
        action = "case.joined" if joins else "case.opened"
        return self.row(action, f"case:{case}", item=number, queue=queue, label="A1", urgency=90)

    def decision(self, number: int, outcome: str, case: str = "1", *, final: bool = True) -> "Story":
        return self.row("case.decision", f"case:{case}", item=number, outcome=outcome, final=final)

    def figures(self) -> Figures:
        return transparency(self.log, START, END)


@pytest.fixture
def story(store: Store, monkeypatch: pytest.MonkeyPatch) -> Story:
    return Story(store, monkeypatch)


def test_items_decisions_and_times_are_counted(story):
    story.item(1).item(2, joins=True).item(3, queue="unscreened", case="2")
    story.after(hours=2).decision(1, "confirm").after(hours=2).decision(2, "reject").decision(
        2, "escalate", final=False
    )
    story.after(hours=2).decision(3, "against-rules", case="2")
    found = story.figures()
    assert found.of("cases", "items") == {"match": 2, "unscreened": 1}
    assert found.of("cases", "cases") == {"match": 1, "unscreened": 1}
    assert found.of("decisions", "items decided") == {"confirm": 1, "reject": 1, "against-rules": 1}
    assert found.of("decisions", "time to decision, match")["median"] == 3.0
    assert found.of("decisions", "time to decision, unscreened")["median"] == 6.0
    assert found.of("decisions", "false-match rate") == {"": 0.5}
    assert found.of("decisions", "time to decision, match")["9 of 10 within"] is None, "two values have no decile"


def test_only_what_is_in_the_period_counts_but_times_begin_before_it(story):
    story.at = START - timedelta(hours=5)
    story.item(1).after(hours=6).decision(1, "confirm")
    story.at = END
    story.item(2).decision(2, "reject")
    found = story.figures()
    assert found.of("cases", "items") == {}
    assert found.of("decisions", "items decided") == {"confirm": 1}
    assert found.of("decisions", "time to decision, match")["median"] == 6.0


def test_a_complaint_that_changes_a_decision_is_counted_once(story):
    story.item(1).item(2, joins=True).decision(1, "confirm").decision(2, "confirm")
    story.after(days=1).row("case.reopened", "case:1", items=[1, 2]).decision(1, "reject").decision(2, "confirm")
    found = story.figures()
    assert found.of("complaints", "items reopened") == {"": 2}
    assert found.of("complaints", "decisions changed") == {"": 1}
    assert found.of("decisions", "time to decision, match")["counted"] == 2, "the first decisions only"


def test_reports_notices_and_intake_are_counted(story):
    story.item(1).after(hours=1).decision(1, "confirm")
    story.row("report.added", "report:a", environment="production", case="1")
    story.row("report.added", "report:b", actor="report-worker", environment="production", case="9")
    story.after(hours=3).row("report.finished", "report:a", environment="production", case="1", number=7)
    story.row("notice.received", "notice:1", authority="Authority")
    story.row("notice.answered", "notice:1", late=False, outcomes={"removed": 2}, after_s=1800)
    story.row("notice.answered", "notice:2", late=True, outcomes={"refused": 1}, after_s=5400)
    story.row("intake.received", "case:3", source="flagger:hotline", category="grooming")
    story.row("intake.received", "case:4", source="public", category="other")
    found = story.figures()
    assert found.of("reports", "added") == {"production": 2}
    assert found.of("reports", "finished") == {"production": 1}
    assert found.of("reports", "filed before a person looked") == {"": 1}
    assert found.of("reports", "time from case to finished report")["median"] == 4.0
    assert found.of("notices", "received") == {"Authority": 1}
    assert found.of("notices", "answered") == {"in time": 1, "late": 1}
    assert found.of("notices", "content named in answered notices") == {"removed": 2, "refused": 1}
    assert found.of("notices", "time to answer")["median"] == 1.0
    assert found.of("intake", "reports, flagger") == {"grooming": 1}
    assert "hotline" not in as_json(found), "no figure names a flagger"


def test_verdicts_of_the_period_are_counted(story):
    with story.store.write() as connection:
        for number, (at, decision) in enumerate(
            [(START, "block"), (START, "hold"), (END - timedelta(seconds=1), "block"), (END, "block")]
        ):
            connection.execute(
                insert(verdict).values(id=str(number), at=microseconds(at), decision=decision, document={})
            )
    assert story.figures().of("screening", "verdicts") == {"block": 2, "hold": 1}


def test_a_period_without_anything_has_figures_of_nothing(story):
    found = story.figures()
    assert found.of("decisions", "false-match rate") == {"": None}
    assert found.of("screening", "verdicts") == {"block": 0, "hold": 0}
    assert "–" in as_html(found)


def test_a_period_that_is_none_is_refused(story):
    with pytest.raises(InputError):
        transparency(story.log, END, START)
    with pytest.raises(InputError):
        transparency(story.log, START.replace(tzinfo=None), END.replace(tzinfo=None))


def test_the_three_forms_say_the_same(story):
    story.item(1).after(hours=1).decision(1, "confirm").row("notice.received", "notice:1", authority="=cmd|' /C'!A0")
    found = story.figures()
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert len(rows) == len(found.figures) == len(json.loads(as_json(found))["figures"])
    assert {"group": "cases", "name": "items", "part": "match", "value": "1"}.items() <= rows[3 - 1].items()
    assert not any(cell.startswith("=") for row in rows for cell in row.values())
    html = as_html(found)
    tree = etree.HTML(html)
    assert len(tree.findall(".//table")) == len({one.group for one in found.figures})
    assert html.count("<svg") == 2
    loaded = [value for node in tree.iter() for name, value in node.attrib.items() if name.endswith(("src", "href"))]
    assert all(value.startswith("#") for value in loaded), "nothing is loaded from elsewhere"
    assert "<script" not in html


def test_ten_values_have_a_ninth_decile(story):
    for number in range(1, 11):
        story.item(number, joins=number > 1)
    for number in range(1, 11):
        story.after(hours=1).decision(number, "confirm")
    times = story.figures().of("decisions", "time to decision, match")
    assert times["median"] == 5.5
    assert times["9 of 10 within"] == pytest.approx(9.9)
