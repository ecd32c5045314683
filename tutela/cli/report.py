"""`tutela report`: reports to NCMEC, and packages for other authorities."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tutela.cli.state import actor

if TYPE_CHECKING:
    from tutela.casework.reports.model import Filing

app = typer.Typer(no_args_is_help=True, help="Reports to NCMEC, and packages for other authorities.")

CaseId = Annotated[str, typer.Argument(help="The case.")]
ReportId = Annotated[str, typer.Argument(help="As `tutela report list` shows it.")]
KeyFile = Annotated[
    Path | None, typer.Option("--key", envvar="TUTELA_REVIEW_KEY", help="File of the review key, outside the home.")
]
Reason = Annotated[str, typer.Option(help="Why; kept in the history.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines.")]


@app.command("list", epilog="tutela report list --state attention")
def list_(
    context: typer.Context,
    state: Annotated[list[str] | None, typer.Option(help="Only these states; may be repeated.")] = None,
    case: Annotated[str | None, typer.Option(help="Only of this case.")] = None,
    json: Json = False,
) -> None:
    """Reports and how far they are, the newest first."""
    from rich.markup import escape

    from tutela.casework.reports.model import FilingState
    from tutela.cli.output import print_json, print_table
    from tutela.errors import InputError

    if unknown := set(state or ()) - set(FilingState):
        raise InputError(
            "{unknown!r} is no state; a state is one of {state}", unknown=min(unknown), state=", ".join(FilingState)
        )
    with context.obj.casework() as casework:
        found = casework.ledger.all(case_id=case, states=[FilingState(one) for one in state or ()])
    if json:
        for filing in found:
            print_json(_document(filing))
        return
    rows = [
        [one.id, one.state, str(one.number or ""), escape(one.case_id or ""), one.environment, _time(one.updated_at)]
        for one in found
    ]
    print_table(("id", "state", "number", "case", "environment", "changed"), rows)


@app.command()
def show(context: typer.Context, report: ReportId, json: Json = False) -> None:
    """One report, and every step of it. What it says is sealed: see `preview` and the console."""
    from rich.markup import escape

    from tutela.casework.reports.alarms import deadline
    from tutela.cli.output import out, print_json, print_table

    with context.obj.casework() as casework:
        filing = casework.ledger.get(report)
        steps = casework.ledger.history(report)
    if json:
        print_json(_document(filing) | {"steps": [[_time(s.at), s.actor, s.action, s.code, s.detail] for s in steps]})
        return
    ends = deadline(filing)
    for name, value in (
        ("state", filing.state),
        ("needs", filing.reason),
        ("number", filing.number),
        ("deleted by NCMEC", _time(ends) if ends else None),
    ):
        if value is not None:
            out.print(f"{name}: {escape(str(value))}")
    rows = [[_time(s.at), escape(s.actor), s.action, str(s.code or ""), escape(s.detail)] for s in steps]
    print_table(("at", "who", "step", "code", "detail"), rows)


@app.command()
def unreported(context: typer.Context) -> None:
    """Cases with a confirmed item that is in no report, the longest waiting first."""
    with context.obj.casework() as casework:
        for case in casework.ledger.unreported_cases():
            typer.echo(case)


@app.command()
def alarms(context: typer.Context, json: Json = False) -> None:
    """What cannot wait: reports that need a person, or whose time runs out. Exit code 1 when there is any."""
    from rich.markup import escape

    from tutela.casework.reports.alarms import alarms as find
    from tutela.cli.output import print_json, print_table

    with context.obj.casework() as casework:
        found = find(casework.ledger)
    if json:
        for one in found:
            print_json({"report": one.filing_id, "kind": one.kind, "message": one.message})
    elif found:
        print_table(("report", "kind", "what"), [[one.filing_id, one.kind, escape(one.message)] for one in found])
    raise typer.Exit(1 if found else 0)


@app.command(epilog="tutela report preview CASE --key review.key  ·  … --json > draft.json")
def preview(
    context: typer.Context,
    case: CaseId,
    key: KeyFile = None,
    json: Annotated[bool, typer.Option("--json", help="The draft as JSON, to change and file.")] = False,
) -> None:
    """Print what would be filed for a case. Exit code 1 when it would be refused."""
    import sys

    from tutela.cli.output import complain

    with context.obj.casework(key) as casework:
        draft = casework.desk().preview(case, casework.evidence(actor(), "report preview"))
        problems = draft.problems(casework.schema())
    if json:
        sys.stdout.write(draft.json().decode() + "\n")
    else:
        sys.stdout.write("\n".join(_pretty(document) for document in draft.xml()))
    for problem in problems:
        complain(problem)
    raise typer.Exit(1 if problems else 0)


@app.command(epilog="tutela report file CASE --key review.key --draft draft.json")
def file(
    context: typer.Context,
    case: CaseId,
    key: KeyFile = None,
    draft: Annotated[Path | None, typer.Option(help="A draft that `preview --json` printed, changed.")] = None,
    viewed: Annotated[
        list[str] | None, typer.Option(help="Evidence that a person of the company has seen whole; may be repeated.")
    ] = None,
) -> None:
    """File a report for a decided case; `tutela report run` sends it. The same evidence is never filed twice."""
    from tutela.casework.reports.draft import Draft

    with context.obj.casework(key) as casework:
        desk = casework.desk()
        if draft is None:
            chosen = desk.preview(case, casework.evidence(actor(), "report"), viewed=viewed or ())
        else:
            chosen = Draft.read(draft.read_bytes())
        filing = desk.file(case, chosen, actor=actor(), schema=casework.schema())
    typer.echo(f"report {filing.id} is {filing.state}")


@app.command(epilog="tutela report run --key review.key  ·  tutela report run --once --key review.key")
def run(
    context: typer.Context,
    key: KeyFile = None,
    once: Annotated[
        bool, typer.Option(help="Do what is due and end; exit code 1 when a report needs a person.")
    ] = False,
) -> None:
    """Send what is to be filed, until it is told to stop. Runs apart from the service, with the review key."""
    from tutela.casework.reports.alarms import alarms as find

    with context.obj.casework(key) as casework:
        casework.tipline().close()  # without credentials there is nothing to run
        with casework.report_worker() as worker:
            if not once:
                worker.run(lambda _: casework.watch.run_due())
            worker.run_due()
            casework.watch.run_due()
        raise typer.Exit(1 if find(casework.ledger) else 0)


@app.command()
def check(context: typer.Context) -> None:
    """Ask NCMEC whether the credentials are good, and check that the schema is the one they have now."""
    with context.obj.casework() as casework:
        tipline = casework.tipline()
        try:
            tipline.status()
            typer.echo(f"the credentials are good at {tipline.address} ({tipline.environment})")
            theirs, ours = tipline.schema(), casework.schema()
            same = ours is None or ours.text == theirs.text
            typer.echo(
                "the schema is theirs" if same else "the schema that reports.xsd names is not the one they have now"
            )
            raise typer.Exit(0 if same else 1)
        finally:
            tipline.close()


@app.command()
def resume(context: typer.Context, report: ReportId) -> None:
    """Go on with a report that stopped, once what was wrong is mended."""
    from tutela.casework.reports import decisions

    with context.obj.casework() as casework:
        _said(decisions.resume(casework.ledger, report, actor()))


@app.command()
def retract(context: typer.Context, report: ReportId, reason: Reason) -> None:
    """Take back a report that is not finished."""
    from tutela.casework.reports import decisions

    with context.obj.casework() as casework:
        _said(decisions.retract(casework.ledger, report, actor(), reason))


@app.command()
def refile(context: typer.Context, report: ReportId, reason: Reason) -> None:
    """File anew what NCMEC says it does not have; its old number is retracted first."""
    from tutela.casework.reports import decisions

    with context.obj.casework() as casework:
        _said(decisions.refile(casework.ledger, report, actor(), reason))


@app.command()
def confirm(context: typer.Context, report: ReportId, reason: Reason) -> None:
    """Write down that NCMEC has a report finished, as they said."""
    from tutela.casework.reports import decisions

    with context.obj.casework() as casework:
        _said(decisions.confirm(casework.ledger, report, actor(), reason))


@app.command(epilog="tutela report package CASE nca.zip.age --to nca --recipient age1… --key review.key")
def package(
    context: typer.Context,
    case: CaseId,
    path: Annotated[Path, typer.Argument(help="The encrypted file to write.")],
    to: Annotated[str, typer.Option(help="nca, iwf or police.")],
    recipient: Annotated[
        list[str] | None, typer.Option(help="age public key of the authority; may be repeated.")
    ] = None,
    password: Annotated[
        bool, typer.Option("--password", help="Make a zip with a fresh password, printed once.")
    ] = False,
    urgent: Annotated[str, typer.Option(help="Why a child may be in danger now.")] = "",
    key: KeyFile = None,
) -> None:
    """Write a package for an authority: referral, forms of police tools, evidence, manifest; encrypted as one file."""
    from tutela.casework.reports.bundle import new_password
    from tutela.casework.reports.incident import incident_of
    from tutela.casework.reports.package import referral_of, write_package

    secret = new_password() if password else None
    with context.obj.casework(key) as casework:
        desk, evidence = casework.desk(), casework.evidence(actor(), f"package for {to}")
        desk.check_organisation()
        found = casework.cases.get(case)
        incident = incident_of(found, evidence, prior_numbers=desk.prior_numbers(found))
        referral = referral_of(incident, desk.organisation, to, urgent)
        made = write_package(
            path,
            referral,
            evidence,
            audit=casework.audit,
            actor=actor(),
            recipients=recipient or (),
            password=secret,
        )
    typer.echo(f"{made.files} files in {path}\nsha256 {made.sha256}\nmanifest sha256 {made.manifest_sha256}")
    if secret is not None:
        typer.echo(f"password {secret}")


def _said(filing: "Filing") -> None:
    typer.echo(f"report {filing.id} is {filing.state}")


def _pretty(document: bytes) -> str:
    from lxml import etree

    from tutela.casework.reports.cybertipline.schema import parse

    return str(etree.tostring(parse(document), pretty_print=True, encoding="unicode"))


def _document(filing: "Filing") -> dict[str, Any]:
    same = ("id", "key", "case_id", "environment", "state", "reason", "number", "attempts")
    return {name: getattr(filing, name) for name in same} | {"changed": _time(filing.updated_at)}


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
