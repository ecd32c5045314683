"""`tutela notice`: takedown notices of authorities."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tutela.cli.state import actor
from tutela.foundation.moments import read_moment

if TYPE_CHECKING:
    from tutela.casework.reports.notices import Notice, Notices

app = typer.Typer(no_args_is_help=True, help="Takedown notices of authorities.")

NoticeId = Annotated[str, typer.Argument(help="As `tutela notice list` shows it.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines.")]


@app.command(epilog="tutela notice add --authority Ofcom --reference R-17 --within 24h --target url=https://…")
def add(
    context: typer.Context,
    authority: Annotated[str, typer.Option(help="Whose notice it is.")],
    reference: Annotated[str, typer.Option(help="The authority's own number.")],
    within: Annotated[str, typer.Option(help="Its clock: 1h, 24h, 90m, 14d.")],
    target: Annotated[list[str], typer.Option(help="url=…, item=…, or a hash as sha256=…; may be repeated.")],
    law: Annotated[str, typer.Option(help="On what ground.")] = "",
    text: Annotated[str, typer.Option(help="What it says.")] = "",
    received: Annotated[str | None, typer.Option(help="When it came, in ISO 8601; now by default.")] = None,
) -> None:
    """Register a notice; the platform is told by webhook, and its clock runs."""
    from tutela.casework.reports.notices import NewTarget, read_clock
    from tutela.errors import InputError

    targets = []
    for one in target:
        kind, equals, value = one.partition("=")
        if not equals:
            raise InputError("{one!r} is no target; it looks like url=https://…, item=… or sha256=…", one=one[:80])
        targets.append(NewTarget(kind, value))
    with _notices(context) as notices:
        made = notices.register(
            authority,
            reference,
            targets,
            within=read_clock(within),
            law=law,
            text=text,
            received_at=read_moment(received) if received else None,
            actor=actor(),
        )
    typer.echo(f"notice {made.id} is due {made.due_at.isoformat(timespec='minutes')}")


@app.command("list")
def list_(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="open, answered or withdrawn.")] = None,
    json: Json = False,
) -> None:
    """Notices, the one that is due first at the top."""
    from rich.markup import escape

    from tutela.casework.reports.notices import NoticeState
    from tutela.cli.output import print_json, print_table
    from tutela.errors import InputError

    if state is not None and state not in set(NoticeState):
        raise InputError("a state is one of {noticestate}", noticestate=", ".join(NoticeState))
    with _notices(context) as notices:
        found = notices.all(state=NoticeState(state) if state else None)
    if json:
        for one in found:
            print_json(_document(one))
        return
    rows = [
        [
            one.id,
            one.state,
            one.due_at.isoformat(timespec="minutes"),
            escape(one.authority),
            escape(one.reference),
            str(len(one.targets)),
        ]
        for one in found
    ]
    print_table(("id", "state", "due", "authority", "reference", "targets"), rows)


@app.command()
def show(context: typer.Context, notice: NoticeId, json: Json = False) -> None:
    """One notice, what it names, and content of ours that it means."""
    from rich.markup import escape

    from tutela.cli.output import print_json, print_table

    with _notices(context) as notices:
        found, matches = notices.get(notice), notices.matches(notice)
    ours: dict[int, list[str]] = {}
    for one in matches:
        name = f"case {one.case_id}" if one.case_id else f"verdict {one.verdict_id}"
        near = f", at a distance of {one.distance}" if one.distance else ""
        ours.setdefault(one.position, []).append(name + near)
    if json:
        print_json(_document(found) | {"matches": ours})
        return
    rows = [
        [
            str(one.position),
            one.kind,
            escape(one.value),
            one.outcome or "",
            escape(", ".join(ours.get(one.position, []))),
        ]
        for one in found.targets
    ]
    title = f"{found.authority} {found.reference}: {found.state}, due {found.due_at.isoformat(timespec='minutes')}"
    print_table(("position", "kind", "value", "outcome", "ours"), rows, escape(title))


@app.command(epilog="tutela notice answer ID --outcome 0=removed --outcome 1=not-found")
def answer(
    context: typer.Context,
    notice: NoticeId,
    outcome: Annotated[list[str], typer.Option(help="POSITION=removed, not-found or refused; may be repeated.")],
    text: Annotated[str, typer.Option(help="What is said to the authority; a refusal needs it.")] = "",
) -> None:
    """Write down what came of the content that a notice names."""
    from tutela.casework.reports.notices import TargetOutcome
    from tutela.errors import InputError

    outcomes: dict[int, TargetOutcome] = {}
    for one in outcome:
        position, _, name = one.partition("=")
        if not (position.isascii() and position.isdecimal() and len(position) < 6) or name not in set(TargetOutcome):
            raise InputError("{one!r} is no outcome; it looks like 0=removed, 0=not-found or 0=refused", one=one[:80])
        outcomes[int(position)] = TargetOutcome(name)
    with _notices(context) as notices:
        done = notices.answer(notice, outcomes, text=text, actor=actor())
    typer.echo(f"notice {done.id} is {done.state}{', late' if done.late else ''}")


@app.command()
def withdraw(
    context: typer.Context, notice: NoticeId, reason: Annotated[str, typer.Option(help="What the authority said.")]
) -> None:
    """The authority took a notice back."""
    with _notices(context) as notices:
        typer.echo(f"notice {notices.withdraw(notice, reason=reason, actor=actor()).id} is withdrawn")


@contextmanager
def _notices(context: typer.Context) -> Iterator["Notices"]:
    with context.obj.casework() as casework:
        yield casework.notices


def _document(notice: "Notice") -> dict[str, Any]:
    return {
        "id": notice.id,
        "authority": notice.authority,
        "reference": notice.reference,
        "state": notice.state.value,
        "received_at": notice.received_at.isoformat(),
        "due_at": notice.due_at.isoformat(),
        "late": notice.late,
        "answer": notice.answer,
        "targets": [[one.position, one.kind, one.value, one.outcome] for one in notice.targets],
    }
