"""`tutela transparency`: figures of a period, from the audit log."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import typer

from tutela.errors import InputError


def print_figures(context: typer.Context, since: str, until: str, form: str, output: Path | None) -> None:
    """Print the figures of a period, or write them to a file. Raises InputError."""
    from tutela.casework.reports.publication import as_csv, as_html, as_json
    from tutela.casework.reports.transparency import transparency

    forms = {"json": as_json, "csv": as_csv, "html": as_html}
    if form not in forms:
        raise InputError("a form is one of {forms}", forms=", ".join(forms))
    with context.obj.casework() as casework:
        text = forms[form](transparency(casework.audit, _day(since), _day(until)))
    if output is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    else:
        output.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {output}")


def _day(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError("{text!r} is no day; write it as 2026-07-01", text=text) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
