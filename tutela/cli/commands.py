"""The commands of `tutela`: the root, and those that belong to no group."""

import os
import sys
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tutela._version import __version__
from tutela.cli.state import CommandState

READER_GONE = 141
"""As a shell says of a program that wrote into a closed pipe; neither "nothing matched" nor "something did"."""
_GROUPS = (
    *("appeal", "audit", "bank", "case", "config", "console", "dns", "evaluate", "evidence", "exchange", "feed"),
    *("gateway", "index", "job", "key", "notice", "outbox", "report", "risk", "stop_page", "store", "stream"),
)
"""Each a module of this package with an `app`."""


class Demonstration(StrEnum):
    """What is shown."""

    UPLOADS = "uploads"
    STREAM = "stream"


class Commands(TyperGroup):
    """The root of the commands: what is left unwritten when one ends is written, or said to be lost."""

    def invoke(self, ctx: Any) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(READER_GONE) from None


app = typer.Typer(
    name="tutela",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Screen content against hash lists, before anyone sees it.",
    epilog="Start:  tutela bank create known --action block  ·  tutela bank import known list.csv --signal pdq"
    "  ·  tutela screen uploads/  ·  tutela key create my-site --scope screen  ·  tutela serve",
)
for group in _GROUPS:
    app.add_typer(import_module(f"tutela.cli.{group}").app, name=group.replace("_", "-"))

Paths = Annotated[list[str], typer.Argument(help="Files, folders (all files below), or - for standard input.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder of the database, the index and run files, instead of TUTELA_HOME.")
    ] = None,
    database: Annotated[str | None, typer.Option(help="Database URL; a SQLite file in the home by default.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file, instead of TUTELA_CONFIG or tutela.toml in the home.")
    ] = None,
    _: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")] = False,
) -> None:
    context.obj = CommandState(home, database, config)


@app.command(epilog="tutela init  ·  tutela --home /var/lib/tutela init --yes --keys /media/officer")
def init(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; take the defaults and the options.")] = False,
    keys: Annotated[
        Path | None, typer.Option(help="Folder for the key that opens evidence; beside the home by default.")
    ] = None,
    print_review_key: Annotated[
        bool, typer.Option("--print-review-key", help="Print that key once, and write it nowhere.")
    ] = False,
    person: Annotated[str, typer.Option(help="Name of the first person in the console.")] = "First reviewer",
    origin: Annotated[str | None, typer.Option(help="Where browsers reach the console.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the HTTP service.")] = 8080,
    console_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the console.")] = 8081,
) -> None:
    """Make a deployment that works: home, settings, keys, an API key, an invitation. Run again, it changes nothing."""
    from tutela.cli.init import run
    from tutela.console.options import ConsoleOptions
    from tutela.deployment.installation import Plan, keys_beside

    settings = context.obj.settings()
    home = settings.home.absolute()
    address = ConsoleOptions(origin=origin or f"http://localhost:{console_port}").origin
    plan = Plan(home, keys or keys_beside(home), print_review_key, address, port, console_port, settings.database)
    run(plan, person, ask=not yes)


@app.command(epilog="tutela serve --port 8080 --workers 4")
def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of service.host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on, instead of service.port.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Service processes, instead of service.workers.")
    ] = None,
) -> None:
    """Run the HTTP service until it is told to stop."""
    settings = context.obj.settings_to_serve()
    from tutela.api.options import ServiceOptions
    from tutela.api.server import serve as run

    options = settings.door(ServiceOptions)
    run(settings, host or options.host, port or options.port, workers or options.workers)


@app.command(epilog="tutela screen uploads/ photo.jpg  ·  curl … | tutela screen - --json")
def screen(
    context: typer.Context,
    paths: Paths,
    json: Annotated[bool, typer.Option("--json", help="JSON lines: a verdict a line, with its path.")] = False,
    views: Annotated[
        str | None, typer.Option(help="Views of each picture: plain, standard or thorough; limits.views otherwise.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="What the files are expected to be: pictures or files; TUTELA_LIMITS__PROFILE otherwise."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep evidence of what is held, and open cases, as the service does.")
    ] = False,
) -> None:
    """Screen files. Exit code 1 when any matched or was held."""
    from tutela.cli.screening import expected, screen_paths, view_set

    with context.obj.deployment() as deployment:
        screener = deployment.screener if keep else deployment.screener.without_custody()
        code = screen_paths(deployment, screener, paths, view_set(views), expected(profile), as_json=json)
        raise typer.Exit(code)


@app.command(epilog="tutela check https://example.org/page  ·  echo 'see example[.]org' | tutela check --text -")
def check(
    context: typer.Context,
    urls: Annotated[list[str] | None, typer.Argument(help="Links.")] = None,
    text: Annotated[str | None, typer.Option(help="Text with links and words; - reads standard input.")] = None,
    purpose: Annotated[str, typer.Option(help="post, chat or search.")] = "post",
    json: Annotated[bool, typer.Option("--json", help="The verdict as a JSON line.")] = False,
) -> None:
    """Check links and words. Exit code 1 when any matched or was held."""
    from tutela.cli.check import check as run
    from tutela.errors import InputError
    from tutela.screening.check import Purpose

    if purpose not in [known.value for known in Purpose]:
        raise InputError(
            "no purpose is called {purpose!r}; there are {purpose_2}", purpose=purpose, purpose_2=", ".join(Purpose)
        )
    with context.obj.deployment() as deployment:
        raise typer.Exit(run(deployment, urls or [], text, Purpose(purpose), as_json=json))


@app.command("hash", epilog="tutela hash --signal pdq photo.jpg")
def hash_(
    context: typer.Context,
    paths: Paths,
    signal: Annotated[
        list[str] | None, typer.Option(help="Only these types; all that can be computed by default.")
    ] = None,
    fast: Annotated[bool, typer.Option(help="As in screening, instead of the exact mode for hashes to share.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """Print the hashes of files."""
    from tutela.cli.screening import hash_paths

    raise typer.Exit(hash_paths(paths, signal or [], context.obj.settings().limits, fast=fast, as_json=json))


@app.command(epilog="tutela tmk listed.tmk upload-1.tmk upload-2.tmk")
def tmk(
    file: Annotated[Path, typer.Argument(help="A .tmk file.")],
    others: Annotated[list[Path], typer.Argument(help=".tmk files that it is compared with.")],
    json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """Compare .tmk files by both levels of TMK+PDQF. Exit code 1 when one matches."""
    from tutela.cli.tmk import compare_files

    raise typer.Exit(compare_files(file, others, as_json=json))


@app.command(epilog="tutela transparency --since 2026-01-01 --until 2026-07-01 --form html --output figures.html")
def transparency(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="First day of the period, such as 2026-01-01.")],
    until: Annotated[str, typer.Option(help="First day after it.")],
    form: Annotated[str, typer.Option(help="csv, json or html.")] = "csv",
    output: Annotated[Path | None, typer.Option(help="A file to write; standard output without it.")] = None,
) -> None:
    """Print transparency figures of a period, counted from the audit log."""
    from tutela.cli.transparency import print_figures

    print_figures(context, since, until, form, output)


@app.command()
def doctor(
    context: typer.Context,
    isolation: Annotated[
        bool,
        typer.Option("--isolation", help="Try in a decoding worker what hostile code would try."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """Check this installation and say what to mend. Exit code 1 when something fails."""
    from tutela.cli.doctor import examine, examine_isolation

    raise typer.Exit(examine_isolation(as_json=json) if isolation else examine(context.obj.settings(), as_json=json))


@app.command(epilog="tutela selftest  ·  tutela selftest --url http://127.0.0.1:8080")
def selftest(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(help="Ask this running service; its key is in TUTELA_KEY.")] = None,
    holds: Annotated[
        bool, typer.Option("--holds", help="Also send the service a damaged picture, for which it may open a case.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """Prove end to end, with canaries, that matching works. Exit code 1 when it does not."""
    from tutela.cli.selftest import run

    raise typer.Exit(run(context.obj.settings(), url, holds=holds, as_json=json))


@app.command()
def demo(
    context: typer.Context,
    what: Annotated[Demonstration, typer.Argument(help="uploads, or stream: a live stream that is cut.")] = (
        Demonstration.UPLOADS
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="First port to try.")] = 8080,
    stop: Annotated[bool, typer.Option("--stop", help="Stop what an earlier demo left running.")] = False,
    draw: Annotated[
        Path | None, typer.Option(help="Only draw the pictures into this folder: known/ and uploads/.")
    ] = None,
) -> None:
    """Make a bank of benign pictures, screen altered copies of them, and leave service and console running.

    `stream` pushes a benign film with one of them in it to nginx-rtmp instead, and shows it being cut.
    """
    from tutela.cli import demo as demonstration

    if draw is not None:
        demonstration.draw_pictures(draw)
        return
    settings = context.obj.settings()
    if what is Demonstration.STREAM and not stop:
        from tutela.cli import demo_stream

        raise typer.Exit(demo_stream.run(settings))
    raise typer.Exit(demonstration.stop(settings.home) if stop else demonstration.run(settings, port))
