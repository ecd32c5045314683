"""The clients of clamd that are installed by `.ci/peers`, each asked in a process of its own.

Each says one word about some content: `pass`, `refused`, `error`, or `nothing` where it says None or null.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE_S

PEERS = Path(__file__).parents[2] / ".peers"
_SAY = """
def say(result):
    print({None: "nothing"}.get(result) or ("pass" if result in ("OK", False) else "refused"))
"""
_PYTHON = {
    "clamd": """
import clamd, io
client = clamd.ClamdUnixSocket(where) if where.startswith("/") else clamd.ClamdNetworkSocket("127.0.0.1", int(where))
status = client.instream(io.BytesIO(content))["stream"]
say(status[0] if status else None)
""",
    "pyclamd": """
import pyclamd
unix = where.startswith("/")
client = pyclamd.ClamdUnixSocket(where) if unix else pyclamd.ClamdNetworkSocket("127.0.0.1", int(where))
found = client.scan_stream(content)
print("pass" if found is None else "refused" if found["stream"][0] == "FOUND" else "error")
""",
    "aioclamd": """
import aioclamd, asyncio, io
client = aioclamd.ClamdAsyncClient("127.0.0.1", int(where))
status = asyncio.run(client.instream(io.BytesIO(content))).get("stream")
say(status[0] if status else None)
""",
    "clamav-client": """
import io
from clamav_client import get_scanner
address = where if where.startswith("/") else f"127.0.0.1:{where}"
import tempfile
with tempfile.NamedTemporaryFile() as file:
    file.write(content); file.flush()
    result = get_scanner({"backend": "clamd", "address": address, "stream": True}).scan(file.name)
if result.state == "ERROR": raise (result.err or RuntimeError("error"))
say(result.state)
""",
    "django-clamd": """
import django
from django.conf import settings
options = dict(CLAMD_USE_TCP=not where.startswith("/"), CLAMD_SOCKET=where, CLAMD_TCP_ADDR="127.0.0.1")
settings.configure(INSTALLED_APPS=["django_clamd"], CLAMD_ENABLED=True,
    CLAMD_TCP_SOCKET=int(where) if where.isdigit() else 0, **options)
django.setup()
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django_clamd.validators import validate_file_infection
try:
    validate_file_infection(SimpleUploadedFile("upload", content))
    print("pass")
except ValidationError:
    print("refused")
""",
}
_NODE = """
const NodeClam = require("clamscan");
const { Readable } = require("stream");
const [where, path] = process.argv.slice(1);
const socket = where.startsWith("/") ? { socket: where } : { host: "127.0.0.1", port: Number(where) };
(async () => {
  const clam = await new NodeClam().init({ clamdscan: { ...socket, timeout: 60000, localFallback: false } });
  const { isInfected } = await clam.scanStream(Readable.from(require("fs").readFileSync(path)));
  console.log(isInfected === null ? "nothing" : isInfected ? "refused" : "pass");
})().catch((error) => { console.error(error); console.log("error"); });
"""
NAMES = (*_PYTHON, "clamscan", "clamdscan")
ONLY_TCP = frozenset({"aioclamd"})


@dataclass(frozen=True)
class Client:
    """One client, asking at one address: a port as text, or the path of a socket."""

    name: str
    where: str

    def start(self, file: Path) -> subprocess.Popen[str]:
        """Ask about a file."""
        environment = os.environ | {"NODE_PATH": str(PEERS / "node" / "node_modules")}
        command = self._command(file)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def word(self, asking: subprocess.Popen[str]) -> str:
        """What it said in the end."""
        out, err = asking.communicate(timeout=PATIENCE_S)
        if self.name == "clamdscan":
            return {0: "pass", 1: "refused"}.get(asking.returncode, "error")
        said = out.split()
        assert asking.returncode or said, (self.name, err)
        return said[-1] if said and not asking.returncode else "error"

    def ask(self, file: Path) -> str:
        """What it says of a file."""
        return self.word(self.start(file))

    def _command(self, file: Path) -> list[str]:
        if self.name == "clamdscan":
            settings = file.with_suffix(f".{self.where.strip('/').replace('/', '-')}.conf")
            line = (
                f"LocalSocket {self.where}"
                if self.where.startswith("/")
                else f"TCPSocket {self.where}\nTCPAddr 127.0.0.1"
            )
            settings.write_text(f"{line}\nStreamMaxLength 100M\n")
            return ["clamdscan", "-c", str(settings), "--stream", "--no-summary", str(file)]
        if self.name == "clamscan":
            return ["node", "-e", _NODE, "--", self.where, str(file)]
        source = (
            f"{_SAY}\nimport sys\nwhere = sys.argv[1]\ncontent = open(sys.argv[2], 'rb').read()\n{_PYTHON[self.name]}"
        )
        return [str(PEERS / self.name / "bin" / "python"), "-c", source, self.where, str(file)]


def client(name: str, where: str) -> Client:
    """That client; the test is skipped where it is not installed, or cannot ask there."""
    if name in ONLY_TCP and where.startswith("/"):
        pytest.skip(f"{name} asks over TCP only")
    if name == "clamdscan":
        needs("clamdscan")
    elif name == "clamscan":
        needs("node")
        if not (PEERS / "node" / "node_modules" / "clamscan").is_dir():
            pytest.skip("npm's clamscan is not installed: run .ci/peers")
    elif not (PEERS / name / ".installed").is_file():
        pytest.skip(f"PyPI's {name} is not installed: run .ci/peers")
    return Client(name, where)


def needs(*programs: str) -> None:
    """Skip the test where one of the programs is not installed."""
    for program in programs:
        if (
            shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/bin:/bin") is None
            and shutil.which(program) is None
        ):
            pytest.skip(f"{program} is not installed: run .ci/peers as root")
