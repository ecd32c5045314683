"""`tutela feed`: banks of ours that other Tutelas follow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tutela.cli.state import MAX_ID

if TYPE_CHECKING:
    from tutela.lists.exchanges.feeds import Feeds

app = typer.Typer(no_args_is_help=True, help="Banks of ours that other Tutelas follow, signed.")

Name = Annotated[str, typer.Argument(help="The feed's name.")]
KeyId = Annotated[str, typer.Argument(help="The member's API key, by its id.")]


@app.command(epilog="tutela feed keygen /etc/tutela/feed.key")
def keygen(path: Annotated[Path, typer.Argument(help="Where the signing key is written; it must not exist.")]) -> None:
    """Make a signing key and print its public half, which members need."""
    import base64
    import os

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tutela.lists.exchanges.feed_wire import public_text

    key = Ed25519PrivateKey.generate()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be made: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(base64.b64encode(key.private_bytes_raw()).decode() + "\n")
    typer.echo(public_text(key))


@app.command(epilog="tutela feed create hotline --bank confirmed --signing-key file:/etc/tutela/feed.key")
def create(
    context: typer.Context,
    name: Name,
    bank: Annotated[str, typer.Option(help="The bank that is published.")],
    signing_key: Annotated[str, typer.Option(help="Where the signing key is: file:/path or env:NAME.")],
) -> None:
    """Publish a bank. Entries that an exchange brought are left out: they are not ours to give on."""
    from tutela.cli.state import actor

    with _feeds(context) as feeds:
        feeds.create(name, bank, signing_key, actor=actor())
        typer.echo(f"feed {name} publishes bank {bank}; its public key: {feeds.public_key(name)}")


@app.command("list")
def list_(context: typer.Context) -> None:
    """Every feed."""
    from tutela.cli.output import print_table

    with _feeds(context) as feeds:
        print_table(("feed", "bank", "records"), [[feed.name, feed.bank, f"{feed.sequence:,}"] for feed in feeds.all()])


@app.command(epilog="tutela feed admit hotline 2b7fecc779658bec")
def admit(context: typer.Context, name: Name, key_id: KeyId) -> None:
    """Let an API key of scope follow read a feed."""
    from tutela.cli.state import actor

    with _feeds(context) as feeds:
        feeds.admit(name, key_id, actor=actor())
        typer.echo(f"key {key_id} may follow feed {name}")


@app.command()
def dismiss(context: typer.Context, name: Name, key_id: KeyId) -> None:
    """Let an API key read a feed no longer."""
    with _feeds(context) as feeds:
        feeds.dismiss(name, key_id)
        typer.echo(f"key {key_id} may not follow feed {name}")


@app.command()
def returns(
    context: typer.Context,
    name: Name,
    after: Annotated[int, typer.Option(min=0, max=MAX_ID, help="Only those after this number.")] = 0,
) -> None:
    """What members gave back, as JSON lines."""
    from tutela.cli.output import print_json

    with _feeds(context) as feeds:
        for found in feeds.returns(name, after):
            document = dict(found.document)
            print_json({"id": found.id, "key": found.key_id, "kind": found.kind, "at": found.at.isoformat()} | document)


@contextmanager
def _feeds(context: typer.Context) -> Iterator["Feeds"]:
    from tutela.cli.store import open_store
    from tutela.lists.banks.service import Banks
    from tutela.lists.exchanges.feeds import Feeds

    settings = context.obj.settings()
    store = open_store(settings)
    try:
        yield Feeds(Banks(store, settings.home))
    finally:
        store.close()
