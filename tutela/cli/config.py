"""`tutela config`: the settings file, checked and shown."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The settings: tutela.toml, and the environment over it.")


@app.command(epilog="tutela config check  ·  tutela --config new.toml config check")
def check(context: typer.Context) -> None:
    """Read the settings and all that they name, and change nothing. Exit code 2 says what is wrong and where."""
    from tutela.deployment.settings.check import check_settings

    settings = context.obj.settings()
    check_settings(settings)
    typer.echo(f"{settings.file or 'the environment'}: good; the home is {settings.home}")


@app.command(epilog="tutela config show --defaults > tutela.toml")
def show(
    context: typer.Context,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Every key with its description and default, in comments.")
    ] = False,
) -> None:
    """Print the settings that count here, as a file with every key. Secrets are shown by where they are."""
    from tutela.deployment.settings.template import template

    typer.echo(template(None if defaults else context.obj.settings()), nl=False)
