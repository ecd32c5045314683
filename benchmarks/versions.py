"""What uploads cost in another version: its service and ours, side by side on one core, asked in turns.

The other is a checkout with its own `.venv`, named by OTHER_VERSION; without it ours is compared with itself, which
shows the noise. Both are asked by their command line and over HTTP alone, so that any version can be compared. One that
names the setting of views in another way has that name in OTHER_VIEWS.
"""

import contextlib
import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.hashes import random_hashes
from benchmarks.http_screening import Served, free_port, on_the_other_core, started_service
from benchmarks.parts import containers_of, zip_of
from benchmarks.pictures import SIZES, file_of, mosaic, single
from benchmarks.report import Scale, Table, duration

_HASHES = {Scale.TINY: 1_000, Scale.USUAL: 10_000, Scale.FULL: 100_000}
_ROUNDS = {Scale.TINY: 1, Scale.USUAL: 7, Scale.FULL: 15}
_REQUESTS_A_ROUND = {Scale.TINY: 4, Scale.USUAL: 40, Scale.FULL: 100}
_CONTAINERS_A_ROUND = {Scale.TINY: 1, Scale.USUAL: 6, Scale.FULL: 12}
_IN_A_CONTAINER = 5
_CLIENTS = 4
_VIEWS = "TUTELA_LIMITS__VIEWS"
_AHEAD_OF_OTHERS = "-15"
"""The nice value of each session of the services: what else the machine does disturbs them less."""
_OURS = Path(__file__).parent.parent


def run(scale: Scale) -> Iterator[Table]:
    """One table: photos with two view sets, and containers of them."""
    table = Table(
        f"Uploads over HTTP beside another version, a bank of {_HASHES[scale]:,} hashes, one core",
        (
            "content",
            "views",
            "service: other, this",
            "worker: other, this",
            "this / other",
            "with what both took least",
        ),
        f"Processor time of one upload: medians of {_ROUNDS[scale]} rounds, in which both take turns, and their "
        f"ratio; then the ratio of the least that each took. {_CLIENTS} clients; photos have 1 MP, containers "
        f"{_IN_A_CONTAINER} of them.",
    )
    checkouts = (Path(os.environ.get("OTHER_VERSION", _OURS)), _OURS)
    if checkouts[0] == _OURS:
        table.note += " OTHER_VERSION is not set: the other is this one again."
    contents = _contents(scale)
    with TemporaryDirectory() as folder:
        homes = [_filled(checkouts[0], Path(folder) / "other", scale)]
        if checkouts[0] == _OURS:
            homes.append((shutil.copytree(homes[0][0], Path(folder) / "this"), homes[0][1]))
        else:
            homes.append(_filled(_OURS, Path(folder) / "this", scale))
        for views in ("plain",) if scale is Scale.TINY else ("plain", "standard"):
            with contextlib.ExitStack() as stack:
                settings = (os.environ.get("OTHER_VIEWS", _VIEWS), _VIEWS)
                services = (
                    _service(checkout, *home, {setting: views, "TUTELA_DECODERS": "1"})
                    for checkout, home, setting in zip(checkouts, homes, settings, strict=True)
                )
                both = [stack.enter_context(service) for service in services]
                stack.enter_context(on_the_other_core())
                for name, files in contents.items():
                    if views == "plain" or len(files) > 1:
                        table.add(name, views, *_compared(both, files, scale))
    yield table


@dataclass(frozen=True, slots=True)
class _Cost:
    service_s: float
    worker_s: float

    @property
    def total_s(self) -> float:
        return self.service_s + self.worker_s


def _contents(scale: Scale) -> Mapping[str, Sequence[bytes]]:
    photos = [single(SIZES["1 MP"], number) for number in range(_IN_A_CONTAINER)]
    jpegs = [file_of(photo, "JPEG", quality=85) for photo in photos]
    if scale is Scale.TINY:
        return {"single photo": jpegs, "ZIP": [zip_of(jpegs)]}
    pages = [file_of(mosaic(SIZES["1 MP"], seed), "JPEG", quality=85) for seed in range(_IN_A_CONTAINER)]
    containers = containers_of(photos, jpegs)
    return {"single photo": jpegs, "page of photos": pages} | {name: [data] for name, data in containers.items()}


def _compared(both: Sequence[Served], files: Sequence[bytes], scale: Scale) -> tuple[str, ...]:
    requests = (_REQUESTS_A_ROUND if len(files) > 1 else _CONTAINERS_A_ROUND)[scale]
    costs: list[list[_Cost]] = [[], []]
    for number in range(_ROUNDS[scale] + 1):
        for version, found in zip(both, costs, strict=True):
            cost = _cost(version, files, requests)
            if number:  # the first is for warming up
                found.append(cost)
    other, this = (_Cost(*map(statistics.median, _columns(found))) for found in costs)
    least_other, least_this = (_Cost(*map(min, _columns(found))) for found in costs)
    return (
        f"{duration(other.service_s)}, {duration(this.service_s)}",
        f"{duration(other.worker_s)}, {duration(this.worker_s)}",
        f"{this.total_s / other.total_s:.2f}",
        f"{least_this.total_s / least_other.total_s:.2f}",
    )


def _columns(costs: Sequence[_Cost]) -> tuple[list[float], list[float]]:
    return [cost.service_s for cost in costs], [cost.worker_s for cost in costs]


def _cost(version: Served, files: Sequence[bytes], requests: int) -> _Cost:
    def ask(number: int) -> None:
        answer = version.client.post("/v1/screen", content=files[number % len(files)]).raise_for_status().json()
        if answer["decision"] != "allow":
            raise AssertionError(answer)

    before = _used(version.process)
    with ThreadPoolExecutor(_CLIENTS) as clients:
        list(clients.map(ask, range(requests)))
    after = _used(version.process)
    return _Cost((after.service_s - before.service_s) / requests, (after.worker_s - before.worker_s) / requests)


def _used(process: int) -> _Cost:
    """Of a service and of all that it started, which does not end meanwhile."""
    tasks = list(Path(f"/proc/{process}/task").iterdir())
    own = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    children = [_used(int(child)) for task in tasks for child in (task / "children").read_text().split()]
    return _Cost(own, sum(child.total_s for child in children))


def _family(process: int) -> Iterator[int]:
    yield process
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _filled(checkout: Path, home: Path, scale: Scale) -> tuple[Path, str]:
    """A home that lists hashes, made by that version, and a key to it."""
    listed = home.with_suffix(".txt")
    listed.write_text("\n".join(row.tobytes().hex() for row in random_hashes(_HASHES[scale], seed=3)) + "\n")

    def tutela(*arguments: str) -> str:
        command = [*_command(checkout), "--home", str(home), *arguments]
        return subprocess.run(command, cwd=checkout, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    tutela("bank", "create", "known", "--action", "block")
    tutela("bank", "import", "known", str(listed), "--signal", "pdq", "--format", "text")
    tutela("index", "build", "--signal", "pdq")
    return home, tutela("key", "create", "benchmark", "--scope", "screen")


@contextlib.contextmanager
def _service(checkout: Path, home: Path, key: str, settings: Mapping[str, str]) -> Iterator[Served]:
    port = free_port()
    command = [*_command(checkout), "--home", str(home), "serve", "--port", str(port)]
    with started_service(command, port, "/readyz", **settings) as served:
        served.client.headers["Authorization"] = f"Bearer {key}"
        for process in _family(served.process):
            with contextlib.suppress(OSError):  # it needs the right to raise priorities, and sched(7)'s autogroups
                Path(f"/proc/{process}/autogroup").write_text(_AHEAD_OF_OTHERS)
        yield served


def _command(checkout: Path) -> list[str]:
    return [str(checkout / ".venv" / "bin" / "python"), "-m", "tutela"]
