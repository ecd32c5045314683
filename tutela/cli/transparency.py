"""`tutela transparency`: figures of a period, from the audit log."""

import sys
from pathlib import Path

import typer

from tutela.errors import InputError
from tutela.foundation.moments import read_moment


def print_figures(context: typer.Context, since: str, until: str, form: str, output: Path | None) -> None:
    """Print the figures of a period, or write them to a file. Raises InputError."""
    from tutela.casework.reports.publication import as_csv, as_html, as_json
    from tutela.casework.reports.transparency import transparency

    forms = {"json": as_json, "csv": as_csv, "html": as_html}
    if form not in forms:
        raise InputError("a form is one of {forms}", forms=", ".join(forms))
    with context.obj.casework() as casework:
        text = forms[form](transparency(casework.audit, read_moment(since), read_moment(until)))
    if output is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    else:
        output.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {output}")
