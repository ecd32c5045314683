"""`tutela stream`: live streams that are watched."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tutela.screening.streams.model import StreamFacts
    from tutela.screening.streams.records import StreamRecords

Id = Annotated[str, typer.Argument(help="As `tutela stream list` shows it; its beginning is enough.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines.")]
By = Annotated[str, typer.Option(help="Who asks; it is written down.")]

app = typer.Typer(no_args_is_help=True, help="Live streams: watched while they run, and cut on a match.")


@app.command(epilog="tutela stream serve")
def serve(context: typer.Context) -> None:
    """Answer media servers and watch their streams until told to stop."""
    settings = context.obj.settings_to_serve()
    from tutela.gateways.streams.process import run

    run(settings)


@app.command("list", epilog="tutela stream list  ·  tutela stream list --ended")
def list_(
    context: typer.Context,
    ended: Annotated[bool, typer.Option("--ended", help="Those that have ended, the latest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 200,
    json: Json = False,
) -> None:
    """Streams that run now, paused ones first and then by what their weak signals weigh. Never a picture."""
    from rich.markup import escape

    from tutela.cli.output import print_json, print_table

    with _records(context) as records:
        found = [(facts, 0.0) for facts in records.all(live=False, limit=limit)] if ended else records.ranked(limit)
    if json:
        for facts, weight in found:
            print_json({**_document(facts), "weight": weight})
        return
    rows = [
        [
            facts.id,
            facts.state.value,
            escape(facts.channel.item),
            _ago(facts.cleared_at),
            f"{facts.samples:,}",
            str(facts.hits),
            str(facts.pauses),
            f"{facts.unwatched_s:.1f}",
            f"{weight:.1f}",
            escape(facts.why),
        ]
        for facts, weight in found
    ]
    print_table(
        ("id", "state", "stream", "cleared", "samples", "hits", "pauses", "unwatched s", "signals", "why"), rows
    )


@app.command(epilog="tutela stream show 07b9644e")
def show(context: typer.Context, stream: Id, json: Json = False) -> None:
    """How one stream stands, and its time line."""
    from datetime import UTC, datetime

    from rich.markup import escape

    from tutela.cli.output import print_json, print_table

    with _records(context) as records:
        facts, events = records.get(stream), records.time_line(stream)
    if json:
        line = [{"at": event.at, "kind": event.kind, "detail": dict(event.detail)} for event in events]
        print_json({**_document(facts), "time_line": line})
        return
    typer.echo(f"{facts.id}  {facts.channel.item}  {facts.state.value}{f' ({facts.why})' if facts.why else ''}")
    rows = [
        [
            datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds"),
            event.kind,
            escape("  ".join(f"{name}={value}" for name, value in event.detail.items() if value not in ("", None))),
        ]
        for event in events
    ]
    print_table(("when", "what", ""), rows)


@app.command(epilog="tutela stream cut 07b9644e --by officer")
def cut(context: typer.Context, stream: Id, by: By = "command line") -> None:
    """End a stream, as a person's decision: its last seconds are sealed and a case is opened."""
    with _records(context) as records:
        facts = records.ask(stream, "cut", by)
    typer.echo(f"stream {facts.id} is being cut")


@app.command(epilog="tutela stream release 07b9644e --by officer")
def release(context: typer.Context, stream: Id, by: By = "command line") -> None:
    """Let viewers in again where a stream is paused; let the publisher come again where it was cut."""
    from tutela.screening.streams.model import LIVE

    with _records(context) as records:
        facts = records.get(stream)
        facts = records.ask(stream, "release", by) if facts.state in LIVE else records.admit_again(stream, by)
    typer.echo(f"stream {facts.id}: {'released' if facts.state in LIVE else 'its publisher may come again'}")


@app.command(epilog="tutela stream whip --to rtmp://127.0.0.1:1935/live --token env:WHIP_TOKEN")
def whip(
    to: Annotated[str, typer.Option(help="The media server's application, which takes RTMP.")],
    token: Annotated[str, typer.Option(help="What publishers carry as bearer token, as env:NAME or file:/path.")] = "",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8084,
) -> None:
    """Take publishers by WebRTC (WHIP) and hand them on to a media server, where they are watched and cut."""
    from tutela.foundation.secrets import check_reference, resolve
    from tutela.gateways.streams.whip import WhipOptions, run

    if token:
        check_reference(token, "token")
    run(WhipOptions(to, resolve(token, "token") if token else ""), host, port)


@app.command(epilog="tutela stream check")
def check(context: typer.Context, json: Json = False) -> None:
    """Ask each media server what it runs, and the gate whether it is ready; say which servers fail open.

    Exit code 1 where one does not answer.
    """
    from rich.markup import escape

    from tutela.cli.output import coloured, print_json, print_table
    from tutela.errors import InputError
    from tutela.gateways.streams.check import check_streams

    settings = context.obj.settings()
    if not settings.named("media_servers"):
        raise InputError("no media server is named: write a table [media_servers.NAME], see docs/live-streams.md")
    found = list(check_streams(settings))
    if json:
        for one in found:
            print_json({"state": one.state, "what": one.what, "detail": one.detail})
    else:
        rows = [[coloured(one.state), escape(one.what), escape(one.detail)] for one in found]
        print_table(("state", "what", "detail"), rows)
    raise typer.Exit(1 if any(one.state == "fail" for one in found) else 0)


class _Records:
    """The records of streams of the settings' database, within a block."""

    def __init__(self, context: typer.Context) -> None:
        from tutela.foundation.home import database_url, prepare_home
        from tutela.foundation.store.database import Store

        settings = context.obj.settings()
        prepare_home(settings.home)
        self._store = Store.create(database_url(settings.home, settings.database_text))

    def __enter__(self) -> "StreamRecords":
        from tutela.screening.streams.records import StreamRecords

        return StreamRecords(self._store)

    def __exit__(self, *_: object) -> None:
        self._store.close()


def _records(context: typer.Context) -> _Records:
    return _Records(context)


def _ago(at: float | None) -> str:
    import time

    return "never" if at is None else f"{max(0.0, time.time() - at):.1f} s ago"


def _document(facts: "StreamFacts") -> dict[str, str | int | float | bool | None]:
    from tutela.screening.streams.model import stream_document

    return stream_document(facts)
