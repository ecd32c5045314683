"""Lists as files, folders and HTTPS addresses of CSV or text, as hotlines give them.

A list is always read whole: what it no longer names is withdrawn. It is copied aside and its checksum or signature is
compared before the first line counts, so that a torn or changed file changes nothing.
"""

import base64
import binascii
import gzip
import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from tutela.content.links.link import with_keys
from tutela.content.signals.registry import signal_type
from tutela.errors import InputError
from tutela.foundation.http import Answer, Http
from tutela.lists.banks.columns import Columns
from tutela.lists.banks.files import Format, read_list
from tutela.lists.banks.lines import BadLine
from tutela.lists.banks.model import NewEntry
from tutela.lists.banks.transfer import format_of
from tutela.lists.exchanges.answers import MAX_UNREADABLE_NAMED
from tutela.lists.exchanges.base import Exchange, ExchangeError, ExchangeKind, Listing, Option, Page

log = logging.getLogger(__name__)

PAGE = 5_000
MAX_BYTES = 64 * 1024**3
_FIELDS = ("value", "signal", "label", "reference", "note")
_BESIDE = (".sha256", ".sig")
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class _File:
    """One file of the list."""

    name: str
    size: int
    digest: str
    fetch: Callable[[BinaryIO], None]
    """Writes its bytes."""


class Files(Exchange):
    """A list in files."""

    def __init__(self, options: Mapping[str, str], http: Http) -> None:
        super().__init__(http)
        if bool(options["path"]) == bool(options["url"]):
            raise InputError("a list of files has a path or a url")
        if options["user"]:
            http.with_identity(auth=(options["user"], options["password"]))
        if options["token"]:
            http.with_identity(headers={"Authorization": f"Bearer {options['token']}"})
        self._options = options
        self._columns = _columns(options)

    def test(self) -> str:
        """That the list is there and is what its checksum and signature say."""
        with self._files(None) as files:
            assert files is not None
            return (
                f"{len(files)} file(s), {sum(file.size for file in files):,} bytes: {', '.join(f.name for f in files)}"
            )

    def pull(self, checkpoint: str | None) -> Iterator[Page]:
        """As `Exchange.pull`: the whole list, unless it is the one that was read last."""
        before = json.loads(checkpoint) if checkpoint else {}
        with self._files(before) as files:
            digest = before.get("digest", "") if files is None else _digest(files)
            if files is None or (before.get("done") and before.get("digest") == digest):
                yield Page((), json.dumps({**before, "done": True}), final=True)
                return
            resumed = before.get("digest") == digest
            first, skip = (int(before["file"]), int(before["line"])) if resumed else (0, 0)
            yield from self._pages(files, digest, first, skip, begins=not resumed)

    def _pages(self, files: list[_File], digest: str, first: int, skip: int, *, begins: bool) -> Iterator[Page]:
        for number, file in enumerate(files[first:], start=first):
            with tempfile.TemporaryFile() as copy:
                _copy_of(file, cast(BinaryIO, copy))
                for page, line in self._lines(cast(BinaryIO, copy), file, skip):
                    state = {"digest": digest, "file": number, "line": line, "done": False}
                    yield replace(page, checkpoint=json.dumps(state), begins=begins)
                    begins = False
            skip = 0
        done = {"digest": digest, "done": True, **self._validators}
        yield Page((), json.dumps(done), final=True, begins=begins)

    def _lines(self, raw: BinaryIO, file: _File, skip: int) -> Iterator[tuple[Page, int]]:
        """Pages without a checkpoint, each with the number of its last line."""
        raw.seek(0)
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        listings: list[Listing] = []
        bad: list[BadLine] = []
        last = skip

        def page() -> Page:
            named = tuple(f"{file.name}, line {one.line}: {one.reason}" for one in bad[:MAX_UNREADABLE_NAMED])
            return Page(listings, "", final=False, rejected=len(bad), unreadable=named)

        try:
            for line in read_list(
                stream,
                format=Format(self._options["format"]) if self._options["format"] else format_of(Path(file.name)),
                source=file.name,
                signal=self._options["signal"] or None,
                columns=self._columns,
                labels=None,
                skip=skip,
                on_left_out=lambda name: log.warning("%s: the hashes of column %r are left out", file.name, name),
            ):
                number = line.line if isinstance(line, BadLine) else line[0]
                if len(listings) + len(bad) >= PAGE and number != last:  # all hashes of a line, or none yet
                    yield page(), last
                    listings, bad = [], []
                last = number
                if isinstance(line, BadLine):
                    bad.append(line)
                else:
                    listings.append(_listing(file.name, line[1]))
        except (EOFError, gzip.BadGzipFile, OSError) as error:
            raise ExchangeError("{name} is damaged: {error}", name=file.name, error=error) from None
        except InputError as error:
            raise ExchangeError("{name} cannot be read: {error}", name=file.name, error=error) from None
        yield page(), last

    # --- where the bytes come from

    @contextmanager
    def _files(self, before: Mapping[str, object] | None) -> Iterator[list[_File] | None]:
        """The files of the list, checked; None where the service says that nothing changed."""
        self._validators: dict[str, str] = {}
        if self._options["path"]:
            yield [self._checked_path(path) for path in _paths(Path(self._options["path"]))]
            return
        with tempfile.TemporaryFile() as copy:
            yield self._downloaded(cast(BinaryIO, copy), before or {})

    def _checked_path(self, path: Path) -> _File:
        try:
            with path.open("rb") as stream:
                digest = _sha256(stream)
            size = path.stat().st_size
        except OSError as error:
            raise InputError("{path} cannot be read: {why}", path=path, why=error.strerror) from None

        def beside(suffix: str) -> bytes:
            try:
                return path.with_name(path.name + suffix).read_bytes()[:4096]
            except OSError:
                raise ExchangeError(
                    "{name}{suffix} is not there, and the list needs it", name=path.name, suffix=suffix
                ) from None

        def fetch(sink: BinaryIO) -> None:
            with path.open("rb") as stream:
                while piece := stream.read(_PIECE):
                    sink.write(piece)

        file = _File(path.name, size, digest, fetch)
        self._check(file, beside)
        return file

    def _downloaded(self, copy: BinaryIO, before: Mapping[str, object]) -> list[_File] | None:
        url = self._options["url"]
        if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
            raise InputError("a list is fetched by https")
        asked = {"If-None-Match": str(before["etag"])} if before.get("done") and before.get("etag") else {}
        hasher = hashlib.sha256()

        def sink(piece: bytes) -> None:
            hasher.update(piece)
            copy.write(piece)

        answer: Answer = self.http.get(url, headers=asked, max_bytes=MAX_BYTES, sink=sink)
        if answer.status == 304:
            return None
        if etag := answer.headers.get("etag"):
            self._validators["etag"] = etag

        def beside(suffix: str) -> bytes:
            parts = urlsplit(url)
            return self.http.get(parts._replace(path=parts.path + suffix).geturl(), max_bytes=4096).body

        def fetch(target: BinaryIO) -> None:
            copy.seek(0)
            while piece := copy.read(_PIECE):
                target.write(piece)

        file = _File(Path(urlsplit(url).path).name or "list", copy.tell(), hasher.hexdigest(), fetch)
        self._check(file, beside)
        return [file]

    def _check(self, file: _File, beside: Callable[[str], bytes]) -> None:
        """Compare the checksum and the signature that the list must have. Raises ExchangeError."""
        if self._options["checksum"] == "sidecar":
            words = beside(".sha256").decode("ascii", "replace").split()
            if not words or words[0].lower() != file.digest:
                raise ExchangeError("{name} is not what its checksum says: nothing of it was taken", name=file.name)
        if self._options["public_key"]:
            with tempfile.TemporaryFile() as content:
                _copy_of(file, cast(BinaryIO, content))
                _verify(self._options["public_key"], beside(".sig"), content.read(), file.name)


def _verify(public_key: str, signature: bytes, content: bytes, name: str) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
    except (ValueError, binascii.Error):
        raise InputError("public_key is an Ed25519 key of 32 bytes in base64") from None
    raw = signature if len(signature) == 64 else base64.b64decode(signature.strip(), validate=False)
    try:
        key.verify(raw, content)
    except InvalidSignature:
        raise ExchangeError("{name} is not signed by the list's key: nothing of it was taken", name=name) from None


def _copy_of(file: _File, copy: BinaryIO) -> None:
    """The file's bytes, if they are still those that were checked."""
    file.fetch(copy)
    copy.seek(0)
    if _sha256(copy) != file.digest:
        raise ExchangeError("{name} changed while it was read; it is read again at the next pull", name=file.name)
    copy.seek(0)


def _sha256(stream: BinaryIO) -> str:
    hasher = hashlib.sha256()
    while piece := stream.read(_PIECE):
        hasher.update(piece)
    return hasher.hexdigest()


def _paths(path: Path) -> list[Path]:
    if path.is_dir():
        files = [item for item in path.iterdir() if item.is_file() and not item.name.startswith(".")]
        return sorted(item for item in files if item.suffix not in _BESIDE)
    if not path.is_file():
        raise InputError("{path} is neither a file nor a folder", path=path)
    return [path]


def _digest(files: list[_File]) -> str:
    return hashlib.sha256(json.dumps([(file.name, file.digest) for file in files]).encode()).hexdigest()


def _columns(options: Mapping[str, str]) -> Columns:
    given = {field: options[f"column_{field}"].strip().lower().replace(" ", "_") for field in _FIELDS}
    named = {field: (name,) for field, name in given.items() if name}
    return replace(Columns(), **named)


def _listing(file: str, entry: NewEntry) -> Listing:
    text = signal_type(entry.signal).format(entry.value)
    # The value is part of the name: one reference may stand on several lines, one for each hash of a picture.
    name = f"{entry.reference}#{entry.signal}:{text}" if entry.reference else f"{entry.signal}:{text}"
    return Listing(
        owner=file,
        id=name,
        labels=(entry.label,) if entry.label else (),
        fingerprints=((entry.signal, with_keys(text, entry.keys) if entry.text is None else entry.text),),
        note=entry.note or "",
    )


KIND = ExchangeKind(
    name="files",
    summary="a file, a folder or an HTTPS address of CSV, text or JSON",
    options=(
        Option("path", "a file or a folder"),
        Option("url", "an HTTPS address"),
        Option("format", "by the file's name where it is not given", choices=tuple(Format)),
        Option("signal", "signal type of values whose line does not say it"),
        *(Option(f"column_{field}", f"name of the column that holds the {field}") for field in _FIELDS),
        Option("checksum", "compare with SHA-256 in FILE.sha256", choices=("none", "sidecar"), default="none"),
        Option("public_key", "Ed25519 key in base64 that must have signed FILE, in FILE.sig"),
        Option("user", "account name at the address", secret=True),
        Option("password", "password at the address", secret=True),
        Option("token", "bearer token at the address", secret=True),
    ),
    open=Files,
    whole=True,
)
