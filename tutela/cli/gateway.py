"""`tutela gateway`: where platforms and networks already call a scanner."""

from typing import Annotated

import typer

from tutela.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Gateways: where platforms already call a scanner.")


@app.command("list", epilog="tutela gateway list --json")
def list_(context: typer.Context, json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False) -> None:
    """List the gateways that the settings describe."""
    from tutela.cli.output import print_json, print_table
    from tutela.gateways.base import ListenerOptions
    from tutela.gateways.registry import kind_of

    rows = []
    for name, options in context.obj.settings().named("gateways").items():
        listen = [str(address) for address in options.listen] if isinstance(options, ListenerOptions) else []
        document = {"name": name, "kind": options.kind, "listen": listen, "profile": options.profile.value}
        if json:
            print_json(document)
        rows.append([name, options.kind, " ".join(listen), options.profile.value, kind_of(options).summary])
    if not json:
        print_table(("name", "kind", "listens at", "profile", "for"), rows)


@app.command(epilog="tutela gateway run mail")
def run(context: typer.Context, name: Annotated[str, typer.Argument(help="As in the settings.")]) -> None:
    """Run one gateway in a process of its own until it is told to stop; `tutela serve` runs all of them."""
    settings = context.obj.settings_to_serve()
    from tutela.api.options import ServiceOptions
    from tutela.gateways.process import run as run_gateway

    run_gateway(settings, name, settings.door(ServiceOptions).max_in_flight)


@app.command(epilog="tutela gateway check  ·  tutela gateway check mail")
def check(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Only this one.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """Ask running gateways through their own protocols: a benign picture passes, a damaged one does not.

    Exit code 1 when one does otherwise.
    """
    from tutela.cli.output import coloured, print_json, print_table
    from tutela.gateways.check import check_gateways

    gateways = context.obj.settings().named("gateways")
    if not gateways:
        raise InputError("the settings describe no gateway; see docs/gateways.md")
    checks = list(check_gateways(gateways, name))
    if json:
        for one in checks:
            print_json({"ok": one.ok, "what": one.what, "detail": one.detail})
    else:
        rows = [[coloured("ok" if one.ok else "fail"), one.what, one.detail] for one in checks]
        print_table(("state", "what", "detail"), rows)
    raise typer.Exit(0 if all(one.ok for one in checks) else 1)
