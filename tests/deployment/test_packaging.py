"""What is shipped: the archive and the wheel made from it, installed where nothing else of the checkout is."""

import ast
import fcntl
import importlib.metadata
import json
import runpy
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tutela
from tutela import _native
from tutela.cli import _EXTRAS
from tutela.content.signals.registry import GROUP, signal_types
from tutela.deployment.doctor.libraries import native_versions, serving_versions

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def run(*command: str | Path, cwd: Path, **options) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, **options)
    assert result.returncode == 0, result.stderr
    return result


# --- the archive and the wheel


@dataclass(frozen=True)
class Shipped:
    """The source archive, and the wheel that was built from nothing but it."""

    archive: Path
    wheel: Path

    @property
    def archived(self) -> set[str]:
        """The archive's files, below its one folder."""
        with tarfile.open(self.archive) as archive:
            return {name.partition("/")[2] for name in archive.getnames()}

    @property
    def files(self) -> set[str]:
        """The wheel's files."""
        with zipfile.ZipFile(self.wheel) as wheel:
            return set(wheel.namelist())

    def read(self, ending: str) -> str:
        """The one text file of the wheel whose name ends so."""
        (name,) = [name for name in self.files if name.endswith(ending)]
        with zipfile.ZipFile(self.wheel) as wheel:
            return wheel.read(name).decode()

    @property
    def metadata(self) -> Message:
        return Parser().parsestr(self.read(".dist-info/METADATA"))


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    """Both, made once for all the processes that run these tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    folder = shared / "shipped"
    with (shared / "shipped.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = tmp_path_factory.mktemp("making")
            hook = f"from scikit_build_core.build import build_sdist; build_sdist({str(making)!r})"
            run(sys.executable, "-c", hook, cwd=ROOT)
            (archive,) = making.glob("*.tar.gz")
            pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-build-isolation")
            run(*pip, "--no-deps", "--no-index", "--wheel-dir", making, archive, cwd=making)
            making.rename(folder)
    (archive,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Shipped(archive, wheel)


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(shipped):
    package = {name for name in shipped.archived if name.startswith("tutela/")}
    assert {name for name in package if PurePosixPath(name).suffix == ".py"} >= {
        str(path.relative_to(ROOT)) for path in (ROOT / "tutela" / "foundation" / "store").rglob("*.py")
    }
    binary = {name for name in shipped.files if name.endswith(".so")}
    assert [PurePosixPath(name).name.partition(".")[0] for name in binary] == ["_native"]
    about = f"tutela-{tutela.__version__}.dist-info/"
    described = {name for name in shipped.files if name.startswith(about)}
    assert shipped.files == package | binary | described
    assert {name.removeprefix(about) for name in described} == {
        *("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "tutela/py.typed",
        "tutela/_native.pyi",
        "tutela/lists/banks/labels.toml",
        "tutela/foundation/store/migrations/env.py",
        "tutela/foundation/store/migrations/script.py.mako",
        "tutela/foundation/store/migrations/versions/0001_banks_signals_verdicts.py",
    ],
)
def test_what_is_read_beside_the_code_is_shipped(shipped, name):
    assert name in shipped.files
    assert (ROOT / name).exists()


@pytest.mark.slow
def test_the_archive_holds_what_a_build_needs_and_no_tests(shipped):
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "native").glob("*.?pp")}
    assert len(sources) > 5
    assert sources | {"CMakeLists.txt", "native/CMakeLists.txt", "pyproject.toml", "LICENSE"} <= shipped.archived
    folders = {name.partition("/")[0] for name in shipped.archived if "/" in name}
    assert folders & {"tests", "benchmarks", "docs", ".venv", "build", ".git"} == set()


@pytest.mark.slow
def test_the_metadata_says_what_the_project_says(shipped):
    metadata = shipped.metadata
    assert (metadata["Name"], metadata["Version"]) == ("tutela", tutela.__version__)
    assert metadata["License-Expression"] == PROJECT["license"]
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    required = {Requirement(text) for text in metadata.get_all("Requires-Dist")}
    core = {requirement for requirement in required if requirement.marker is None}
    assert core == set(map(Requirement, PROJECT["dependencies"]))
    extras = {
        Requirement(f"{text}; extra == '{extra}'")
        for extra, texts in PROJECT["optional-dependencies"].items()
        for text in texts
    }
    assert {str(requirement) for requirement in required - core} == set(map(str, extras))


@pytest.mark.slow
def test_the_entry_points_are_the_projects(shipped):
    lines = [line.replace(" ", "") for line in shipped.read(".dist-info/entry_points.txt").splitlines() if line.strip()]
    groups = {"console_scripts": PROJECT["scripts"], **PROJECT["entry-points"]}
    wanted = {f"[{group}]" for group in groups}
    wanted |= {f"{name}={value}" for points in groups.values() for name, value in points.items()}
    assert set(lines) == wanted
    assert len(lines) == len(wanted)


# --- the wheel, installed


def needed(extras: set[str]) -> set[str]:
    """The distributions that Tutela with those extras brings along, by what they say of themselves."""
    found: set[str] = set()
    waiting = [("tutela", frozenset(extras))]
    while waiting:
        name, wanted = waiting.pop()
        for text in importlib.metadata.requires(name) or ():
            requirement = Requirement(text)
            marker, other = requirement.marker, canonicalize_name(requirement.name)
            if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                continue
            if other == "tutela":
                waiting.append(("tutela", frozenset(requirement.extras)))
            elif other not in found:
                found.add(other)
                waiting.append((other, frozenset(requirement.extras)))
    return found


@dataclass(frozen=True)
class Installation:
    """An environment of its own, with the wheel and what it needs."""

    python: Path
    elsewhere: Path

    def run(self, code: str, *args: str | Path) -> str:
        return run(self.python, "-I", "-B", "-c", code, *args, cwd=self.elsewhere, env=self.environment).stdout

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.python.parent}:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(self.elsewhere), "OPENBLAS_NUM_THREADS": "1"}

    def command(self, *args: str | Path) -> subprocess.CompletedProcess[str]:
        command = [str(self.python.with_name("tutela")), *map(str, args)]
        return subprocess.run(command, cwd=self.elsewhere, env=self.environment, capture_output=True, text=True)


def environment(folder: Path, extras: set[str]) -> tuple[Installation, Path]:
    """An environment with what Tutela with those extras brings along, and where Tutela goes in it."""
    made, elsewhere = folder / "environment", folder / "elsewhere"
    run(sys.executable, "-m", "venv", "--without-pip", made, cwd=folder)
    elsewhere.mkdir()
    (site,) = (made / "lib").glob("python*/site-packages")
    for name in needed(extras):
        for path in importlib.metadata.files(name) or ():
            top = path.parts[0]
            if top not in ("..", "__pycache__") and not (site / top).exists():
                (site / top).symlink_to(Path(str(path.locate())).parents[len(path.parts) - 1] / top)
    return Installation(made / "bin" / "python", elsewhere), site


def install(wheel: Path, folder: Path, extras: set[str]) -> Installation:
    installation, _ = environment(folder, extras)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", installation.python, "install")
    run(*pip, "--quiet", "--no-compile", "--no-deps", "--no-index", wheel, cwd=folder)
    return installation


@pytest.fixture(scope="module")
def library(shipped: Shipped, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel with what it requires and no extra."""
    return install(shipped.wheel, tmp_path_factory.mktemp("library"), set())


@pytest.fixture
def checked_out(tmp_path: Path) -> Installation:
    """The same with the checkout's own files in the place of the wheel's."""
    installation, site = environment(tmp_path, set())
    (site / "tutela").mkdir()
    for path in (*(ROOT / "tutela").iterdir(), Path(str(_native.__file__))):
        (site / "tutela" / path.name).symlink_to(path)
    about = Path(
        str(next(path for path in importlib.metadata.files("tutela") or () if path.name == "METADATA").locate())
    )
    (site / about.parent.name).symlink_to(about.parent)
    return installation


_SCREEN = """
import io, sys
from pathlib import Path
from PIL import Image, ImageDraw
import tutela
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.content.signals.registry import signal_type

assert Path(tutela.__file__).is_relative_to(sys.prefix), tutela.__file__

def drawn(colour, form):
    picture = Image.linear_gradient("L").convert("RGB").resize((320, 240))
    draw = ImageDraw.Draw(picture)
    for place in range(12):
        draw.ellipse((place * 25, place * place * 1.5, place * 25 + 60, place * place * 1.5 + 40), fill=colour)
    file = io.BytesIO()
    picture.save(file, form)
    return file.getvalue()

with tutela.open_deployment("home", decoders=1) as deployment:
    known = drawn("red", "PNG")
    (pdq,) = [h.value for h in deployment.screener.screen(known).hashes if h.signal == "pdq"]
    deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="me")
    deployment.banks.add("known", [NewEntry("pdq", signal_type("pdq").parse(pdq))], actor="me")
    deployment.refresh()
    verdict = deployment.screener.screen(drawn("red", "JPEG"))
    assert isinstance(verdict, tutela.Verdict)
    print(verdict.decision, [match.signal for match in verdict.matches])
    assert deployment.indexes.build("pdq")
    print(deployment.screener.screen(drawn("red", "WEBP")).decision)
    print(deployment.screener.screen(b"no picture").decision, "A1" in deployment.banks.labels())
print(*sorted({"typer", "rich", "fastapi", "pydantic", "pillow_heif", "psycopg"} & set(sys.modules)))
"""


@pytest.mark.slow
def test_the_library_without_extras_screens_a_picture_from_another_folder(library):
    assert library.run(_SCREEN).splitlines() == ["block ['pdq']", "block", "hold True", ""]


def test_the_checkout_without_extras_screens_a_picture(checked_out):
    assert checked_out.run(_SCREEN).splitlines() == ["block ['pdq']", "block", "hold True", ""]


@pytest.mark.slow
def test_the_signals_of_the_installation_are_found_by_their_entry_points(library):
    code = """
import json
from importlib.metadata import entry_points, version
from tutela.content.signals.registry import GROUP, signal_types
print(json.dumps({
    "version": version("tutela"),
    "points": {point.name: point.load().name for point in entry_points(group=GROUP)},
    "types": {name: type(kind).__module__ for name, kind in signal_types().items()},
}))
"""
    found = json.loads(library.run(code))
    names = set(PROJECT["entry-points"][GROUP])
    assert found["version"] == tutela.__version__
    assert found["points"] == {name: name for name in names}
    assert found["types"] == {name: value.partition(":")[0] for name, value in PROJECT["entry-points"][GROUP].items()}


@pytest.mark.slow
def test_what_an_extra_would_bring_is_said_in_one_line(library):
    answer = library.command("--version")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "tutela: typer is not installed; run: pip install 'tutela[cli]'\n"


@pytest.mark.slow
def test_the_command_works_without_the_service(shipped, tmp_path):
    installation = install(shipped.wheel, tmp_path, {"cli"})
    assert installation.command("--version").stdout == f"{tutela.__version__}\n"
    made = installation.command("--home", "home", "key", "create", "mine", "--scope", "screen")
    assert (made.returncode, made.stderr) == (0, "")
    served = installation.command("--home", "home", "serve")
    assert (served.returncode, served.stdout) == (2, "")
    assert served.stderr == "tutela: uvicorn is not installed; run: pip install 'tutela[server]'\n"


# --- importing


_IMPORT = """
import json, os, sys, threading
before = set(sys.modules)
seen = []
def watch(event, args):
    if event.startswith(("socket.", "subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.system", "_thread.")):
        seen.append(event)
    if event == "open" and isinstance(args[1], str) and args[1].strip("rbtU"):
        seen.append(f"open {args[0]!r} {args[1]!r}")
sys.addaudithook(watch)
for name in sys.argv[1:]:
    module, _, attribute = name.partition(":")
    __import__(module)
    if attribute:
        getattr(sys.modules[module], attribute)
tasks = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
print(json.dumps({
    "seen": seen, "threads": threading.active_count(), "tasks": tasks, "loaded": sorted(set(sys.modules) - before)
}))
"""


def imported(installation: Installation, *names: str) -> dict:
    return json.loads(installation.run(_IMPORT, *names))


def test_importing_tutela_is_cheap_and_starts_nothing(checked_out):
    report = imported(checked_out, "tutela")
    assert (report["seen"], report["threads"], report["tasks"]) == ([], 1, 1)
    loaded = set(report["loaded"])
    assert {"tutela", "tutela.errors", "tutela._version"} == {
        name for name in loaded if name.partition(".")[0] == "tutela"
    }
    assert {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names) == {"tutela"}


@pytest.mark.parametrize("name", tutela.__all__)
def test_every_public_name_is_there(name):
    assert getattr(tutela, name) is not None
    assert name in tutela._HOME or name in vars(tutela)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'tutela' has no attribute 'nothing'"):
        _ = tutela.nothing


def library_modules() -> Iterator[str]:
    """Every module, but for those that only an extra uses."""
    rooms_of_extras = {"api", "cli", "console", "gateways", "exchanges", "reports", "migrations", "__main__"}
    rooms_of_extras |= {"pinned", "receiver", "bodies", "redirects", "metrics", "conversations"}
    films = {"video", "video_file", "covers", "subtitles", "unused", "groups", "frame_luma", "parameter_sets"}
    for path in sorted((ROOT / "tutela").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if "confined" in parts and parts[-1] in films:
            continue
        if not rooms_of_extras & set(parts):
            yield ".".join(parts).removesuffix(".__init__")


def test_importing_the_whole_library_starts_nothing_and_needs_no_extra(checked_out):
    modules = list(library_modules())
    assert {
        "tutela.deployment.composition",
        "tutela.content.media.confined.decode",
        "tutela.content.media.confined.worker",
        "tutela.lists.rebuild",
    } <= set(modules)
    report = imported(checked_out, *modules, *(f"tutela:{name}" for name in tutela.__all__))
    assert set(modules) <= set(report["loaded"])
    assert (report["seen"], report["threads"]) == ([], 1)


ROOMS = {
    "casework/evidence": "evidence",
    "casework/reports": "reports",
    "lists/exchanges": "exchanges",
    "screening/conversations/sources/kafka": "kafka",
    "screening/conversations/sources/redis": "redis",
    "screening/conversations": "conversations",
    "screening/evaluation": "evaluate",
    "screening/jobs": "server",
    "screening/streams": "streams",
    "gateways/streams/whip": "whip",
    "gateways/streams": "streams",
    "gateways/dns": "dns",
    "gateways/pages": "dns",
    "gateways": "gateways",
    "console": "console",
    "api": "server",
    "cli": "all",
}
"""What a room may import besides what the library itself requires; in others the caller has brought it."""


@cache
def third_parties(path: Path) -> set[str]:
    """What a module imports from others, at once or later, unless it goes on without."""
    found: set[str] = set()
    passed: set[ast.AST] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            passed |= set(ast.walk(node))
        if isinstance(node, ast.Try) and any("ImportError" in ast.unparse(each) for each in node.handlers):
            passed |= set(ast.walk(node))
        names: list[str] = []
        if isinstance(node, ast.Import) and node not in passed:
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node not in passed and not node.level:
            names = [str(node.module)]
        found |= {name.partition(".")[0] for name in names}
    return found - sys.stdlib_module_names - {"tutela"}


@cache
def owners() -> dict[str, set[str]]:
    """The distributions that each module comes from."""
    return {
        module: set(map(canonicalize_name, by)) for module, by in importlib.metadata.packages_distributions().items()
    }


@cache
def brought(extra: str) -> set[str]:
    """The modules that Tutela with that extra brings along; the library alone where it is none."""
    names = needed({extra} if extra else set())
    return {module for module, by in owners().items() if not names.isdisjoint(by)}


def test_what_a_room_imports_comes_with_its_extra():
    checked = set()
    for path in sorted((ROOT / "tutela").rglob("*.py")):
        name = str(path.relative_to(ROOT / "tutela"))
        extra = next((extra for room, extra in ROOMS.items() if name.startswith(room)), None)
        for module in third_parties(path) if extra is not None else ():
            checked.add(module)
            assert module in brought(extra), f"{name} imports {module}, which {extra} does not bring"
    assert {"numpy", "fastapi", "dns", "pyrage", "confluent_kafka"} <= checked


def test_whoever_lacks_an_extra_is_told_which_one_brings_it():
    modules = {
        module
        for path in (ROOT / "tutela").rglob("*.py")
        if "confined" not in path.parts  # there, what is missing makes a hold
        for module in third_parties(path)
    }
    lacking = modules - brought("")
    assert {"starlette", "dns", "httpx"} <= lacking
    assert {module for module in lacking if module not in _EXTRAS} == set()
    assert {(module, extra) for module, extra in _EXTRAS.items() if module not in brought(extra)} == set()


# --- the checkout


def test_the_version_is_the_same_everywhere():
    assert "version" in PROJECT["dynamic"], "it stands in tutela/_version.py alone"
    assert tutela.__version__ == importlib.metadata.version("tutela")


def test_the_entry_points_of_signals_resolve():
    points = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    assert set(PROJECT["entry-points"][GROUP]) <= set(points)
    for name in PROJECT["entry-points"][GROUP]:
        assert points[name].load() is signal_types()[name]


def test_the_native_module_is_what_its_types_say():
    stub = ast.parse((ROOT / "tutela" / "_native.pyi").read_text())
    described = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assert len(described) > 5
    public = {name for name in dir(_native) if not name.startswith("_")}
    assert set(described) == public
    for name, node in described.items():
        if isinstance(node, ast.ClassDef):
            members = {member.name for member in node.body if isinstance(member, ast.FunctionDef)}
            assert members <= set(dir(getattr(_native, name)))


def test_every_extra_of_the_settings_is_in_all():
    (everything,) = map(Requirement, PROJECT["optional-dependencies"]["all"])
    assert everything.extras == set(PROJECT["optional-dependencies"]) - {"all"}


def test_an_audit_that_reached_nobody_does_not_look_like_one_that_found_nothing(capsys):
    report = runpy.run_path(str(ROOT / ".ci" / "audit"))["report"]
    sound = {"name": "sound", "version": "1", "vulns": []}
    flaw = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"]}
    assert report("a.lock", [sound]) == 0
    assert report("a.lock", [sound, {"name": "flawed", "version": "1", "vulns": [flaw]}]) == 1
    assert report("a.lock", [sound, {"name": "unknown", "skip_reason": "not found"}]) == 2
    assert report("a.lock", []) == 2
    assert "1 NOT AUDITED: no answer about unknown" in capsys.readouterr().out


def test_doctor_names_the_version_of_all_that_meets_hostile_bytes():
    page = (ROOT / "docs" / "hostile-bytes.md").read_text().lower()
    known = {name for name, number in (*native_versions(), *serving_versions()) if number}
    called = {"jpg_2000": "openjpeg", "freetype2": "freetype"}
    assert {name for name in known if called.get(name, name).lower() not in page} == set()
    assert known >= {
        "PDFium",
        "qpdf",
        "LibRaw",
        "libheif",
        "libde265",
        "libarchive",
        "libavcodec",
        "httptools",
        "OpenSSL",
    }
