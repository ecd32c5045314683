"""`tutela bank`: banks, entries, lists."""

import csv
import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, cast

import typer

from tutela.cli.state import MAX_ID
from tutela.lists.banks.model import Action, BankKind, BankUse, EntryState

if TYPE_CHECKING:
    from _csv import Writer

    from tutela.lists.banks.columns import Columns
    from tutela.lists.banks.service import Banks

app = typer.Typer(no_args_is_help=True, help="Hash lists: make, fill, change, withdraw, import, export.")

Name = Annotated[str, typer.Argument(help="The bank's name.")]
Threshold = Annotated[
    list[str] | None, typer.Option("--threshold", help="Largest distance that matches, as pdq=31; may be repeated.")
]
Quality = Annotated[int | None, typer.Option(min=0, max=100, help="Least quality of a picture that matches.")]
LabelOption = Annotated[str | None, typer.Option(help="Classification; see `tutela bank labels`.")]
Use = Annotated[
    list[BankUse] | None,
    typer.Option("--use", help="Where it counts; may be repeated. Without it: platform and search."),
]
Reason = Annotated[str, typer.Option(help="Why; kept in the history.")]
EntryIds = Annotated[
    list[int], typer.Argument(min=1, max=MAX_ID, help="Entry ids, as `tutela bank entries` shows them.")
]


@app.command(
    epilog="tutela bank create known --action block --label A1  ·  tutela bank create false-matches --kind allow"
)
def create(
    context: typer.Context,
    name: Name,
    kind: Annotated[BankKind, typer.Option(help="known, or allow for a list of known false matches.")] = BankKind.KNOWN,
    action: Annotated[Action, typer.Option(help="What a match asks for.")] = Action.HOLD,
    threshold: Threshold = None,
    min_quality: Quality = None,
    label: LabelOption = None,
    description: Annotated[str, typer.Option(help="What it holds, for people.")] = "",
    use: Use = None,
) -> None:
    """Make a bank."""
    from tutela.lists.banks.model import USUAL_USES, Policy

    policy = Policy(action, _thresholds(threshold), 50 if min_quality is None else min_quality)
    with _banks(context) as (banks, actor):
        uses = use or USUAL_USES
        banks.create(name, kind=kind, label=label, description=description, policy=policy, uses=uses, actor=actor)
        typer.echo(f"made bank {name}")


@app.command("list")
def list_(context: typer.Context) -> None:
    """Every bank."""
    from rich.markup import escape

    from tutela.cli.output import print_table

    with _banks(context) as (banks, _):
        rows = []
        for bank in banks.all():
            counts = banks.counts(bank.name)
            rows.append(
                [
                    bank.name,
                    bank.kind.value,
                    bank.policy.action.value,
                    ", ".join(f"{signal}={value}" for signal, value in bank.policy.thresholds.items()),
                    str(bank.policy.min_quality),
                    escape(bank.label or ""),
                    "yes" if bank.enabled else "no",
                    f"{counts[EntryState.ACTIVE]:,}",
                    f"{counts[EntryState.DISABLED] + counts[EntryState.WITHDRAWN]:,}",
                ]
            )
    columns = ("bank", "kind", "action", "thresholds", "quality", "label", "enabled", "active", "not active")
    print_table(columns, rows)


@app.command(epilog="tutela bank update known --threshold pdq=25  ·  tutela bank update known --disable")
def update(
    context: typer.Context,
    name: Name,
    rename: Annotated[str | None, typer.Option(help="A new name.")] = None,
    action: Annotated[Action | None, typer.Option(help="What a match asks for.")] = None,
    threshold: Threshold = None,
    min_quality: Quality = None,
    label: LabelOption = None,
    description: Annotated[str | None, typer.Option(help="What it holds, for people.")] = None,
    enable: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether its entries count.")] = None,
    use: Use = None,
) -> None:
    """Change a bank; what is not named stays."""
    from tutela.lists.banks.model import Policy

    with _banks(context) as (banks, actor):
        now = banks.get(name).policy
        policy = Policy(
            action or now.action,
            {**now.thresholds, **_thresholds(threshold)},
            now.min_quality if min_quality is None else min_quality,
        )
        banks.update(
            name,
            new_name=rename,
            label=label,
            description=description,
            policy=policy,
            enabled=enable,
            uses=use or None,
            actor=actor,
        )
        typer.echo(f"changed bank {rename or name}")


@app.command(epilog="tutela bank add known photo.jpg  ·  tutela bank add known --signal md5 --value 0f1e…")
def add(
    context: typer.Context,
    name: Name,
    paths: Annotated[
        list[str] | None, typer.Argument(help="Pictures and videos that the curator holds; their hashes are listed.")
    ] = None,
    signal: Annotated[
        list[str] | None, typer.Option(help="Type of the values; or which hashes of the pictures.")
    ] = None,
    value: Annotated[list[str] | None, typer.Option(help="A value in its text form; may be repeated.")] = None,
    label: LabelOption = None,
    reference: Annotated[str, typer.Option(help="Your own name of it.")] = "",
    note: Annotated[str | None, typer.Option(help="Kept beside it, for people.")] = None,
    reason: Annotated[str | None, typer.Option(help="Needed for an allow list: why these are false matches.")] = None,
    views: Annotated[
        bool, typer.Option(help="List further views of pictures too, so that crops and covered copies match.")
    ] = True,
) -> None:
    """List hashes: of pictures, or given ones."""
    import os
    from dataclasses import replace

    from tutela.cli.output import complain
    from tutela.cli.screening import read, samples_of
    from tutela.content.media.content import Mode
    from tutela.content.media.isolation import WorkerPool
    from tutela.content.media.sniff import VIDEOS, sniff
    from tutela.content.views.view_set import ViewSet
    from tutela.errors import InputError, UnscreenableError
    from tutela.lists.banks.plain_pictures import LOOKS_PLAIN, plain_entries, too_plain
    from tutela.lists.banks.values import new_entry, picture_entries
    from tutela.screening.examination import TASK
    from tutela.screening.video.listed import entry_of, frames_of

    if not paths and not value:
        raise InputError("give pictures, or --signal and --value")
    if value and (signal is None or len(signal) != 1):
        raise InputError("values need exactly one --signal")
    entries = [
        new_entry(name_, text, "operator", reference, label, note) for name_ in signal or [] for text in value or []
    ]
    for text, plain in zip(value or [], plain_entries(entries), strict=True):
        if plain:
            complain(f"{text}: {LOOKS_PLAIN}")
    limits = replace(context.obj.settings().limits, views=ViewSet.LISTED if views else ViewSet.PLAIN)
    with WorkerPool(TASK, size=os.cpu_count() or 1, limits=limits) as pool:
        for path in paths or []:
            content = read(path, limits.max_bytes)
            try:
                samples, gaps = samples_of(content, pool, limits, Mode.EXACT, signal or _listed_of(content))
                if sniff(content) in VIDEOS and (not signal or "vpdq" in signal):
                    entries.append(entry_of(frames_of(content, pool, limits), reference, label, note))
            except UnscreenableError as error:
                raise InputError("{path}: {error}", path=path, error=error) from error
            for gap in gaps:
                complain(f"{path}: {gap.message}")
            if plain_picture := too_plain(samples):
                complain(f"{path}: {plain_picture}")
            entries += picture_entries(samples, "operator", reference, label, note)
    with _banks(context) as (banks, actor):
        outcome = banks.add(name, entries, actor=actor, reason=reason)
        typer.echo(
            f"listed {outcome.added}, already there {outcome.unchanged}: {' '.join(map(str, outcome.entry_ids))}"
        )


@app.command()
def entries(
    context: typer.Context,
    name: Name,
    state: Annotated[EntryState | None, typer.Option(help="Only entries in this state.")] = None,
    after: Annotated[int, typer.Option(min=0, max=MAX_ID, help="Only entries with a larger id.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
) -> None:
    """A bank's entries."""
    from rich.markup import escape

    from tutela.cli.output import print_table
    from tutela.content.links.link import with_keys
    from tutela.content.signals.registry import signal_type

    with _banks(context) as (banks, _):
        rows = [
            [
                str(entry.id),
                entry.signal,
                with_keys(signal_type(entry.signal).format(entry.value), entry.keys),
                entry.state.value,
                escape(entry.label or ""),
                escape(entry.source),
                escape(entry.reference),
            ]
            for entry in banks.entries(name, state=state, after=after, limit=limit)
        ]
    print_table(("id", "signal", "value", "state", "label", "source", "reference"), rows)


@app.command()
def withdraw(context: typer.Context, ids: EntryIds, reason: Reason) -> None:
    """Withdraw entries: their source takes them back."""
    _set_state(context, ids, EntryState.WITHDRAWN, reason)


@app.command()
def disable(context: typer.Context, ids: EntryIds, reason: Reason) -> None:
    """Set entries aside; `enable` brings them back."""
    _set_state(context, ids, EntryState.DISABLED, reason)


@app.command()
def enable(context: typer.Context, ids: EntryIds, reason: Reason) -> None:
    """Make entries count again."""
    _set_state(context, ids, EntryState.ACTIVE, reason)


@app.command(epilog="tutela bank confirm 17 --reason 'the page alone was looked at, the host was told'")
def confirm(context: typer.Context, ids: EntryIds, reason: Reason) -> None:
    """Answer, as one of two curators, for entries on a host that many people share."""
    from tutela.lists.banks.guard import CURATORS, ListingGuard

    with _banks(context) as (banks, actor):
        guard = ListingGuard(banks)
        for entry_id in ids:
            banks.confirm(entry_id, reason=reason, actor=actor)
            typer.echo(f"entry {entry_id} is confirmed by {len(guard.curators(entry_id))} of {CURATORS} curators")


@app.command()
def history(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A bank.")] = None,
    entry: Annotated[int | None, typer.Option(min=1, max=MAX_ID, help="An entry's id instead.")] = None,
) -> None:
    """What happened to a bank or to an entry, and who did it."""
    from rich.markup import escape

    from tutela.cli.output import print_table
    from tutela.errors import InputError

    if (name is None) == (entry is None):
        raise InputError("name a bank or give --entry")
    with _banks(context) as (banks, _):
        events = banks.bank_history(str(name)) if entry is None else banks.history(entry)
    rows = [
        [
            event.at.isoformat(timespec="seconds"),
            escape(event.actor),
            escape(event.action),
            escape("; ".join(f"{key}: {value}" for key, value in event.detail.items())),
        ]
        for event in events
    ]
    print_table(("at", "who", "what", "detail"), rows)


@app.command(
    "import",
    epilog="tutela bank import known list.csv.gz --signal pdq --rejects bad.csv  ·  --column value=HASH",
)
def import_(
    context: typer.Context,
    name: Name,
    path: Annotated[
        Path,
        typer.Argument(help="CSV, text, JSON or JSON lines, also .gz; - for standard input."),
    ],
    signal: Annotated[str | None, typer.Option(help="Type of values whose line does not say it.")] = None,
    format: Annotated[str | None, typer.Option(help="csv, text, json or jsonl; by the file's name by default.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="Field=Name of the column that carries it.")] = None,
    source: Annotated[str | None, typer.Option(help="Who made the list; the file's name by default.")] = None,
    reason: Annotated[str | None, typer.Option(help="Needed for an allow list.")] = None,
    resume: Annotated[bool, typer.Option(help="Take up an import of this file that was cut off.")] = True,
    accept_growth: Annotated[
        bool,
        typer.Option("--accept-growth", help="Even if a bank that networks block by grows or widens as none does."),
    ] = False,
    rejects: Annotated[Path | None, typer.Option(help="Write every bad line's number and reason to this file.")] = None,
) -> None:
    """Import a list. Bad lines are reported and the rest is taken; exit code 1 when there were any."""
    from tutela.cli.output import complain, progress_bar, visible
    from tutela.content.signals.registry import signal_type
    from tutela.errors import InputError
    from tutela.lists.banks.files import Format
    from tutela.lists.banks.foreign import is_foreign
    from tutela.lists.banks.lines import BadLine
    from tutela.lists.banks.plain_pictures import LOOKS_PLAIN
    from tutela.lists.banks.service import check_text
    from tutela.lists.banks.transfer import Importer, ImportResult

    try:
        chosen = Format(format) if format else None
    except ValueError:
        raise InputError("formats are {format}", format=", ".join(Format)) from None
    if signal is not None and not is_foreign(signal):
        signal_type(signal)
    piped = _pipe(path)
    if piped is not None and chosen is None:
        raise InputError("the format of what is piped in is not known; say it, as with --format csv")
    source = source or ("standard input" if str(path) == "-" else visible(path.name))
    check_text(source, 255)
    columns = _columns(column)
    with _banks(context) as (banks, actor), progress_bar() as progress, _reject_file(rejects) as writer:
        task = progress.add_task("lines", total=path.stat().st_size if piped is None else None)

        def show(result: ImportResult, position: int) -> None:
            progress.update(task, completed=position, description=f"{result.lines:,} lines")

        def reject(bad: BadLine) -> None:
            if writer is not None:
                writer.writerow((bad.line, bad.reason))

        importer = Importer(banks)
        try:
            if piped is None:
                result = importer.import_file(
                    path,
                    name,
                    actor=actor,
                    format=chosen,
                    signal=signal,
                    columns=columns,
                    source=source,
                    reason=reason,
                    resume=resume,
                    accept_growth=accept_growth,
                    on_progress=show,
                    on_reject=reject,
                )
            else:
                assert chosen is not None
                result = importer.import_stream(
                    piped,
                    name,
                    actor=actor,
                    format=chosen,
                    signal=signal,
                    columns=columns,
                    source=source,
                    reason=reason,
                    accept_growth=accept_growth,
                    on_progress=show,
                    on_reject=reject,
                )
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError("{path} is torn: {error}", path=path, error=error) from error
    if result.resumed_at:
        typer.echo(f"taken up after line {result.resumed_at:,}")
    typer.echo(
        f"{result.lines:,} lines: {result.added:,} listed, {result.unchanged:,} already there,"
        f" {result.rejected:,} rejected"
    )
    for bad in result.rejects:
        complain(f"line {bad.line}: {bad.reason}")
    for hashes in result.left_out:
        complain(f"the hashes in {visible(hashes)} were left out")
    if result.plain:
        complain(f"{result.plain:,} values: {LOOKS_PLAIN}")
    if nothing := not (result.lines or result.resumed_at):
        complain(f"there is nothing in {visible(str(path))}")
    if result.rejected or nothing:
        raise typer.Exit(1)


@app.command(epilog="tutela bank export known --format jsonl > known.jsonl")
def export(
    context: typer.Context,
    name: Name,
    format: Annotated[str, typer.Option(help="csv, text, json or jsonl.")] = "csv",
    state: Annotated[EntryState | None, typer.Option(help="Only entries in this state.")] = None,
) -> None:
    """Write a bank's entries to standard output."""
    from tutela.errors import InputError
    from tutela.lists.banks.files import Format
    from tutela.lists.banks.transfer import export_list

    try:
        chosen = Format(format)
    except ValueError:
        raise InputError("formats are {format}", format=", ".join(Format)) from None
    with _banks(context) as (banks, _):
        for piece in export_list(banks, name, chosen, state=state):
            sys.stdout.buffer.write(piece.encode())  # a list is UTF-8, whatever the terminal is


@app.command()
def labels(context: typer.Context) -> None:
    """The labels that banks and entries may carry."""
    from rich.markup import escape

    from tutela.cli.output import print_table

    with _banks(context) as (banks, _):
        rows = [[escape(label.name), label.scheme, escape(label.meaning)] for label in banks.labels().values()]
    print_table(("label", "scheme", "meaning"), rows)


@contextmanager
def _banks(context: typer.Context) -> Iterator[tuple["Banks", str]]:
    """The banks of the store, without the rest of a deployment, and who acts."""
    from tutela.cli.state import actor
    from tutela.cli.store import open_store
    from tutela.lists.banks.service import Banks

    settings = context.obj.settings()
    store = open_store(settings)
    try:
        yield Banks(store, settings.home), actor()
    finally:
        store.close()


def _pipe(path: Path) -> BinaryIO | None:
    """What can be read only once, and so not be taken up again: standard input or a pipe; None for a file."""
    from tutela.errors import InputError

    if str(path) == "-" and sys.stdin is None:
        raise InputError("standard input is closed")
    try:
        if str(path) != "-" and path.is_file():
            return None
        raw = cast(BufferedReader, sys.stdin.buffer) if str(path) == "-" else path.open("rb")
        compressed = raw.peek(2)[:2] == b"\x1f\x8b"
    except OSError as error:
        raise InputError("{path} cannot be read: {why}", path=path, why=error.strerror) from error
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if compressed else raw


@contextmanager
def _reject_file(path: Path | None) -> Iterator["Writer | None"]:
    from tutela.errors import InputError

    if path is None:
        yield None
        return
    try:
        file = path.open("a", newline="", encoding="utf-8")
    except OSError as error:
        raise InputError("{path} cannot be written: {why}", path=path, why=error.strerror) from error
    with file:
        yield csv.writer(file)


def _set_state(context: typer.Context, ids: list[int], state: EntryState, reason: str) -> None:
    with _banks(context) as (banks, actor):
        for entry_id in ids:
            entry = banks.set_state(entry_id, state, reason=reason, actor=actor)
            typer.echo(f"entry {entry.id} of bank {entry.bank} is {entry.state.value}")


def _listed_of(content: bytes) -> list[str]:
    """What is listed of a file where nothing is asked for: of a video its frames too."""
    from tutela.content.media.sniff import VIDEOS, sniff

    return ["sha256"] if sniff(content) in VIDEOS else ["pdq", "sha256"]


def _thresholds(texts: list[str] | None) -> dict[str, int]:
    from tutela.errors import InputError

    thresholds = {}
    for text in texts or []:
        signal, _, number = text.rpartition("=")
        if not (number.isascii() and number.isdigit()) or len(number) > 9:
            raise InputError("{text!r} is no threshold; write it as pdq=31", text=text)
        thresholds[signal or "pdq"] = int(number)
    return thresholds


def _columns(texts: list[str] | None) -> "Columns | None":
    from tutela.errors import InputError
    from tutela.lists.banks.columns import Columns

    if not texts:
        return None
    named: dict[str, tuple[str, ...]] = {}
    for text in texts:
        field, _, column = text.partition("=")
        if field not in ("value", "signal", "label", "reference", "note") or not column:
            raise InputError(
                "{text!r} names no column; write it as value=HASH, or signal=, label=, reference=, note=", text=text
            )
        named[field] = (column.strip().lower().replace(" ", "_"),)
    return Columns(**named)
