"""`tutela evidence`: the keys it is sealed to, who opened it, how long it is kept, and its end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tutela.cli.state import MAX_ID, actor

if TYPE_CHECKING:
    from tutela.casework.evidence.seal import ReviewKey
    from tutela.casework.evidence.vault import Vault

app = typer.Typer(no_args_is_help=True, help="Sealed evidence.")

Item = Annotated[str, typer.Argument(help="The evidence's id, as `tutela case show` says it.")]
KeyFile = Annotated[Path, typer.Option("--key", help="File of the review key; never kept in the home.")]
Purpose = Annotated[str, typer.Option(help="What it is opened for; the audit log keeps it.")]
Reason = Annotated[str, typer.Option(help="Why; the audit log keeps it.")]


@app.command("new-key", epilog="tutela evidence new-key /media/officer/review.key --passphrase")
def new_key(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where the private key is written: a medium of the officer's own.")],
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Lock it; the passphrase is asked for.")] = False,
) -> None:
    """Make a key that opens evidence: the private half goes to the file and nowhere else, the public is printed."""
    from tutela.casework.evidence.seal import lock_with_passphrase, new_identity
    from tutela.errors import InputError

    if file.resolve().is_relative_to(context.obj.settings().home.resolve()):
        raise InputError("the private key must not lie in the home, which the serving process reads")
    secret, public = new_identity()
    data = f"# opens Tutela's evidence; public key: {public}\n{secret}\n".encode()
    if passphrase:
        data = lock_with_passphrase(data, typer.prompt("passphrase", hide_input=True, confirmation_prompt=True))
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InputError("the key cannot be written to {file}: {why}", file=file, why=error.strerror) from None
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    typer.echo(public)


@app.command()
def show(context: typer.Context, item: Item) -> None:
    """What is known of an item without opening it, its holds, and who opened it."""
    from tutela.casework.audit.log import AuditLog
    from tutela.casework.evidence.retention import Retention
    from tutela.cli.output import print_json

    with _vault(context) as vault:
        found = vault.get(item)
        print_json(
            {
                "id": found.id,
                "state": found.state.value,
                "content_sha256": found.content_sha256,
                "objects": list(found.objects),
                "recipients": list(found.recipients),
                "created_at": found.created_at.isoformat(),
                "keep_until": found.keep_until.isoformat() if found.keep_until else None,
                "holds": [[hold.id, hold.reference] for hold in Retention(vault).holds(item)],
                "history": [
                    [row.at.isoformat(), row.actor, row.action]
                    for row in AuditLog(vault.store).rows(subject=f"evidence:{item}")
                ],
            }
        )


@app.command("open", epilog="tutela evidence open ID --key review.key --purpose 'report 17' --out /secure/file")
def open_(
    context: typer.Context,
    item: Item,
    key: KeyFile,
    purpose: Purpose,
    out: Annotated[Path, typer.Option(help="Where the content is written; it must not exist.")],
    what: Annotated[str, typer.Option(help="content or context.")] = "content",
) -> None:
    """Open an item with the review key, for handing it to an authority. The audit log knows it first."""
    from tutela.errors import InputError

    if what not in ("content", "context"):
        raise InputError("--what is content or context")
    with _vault(context) as vault:
        opening = vault.content if what == "content" else vault.context
        data = opening(item, _review_key(context, key, vault), actor=actor(), purpose=purpose)
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InputError("it cannot be written to {out}: {why}", out=out, why=error.strerror) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    typer.echo(f"{len(data):,} bytes of {what} are in {out}")


@app.command()
def export(
    context: typer.Context,
    item: Item,
    folder: Annotated[Path, typer.Argument(help="Where the sealed files are written.")],
    purpose: Purpose,
) -> None:
    """Write an item's sealed files as they lie, with its wrapped key; `age` and the review key open them."""
    with _vault(context) as vault:
        files = vault.export(item, actor=actor(), purpose=purpose)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    typer.echo(f"{', '.join(sorted(files))} are in {folder}")


@app.command("hold", epilog="tutela evidence hold ID --reference 'court 17' --reason 'preservation request'")
def place_hold(
    context: typer.Context,
    item: Item,
    reference: Annotated[str, typer.Option(help="The authority's own number.")],
    reason: Reason,
) -> None:
    """Keep an item until the hold is released, however old it gets."""
    from tutela.casework.evidence.retention import Retention

    with _vault(context) as vault:
        placed = Retention(vault).place_hold(item, reference=reference, reason=reason, actor=actor())
    typer.echo(f"hold {placed.id} keeps {item}")


@app.command()
def release(
    context: typer.Context,
    hold: Annotated[int, typer.Argument(min=1, max=MAX_ID, help="The hold's number.")],
    reason: Reason,
) -> None:
    """End a legal hold; the item's own time counts again."""
    from tutela.casework.evidence.retention import Retention

    with _vault(context) as vault:
        released = Retention(vault).release_hold(hold, reason=reason, actor=actor())
    typer.echo(f"hold {released.id} on {released.evidence_id} is released")


@app.command()
def holds(context: typer.Context) -> None:
    """Every legal hold that is not released."""
    from rich.markup import escape

    from tutela.casework.evidence.retention import Retention
    from tutela.cli.output import print_table

    with _vault(context) as vault:
        found = Retention(vault).holds()
    rows = [
        [str(one.id), one.evidence_id, escape(one.reference), escape(one.placed_by), one.placed_at.isoformat()]
        for one in found
    ]
    print_table(("id", "evidence", "reference", "placed by", "placed"), rows)


@app.command(epilog="tutela evidence destroy ID --reason 'ordered by the police' --reference 'order 4711'")
def destroy(
    context: typer.Context,
    item: Item,
    reason: Reason,
    reference: Annotated[str, typer.Option(help="The authority's request, if there is one.")] = "",
) -> None:
    """Shred an item's key and remove its objects. Nobody can undo this."""
    from tutela.casework.evidence.retention import Retention

    with _vault(context) as vault:
        found = Retention(vault).destroy(item, why=reason, actor=actor(), reference=reference)
    typer.echo(f"evidence {found.id} is {found.state.value}")


@app.command(epilog="tutela evidence rotate --key old.key --to age1…")
def rotate(
    context: typer.Context,
    key: KeyFile,
    to: Annotated[list[str], typer.Option(help="The public keys that evidence is sealed to from now; all of them.")],
) -> None:
    """Seal every item's key to other recipients. Set evidence.recipients first, so that new items have them."""
    from tutela.casework.evidence.rotation import rotate as seal_anew
    from tutela.casework.evidence.seal import Recipients

    with _vault(context) as vault:
        count = seal_anew(vault, _review_key(context, key, vault), Recipients(to), actor=actor())
    typer.echo(f"{count:,} items are sealed to the new keys")


@app.command()
def reconcile(
    context: typer.Context,
    remove_orphans: Annotated[
        bool, typer.Option("--remove-orphans", help="Remove objects that no row knows, older than an hour.")
    ] = False,
) -> None:
    """Compare the database with the stored objects. Exit code 1 when evidence is missing."""
    from tutela.casework.evidence import reconciliation

    with _vault(context) as vault:
        found = reconciliation.reconcile(vault, actor=actor())
        if remove_orphans:
            reconciliation.remove_orphans(vault, found.orphans, actor=actor())
    typer.echo(f"{len(found.orphans)} objects that no row knows{', removed' if remove_orphans else ''}")
    typer.echo(f"{len(found.finished)} destructions finished")
    for evidence_id in found.missing:
        typer.echo(f"missing: {evidence_id}")
    raise typer.Exit(1 if found.missing else 0)


@app.command(epilog="tutela --home /restored evidence drill --key review.key")
def drill(
    context: typer.Context,
    key: KeyFile,
    sample: Annotated[int, typer.Option(min=1, max=MAX_ID, help="So many items are opened, the latest first.")] = 20,
) -> None:
    """Try a restored copy: the log is whole, the evidence is there, the review key opens it. Exit code 1 if not."""
    from tutela.casework.evidence.drill import try_restored

    with _vault(context) as vault:
        found = try_restored(vault, _review_key(context, key, vault), sample=sample, actor=actor())
    for line in found.lines():
        typer.echo(line)
    raise typer.Exit(0 if found.sound else 1)


def _review_key(context: typer.Context, path: Path, vault: "Vault") -> "ReviewKey":
    """A key that opens something: what is sealed now, or an item that was sealed before the keys were changed."""
    from tutela.casework.evidence.review_key import read_review_key

    settings = context.obj.settings()
    now = settings.casework.evidence.recipients if settings.casework.evidence is not None else ()
    return read_review_key(path, settings.home, recipients=(*now, *vault.recipients()))


@contextmanager
def _vault(context: typer.Context) -> Iterator["Vault"]:
    """The vault of the settings, or else the one in the home, in which nothing can be kept."""
    from tutela.casework.cases.options import EvidenceOptions

    with context.obj.casework() as casework:
        yield casework.vault or EvidenceOptions().vault(casework.store, context.obj.settings().home)
