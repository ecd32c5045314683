"""`tutela appeal`: appeals against blocked pages and names. Their words are sealed; the console opens them."""

from typing import TYPE_CHECKING, Annotated

import typer

from tutela.cli.state import actor

if TYPE_CHECKING:
    from tutela.casework.appeals import Appeal

app = typer.Typer(no_args_is_help=True, help="Appeals against blocked pages and names, each with 24 hours.")

AppealId = Annotated[str, typer.Argument(help="As `tutela appeal list` shows it.")]


@app.command("list", epilog="tutela appeal list --state open")
def list_(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="open, lifted or upheld.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """Appeals, the one that is due first at the top."""
    from tutela.casework.appeals import AppealState
    from tutela.cli.output import print_json, print_table
    from tutela.errors import InputError

    if state is not None and state not in set(AppealState):
        raise InputError("a state is one of {appealstate}", appealstate=", ".join(AppealState))
    with context.obj.casework() as casework:
        found = casework.appeals.all(state=AppealState(state) if state else None)
    if json:
        for one in found:
            print_json(_document(one))
        return
    rows = [
        [
            one.id,
            one.state.value,
            one.due_at.isoformat(timespec="minutes"),
            one.reference,
            str(one.entry_id),
            ", ".join(one.signs),
            "yes" if one.suspended else "no",
        ]
        for one in found
    ]
    print_table(("id", "state", "due", "reference", "entry", "signs of error", "suspended"), rows)


@app.command(epilog="tutela appeal suspend 1f0a")
def suspend(context: typer.Context, appeal: AppealId) -> None:
    """Have the entry count for nothing until the appeal is answered."""
    with context.obj.casework() as casework:
        found = casework.appeals.suspend(appeal, actor=actor())
    typer.echo(f"suspended: entry {', '.join(map(str, found.suspended)) or 'none'}")


@app.command(epilog="tutela appeal answer 1f0a --lift --reason 'a page of an encyclopaedia'")
def answer(
    context: typer.Context,
    appeal: AppealId,
    lift: Annotated[bool, typer.Option("--lift/--uphold", help="Whether it was listed in error.")],
    reason: Annotated[str, typer.Option(help="Why.")],
) -> None:
    """Answer an appeal, by deciding its case: it was listed in error, or stays listed."""
    from tutela.casework.cases.outcomes import Outcome

    with context.obj.casework() as casework:
        found = casework.appeals.get(appeal)
        outcome = Outcome.LIFT if lift else Outcome.UPHOLD
        casework.cases.decide(found.case_id, outcome, by=actor(), reason=reason)
        found = casework.appeals.get(appeal)
    typer.echo(f"appeal {found.id} is {found.state}{', late' if found.late else ''}")


def _document(appeal: "Appeal") -> dict[str, object]:
    return {
        "id": appeal.id,
        "state": appeal.state.value,
        "reference": appeal.reference,
        "entry": appeal.entry_id,
        "case": appeal.case_id,
        "signs": [sign.value for sign in appeal.signs],
        "suspended": list(appeal.suspended),
        "received_at": appeal.received_at.isoformat(),
        "due_at": appeal.due_at.isoformat(),
        "late": appeal.late,
        "wants_answer": appeal.wants_answer,
    }
