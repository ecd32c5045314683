"""`tutela evaluate`: how robust matching is, on the operator's own benign pictures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tutela.cli.state import MAX_ID

app = typer.Typer(no_args_is_help=True, help="Measure matching on your own benign pictures.")


@app.command(epilog="tutela evaluate robustness holiday-pictures/ --results robustness/")
def robustness(
    folder: Annotated[Path, typer.Argument(help="Benign pictures. Nothing of them leaves this machine.")],
    results: Annotated[Path, typer.Option(help="Folder of the results; a run that was cut short goes on.")] = Path(
        "robustness"
    ),
    attack: Annotated[list[str] | None, typer.Option(help="Only this attack; may be repeated.")] = None,
    pictures: Annotated[int, typer.Option(min=1, max=1_000_000, help="Pictures for each attack and strength.")] = 100,
    bank: Annotated[
        int, typer.Option(min=1_000, max=1_000_000_000, help="Hashes that unrelated pictures are looked up among.")
    ] = 1_000_000,
    size: Annotated[int, typer.Option(min=200, max=4000, help="Pixels of the longer side of a picture.")] = 512,
    seed: Annotated[int, typer.Option(min=0, max=MAX_ID, help="Seed of all that is drawn.")] = 1,
) -> None:
    """Attack pictures in graded ways, and write what each view set still finds: report.html and report.json."""
    from tutela.cli.output import print_table
    from tutela.screening.evaluation.robustness import EvaluationPlan, evaluate

    summary = evaluate(EvaluationPlan(folder, results, attack or [], pictures, bank, size, seed), _shown)
    columns = list(summary.groups[0].shares) if summary.groups else []
    print_table(
        ["attacks", *columns, "trials"],
        [
            [row.group, *(f"{100 * row.shares[name].share:.1f} %" for name in columns), str(row.shares["plain"].trials)]
            for row in summary.groups
        ],
    )
    for views, counted in summary.unrelated.items():
        typer.echo(f"false matches, {views}: {counted.matched} of {counted.pictures} pictures in {summary.bank_size:,}")
    typer.echo(f"written: {results / 'report.html'}")


@contextmanager
def _shown(stage: str) -> Iterator[Callable[[int, int], None]]:
    from tutela.cli.output import progress_bar

    with progress_bar() as bar:
        task = bar.add_task(stage, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
