"""Plots as SVG, drawn by matplotlib in this process: nothing comes from elsewhere, nothing runs in the browser."""

import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#0b7a70", "#c2681b", "#5457a6", "#a33a5b", "#6b7a2a", "#54727d")
_DARK_COLOURS = ("#5cc9ba", "#f0a35e", "#a5a8f0", "#ef8fae", "#c3d36f", "#a9c7d2")
_DRAWING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Chart:
    """Named series over the same labels: what a plot and the table under it show."""

    title: str
    unit: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[float]]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to be seen."""
        return not any(any(values) for values in self.series.values())


def draw(chart: Chart, *, dark: bool) -> bytes:
    """The chart as SVG: stacked bars."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    ink, ground, line = ("#e8eeeb", "#1c2225", "#3a454a") if dark else ("#16201d", "#ffffff", "#c9d1cd")
    colours = _DARK_COLOURS if dark else _COLOURS
    # Its settings are the process's own: one drawing at a time.
    with _DRAWING, rc_context({"svg.hashsalt": "tutela", "text.parse_math": False, "text.color": ink, "font.size": 10}):
        figure = Figure(figsize=(8, 3.2), facecolor=ground, layout="constrained")
        axes = figure.add_subplot(facecolor=ground)
        bottom = [0.0] * len(chart.labels)
        for number, (name, values) in enumerate(chart.series.items()):
            axes.bar(range(len(values)), values, bottom=bottom, label=f" {name}", color=colours[number % len(colours)])
            bottom = [below + value for below, value in zip(bottom, values, strict=True)]
        _label(axes, chart, ink, line)
        if list(chart.series) != [chart.unit]:
            figure.legend(loc="outside upper left", frameon=False, labelcolor=ink, ncols=3)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Title": chart.title})
    return out.getvalue()


def _label(axes: "Axes", chart: Chart, ink: str, line: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_ylabel(chart.unit, color=ink)
    step = max(1, len(chart.labels) // 10)
    axes.set_xticks(range(0, len(chart.labels), step), list(chart.labels)[::step])
    axes.tick_params(colors=ink)
    axes.grid(axis="y", color=line, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_ylim(bottom=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(line)
