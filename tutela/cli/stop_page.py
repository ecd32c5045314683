"""`tutela stop-page`: what people are shown in place of a blocked page, and what a network's proxy and routers ask."""

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tutela.gateways.listeners import ListenAddress
    from tutela.gateways.pages.options import StopPageOptions

app = typer.Typer(
    no_args_is_help=True, help="Blocked pages: the stop page, squid's helper, hosts to be routed, counts."
)


@app.command(epilog="tutela stop-page serve")
def serve(context: typer.Context) -> None:
    """Serve the stop page with its appeals until told to stop."""
    from tutela.foundation.logs import configure_logs
    from tutela.gateways.pages.server import serve as run

    configure_logs()
    run(context.obj.settings(), _options(context))


@app.command(epilog="external_acl_type tutela ttl=0 negative_ttl=0 concurrency=200 %URI %METHOD /usr/bin/tutela …")
def squid_helper(context: typer.Context) -> None:
    """Answer squid, which asks about each request (external_acl_type)."""
    from tutela.deployment.edge import opened_edge
    from tutela.gateways.pages.squid import run

    settings, options = context.obj.settings(), _options(context)
    with opened_edge(settings.home, settings.database_text, settings.casework, options.dry_run) as edge:
        run(edge)


@app.command(epilog="tutela stop-page squid-page --language de > /etc/squid/stop-page.html")
def squid_page(
    context: typer.Context,
    language: Annotated[str, typer.Option(help="en or de.")] = "en",
) -> None:
    """Print the stop page as squid shows it itself (deny_info), with the reference number where squid puts it."""
    from tutela.gateways.pages.squid import template
    from tutela.gateways.pages.stop_page import StopPage
    from tutela.screening.check.deterrence import Deterrences

    with context.obj.casework() as casework:
        takes_appeals = casework.appeals.taken
    page = StopPage(_options(context), Deterrences(context.obj.settings().home), takes_appeals=takes_appeals)
    placeholder = "REFERENCE-NUMBER"
    typer.echo(template(page.blocked(placeholder, language), placeholder), nl=False)


@app.command(epilog="tutela stop-page suspects --form nftables | nft -f -")
def suspects(
    context: typer.Context,
    form: Annotated[str, typer.Option(help="hosts, addresses, nftables or bird.")] = "hosts",
    resolver: Annotated[
        str | None, typer.Option(help="Resolver to ask, as ADDRESS or ADDRESS:PORT; the system's otherwise.")
    ] = None,
) -> None:
    """Print the hosts with a listed page, or their addresses, for routers. Never a host that many people share."""
    import asyncio

    from tutela.errors import InputError
    from tutela.gateways.pages.suspects import SuspectForm, Suspects, resolve, suspect_hosts, written

    if form not in list(SuspectForm):
        raise InputError("no form is called {form!r}; there are {form_2}", form=form, form_2=", ".join(SuspectForm))
    with context.obj.banks() as banks:
        from tutela.lists.banks.guard import ListingGuard

        hosts = suspect_hosts(banks, ListingGuard(banks))
    asked = None if resolver is None else _address(resolver)
    found = Suspects(tuple(hosts), (), 0) if form == SuspectForm.HOSTS else asyncio.run(resolve(hosts, asked))
    for line in written(found, SuspectForm(form)):
        typer.echo(line)


@app.command(epilog="tutela stop-page counts --since 2026-11-01")
def counts(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="First day, such as 2026-11-01.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """Print requests by hour and list. Nothing under 20 is there, and nothing of who asked or for what."""
    from tutela.cli.output import print_json, print_table
    from tutela.foundation.moments import read_moment
    from tutela.screening.check.counts import read_counts

    begin = read_moment(since) if since else None
    with context.obj.banks() as banks:
        found = read_counts(banks.store, begin)
    if json:
        for one in found:
            print_json(
                {"hour": one.hour.isoformat(), "list": one.rule_set, "what": one.what.value, "requests": one.count}
            )
        return
    rows = [[one.hour.isoformat(timespec="minutes"), one.rule_set, one.what.value, str(one.count)] for one in found]
    print_table(("hour", "list", "what", "requests"), rows)


def _address(text: str) -> "ListenAddress":
    """A resolver's address; at port 53 where it names none. Raises InputError."""
    from ipaddress import ip_address

    from tutela.errors import InputError
    from tutela.gateways.listeners import ListenAddress

    with contextlib.suppress(ValueError):
        return ListenAddress(ip_address(text.strip("[]")).compressed, 53)
    try:
        return ListenAddress.parse(text)
    except ValueError:
        raise InputError(
            "{text!r} is not a resolver: write an IP address, or an IP address, a colon and a port", text=text
        ) from None


def _options(context: typer.Context) -> "StopPageOptions":
    from tutela.gateways.pages.options import StopPageOptions

    options: StopPageOptions = context.obj.settings().door(StopPageOptions)
    return options
