"""The recipes of the documentation, as they are printed, before the programs that they are for."""

import base64
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.resolvers import resolver
from tests.support.service import free_port

pytestmark = pytest.mark.peers
DOCS = Path(__file__).parents[2] / "docs"
KEY = base64.b64encode(bytes(range(32))).decode()
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def recipe(page: str, begins: str) -> str:
    """The block of code of a page that holds a text, with a key in the place of `…`."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)
    (found,) = [block for block in blocks if begins in block]
    return found.replace('"…"', f'"{KEY}"')


def taken(program: str, *arguments: object) -> None:
    """The program takes what it is given."""
    if (found := shutil.which(program, path=PATH)) is None:
        pytest.skip(f"{program} is not installed: .ci/peers")
    done = subprocess.run([found, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_bind_takes_its_recipe(tmp_path):
    (tmp_path / "named.conf").write_text(recipe("for-an-internet-provider.md", "response-policy"))
    taken("named-checkconf", tmp_path / "named.conf")


def test_unbound_takes_its_recipe(tmp_path):
    (tmp_path / "unbound.conf").write_text(recipe("for-an-internet-provider.md", "rpz:\n"))
    taken("unbound-checkconf", tmp_path / "unbound.conf")


def test_powerdns_takes_its_recipe(tmp_path):
    """It reads Lua only when it starts: with an error there it ends."""
    port = free_port()
    lua = recipe("for-an-internet-provider.md", "rpzPrimary").replace("/var/lib/pdns-recursor", str(tmp_path))
    (tmp_path / "rpz.lua").write_text(lua)
    with tempfile.TemporaryDirectory(prefix="dns-") as folder:
        settings = f"lua-config-file={tmp_path}/rpz.lua\nlocal-address=127.0.0.1:{port}\nsocket-dir={folder}\n"
        settings += "daemon=no\nwrite-pid=no\nsecurity-poll-suffix=\nsetuid=\nsetgid=\nthreads=1\n"
        (tmp_path / "recursor.conf").write_text(settings)
        with resolver(["/usr/sbin/pdns_recursor", f"--config-dir={tmp_path}"], port, tmp_path):
            assert "rpz.tutela.invalid" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("begins", ["external_acl_type tutela", "icap_service tutela"])
def test_squid_takes_its_recipes(tmp_path, begins):
    text = recipe("for-an-internet-provider.md", begins)
    (tmp_path / "ERR_TUTELA").write_text("<!doctype html>")
    (tmp_path / "suspects").write_text("gardens.example\n")
    text = text.replace("/etc/squid/suspects", str(tmp_path / "suspects")).replace("/usr/bin/tutela", "/bin/true")
    text = re.sub(r"error_directory \S+", f"error_directory {tmp_path}", text)
    before = f"http_port 127.0.0.1:3128\ncache_log {tmp_path}/cache.log\nicap_enable on\n"
    (tmp_path / "squid.conf").write_text(before + text)
    taken("squid", "-k", "parse", "-f", tmp_path / "squid.conf")


def test_nginx_takes_the_recipe_for_live_streams(tmp_path):
    module = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
    if not module.exists():
        pytest.skip("nginx's RTMP module is not installed: .ci/peers")
    text = (
        recipe("live-streams.md", "rtmp_control all").replace("443 ssl", "8443").replace("/var/www/hls", str(tmp_path))
    )
    folders = "".join(
        f"{name}_temp_path {tmp_path}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = text.replace("http { server", f"http {{ {folders} access_log off; server", 1)
    head = f"load_module {module};\npid {tmp_path}/pid;\nerror_log {tmp_path}/log;\nevents {{}}\n"
    (tmp_path / "nginx.conf").write_text(head + text)
    taken("nginx", "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf")
