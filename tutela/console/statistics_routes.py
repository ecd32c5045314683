"""The statistics page: plots as pictures, and the same figures as tables."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from tutela.console.languages import Language
from tutela.console.pages import page
from tutela.console.plots import Chart, draw
from tutela.console.roles import Permission
from tutela.console.statistics import MAX_DAYS
from tutela.console.visits import Visit, needs
from tutela.errors import NotFoundError

if TYPE_CHECKING:
    from tutela.console.service import Console

router = APIRouter()

Seeing = Annotated[Visit, Depends(needs(Permission.STATISTICS))]
Days = Annotated[int, Query(ge=1, le=MAX_DAYS)]


@router.get("/statistics")
def statistics_page(request: Request, visit: Seeing, days: Days = 30) -> Response:
    """Every chart."""
    console: Console = request.app.state.console
    charts = {name: _in(visit.language, name, chart) for name, chart in console.statistics.charts(days).items()}
    return page(request, "statistics.html", visit, charts=charts, days=days, spans=(7, 30, 90, 365))


@router.get("/statistics/{name}.svg")
def plot(request: Request, visit: Seeing, name: str, days: Days = 30, dark: bool = False) -> Response:
    """One chart as SVG."""
    console: Console = request.app.state.console
    chart = console.statistics.charts(days).get(name)
    if chart is None:
        raise NotFoundError("there is no such chart")
    return Response(draw(_in(visit.language, name, chart), dark=dark), media_type="image/svg+xml")


def _in(language: Language, name: str, chart: Chart) -> Chart:
    """A chart in a language; the names of lists stay as they are."""
    series = {one if name == "lists" else language.word(one): values for one, values in chart.series.items()}
    return Chart(language.text(chart.title), language.word(chart.unit), list(map(language.text, chart.labels)), series)
