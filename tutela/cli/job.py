"""`tutela job`: screenings that are answered later."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Screenings that are answered later.")


@app.command("list", epilog="tutela job list --state failed")
def list_(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="pending, done or failed.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
) -> None:
    """Jobs, the latest first."""
    from rich.markup import escape

    from tutela.cli.output import print_table
    from tutela.errors import InputError
    from tutela.screening.jobs.service import JobState

    if state is not None and state not in set(JobState):
        raise InputError("a state is one of {jobstate}", jobstate=", ".join(JobState))
    with context.obj.deployment() as deployment:
        found = deployment.jobs.all(state=JobState(state) if state else None, limit=limit)
    rows = [
        [
            job.id,
            "running" if job.running else job.state.value,
            f"{job.byte_length:,}",
            str(job.attempts),
            job.created_at.isoformat(timespec="seconds"),
            job.verdict["decision"] if job.verdict else "",
            escape(job.error or ""),
        ]
        for job in found
    ]
    print_table(("id", "state", "bytes", "tries", "taken", "decision", "error"), rows)


@app.command()
def retry(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="As `tutela job list` shows it.")],
) -> None:
    """Do a failed job anew; a running service takes it within a second."""
    with context.obj.deployment() as deployment:
        found = deployment.jobs.retry(job)
    typer.echo(f"job {found.id} waits again")


@app.command()
def run(context: typer.Context) -> None:
    """Do every job that waits on this machine, and end. For sites that run no service."""
    with context.obj.deployment() as deployment:
        typer.echo(f"{deployment.job_runner.run_due()} taken")
