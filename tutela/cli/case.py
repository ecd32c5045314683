"""`tutela case`: queues and decisions without the console, for small sites and scripts. No picture is shown."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tutela.cli.state import MAX_ID, actor

if TYPE_CHECKING:
    from tutela.casework.cases.service import Cases

Choice = TypeVar("Choice", bound=StrEnum)

app = typer.Typer(no_args_is_help=True, help="Cases: what was held, and what is decided of it.")

Id = Annotated[str, typer.Argument(help="The case's id, as `tutela case list` shows it.")]
Reason = Annotated[str, typer.Option(help="Why.")]
Items = Annotated[list[int] | None, typer.Option("--item", min=1, max=MAX_ID, help="Only this item; may be repeated.")]


@app.command("list", epilog="tutela case list --state escalated")
def list_(
    context: typer.Context,
    state: Annotated[list[str] | None, typer.Option(help="open, claimed, second-opinion, escalated, decided.")] = None,
    queue: Annotated[str | None, typer.Option(help="match, unscreened, intake, contact or appeal.")] = None,
    label: Annotated[str | None, typer.Option(help="Only cases of this label.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
) -> None:
    """Cases, the most urgent first."""
    from rich.markup import escape

    from tutela.casework.cases.model import CaseState, Queue
    from tutela.casework.cases.service import UNDECIDED
    from tutela.cli.output import print_table

    with _cases(context) as cases:
        found = cases.queue(
            states=[_choice(CaseState, one) for one in state] if state else UNDECIDED,
            queue=_choice(Queue, queue) if queue else None,
            label=label,
            limit=limit,
        )
    rows = [
        [
            case.id,
            case.state.value,
            case.queue.value,
            str(case.urgency),
            escape(case.label or ""),
            f"{case.undecided} of {case.items}",
            case.opened_at.isoformat(timespec="minutes"),
            escape(case.claim.by) if case.claim else "",
        ]
        for case in found
    ]
    print_table(("id", "state", "queue", "urgency", "label", "undecided", "opened", "claimed by"), rows)
    if len(found) == limit:
        typer.echo(f"there may be more than {limit:,}: see --limit", err=True)


@app.command()
def show(context: typer.Context, case: Id) -> None:
    """A case with its items, decisions and history, as JSON."""
    from tutela.casework.cases.documents import case_document
    from tutela.cli.output import print_json

    with _cases(context) as cases:
        print_json(case_document(cases.get(case), cases.history(case, reader=actor())))


@app.command()
def claim(context: typer.Context, case: Id) -> None:
    """Take a case for a quarter of an hour."""
    with _cases(context) as cases:
        found = cases.claim(case, by=actor())
    assert found.claim is not None
    typer.echo(f"case {found.id} is yours until {found.claim.until.isoformat(timespec='minutes')}")


@app.command()
def release(context: typer.Context, case: Id) -> None:
    """Give a claim back."""
    with _cases(context) as cases:
        cases.release(case, by=actor())
    typer.echo(f"case {case} is free")


@app.command(epilog="tutela case decide ID reject --reason 'a statue'")
def decide(
    context: typer.Context,
    case: Id,
    outcome: Annotated[str, typer.Argument(help="confirm, reject, against-rules or escalate.")],
    reason: Reason,
    label: Annotated[str | None, typer.Option(help="The class; needed to confirm.")] = None,
    item: Items = None,
    senior: Annotated[bool, typer.Option("--senior", help="As a lead, of what is escalated.")] = False,
) -> None:
    """Decide of a case's items, by default all that you may."""
    from tutela.casework.cases.outcomes import Outcome

    with _cases(context) as cases:
        chosen = _choice(Outcome, outcome)
        found = cases.decide(case, chosen, by=actor(), reason=reason, label=label, item_ids=item, senior=senior)
    typer.echo(f"case {found.id} is {found.state.value}")


@app.command()
def similar(context: typer.Context, case: Id) -> None:
    """Undecided items of other cases that show nearly the same pictures, as JSON lines."""
    from tutela.casework.cases.documents import item_document
    from tutela.cli.output import print_json

    with _cases(context) as cases:
        for one in cases.similar(case):
            print_json(item_document(one) | {"case": one.case_id})


@app.command("decide-similar", epilog="tutela case decide-similar ID reject --reason 'the same statue'")
def decide_similar(
    context: typer.Context,
    case: Id,
    outcome: Annotated[str, typer.Argument(help="confirm, reject, against-rules or escalate.")],
    reason: Reason,
    label: Annotated[str | None, typer.Option(help="The class; needed to confirm.")] = None,
    item: Items = None,
    senior: Annotated[bool, typer.Option("--senior", help="As a lead, of what is escalated.")] = False,
) -> None:
    """One decision for what `similar` shows, by default all of it. Exit code 1 when a case of it is left."""
    from tutela.casework.cases.outcomes import Outcome

    with _cases(context) as cases:
        chosen = _choice(Outcome, outcome)
        found = cases.decide_similar(case, chosen, by=actor(), reason=reason, label=label, item_ids=item, senior=senior)
    for one in found.decided:
        typer.echo(f"case {one} is decided of")
    for one in found.left:
        typer.echo(f"case {one} is left: another person has it, or must decide")
    raise typer.Exit(1 if found.left else 0)


@app.command()
def reopen(context: typer.Context, case: Id, reason: Reason, item: Items = None) -> None:
    """Set decisions aside, as after a complaint."""
    with _cases(context) as cases:
        found = cases.reopen(case, by=actor(), reason=reason, item_ids=item)
    typer.echo(f"case {found.id} is {found.state.value}")


def _choice(kind: type[Choice], text: str) -> Choice:
    from tutela.errors import InputError

    try:
        return kind(text)
    except ValueError:
        raise InputError("{text!r} is none of {kind}", text=text, kind=", ".join(kind)) from None


@contextmanager
def _cases(context: typer.Context) -> Iterator["Cases"]:
    """The cases, with all that follows a decision; a running service delivers what is decided here."""
    with context.obj.casework() as casework:
        yield casework.cases
