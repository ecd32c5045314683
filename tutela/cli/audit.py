"""`tutela audit`: the audit log is whole, signed, and provable."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tutela.cli.state import MAX_ID, actor

if TYPE_CHECKING:
    from tutela.casework.audit.log import AuditLog

app = typer.Typer(no_args_is_help=True, help="The audit log.")

PublicKeyText = Annotated[str, typer.Option("--public-key", help="The key that signs checkpoints, name+hint+BASE64.")]


@app.command("new-key", epilog="tutela audit new-key /secure/audit.key")
def new_key(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where the private key is written.")],
    name: Annotated[str, typer.Option(help="The key's name in every signature.")] = "tutela",
) -> None:
    """Make a key that signs checkpoints. Print the public half; give it to whoever is to verify."""
    from tutela.casework.audit.checkpoints import SigningKey
    from tutela.errors import InputError

    key = SigningKey.generate(name)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InputError("the key cannot be written to {file}: {why}", file=file, why=error.strerror) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        out.write(key.text() + "\n")
    typer.echo(key.public.text())


@app.command(epilog="tutela audit verify --public-key … --checkpoint last-month.txt")
def verify(
    context: typer.Context,
    public_key: Annotated[str | None, typer.Option(help="The key that signs checkpoints.")] = None,
    checkpoint: Annotated[list[Path] | None, typer.Option(help="A checkpoint kept elsewhere; may be repeated.")] = None,
) -> None:
    """Read the whole log. Exit code 1 when a row was changed, removed, reordered or cut off."""
    from tutela.casework.audit.checkpoints import PublicKey
    from tutela.casework.audit.verification import verify_log

    key = PublicKey.read(public_key) if public_key else None
    notes = [_text(path) for path in checkpoint or []]
    with _log(context) as log:
        found = verify_log(log, key=key, notes=notes)
    for fault in found.faults:
        typer.echo(f"row {fault.sequence}: {fault.what}" if fault.sequence is not None else fault.what)
    typer.echo(f"{found.rows:,} rows, {found.checkpoints} checkpoints compared, {len(found.faults)} faults")
    raise typer.Exit(1 if found.faults else 0)


@app.command(epilog="tutela audit checkpoint --key /secure/audit.key > checkpoint.txt")
def checkpoint(context: typer.Context, key: Annotated[Path, typer.Option(help="File of the private key.")]) -> None:
    """Sign the log as it is now and print the note; keep it where nobody of the house can change it."""
    from tutela.casework.audit.checkpoints import Checkpoints, SigningKey

    signing = SigningKey.read(_text(key))
    with _log(context) as log:
        typer.echo(Checkpoints(log).make(signing, actor=actor()), nl=False)


@app.command(epilog="tutela audit prove 17 --checkpoint checkpoint.txt --public-key … > row-17.json")
def prove(
    context: typer.Context,
    row: Annotated[int, typer.Argument(min=0, max=MAX_ID, help="The row's number.")],
    checkpoint: Annotated[Path, typer.Option(help="A checkpoint of after that row.")],
    public_key: PublicKeyText,
) -> None:
    """Print a document that shows a row to be in the log, to whoever has the public key."""
    from tutela.casework.audit.checkpoints import PublicKey
    from tutela.casework.audit.verification import prove_row

    with _log(context) as log:
        typer.echo(prove_row(log, row, _text(checkpoint), PublicKey.read(public_key)))


@app.command("check", epilog="tutela audit check row-17.json --public-key …")
def check(
    proof: Annotated[Path, typer.Argument(help="What `tutela audit prove` printed.")], public_key: PublicKeyText
) -> None:
    """Check a proof; needs no database. Exit code 2 when it does not hold."""
    from tutela.casework.audit.checkpoints import PublicKey
    from tutela.casework.audit.verification import check_proof
    from tutela.cli.output import print_json

    print_json(check_proof(_text(proof), PublicKey.read(public_key)))


@app.command("list", epilog="tutela audit list --subject case:…")
def list_(
    context: typer.Context,
    subject: Annotated[str | None, typer.Option(help="Only about this, such as case:ID.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this, such as evidence.opened.")] = None,
) -> None:
    """Rows as JSON lines, oldest first."""
    from tutela.cli.output import print_json

    with _log(context) as log:
        for row in log.rows(subject=subject, action=action):
            print_json([row.sequence, row.at.isoformat(), row.actor, row.action, row.subject, dict(row.detail)])


def _text(path: Path) -> str:
    from tutela.errors import InputError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("{path} cannot be read: {error}", path=path, error=error) from None


@contextmanager
def _log(context: typer.Context) -> Iterator["AuditLog"]:
    with context.obj.casework() as casework:
        yield casework.audit
