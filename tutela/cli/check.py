"""Checking links and words from the command line."""

import sys
from collections.abc import Sequence

from tutela.cli.output import VERDICT_COLUMNS, print_json, print_table, verdict_row
from tutela.deployment.composition import Deployment
from tutela.errors import InputError
from tutela.screening.check import CheckQuestion, Purpose
from tutela.screening.check.service import MAX_TEXT


def check(deployment: Deployment, urls: Sequence[str], text: str | None, purpose: Purpose, *, as_json: bool) -> int:
    """Check links, and text ("-" reads it from standard input), and print the verdict. Returns the exit code."""
    if text == "-":
        text = sys.stdin.buffer.read(4 * MAX_TEXT + 1).decode("utf-8", "replace")
    if not urls and not text:
        raise InputError("there is nothing to check: give links, --text, or both")
    answer = deployment.checker.check(CheckQuestion(text or "", tuple(urls), purpose))
    document = answer.verdict.document()
    if as_json:
        print_json(document | {"deters": answer.deters})
    else:
        print_table(("checked", *VERDICT_COLUMNS[1:]), [verdict_row(", ".join(urls) or "text", document)])
    return 1 if answer.verdict.matches or answer.verdict.decision != "allow" else 0
