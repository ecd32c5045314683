"""`tutela dns`: the lists of domains for resolvers."""

import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tutela.gateways.dns import DnsOptions
    from tutela.lists.banks.service import Banks

Name = Annotated[str | None, typer.Argument(help="Of the zone, dns.NAME in the settings; the only one by default.")]

app = typer.Typer(no_args_is_help=True, help="Lists of domains for resolvers: a response policy zone.")


@app.command(epilog="tutela dns serve")
def serve(context: typer.Context, name: Name = None) -> None:
    """Serve the zone to resolvers (AXFR, IXFR, NOTIFY) until told to stop, and ask them for the canary."""
    from tutela.foundation.logs import configure_logs
    from tutela.gateways.dns import zone_of
    from tutela.gateways.dns.primary import Primary

    configure_logs()
    options = _options(context, name)
    zone = zone_of(*_banks(context, options), options)
    import asyncio

    with _told(context, options) as on_change:
        asyncio.run(_serve(Primary(zone, options, on_change)))


@app.command(epilog="tutela dns zone --dialect dnsmasq > /etc/dnsmasq.d/tutela.conf")
def zone(
    context: typer.Context,
    name: Name = None,
    dialect: Annotated[str, typer.Option(help="rpz or dnsmasq.")] = "rpz",
) -> None:
    """Print the zone as a file."""
    from tutela.errors import InputError
    from tutela.gateways.dns.dialects import Dialect, zone_file
    from tutela.gateways.dns.listed import ListedNames
    from tutela.gateways.dns.versions import stored_serial

    if dialect not in list(Dialect):
        raise InputError(
            "no dialect is called {dialect!r}; there are {dialect_2}", dialect=dialect, dialect_2=", ".join(Dialect)
        )
    options = _options(context, name)
    banks, serial_file = _banks(context, options)
    listed = ListedNames(banks)
    listed.refresh()
    serial = stored_serial(serial_file)
    sys.stdout.writelines(f"{line}\n" for line in zone_file(Dialect(dialect), options, serial, sorted(listed.names)))


@app.command(epilog="tutela dns watch")
def watch(context: typer.Context, name: Name = None) -> None:
    """Ask every resolver for the canary until told to stop, beside the primary, which may be what died.

    What changes is in the log and is told to webhooks: dns.policy-lost, dns.policy-applied.
    """
    import asyncio

    from tutela.errors import InputError
    from tutela.foundation.logs import configure_logs
    from tutela.gateways.dns import stored_serials
    from tutela.gateways.dns.canary import CanaryWatch

    configure_logs()
    options = _options(context, name)
    serial_file = _serial_file(context, options)
    if not options.resolvers:
        raise InputError("no resolver is named: dns.resolvers")

    async def run(watching: CanaryWatch) -> None:
        task = asyncio.create_task(watching.run())
        typer.echo(f"asking {', '.join(options.resolvers)} for {options.canary}")
        await _told_to_stop()
        task.cancel()

    with _told(context, options) as on_change:
        asyncio.run(run(CanaryWatch(options, lambda: stored_serials(serial_file, options), on_change)))


@app.command(epilog="tutela dns check")
def check(context: typer.Context, name: Name = None) -> None:
    """Ask every resolver for the canary, and which version it applies. Exit code 1 when one applies none."""
    import asyncio

    from tutela.errors import InputError
    from tutela.gateways.dns import stored_serials
    from tutela.gateways.dns.canary import applied_version, applies

    options = _options(context, name)
    if not options.resolvers:
        raise InputError("no resolver is named: dns.resolvers")
    failing = False
    serials = stored_serials(_serial_file(context, options), options)
    for resolver_name, resolver in options.resolvers.items():
        good = asyncio.run(applies(resolver.asked_at, options))
        failing |= not good
        typer.echo(f"{resolver_name}: {'applies the policy' if good else 'DOES NOT apply the policy'}")
        for zone_name, serial in serials.items():
            version = asyncio.run(applied_version(resolver.asked_at, options, zone_name))
            if good and version is not None:
                typer.echo(f"  {zone_name}: version {version}{'' if version == serial else f' of {serial}'}")
    raise typer.Exit(1 if failing else 0)


def _options(context: typer.Context, name: str | None) -> "DnsOptions":
    from tutela.errors import InputError
    from tutela.gateways.dns import DnsOptions

    zones = context.obj.settings().named("dns")
    if not zones and name is None:
        return DnsOptions()
    if name is None and len(zones) > 1:
        raise InputError("there are several zones: name one of {zones}", zones=", ".join(zones))
    name = name or next(iter(zones))
    if name not in zones:
        raise InputError(
            "no zone is called {name!r} in the settings; there are {zones}", name=name, zones=", ".join(zones) or "none"
        )
    options: DnsOptions = zones[name]
    return options


def _banks(context: typer.Context, options: "DnsOptions") -> "tuple[Banks, Path]":
    """The lists, and where the zone's serial is kept."""
    from tutela.foundation.home import database_url, prepare_home
    from tutela.foundation.store.database import Store
    from tutela.lists.banks.service import Banks

    settings = context.obj.settings()
    prepare_home(settings.home)
    store = Store.create(database_url(settings.home, settings.database_text))
    return Banks(store, settings.home), _serial_file(context, options)


def _serial_file(context: typer.Context, options: "DnsOptions") -> "Path":
    home: Path = context.obj.settings().home
    return home / "dns" / f"{options.zone}.serial"


async def _serve(primary: "object") -> None:
    from tutela.gateways.dns.primary import Primary

    assert isinstance(primary, Primary)
    async with primary.serving() as address:
        typer.echo(f"the zone is served at {address}")
        await _told_to_stop()


async def _told_to_stop() -> None:
    import asyncio

    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await stopping.wait()


@contextlib.contextmanager
def _told(context: typer.Context, options: "DnsOptions") -> "Iterator[Callable[[str, bool], None]]":
    """What tells webhooks that a resolver lost its policy, or has it again; the service delivers."""
    import time

    from tutela.errors import TutelaError

    with context.obj.casework() as casework:

        def tell(resolver: str, applied: bool) -> None:
            event = "dns.policy-applied" if applied else "dns.policy-lost"
            data = {"zone": options.zone, "resolver": resolver}
            try:
                with casework.store.write() as connection:
                    # Primary and watch see the same change; a second loss is at least two questions later.
                    key = f"{event}/{options.zone}/{resolver}/{int(time.time() // options.canary_every_s)}"
                    casework.webhooks.announce(connection, event, key, data, lane=f"dns/{resolver}")
            except TutelaError as error:
                typer.echo(f"webhooks could not be told: {error}", err=True)

        yield tell
