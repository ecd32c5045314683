"""`tutela doctor`: what the doctor finds, as a table or as JSON lines."""

from rich.markup import escape

from tutela.cli.output import coloured, print_json, print_table
from tutela.content.media.hostile import attempt_everything
from tutela.deployment.doctor.checks import diagnoses
from tutela.deployment.settings import Settings


def examine(settings: Settings, *, as_json: bool) -> int:
    """Print every finding. Returns the exit code."""
    findings = list(diagnoses(settings))
    if as_json:
        for finding in findings:
            print_json({"state": finding.state, "what": finding.what, "detail": finding.detail})
    else:
        print_table(
            ("state", "what", "detail"), [[coloured(f.state), escape(f.what), escape(f.detail)] for f in findings]
        )
    return 1 if any(finding.state == "fail" for finding in findings) else 0


def examine_isolation(*, as_json: bool) -> int:
    """Print what hostile code in a worker gets done on this machine. Returns the exit code, 1 where it is anything."""
    answers = attempt_everything()
    if as_json:
        for what, why in answers.items():
            print_json({"what": what, "refused": why is not None, "why": why})
    else:
        print_table(
            ("state", "what hostile code tries", "answer"),
            [[coloured("ok" if why else "fail"), escape(what), why or "ALLOWED"] for what, why in answers.items()],
        )
    return 1 if None in answers.values() else 0
