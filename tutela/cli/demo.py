"""`tutela demo`: the whole story on benign pictures: a bank, the service, altered copies, cases, and the console.

The pictures are drawn here, so that the demonstration needs no files; they stand for known material.
"""

import contextlib
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from rich.markup import escape

from tutela.api.keys import Keys, Scope
from tutela.cli.output import VERDICT_COLUMNS, complain, out, print_table, verdict_row
from tutela.cli.screening import samples_of
from tutela.console.people import People
from tutela.console.roles import Role
from tutela.content.media.content import Mode
from tutela.deployment.casework import opened_casework
from tutela.deployment.composition import Deployment
from tutela.deployment.installation import Plan, install, keys_beside
from tutela.deployment.settings import Settings
from tutela.errors import ConflictError, NotFoundError, TutelaError
from tutela.foundation.store.database import Store
from tutela.lists.banks.model import Action, NewEntry, Policy

_BANK = "demo-known"
_KEY_NAME = "demonstration"
_PERSON = "Demonstration reviewer"
_ROLES = (Role.REVIEWER, Role.LEAD, Role.AUDITOR)
_UPLOADERS = 3
_KNOWN = 6
_CONSOLE_PORT = 8081
_PAGE_PORT = 8082
_START_TIMEOUT_S = 900.0
"""A process that fails ends, which is seen at once; one that lives is slow: the machine is busy."""
_STOP_TIMEOUT_S = 30.0
"""Longer than the service waits for requests that are under way."""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks the service itself, whatever proxy the environment names."""
_PROCESSES = ("page", "console", "service")
"""Each has NAME.pid and NAME.log in the home; they end in this order."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the processes of the demonstration are."""

    service: str
    console: str
    page: str

    @classmethod
    def free(cls, first: int, held: contextlib.ExitStack) -> "Addresses":
        """Ports that nobody listens on, and none that starts at the same time will as long as they are held; the
        service's is the first from there on. Raises TutelaError."""
        service = _free_port(first, held)
        console = _free_port(_CONSOLE_PORT, held, service)
        page = _free_port(_PAGE_PORT, held, service, console)
        return cls(f"http://127.0.0.1:{service}", f"http://localhost:{console}", f"http://127.0.0.1:{page}")


def run(given: Settings, port: int) -> int:
    """Do it all. Returns the exit code."""
    home = given.home.absolute()
    stop(home, quiet=True)
    settings = install(Plan(home, keys_beside(home), database=given.database)).settings
    known = [draw_scene(seed) for seed in range(_KNOWN)]
    with settings.open() as deployment:
        _fill_bank(deployment, known)
        key, invitation = _new_key(deployment), _invitation(deployment.store)
    uploads = home / "uploads"
    uploads.mkdir(exist_ok=True)
    for name, content in altered_copies(known).items():
        (uploads / name).write_bytes(content)
    with contextlib.ExitStack() as held:
        at = Addresses.free(port, held)
        _start(settings, at, key)
    files = sorted(path for path in uploads.iterdir() if path.is_file())
    rows = [verdict_row(path.name, _screen(at.service, key, path, place)) for place, path in enumerate(files)]
    out.print()
    print_table(
        VERDICT_COLUMNS, rows, title=f"{len(rows)} uploads against bank {_BANK!r} of {len(known)} benign pictures"
    )
    with opened_casework(settings.home, settings.database_text, settings.casework) as casework:
        waiting = casework.cases.queue()
    example = uploads / "1-known-again.png"
    out.print(
        f"""
What was blocked or held is sealed and waits for people, in {len(waiting)} cases.

Try next:
  {at.service}/docs      the API, with worked examples
  curl -H 'Authorization: Bearer {key}' --data-binary @{escape(str(example))} {at.service}/v1/screen
  tutela --home {escape(str(home))} case list
Stop it with `make stop`, or: tutela --home {escape(str(home))} demo --stop
""",
        highlight=False,
    )
    typer.echo(f"Drop a picture and see its verdict:  {at.page}/")
    typer.echo(f"Decide the cases (works once):       {at.console}/enrol/{invitation}")
    return 0


def draw_pictures(folder: Path) -> None:
    """Draw what stands for known pictures into `known/`, and uploads into `uploads/`."""
    known = [draw_scene(seed) for seed in range(_KNOWN)]
    drawn = {f"scene-{number}.png": encoded(picture, "PNG") for number, picture in enumerate(known)}
    for name, files in (("known", drawn), ("uploads", altered_copies(known))):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            (folder / name / file).write_bytes(content)


def stop(home: Path, *, quiet: bool = False) -> int:
    """Stop what an earlier demonstration left running. Returns the exit code."""
    running = [name for name in _PROCESSES if _stop(home, name)]
    if not quiet:
        out.print("the demonstration is stopped" if running else "no demonstration is running")
    return 0


def _stop(home: Path, name: str) -> bool:
    """End one process of the demonstration; whether it ran."""
    pid_file = home / f"{name}.pid"
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        pid = 0
    running = _is_ours(pid, home)
    if running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while _is_ours(pid, home):
            if time.monotonic() > deadline:
                raise TutelaError(
                    "the {name}, process {pid}, does not stop; see {home}",
                    name=name,
                    pid=pid,
                    home=home / f"{name}.log",
                )
            time.sleep(0.05)
    pid_file.unlink(missing_ok=True)
    return running


def _is_ours(pid: int, home: Path) -> bool:
    """Whether that process runs, and is of this home: the number may belong to somebody else by now."""
    if pid <= 0:
        return False  # a signal to such a number goes to a whole group of processes
    try:
        if not Path("/proc/self/cmdline").exists():
            os.kill(pid, 0)
            return True
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return {b"serve", b"tutela.cli.drop.app"} & set(arguments) != set() and os.fsencode(home.absolute()) in arguments


def draw_scene(seed: int, size: tuple[int, int] = (960, 720)) -> Image.Image:
    """A drawn landscape with much detail; the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311
    width, height = size
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    top, bottom = ([rng.randrange(60, 256) for _ in range(3)] for _ in range(2))
    for y in range(height):
        share = y / height
        colour = tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
        draw.line((0, y, width, y), fill=colour)
    for ridge in range(5):
        base = height * (0.35 + 0.13 * ridge)
        points = [(x, base + rng.randrange(-90, 90)) for x in range(0, width + 80, 80)]
        shade = tuple(rng.randrange(20, 200 - 30 * ridge) for _ in range(3))
        draw.polygon([(0, height), *points, (width, height)], fill=shade)
    for _ in range(40):
        x, y, r = rng.randrange(width), rng.randrange(height), rng.randrange(8, 90)
        colour = tuple(rng.randrange(256) for _ in range(3))
        shape: Callable[..., None] = rng.choice((draw.ellipse, draw.rectangle))
        shape((x - r, y - r, x + r, y + r * rng.uniform(0.3, 1.2)), fill=colour)
    return picture.filter(ImageFilter.GaussianBlur(0.7))


def altered_copies(known: list[Image.Image]) -> dict[str, bytes]:
    """Uploads by name: copies of the known pictures, unrelated ones, and files that cannot be screened."""
    half = known[1].resize((known[1].width // 2, known[1].height // 2))
    jpeg = encoded(known[5], "JPEG", quality=80)
    return {
        "1-known-again.png": encoded(known[0], "PNG"),
        "2-known-quality-20.jpg": encoded(known[0], "JPEG", quality=20),
        "3-known-half-size.webp": encoded(half, "WEBP", quality=70),
        "4-known-brighter.jpg": encoded(ImageEnhance.Brightness(known[2]).enhance(1.25), "JPEG", quality=85),
        "5-known-grey.jpg": encoded(known[3].convert("L"), "JPEG", quality=85),
        "6-known-blurred.png": encoded(known[4].filter(ImageFilter.GaussianBlur(2)), "PNG"),
        "7-unrelated.jpg": encoded(draw_scene(1001), "JPEG", quality=85),
        "8-unrelated.png": encoded(draw_scene(1002), "PNG"),
        "9-cut-short.jpg": jpeg[: len(jpeg) // 2],
        "a-text-posing-as.jpg": b"This is no picture, whatever its name says.\n",
    }


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    """A picture as a file's bytes."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def _fill_bank(deployment: Deployment, known: list[Image.Image]) -> None:
    with contextlib.suppress(ConflictError):
        deployment.banks.create(
            _BANK, description="Benign pictures that stand for known ones", policy=Policy(Action.BLOCK), actor="demo"
        )
    limits = deployment.screener.limits
    entries = [
        NewEntry(sample.signal, sample.value, "demo", f"scene-{number}")
        for number, picture in enumerate(known)
        for sample in samples_of(encoded(picture, "PNG"), deployment.pool, limits, Mode.EXACT, ["pdq", "sha256"])[0]
    ]
    deployment.banks.add(_BANK, entries, actor="demo")


def _new_key(deployment: Deployment) -> str:
    keys = Keys(deployment.store)
    for key in keys.all():
        if key.name == _KEY_NAME and key.revoked_at is None:
            keys.revoke(key.id, by="demo")
    return keys.create(_KEY_NAME, [Scope.SCREEN, Scope.CURATE], by="demo")[1]


def _invitation(store: Store) -> str:
    """The token of a link into the console for the demonstration's reviewer; earlier ones stop working."""
    people = People(store)
    try:
        person = people.named(_PERSON)
    except NotFoundError:
        person = people.add(_PERSON, _ROLES, by="demo")
    return people.invite(person.id, by="demo")


def _start(settings: Settings, at: Addresses, key: str) -> None:
    """Start the service, the console and the page, side by side, and wait until all answer. Raises TutelaError."""
    home = settings.home.absolute()
    tutela = ["-m", "tutela", "--home", str(home)]
    ports = {name: address.rpartition(":")[2] for name, address in (("service", at.service), ("console", at.console))}
    own = {"TUTELA_CONSOLE__ORIGIN": at.console}
    theirs = {"TUTELA_URL": at.service, "TUTELA_KEY": key, "TUTELA_DEMONSTRATION_PORT": at.page.rpartition(":")[2]}
    started = {
        "service": _process(settings, "service", [*tutela, "serve", "--port", ports["service"]], {}),
        "console": _process(settings, "console", [*tutela, "console", "serve", "--port", ports["console"]], own),
        "page": _process(settings, "page", ["-m", "tutela.cli.drop.app", str(home)], theirs),
    }
    asked = {"service": f"{at.service}/readyz", "console": f"{at.console}/sign-in", "page": f"{at.page}/"}
    deadline = time.monotonic() + _START_TIMEOUT_S
    for name, process in started.items():
        if not _answers(asked[name], process, deadline):
            complain(f"the {name} did not become ready; see {home / f'{name}.log'}")
            for other in started.values():
                other.terminate()
            raise TutelaError("the demonstration ends here")


def _process(settings: Settings, name: str, arguments: list[str], own: dict[str, str]) -> subprocess.Popen[bytes]:
    home = settings.home.absolute()
    with (home / f"{name}.log").open("ab") as file:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *arguments],
            env=os.environ | settings.environment(1) | own,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    (home / f"{name}.pid").write_text(str(process.pid))
    return process


def _answers(address: str, process: subprocess.Popen[bytes], deadline: float) -> bool:
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with _DIRECT.open(address, timeout=30):  # a first page takes longer than later ones
                return True
        except OSError:
            time.sleep(0.1)
    return False


def _screen(address: str, key: str, path: Path, place: int) -> dict[str, Any]:
    context = {"item": path.name, "details": {"uploader": f"member-{place % _UPLOADERS}"}}
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/octet-stream",
        "Tutela-Context": json.dumps(context),
    }
    request = urllib.request.Request(f"{address}/v1/screen", path.read_bytes(), headers)  # noqa: S310
    try:
        with _DIRECT.open(request, timeout=30) as answer:
            verdict: dict[str, Any] = json.load(answer)
            return verdict
    except urllib.error.HTTPError as error:
        raise TutelaError(
            "the service answered {code}: {error}", code=error.code, error=error.read().decode()
        ) from error


def _free_port(first: int, held: contextlib.ExitStack, *taken: int) -> int:
    for port in range(first, min(first + 100, 65536)):
        if port in taken or not _is_free(port, held):
            continue
        if port != first and first not in taken:
            out.print(f"port {first} is taken; using {port}")
        return port
    raise TutelaError("no port from {first} on is free", first=first)


def _is_free(port: int, held: contextlib.ExitStack) -> bool:
    """Whether it is; others that start are told that it is not, from now on."""
    with contextlib.ExitStack() as own:
        try:
            if sys.platform == "linux":  # a name that belongs to no file and goes with its process: unix(7)
                claim = own.enter_context(socket.socket(socket.AF_UNIX))
                claim.bind(f"\0tutela-demonstration-{port}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        held.enter_context(own.pop_all())
        return True
