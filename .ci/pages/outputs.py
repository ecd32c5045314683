"""What pages show of commands: each is run, and what it prints is compared with the page and written into it.

A marker stands before the block:

    <!-- output: demo -->            a `console` block: lines that begin with `$ ` are run, the others are printed;
                                     or a `sh` block, and what it prints is the next block of `json` or `text`
    <!-- output: site $ COMMAND -->  the block is what this command prints
    <!-- run: COMMAND -->            what is needed and not shown
    <!-- by hand: REASON -->         the block is not run

The word says what is there before the page's first such block: see `Shell`. The blocks of a page share one shell.
Times, ids, keys and widths may differ; a command that names an id of the page gets the one printed there.
`…` in the page stands for anything in a line, a line of `…` alone for any lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pages.page import DOCS, ROOT, Page, PageError
from pages.shell import Shell, forget

_BLOCK = re.compile(
    r"<!-- output: (?P<start>\w+)(?: \$ (?P<command>.+?))? -->\n+```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_EITHER = re.compile(rf"{_BLOCK.pattern}|<!-- run: (?P<hidden>[^\n]+?) -->", re.DOTALL | re.MULTILINE)
_ID = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b|tutela\+[0-9a-f]{8}\+[\w+/=]+|age1[a-z0-9]{50,}")
_ANSWER = re.compile(r"\A(?:(?!```|<!-- output|\n#).)*?^```(?:json|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MASKS = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\+00:00|Z)?", "TIME"),
    (r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", "TIME"),
    (r"tutela_[\w-]{12,}", "tutela_KEY"),
    (r"/enrol/[\w-]{20,}", "/enrol/TOKEN"),
    (r"age1[a-z0-9]{50,}", "RECIPIENT"),
    (r"tutela\+[0-9a-f]{8}\+\S+", "PUBLIC"),
    (r"[A-Za-z0-9+/]{40,}=*", "BYTES"),
    (r"\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b", "ID"),
    (r"(\"?\w+_ms\"?): [\d.]+", r"\1: N"),
    (r"│ +[\d.]+$", "│ N"),
    (r"[\d.]+ GiB", "N GiB"),
    (r"SIMD level .* agree", "SIMD"),
    (r"\bcli:\w+", "cli:USER"),
    (r"(127\.0\.0\.1|localhost):\d{4,5}", r"\1:PORT"),
    (r"\[\d+\]", "[N]"),
    (r"(content-length|process): \d+", r"\1: N"),
    (r"━+", "━"),
    (r" +", " "),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A command, and what the page says that it prints. Both end with a line break unless they are empty."""

    command: str
    printed: str


def pages(chosen: list[str]) -> Iterator[Page]:
    """The pages, all or those that are named, with what their commands print now."""
    try:
        for path in [ROOT / name for name in chosen] or pages_with_outputs():
            yield Page(path, _refreshed(path.read_text(), path.relative_to(ROOT)))
    finally:
        forget()


def pages_with_outputs() -> list[Path]:
    """Every page that shows what commands print."""
    everything = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [path for path in everything if _BLOCK.search(path.read_text())]


def _refreshed(text: str, name: Path) -> str:
    first = _BLOCK.search(text)
    if first is None:
        raise PageError(f"{name} shows no outputs")
    written, place = [], 0
    with Shell(first[1]) as shell:
        run = _Run(shell)
        while found := _EITHER.search(text, place):
            if found["hidden"]:
                run.printed(Step(found["hidden"], "…\n"))
                written.append(text[place : found.end()])
                place = found.end()
                continue
            if found["start"] != first["start"]:
                raise PageError(f"{name} begins with {first['start']!r}; another block says {found['start']!r}")
            (start, end), fresh = _block(run, text, found, name)
            written += [text[place:start], fresh]
            place = end
    return "".join([*written, text[place:]])


def _block(run: "_Run", text: str, found: re.Match[str], name: Path) -> tuple[tuple[int, int], str]:
    """Where in the text an output stands, and what should stand there."""
    body = found["body"]
    if found["command"]:
        return found.span("body"), run.printed(Step(found["command"], body))
    if found["language"] == "console":
        return found.span("body"), "".join(f"$ {step.command}{run.printed(step)}" for step in _steps(body))
    answer = _ANSWER.match(text[found.end() :])
    said = run.printed(Step(body, answer[1] if answer else ""))
    if answer is None:
        if said:
            raise PageError(f"{name}: a block prints what the page does not show:\n{body}\n{said}")
        return (found.end(), found.end()), ""
    return (found.end() + answer.start(1), found.end() + answer.end(1)), said


class _Run:
    """The commands of one page, one after the other, and the ids that the page has for those that were printed."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._ids: dict[str, str] = {}

    def printed(self, step: Step) -> str:
        """What the page should say that the command prints: as it says now, where that is right."""
        command = step.command
        for shown, actual in self._ids.items():
            command = command.replace(shown, actual)
        said = self._shell.run(command)
        if said and not said.endswith("\n"):
            said += "\n"
        said = re.sub(r" +$", "", said.replace("\r\n", "\n"), flags=re.MULTILINE)
        shown_ids, actual_ids = _ID.findall(step.printed), _ID.findall(said)
        if len(shown_ids) == len(actual_ids):
            self._ids |= {shown: actual for shown, actual in zip(shown_ids, actual_ids, strict=True) if shown != actual}
        for shown, actual in self._ids.items():
            said = said.replace(actual, shown)
        if "Traceback (most recent call last)" in said:
            raise PageError(f"a command fails: {command}\n{said}")
        return step.printed if _agree(step.printed, said) else _with_gaps(step.printed, said)


def _steps(block: str) -> Iterator[Step]:
    """The commands of a `console` block; a line that ends with a backslash goes on in the next."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command = re.match(r"(?:.*\\\n)*.*\n", part)
        assert command is not None
        yield Step(command[0], part[command.end() :])


def _agree(page: str, said: str) -> bool:
    pattern = ""
    for line in _masked(page).splitlines():
        pattern += "(?:.*\n)*?" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + "\n"
    return re.fullmatch(pattern, _masked(said)) is not None


def _with_gaps(page: str, said: str) -> str:
    """What was printed, with the lines that the page shows with a gap as it shows them."""
    gaps = [line for line in page.splitlines() if "…" in line and line.strip() != "…"]
    lines = [next((gap for gap in gaps if _agree(gap, line)), line) for line in said.splitlines()]
    return "".join(line + "\n" for line in lines)


def _masked(text: str) -> str:
    lines = []
    for line in text.splitlines():
        for pattern, mask in _MASKS:
            line = re.sub(pattern, mask, line)
        lines.append(line.strip() + "\n")
    return "".join(lines)
