"""Screening and hashing files from the command line."""

import errno
import os
import stat
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tutela.cli.output import (
    VERDICT_COLUMNS,
    complain,
    out,
    print_json,
    print_table,
    progress_bar,
    verdict_row,
    visible,
)
from tutela.content.media.content import Mode
from tutela.content.media.isolation import WorkerPool
from tutela.content.media.limits import Limits
from tutela.content.media.profile import Profile
from tutela.content.media.sniff import VIDEOS, sniff
from tutela.content.signals.base import WHOLE, Computable, Digesting, Sample
from tutela.content.signals.registry import signal_type, signal_types
from tutela.content.signals.vpdq import VPDQ
from tutela.content.views.view_set import ViewSet
from tutela.deployment.composition import Deployment
from tutela.errors import InputError, UnscreenableError
from tutela.screening.examination import TASK, options, read_examination
from tutela.screening.screener import Screener
from tutela.screening.verdict import Context, Reason
from tutela.screening.video.listed import frames_of

Result = TypeVar("Result")
_SHOWN = 500


def view_set(name: str | None) -> ViewSet | None:
    """The view set of that name. Raises InputError for one that uploads are not screened by."""
    known = [views.value for views in ViewSet if views is not ViewSet.LISTED]
    if name is not None and name not in known:
        raise InputError("no view set is called {name!r}; there are {known}", name=name, known=", ".join(known))
    return None if name is None else ViewSet(name)


def expected(name: str | None) -> Profile | None:
    """The profile of that name. Raises InputError."""
    if name is not None and name not in list(Profile):
        raise InputError("no profile is called {name!r}; there are {profile}", name=name, profile=", ".join(Profile))
    return None if name is None else Profile(name)


def screen_paths(
    deployment: Deployment,
    screener: Screener,
    paths: Sequence[str],
    views: ViewSet | None,
    profile: Profile | None,
    *,
    as_json: bool,
) -> int:
    """Screen files and print verdicts. Returns the exit code."""
    matched, failed, unlisted = 0, 0, 0
    rows: list[list[str]] = []

    def screen(path: str, content: bytes) -> dict[str, Any]:
        verdict = screener.screen(content, Context(item=path), views=views, profile=profile)
        # What a log-only bank matched is allowed, and still a match.
        return verdict.document() | {"path": path, "matched": bool(verdict.matches) or verdict.decision != "allow"}

    with closing(_each(paths, deployment.screener.limits.max_bytes, screen, deployment.pool.size)) as results:
        for path, document in results:
            if isinstance(document, InputError):
                failed += 1
                complain(str(document))
                continue
            matched += document["matched"]
            if as_json:
                print_json(document)
            elif document["matched"] or len(rows) < _SHOWN:
                rows.append(verdict_row(path, document))
            else:
                unlisted += 1
    if not as_json and (rows or not failed):
        print_table(VERDICT_COLUMNS, rows)
        if unlisted:
            out.print(f"and {unlisted:,} more that are allowed; --json lists every one")
    if failed:
        return 2
    return 1 if matched else 0


def hash_paths(paths: Sequence[str], signals: Sequence[str], limits: Limits, *, fast: bool, as_json: bool) -> int:
    """Print the hashes of files. Returns the exit code."""
    for name in signals:
        signal_type(name)
    failed, mode = 0, Mode.FAST if fast else Mode.EXACT
    limits = replace(limits, views=ViewSet.PLAIN)
    with WorkerPool(TASK, size=os.cpu_count() or 1, limits=limits) as pool:

        def samples(path: str, content: bytes) -> tuple[list[Sample], Sequence[Reason], str]:
            found, gaps = samples_of(content, pool, limits, mode, signals)
            frames = ""
            if sniff(content) in VIDEOS and (not signals or "vpdq" in signals):
                listed = frames_of(content, pool, limits)
                frames = VPDQ.write([sample for sample in listed if sample.view == WHOLE])
            return found, gaps, frames

        with closing(_each(paths, limits.max_bytes, samples, pool.size)) as results:
            for path, found in results:
                if isinstance(found, InputError):
                    failed += 1
                    complain(str(found))
                    continue
                for reason in found[1]:
                    complain(f"{path}: {reason.message}")
                for sample in found[0]:
                    value = signal_type(sample.signal).format(sample.value)
                    if as_json:
                        document = {"signal": sample.signal, "value": value, "view": sample.view}
                        print_json({"path": path, **document, "quality": sample.quality})
                    else:
                        quality = "" if sample.quality is None else f"  quality {sample.quality}"
                        sys.stdout.write(f"{sample.signal}  {value}  {visible(path)}{quality}\n")
                if found[2] and as_json:
                    print_json({"path": path, "signal": VPDQ.name, "value": found[2], "view": WHOLE, "quality": None})
                elif found[2]:
                    sys.stdout.write(f"{VPDQ.name}  {found[2]}  {visible(path)}\n")
    return 2 if failed else 0


def samples_of(
    content: bytes, pool: WorkerPool, limits: Limits, mode: Mode, signals: Sequence[str]
) -> tuple[list[Sample], Sequence[Reason]]:
    """The hashes of one file, of the named types or all, and what these do not cover of it.

    Raises UnscreenableError when a named one cannot be had because the file cannot be decoded, InputError when it is
    of a type that is only looked up, never computed.
    """
    wanted = [kind for kind in signal_types().values() if not signals or kind.name in signals]
    found = [Sample(kind.name, kind.digest(content)) for kind in wanted if isinstance(kind, Digesting)]
    if sniff(content) in VIDEOS:  # its frames are hashed by `frames_of`
        return found, ()
    for kind in wanted:
        if signals and not isinstance(kind, Digesting | Computable):
            raise InputError("{name} hashes cannot be computed here, only listed and looked up", name=kind.name)
    if len(found) == len(wanted):
        return found, ()
    examination = read_examination(pool.run(content, options(mode, limits)))
    if not examination.samples and signals:
        first = examination.shortcomings[0]
        raise UnscreenableError(first.code, first.message)
    found += [sample for sample in examination.samples if not signals or sample.signal in signals]
    return found, examination.shortcomings


def read(path: str, max_bytes: int) -> bytes:
    """A file's bytes, or standard input's; of more than the limit only so much that the screener refuses it."""
    try:
        if path == "-":
            if sys.stdin is None:
                raise InputError("standard input is closed")
            return sys.stdin.buffer.read(max_bytes + 1)
        with Path(path).open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise InputError("{path} cannot be read: {why}", path=path, why=error.strerror) from error


def _each(
    paths: Sequence[str], max_bytes: int, work: Callable[[str, bytes], Result], threads: int
) -> Generator[tuple[str, Result | InputError]]:
    """The result for every file, in order, several at a time; what is wrong with a file comes instead of a result.

    Close it where its end is not reached, and no further file is begun.
    """

    def attempt(item: str | InputError) -> Result | InputError:
        if isinstance(item, InputError):
            return item
        try:
            return work(item, piped if item == "-" else read(item, max_bytes))
        except InputError as error:
            return error
        except UnscreenableError as error:
            return InputError("{item}: {error}", item=item, error=error)

    # Standard input is read here: a thread that waits for it could not be interrupted.
    piped = read("-", max_bytes) if "-" in paths else b""
    items = list(_files(paths))
    executor = ThreadPoolExecutor(threads)
    try:
        with progress_bar() as progress:
            results = progress.track(executor.map(attempt, items), total=len(items), description="files")
            yield from zip(map(str, items), results, strict=True)
    finally:
        executor.shutdown(cancel_futures=True)


def _files(paths: Sequence[str]) -> Iterator[str | InputError]:
    """Every file, and what is wrong with a folder that cannot be read to its end."""
    for path in paths:
        if path == "-" or not os.path.isdir(path):  # noqa: PTH112  (Path's raises for a name that is too long)
            yield path
            continue
        unread: list[OSError] = []
        # Links to folders are not followed, so a loop of them ends nothing.
        for folder, below, names in os.walk(path, onerror=unread.append):
            below.sort()
            yield from _leading_elsewhere(path, folder, below)
            yield from (str(Path(folder, name)) for name in sorted(names) if _is_to_be_read(Path(folder, name)))
        for error in unread:
            yield InputError("{filename} cannot be read: {why}", filename=error.filename, why=error.strerror)


def _leading_elsewhere(root: str, folder: str, below: Sequence[str]) -> Iterator[InputError]:
    """What is wrong with links to folders that are not screened anyway."""
    for name in below:
        link = Path(folder, name)
        if link.is_symlink() and not link.resolve().is_relative_to(Path(root).resolve()):
            yield InputError("{path} leads to another folder, which was not read: name that, too", path=str(link))


def _is_to_be_read(path: Path) -> bool:
    """Whether it is a file, or reading it will say why that cannot be told. A link to nothing and a pipe are not."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ELOOP)
