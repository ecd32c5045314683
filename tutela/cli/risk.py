"""`tutela risk`: contacts and conversations as a risk with reasons."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tutela.screening.conversations.replay import WouldBe
    from tutela.screening.conversations.strata import Stratum

app = typer.Typer(no_args_is_help=True, help="Contacts and conversations as a risk, with reasons.")


@app.command(epilog="tutela risk explain account-17  ·  tutela risk explain account-17 --json")
def explain(
    context: typer.Context,
    account: Annotated[str, typer.Argument(help="As the platform names it in its events.")],
    json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False,
) -> None:
    """Say what an account's level rests on: reasons with counts and times, and what no score can say."""
    import json as as_text
    from datetime import UTC, datetime

    from rich.markup import escape

    from tutela.cli.output import print_table
    from tutela.screening.conversations.service import LIMITS

    with context.obj.deployment() as deployment:
        found = deployment.conversations.risk(account)
    if json:
        typer.echo(as_text.dumps(found.document()))
        return
    typer.echo(f"level raised: {found.level.word}; by its acts now: {found.now.level.word}")
    rows = [
        [
            reason.code,
            str(reason.count),
            str(reason.people),
            *(
                datetime.fromtimestamp(at, UTC).isoformat(timespec="minutes")
                for at in (reason.first_at, reason.last_at)
            ),
            f"{reason.share:.0%}",
            escape(reason.known),
        ]
        for reason in found.reasons
    ]
    print_table(("reason", "times", "accounts", "first", "last", "share of the score", "ages are"), rows)
    if found.coverage.not_covered:
        typer.echo(
            f"language not covered: {found.coverage.not_covered} of {found.coverage.messages} messages"
            " are in a language that your model does not read, or came before there was a model"
        )
    for limit in LIMITS:
        typer.echo(f"- {limit}")


@app.command(epilog="tutela risk replay --policy next.toml  ·  tutela risk replay --groups accounts.csv")
def replay(
    context: typer.Context,
    policy: Annotated[
        Path | None, typer.Option(help="Another policy; the home's, or the shipped one, without it.")
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(help="A CSV file account,language,region: alarms of each group; it is not kept.")
    ] = None,
) -> None:
    """Say what a policy would have made of the events of the last 30 days. Nothing is raised."""
    from tutela.errors import InputError
    from tutela.screening.conversations.policy import read_policy
    from tutela.screening.conversations.strata import NO_GROUPS, read_grouping

    if policy is not None and not policy.exists():
        raise InputError("there is no file {policy}", policy=policy)
    grouping = read_grouping(groups) if groups is not None else NO_GROUPS
    with context.obj.deployment() as deployment:
        found = deployment.conversations.replay(read_policy(policy) if policy is not None else None, grouping)
    typer.echo(f"{found.accounts:,} accounts, {found.events:,} events, {found.days:.1f} days")
    if not found.events:
        typer.echo("there is nothing to replay yet: send events first")
        return
    _print_would_be({**{f"level {name}": one for name, one in found.levels.items()}, **found.rules})
    _print_strata("age", found.by_age)
    for name, of_group in found.by_group.items():
        _print_strata(name, of_group)
    for name, count in found.unknown.items():
        typer.echo(f"rule {name} could not be told {count:,} times")


@app.command(epilog="tutela risk shadow")
def shadow(context: typer.Context) -> None:
    """Say what the rules in shadow would have raised."""
    with context.obj.deployment() as deployment:
        conversations = deployment.conversations
        found = conversations.replay()
        waiting = [rule.name for rule in conversations.policy.rules if rule.state.value == "shadow"]
    if not waiting:
        typer.echo("no rule is in shadow")
    elif not found.events:
        typer.echo(f"there are no events yet; in shadow: {', '.join(waiting)}")
    else:
        _print_would_be({name: found.rules[name] for name in waiting})


@app.command(epilog="tutela risk calibrate --budget 1000 --feature trust")
def calibrate(
    context: typer.Context,
    budget: Annotated[float, typer.Option(help="Alarms a million accounts, over what the ledger holds.")],
    feature: Annotated[str, typer.Option(help="contact, trust, coercion, score, or a count.")] = "score",
) -> None:
    """Say from which value on a feature keeps a budget of alarms; refused where there are too few accounts to say."""
    from tutela.screening.conversations.calibration import wrong_of_hundred

    with context.obj.deployment() as deployment:
        found = deployment.conversations.calibrate(feature, budget)
    typer.echo(
        f"{feature} >= {found.value:g}: {found.over} of {found.accounts:,} accounts,"
        f" {found.least_per_million:,.0f} to {found.most_per_million:,.0f} a million"
    )
    typer.echo(f"about {wrong_of_hundred(budget):.0f} of 100 such alarms are wrong, if 20 of a million are right")


@app.command(epilog="tutela risk train ordinary.txt --key review.key  ·  tutela risk train --back")
def train(
    context: typer.Context,
    ordinary: Annotated[Path | None, typer.Argument(help="Ordinary messages, a line each; at least 6,000.")] = None,
    key: Annotated[Path | None, typer.Option(help="The review key, which opens what people confirmed.")] = None,
    back: Annotated[bool, typer.Option("--back", help="Put the model before the present one in its place.")] = False,
) -> None:
    """Make a model of messages from finally confirmed cases; a worse one is refused, and the one before stays.

    With an encoder in the home, what was confirmed is remembered as vectors too, sealed.
    """
    from tutela.cli.state import actor
    from tutela.errors import InputError

    home = context.obj.settings().home
    if back:
        with context.obj.casework() as casework:
            version = casework.return_to_model_before(home, actor=actor())
        typer.echo(f"model {version}, the one before, is in place; start the service again")
        return
    if ordinary is None or key is None:
        raise InputError("give a file of ordinary messages, and --key FILE")
    try:
        lines = [line for line in ordinary.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise InputError("{file} cannot be read: {why}", file=ordinary, why=error.strerror) from None
    except UnicodeDecodeError:
        raise InputError("{file} is not text in UTF-8", file=ordinary) from None
    with context.obj.casework(key) as casework:
        made = casework.train(home, lines, actor=actor())
    learnt = made.model.made_from["positive"]
    typer.echo(f"model {made.model.version}: {learnt} of {made.given} confirmed messages are learnt")
    if int(learnt) < made.given:
        typer.echo("the others stand among ordinary talk, or only one person confirmed them")
    typer.echo("it is in place; start the service again" if made.is_new else "it is in place already: nothing changed")


@app.command(epilog="tutela risk edge model.edge")
def edge(context: typer.Context, file: Annotated[Path, typer.Argument(help="Where to write it.")]) -> None:
    """Write the present model for the edge library: the same numbers on a device, without a network or a file."""
    from tutela.errors import InputError
    from tutela.screening.conversations.edge import edge_bytes
    from tutela.screening.conversations.model import FILE, read_model

    settings = context.obj.settings()
    if not (settings.home / FILE).exists():
        raise InputError("there is no model yet: tutela risk train makes one of confirmed cases")
    with context.obj.casework() as casework:
        data = edge_bytes(read_model(settings.home / FILE, casework.store.secret("conversations-memory")))
    try:
        file.write_bytes(data)
    except OSError as error:
        raise InputError("{file} cannot be written: {why}", file=file, why=error.strerror) from None
    typer.echo(f"wrote {file}: {len(data):,} bytes, for tutela_edge_open")


@app.command(epilog="tutela risk approve --by kim")
def approve(
    context: typer.Context,
    by: Annotated[str | None, typer.Option(help="Who approves; whoever runs the command, without it.")] = None,
) -> None:
    """Approve the home's own policy, as another person than its author; its live rules then have effects."""
    from tutela.cli.state import actor

    with context.obj.deployment() as deployment:
        given = deployment.conversations.approve(by or actor())
        detail = {"version": given.version, "by": given.by}
        deployment.casework.audit.record(actor(), "risk.policy.approved", f"policy:{given.version}", detail)
    typer.echo(f"policy {given.version} is approved by {given.by}; start the service again")


@app.command(epilog="tutela risk forget account-17")
def forget(
    context: typer.Context,
    account: Annotated[str, typer.Argument(help="As the platform names it in its events.")],
) -> None:
    """Forget all that is known of an account, in the state and in the ledger."""
    with context.obj.deployment() as deployment:
        erased = deployment.conversations.forget(account)
    typer.echo(f"forgotten: {erased:,} records of the ledger were emptied")


@app.command(epilog="tutela risk consume")
def consume(context: typer.Context) -> None:
    """Read events from the broker that the settings name (conversations.source) and judge them, until told to stop.

    Run it as often as needed, on as many machines: partitions go to whoever is there, and move when a process is gone.
    """
    from tutela.casework.evidence.memory import start_anew_with_clean_memory
    from tutela.errors import InputError, NotReadyError

    settings = context.obj.settings()
    if (source := settings.conversations.source) is None:
        raise InputError("nothing says where events come from: set [conversations.source]")
    start_anew_with_clean_memory()  # before what follows is loaded
    import signal
    import threading

    from tutela.deployment.conversations import open_conversations
    from tutela.foundation.logs import configure_logs
    from tutela.screening.conversations.consumer import EventConsumer
    from tutela.screening.conversations.fleet import ConversationFleet
    from tutela.screening.conversations.sources import open_source

    configure_logs()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with context.obj.casework() as casework:
        conversations = open_conversations(settings.home, casework, settings.conversations)
        if not isinstance(conversations, ConversationFleet):
            raise InputError("conversations are not enabled: set [conversations] enabled = true")
        try:
            if why := conversations.shortcomings():
                raise NotReadyError("{why}", why="; ".join(why))
            EventConsumer(open_source(source), conversations, said=typer.echo).run(stopping)
        finally:
            conversations.close()


def _two_digits(number: float) -> str:
    """A ratio as people read it: 710, not 7.1e+02."""
    return f"{float(f'{number:.2g}'):,g}"


def _print_strata(what: str, found: "Mapping[str, Stratum]") -> None:
    from rich.markup import escape

    from tutela.cli.output import print_table, visible

    rows = [
        [
            escape(visible(name)),
            f"{one.alarmed:,} of {one.accounts:,}",
            _two_digits(one.ratio),
            f"{_two_digits(one.least)} to {_two_digits(one.most)}",
        ]
        for name, one in found.items()
    ]
    print_table((escape(visible(what)), "alarmed", "times the others", "95 %"), rows)


def _print_would_be(found: "Mapping[str, WouldBe]") -> None:
    from tutela.cli.output import print_table
    from tutela.screening.conversations.calibration import wrong_of_hundred

    rows = [
        [
            name,
            f"{one.accounts:,}",
            f"{one.per_million:,.0f}",
            f"{one.least_per_million:,.0f} to {one.most_per_million:,.0f}",
            f"{wrong_of_hundred(one.per_million):.0f}" if one.accounts else "",
        ]
        for name, one in found.items()
    ]
    print_table(("what", "accounts alarmed", "a million", "95 %", "wrong of 100"), rows)
