"""`tutela exchange`: outside hash lists, pulled into banks and given back to."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tutela.cli.state import MAX_ID

if TYPE_CHECKING:
    from tutela.lists.exchanges.service import ExchangeRow, Exchanges

app = typer.Typer(no_args_is_help=True, help="Outside hash lists: pulled into banks, and given back to.")

Name = Annotated[str, typer.Argument(help="The exchange's name.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", help="NAME=VALUE, see `tutela exchange kinds`; a secret as env:NAME or file:/path."),
]
Interval = Annotated[int | None, typer.Option(min=1, max=2**31 - 1, help="Seconds between two pulls.")]
StaleAfter = Annotated[int | None, typer.Option(min=1, max=2**31 - 1, help="Seconds after which its list is too old.")]
Feedback = Annotated[
    bool | None, typer.Option("--feedback/--no-feedback", help="Hand in reviewers' decisions on its entries.")
]
Seen = Annotated[bool | None, typer.Option("--seen/--no-seen", help="Tell it of the first match of each entry.")]
ShareBank = Annotated[str | None, typer.Option(help="Hand in the entries of this bank; '' for none.")]
ShareLabels = Annotated[list[str] | None, typer.Option("--share-label", help="Only entries of this label.")]


@app.command(
    epilog="tutela exchange add ncmec --kind ncmec --bank known -o user=env:NCMEC_USER -o password=file:/run/ncmec"
)
def add(
    context: typer.Context,
    name: Name,
    kind: Annotated[str, typer.Option(help="See `tutela exchange kinds`.")],
    bank: Annotated[str, typer.Option(help="The bank that it fills.")],
    option: Options = None,
    interval: Interval = None,
    stale_after: StaleAfter = None,
    feedback: Feedback = None,
    seen: Seen = None,
    share_bank: ShareBank = None,
    share_label: ShareLabels = None,
) -> None:
    """Write an exchange down. The service pulls it from now on; `test` and `pull` do it at once."""
    from tutela.cli.state import actor
    from tutela.lists.exchanges.service import INTERVAL_S, STALE_AFTER_S, Giving

    with _exchanges(context) as exchanges:
        giving = Giving(bool(feedback), bool(seen), share_bank or None, tuple(share_label or ()))
        exchanges.add(
            name,
            kind,
            bank,
            _pairs(option),
            interval_s=interval or INTERVAL_S,
            stale_after_s=stale_after or STALE_AFTER_S,
            giving=giving,
            actor=actor(),
        )
        typer.echo(f"added exchange {name}; next: tutela exchange test {name}")


@app.command(epilog="tutela exchange update ncmec --interval 600  ·  tutela exchange update ncmec --disable")
def update(
    context: typer.Context,
    name: Name,
    option: Options = None,
    interval: Interval = None,
    stale_after: StaleAfter = None,
    enable: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether the service pulls it.")] = None,
    feedback: Feedback = None,
    seen: Seen = None,
    share_bank: ShareBank = None,
    share_label: ShareLabels = None,
) -> None:
    """Change an exchange; what is not named stays."""
    from dataclasses import replace

    with _exchanges(context) as exchanges:
        giving = exchanges.get(name).giving
        if feedback is not None:
            giving = replace(giving, feedback=feedback)
        if seen is not None:
            giving = replace(giving, seen=seen)
        if share_bank is not None:
            giving = replace(giving, share_bank=share_bank or None)
        if share_label is not None:
            giving = replace(giving, share_labels=tuple(share_label))
        exchanges.update(
            name,
            options=_pairs(option) or None,
            enabled=enable,
            interval_s=interval,
            stale_after_s=stale_after,
            giving=giving,
        )
        typer.echo(f"changed exchange {name}")


@app.command()
def kinds() -> None:
    """What can be added, with the options of each."""
    from rich.markup import escape

    from tutela.cli.output import print_table
    from tutela.lists.exchanges.registry import COMMON
    from tutela.lists.exchanges.registry import kinds as installed

    rows = []
    for kind in installed().values():
        for option in kind.options:
            needed = "needed" if option.required else option.default
            meaning = option.meaning + (f": {', '.join(option.choices)}" if option.choices else "")
            rows.append([kind.name, option.name, "secret" if option.secret else "", escape(needed), escape(meaning)])
    rows += [["every kind", name, "", "", escape(meaning)] for name, meaning in COMMON.items()]
    print_table(("kind", "option", "secret", "default", "meaning"), rows)


@app.command()
def test(context: typer.Context, name: Name) -> None:
    """Ask who we are over there. Nothing is pulled."""
    with _exchanges(context) as exchanges:
        connection = exchanges.open(exchanges.get(name))
        try:
            typer.echo(f"{name}: {connection.test()}")
        finally:
            connection.close()


@app.command(epilog="tutela exchange pull ncmec  ·  tutela exchange pull ncmec --full")
def pull(
    context: typer.Context,
    name: Name,
    full: Annotated[bool, typer.Option("--full", help="From the beginning; what it lacks is withdrawn.")] = False,
    accept_shrinking: Annotated[
        bool, typer.Option("--accept-shrinking", help="Even if the list lacks much of what it had.")
    ] = False,
    accept_growth: Annotated[
        bool,
        typer.Option("--accept-growth", help="Even if a list that networks block by grew or widened as none does."),
    ] = False,
) -> None:
    """Pull what changed, now. A pull that was killed goes on where it was."""
    from tutela.cli.output import complain, err, visible
    from tutela.cli.state import actor
    from tutela.lists.exchanges.puller import Puller, PullResult

    with _exchanges(context) as exchanges, err.status(f"pulling {name}") as status:

        def show(so_far: PullResult) -> None:
            status.update(f"pulling {name}: {so_far.pages:,} pages, {so_far.listed:,} listed")

        result = Puller(exchanges).pull(
            name, actor=actor(), full=full, accept_shrinking=accept_shrinking, accept_growth=accept_growth, on_page=show
        )
    typer.echo(
        f"{name}: {result.listed:,} listed, {result.changed:,} changed, {result.withdrawn:,} withdrawn,"
        f" {result.unchanged:,} unchanged, {result.rejected:,} not readable, {result.flagged:,} flagged"
    )
    for place in result.unreadable:
        complain(f"not readable and left out: {visible(place)}")
    if len(result.unreadable) < result.rejected:
        complain(f"and {result.rejected - len(result.unreadable):,} more")


@app.command()
def status(context: typer.Context, json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False) -> None:
    """Every exchange: when it was pulled, what it holds, what is wrong. Exit code 1 when a list is too old."""
    from rich.markup import escape

    from tutela.cli.output import print_json, print_table

    with _exchanges(context) as exchanges:
        rows, at = exchanges.all(), datetime.now(UTC)
    for row in rows if json else []:
        print_json(
            {
                "name": row.name,
                "kind": row.kind,
                "bank": row.bank,
                "enabled": row.enabled,
                "stale": row.stale(at),
                "age_s": round(row.age_s(at)),
                "pulled_at": row.pulled_at.isoformat() if row.pulled_at else None,
                "next_at": row.next_at.isoformat(),
                "listed": row.listed,
                "not_readable": row.rejected,
                "failures": row.failures,
                "error": row.error,
            }
        )
    if not json:
        table = [
            [
                escape(row.name),
                row.kind,
                row.bank,
                _state(row, at),
                row.pulled_at.isoformat(timespec="seconds") if row.pulled_at else "never",
                f"{row.listed:,}",
                f"{row.rejected:,}" if row.rejected else "",
                str(row.failures or ""),
                escape(row.error or ""),
            ]
            for row in rows
        ]
        print_table(
            ("exchange", "kind", "bank", "state", "pulled", "entries", "not readable", "failures", "error"), table
        )
    raise typer.Exit(1 if any(row.stale(at) for row in rows) else 0)


@app.command()
def show(context: typer.Context, name: Name) -> None:
    """One exchange: its options (secrets as references), fingerprints of unknown types, entries that are flagged."""
    from rich.markup import escape

    from tutela.cli.output import print_table

    with _exchanges(context) as exchanges:
        row = exchanges.get(name)
        unknown, flags = exchanges.unknown_fingerprints(name), exchanges.flags(name)
    typer.echo(f"{row.name}: {row.kind} into bank {row.bank}, every {row.interval_s} s")
    for option, text in sorted(row.options.items()):
        typer.echo(f"  {option} = {text}")
    for type_name, count in unknown.items():
        typer.echo(f"fingerprints of unknown type {type_name}: {count:,} entries, kept raw")
    if flags:
        print_table(("entry", "flag", "detail"), [[str(entry), flag, escape(detail)] for entry, flag, detail in flags])


@app.command(epilog="tutela exchange push ncmec")
def push(context: typer.Context, name: Name) -> None:
    """Write what is new in the shared bank into the outbox, which delivers it."""
    from tutela.lists.exchanges.feedback import share_new

    with _exchanges(context) as exchanges:
        typer.echo(f"{share_new(exchanges, name):,} entries are on their way to {name}")


@app.command(epilog="tutela exchange lookup shield pdq:d8f8…")
def lookup(
    context: typer.Context,
    name: Name,
    values: Annotated[list[str], typer.Argument(help="TYPE:HASH.", show_default=False)],
) -> None:
    """Ask a list that is not given away about hashes; what it knows is listed in its bank. Exit code 1 when any is."""
    from tutela.cli.output import print_json
    from tutela.cli.state import actor
    from tutela.lists.exchanges.inquiry import look_up

    pairs = [(signal, value) for signal, _, value in (text.partition(":") for text in values)]
    with _exchanges(context) as exchanges:
        findings = look_up(exchanges, name, pairs, actor=actor())
    for finding in findings:
        print_json({"signal": finding.signal, "value": finding.value, "label": finding.label})
    raise typer.Exit(1 if findings else 0)


@app.command(epilog="tutela exchange clear 4711 low-detail")
def clear(
    context: typer.Context,
    entry: Annotated[int, typer.Argument(min=1, max=MAX_ID, help="As `tutela exchange show` shows it.")],
    flag: Annotated[str, typer.Argument(help="low-detail, allow-list or rejected.")],
) -> None:
    """Take a mark away from an entry, because you looked at it."""
    from tutela.cli.state import actor
    from tutela.lists.exchanges.hygiene import clear_flag, flag_named

    with _exchanges(context) as exchanges, exchanges.store.write() as connection:
        clear_flag(connection, entry, flag_named(flag), actor=actor())
    typer.echo(f"entry {entry} is no longer marked {flag}")


@app.command()
def remove(
    context: typer.Context, name: Name, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Forget an exchange and withdraw its entries."""
    from tutela.cli.state import actor

    with _exchanges(context) as exchanges:
        row = exchanges.get(name)
        if not yes:
            typer.confirm(f"withdraw {row.listed:,} entries of {name} from bank {row.bank}?", abort=True)
        typer.echo(f"removed exchange {name}; {exchanges.remove(name, actor=actor()):,} entries withdrawn")


def _state(row: "ExchangeRow", at: datetime) -> str:
    from tutela.cli.output import coloured

    if not row.enabled:
        return "disabled"
    return coloured("fail" if row.stale(at) else "warn" if row.failures or row.rejected else "ok")


def _pairs(options: list[str] | None) -> dict[str, str]:
    pairs = dict(text.partition("=")[::2] for text in options or ())
    if "" in pairs:
        raise typer.BadParameter("an option is NAME=VALUE")
    return pairs


@contextmanager
def _exchanges(context: typer.Context) -> Iterator["Exchanges"]:
    from tutela.cli.store import open_store
    from tutela.lists.banks.service import Banks
    from tutela.lists.exchanges.service import Exchanges

    settings = context.obj.settings()
    settings.permit_networks()
    store = open_store(settings)
    try:
        yield Exchanges(Banks(store, settings.home))
    finally:
        store.close()
