"""Screening and hashing files from the command line."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tutela.cli.output import VERDICT_COLUMNS, complain, print_json, print_table, progress_bar, verdict_row
from tutela.deployment import Deployment
from tutela.errors import InputError, UnscreenableError
from tutela.media.content import Limits, Mode
from tutela.media.isolation import WorkerPool
from tutela.screening.examination import TASK, options, read_examination
from tutela.screening.verdict import Context
from tutela.signals.base import Digesting, Sample
from tutela.signals.registry import signal_type, signal_types

Result = TypeVar("Result")
_SHOWN = 500


def screen_paths(deployment: Deployment, paths: Sequence[str], *, as_json: bool) -> int:
    """Screen files and print verdicts. Returns the exit code."""
    matched, failed = 0, 0
    rows: list[list[str]] = []
    limit = deployment.screener.limits.max_bytes

    def screen(path: str) -> dict[str, Any]:
        verdict = deployment.screener.screen(read(path, limit), Context(item=path))
        # What a log-only bank matched is allowed, and still a match.
        return verdict.document() | {"path": path, "matched": bool(verdict.matches) or verdict.decision != "allow"}

    for path, document in _each(paths, screen, deployment.pool.size):
        if isinstance(document, InputError):
            failed += 1
            complain(str(document))
            continue
        matched += document["matched"]
        if as_json:
            print_json(document)
        elif document["matched"] or len(rows) < _SHOWN:
            rows.append(verdict_row(path, document))
    if not as_json:
        print_table(VERDICT_COLUMNS, rows)
    if failed:
        return 2
    return 1 if matched else 0


def hash_paths(paths: Sequence[str], signals: Sequence[str], *, fast: bool, as_json: bool) -> int:
    """Print the hashes of files. Returns the exit code."""
    for name in signals:
        signal_type(name)
    limits, failed = Limits(), 0
    with WorkerPool(TASK, size=os.cpu_count() or 1, limits=limits) as pool:

        def samples(path: str) -> list[Sample]:
            return samples_of(read(path, limits.max_bytes), pool, limits, Mode.FAST if fast else Mode.EXACT, signals)

        for path, found in _each(paths, samples, pool.size):
            if isinstance(found, InputError):
                failed += 1
                complain(str(found))
                continue
            for sample in found:
                value = signal_type(sample.signal).format(sample.value)
                if as_json:
                    document = {"signal": sample.signal, "value": value, "view": sample.view}
                    print_json({"path": path, **document, "quality": sample.quality})
                else:
                    quality = "" if sample.quality is None else f"  quality {sample.quality}"
                    sys.stdout.write(f"{sample.signal}  {value}  {path}{quality}\n")
    return 2 if failed else 0


def samples_of(content: bytes, pool: WorkerPool, limits: Limits, mode: Mode, signals: Sequence[str]) -> list[Sample]:
    """The hashes of one file, of the named types or all. Raises InputError when it cannot be decoded."""
    wanted = [kind for kind in signal_types().values() if not signals or kind.name in signals]
    found = [Sample(kind.name, kind.digest(content)) for kind in wanted if isinstance(kind, Digesting)]
    if len(found) < len(wanted):
        examination = read_examination(pool.run(content, options(mode, limits)))
        if not examination.samples and signals:
            raise InputError("; ".join(reason.message for reason in examination.shortcomings))
        found += [sample for sample in examination.samples if not signals or sample.signal in signals]
    return found


def read(path: str, max_bytes: int) -> bytes:
    """A file's bytes, or standard input's; of more than the limit only so much that the screener refuses it."""
    try:
        if path == "-":
            return sys.stdin.buffer.read(max_bytes + 1)
        with Path(path).open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _each(
    paths: Sequence[str], work: Callable[[str], Result], threads: int
) -> Iterator[tuple[str, Result | InputError]]:
    """The result for every file, in order, several at a time; what is wrong with a file comes instead of a result."""

    def attempt(path: str) -> Result | InputError:
        try:
            return work(path)
        except InputError as error:
            return error
        except UnscreenableError as error:
            return InputError(f"{path}: {error}")

    files = list(_files(paths))
    with ThreadPoolExecutor(threads) as executor, progress_bar() as progress:
        results = progress.track(executor.map(attempt, files), total=len(files), description="files")
        yield from zip(files, results, strict=True)


def _files(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        if path != "-" and Path(path).is_dir():
            # Links to folders are not followed, so a loop of them ends nothing.
            for folder, below, names in os.walk(path):
                below.sort()
                yield from (str(Path(folder, name)) for name in sorted(names) if Path(folder, name).is_file())
        else:
            yield path
