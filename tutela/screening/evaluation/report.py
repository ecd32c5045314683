"""A summary as files: `report.json` for programs, `report.html` with tables and plots for people, in one file."""

import base64
import io
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from tutela.errors import InputError
from tutela.screening.evaluation.attacks.catalogue import ATTACKS
from tutela.screening.evaluation.intervals import interval
from tutela.screening.evaluation.summary import COLUMNS, Row, Summary
from tutela.screening.evaluation.unrelated import FARTHEST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOTTED = ("plain", "standard, plain bank", "standard", "thorough")


def need_extra() -> None:
    """Raise InputError when what a report needs is not installed."""
    try:
        import jinja2
        import matplotlib  # noqa: F401

        del jinja2
    except ImportError:
        raise InputError("the report of an evaluation needs the extra tutela[evaluate]") from None


def write_report(summary: Summary, folder: Path) -> None:
    """Write `report.json` and `report.html`."""
    (folder / "report.json").write_text(json.dumps(summary.document(), indent=1) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(_html(summary), encoding="utf-8")


def _html(summary: Summary) -> str:
    import jinja2

    text = (files(__package__) / "report.html.jinja").read_text(encoding="utf-8")
    template = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(text)
    return template.render(
        settings=summary.settings,
        columns=list(COLUMNS),
        groups=summary.groups,
        rows=summary.rows,
        units={name: attack.unit for name, attack in ATTACKS.items()},
        left_out=summary.left_out,
        unrelated={views.value: count for views, count in summary.unrelated.items()},
        bank_size=f"{summary.bank_size:,}",
        cost={views.value: cost for views, cost in summary.cost.items()},
        plain_ms=next(iter(summary.cost.values())).total_ms if summary.cost else 1.0,
        percent=lambda share: f"{100 * share.share:.1f}",
        spread=lambda share: "–".join(f"{100 * end:.0f}" for end in interval(share.found, share.trials)),
        bounds=lambda count: "–".join(f"{100 * end:.3f} %" for end in interval(count.matched, count.pictures)),
        curve=_curve(summary),
        plots=[_plot(rows) for rows in _by_attack(summary.rows)],
    )


def _by_attack(rows: Sequence[Row]) -> list[list[Row]]:
    attacks = dict.fromkeys(row.attack for row in rows)
    return [[row for row in rows if row.attack == attack] for attack in attacks]


def _plot(rows: Sequence[Row]) -> str:
    """The share found against strength, for one attack."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6, 2.6), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    for name, line in zip(PLOTTED, ("o--", "s:", "D-", "^-"), strict=True):
        axes.plot(places, [100 * row.shares[name].share for row in rows], line, label=name, markersize=4, linewidth=1)
    axes.set_xticks(list(places), [f"{row.strength:g}" for row in rows])
    axes.set_ylim(-4, 104)
    axes.set_title(rows[0].attack, fontsize=10)
    axes.set_xlabel(ATTACKS[rows[0].attack].unit, fontsize=8)
    axes.set_ylabel("% found", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=6)
    return _inline(figure)


def _curve(summary: Summary) -> str:
    """Pairs of unrelated hashes within a distance, as a share of all pairs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axes = figure.subplots()
    for views, count in summary.unrelated.items():
        running = [sum(count.within[: distance + 1]) / max(1, count.compared) for distance in range(FARTHEST + 1)]
        axes.step(range(FARTHEST + 1), [value or float("nan") for value in running], where="post", label=views.value)
    axes.axvline(31, color="#999999", linewidth=0.8)
    if any(sum(count.within) for count in summary.unrelated.values()):
        axes.set_yscale("log")
    axes.set_xlabel("distance")
    axes.set_ylabel("share of unrelated pairs within it")
    axes.legend()
    return _inline(figure)


def _inline(figure: "Figure") -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
