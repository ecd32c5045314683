"""`tutela demo`: the main job on benign pictures. A bank, the service, and altered copies screened through it.

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
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from rich.markup import escape

from tutela.api.keys import Keys, Scope
from tutela.cli.output import VERDICT_COLUMNS, complain, out, print_table, verdict_row
from tutela.cli.screening import samples_of
from tutela.content.media.content import Mode
from tutela.deployment.composition import Deployment
from tutela.deployment.settings import Settings
from tutela.errors import ConflictError, TutelaError
from tutela.lists.banks.model import Action, NewEntry, Policy

_BANK = "demo-known"
_KEY_NAME = "demonstration"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0
"""Longer than the service waits for requests that are under way."""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks the service itself, whatever proxy the environment names."""


def run(settings: Settings, port: int) -> int:
    """Do it all. Returns the exit code."""
    home = settings.home
    stop(home, quiet=True)
    known = [draw_scene(seed) for seed in range(6)]
    with settings.open() as deployment:
        _fill_bank(deployment, known)
        key = _new_key(deployment)
    uploads = home / "uploads"
    uploads.mkdir(exist_ok=True)
    for name, content in altered_copies(known).items():
        (uploads / name).write_bytes(content)
    port = _free_port(port)
    address = f"http://127.0.0.1:{port}"
    _start_service(settings, port, address)
    files = sorted(path for path in uploads.iterdir() if path.is_file())
    rows = [verdict_row(path.name, _screen(address, key, path.read_bytes())) for path in files]
    out.print()
    print_table(
        VERDICT_COLUMNS, rows, title=f"{len(rows)} uploads against bank {_BANK!r} of {len(known)} benign pictures"
    )
    example = uploads / "1-known-again.png"
    out.print(
        f"""
The service is running. Try next:
  {address}/docs      the API, with worked examples
  {address}/readyz    is it ready?
  {address}/metrics   Prometheus metrics
  curl -H 'Authorization: Bearer {key}' --data-binary @{escape(str(example))} {address}/v1/screen
  tutela --home {escape(str(home))} bank list
Stop it with `make stop`, or: tutela --home {escape(str(home))} demo --stop""",
        highlight=False,
    )
    return 0


def stop(home: Path, *, quiet: bool = False) -> int:
    """Stop the service that an earlier demonstration left running. Returns the exit code."""
    pid_file = home / "service.pid"
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        pid = 0
    running = _is_our_service(pid, home)
    if running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while _is_our_service(pid, home):
            if time.monotonic() > deadline:
                raise TutelaError(f"the service, process {pid}, does not stop; see {home / 'service.log'}")
            time.sleep(0.05)
    pid_file.unlink(missing_ok=True)
    if not quiet:
        out.print("the service is stopped" if running else "no demonstration is running")
    return 0


def _is_our_service(pid: int, home: Path) -> bool:
    """Whether that process runs, and is the service of this home: the number may belong to somebody else by now."""
    if pid <= 0:
        return False  # a signal to such a number goes to a whole group of processes
    try:
        if not Path("/proc/self/cmdline").exists():
            os.kill(pid, 0)
            return True
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return b"serve" in arguments and os.fsencode(home.absolute()) in arguments


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
            keys.revoke(key.id)
    return keys.create(_KEY_NAME, [Scope.SCREEN, Scope.CURATE])[1]


def _start_service(settings: Settings, port: int, address: str) -> None:
    home = settings.home
    log = home / "service.log"
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tutela", "--home", str(home.absolute()), "serve", "--port", str(port)],
            env=os.environ | settings.environment(1),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    (home / "service.pid").write_text(str(process.pid))
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with _DIRECT.open(f"{address}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    complain(f"the service did not become ready; see {log}")
    process.terminate()
    raise TutelaError("the demonstration ends here")


def _screen(address: str, key: str, content: bytes) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310
        f"{address}/v1/screen", content, {"Authorization": f"Bearer {key}", "Content-Type": "application/octet-stream"}
    )
    try:
        with _DIRECT.open(request, timeout=30) as answer:
            verdict: dict[str, Any] = json.load(answer)
            return verdict
    except urllib.error.HTTPError as error:
        raise TutelaError(f"the service answered {error.code}: {error.read().decode()}") from error


def _free_port(first: int) -> int:
    for port in range(first, min(first + 100, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port != first:
            out.print(f"port {first} is taken; using {port}")
        return port
    raise TutelaError(f"no port from {first} on is free")
