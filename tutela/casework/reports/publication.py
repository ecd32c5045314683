"""Transparency figures as CSV and JSON for machines, and as a page with plots that needs nothing from elsewhere."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tutela.casework.reports.pages import page
from tutela.casework.reports.transparency import Figure, Figures

if TYPE_CHECKING:
    from markupsafe import Markup

_COLUMNS = ("since", "until", "group", "name", "part", "value", "unit")


def as_csv(figures: Figures) -> str:
    """A line a figure. A value that could not be counted is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    period = (figures.since.isoformat(), figures.until.isoformat())
    for one in figures.figures:
        value = "" if one.value is None else one.value
        writer.writerow((*period, *map(_plain, (one.group, one.name, one.part)), value, one.unit))
    return text.getvalue()


def as_json(figures: Figures) -> str:
    """An object with the period and every figure."""
    document = {
        "since": figures.since.isoformat(),
        "until": figures.until.isoformat(),
        "figures": [asdict(one) for one in figures.figures],
    }
    return json.dumps(document, indent=1)


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot, and what it shows in words."""

    title: str
    svg: "Markup"
    words: str


def as_html(figures: Figures) -> str:
    """A page with tables and plots."""
    groups: dict[str, list[Figure]] = {}
    for one in figures.figures:
        groups.setdefault(one.group, []).append(one)
    return page("transparency.html", figures=figures, groups=groups, plots=list(_plots(figures)), shown=_shown)


def _plots(figures: Figures) -> Iterator[Plot]:
    for title, group, name in (
        ("What was held, by how it came", "cases", "items"),
        ("What people decided", "decisions", "items decided"),
        ("Verdicts that kept content back", "screening", "verdicts"),
    ):
        values = {part: float(value) for part, value in figures.of(group, name).items() if value}
        if values:
            words = ", ".join(f"{part}: {value:,.0f}" for part, value in values.items())
            yield Plot(title, _bars(values), words)


def _bars(values: Mapping[str, float]) -> "Markup":
    """Horizontal bars as SVG."""
    import matplotlib
    from markupsafe import Markup
    from matplotlib.figure import Figure as Drawing
    from matplotlib.ticker import MaxNLocator

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tutela", "font.family": "sans-serif"}):
        drawing = Drawing(figsize=(7, 0.5 * len(values) + 0.8), layout="constrained")
        axes = drawing.subplots()
        names = list(values)[::-1]
        bars = axes.barh(
            [name.replace("$", r"\$") for name in names], [values[name] for name in names], color="#0a7d75"
        )
        axes.bar_label(bars, fmt="{:,.0f}", padding=4)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.margins(x=0.12)
        file = io.StringIO()
        drawing.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"<metadata>.*?</metadata>", "", file.getvalue(), flags=re.DOTALL)
    return Markup(svg[svg.index("<svg") :])  # noqa: S704  (matplotlib's own, with its texts escaped)


def _shown(one: Figure) -> str:
    if one.value is None:
        return "–"
    if one.unit == "share":
        return f"{one.value:.2%}"
    return (
        f"{one.value:,.2f} {one.unit}".strip() if isinstance(one.value, float) else f"{one.value:,} {one.unit}".strip()
    )


def _plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
