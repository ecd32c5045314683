"""squid as a proxy to which every host is one web server, for tests and benchmarks."""

import os
import shutil
from pathlib import Path

SQUID = shutil.which("squid", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
"""None where it is not installed."""


def squid_command(program: str, folder: Path, port: int, origin: int, settings: str) -> list[str]:
    """Make the folder, and in it what squid is to know; what it asks and what it lets through is in `settings`. How it
    is started, listening at a port, with the web server at another port of this machine."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    (folder / "squid.conf").write_text(
        f"""http_port 127.0.0.1:{port}
pid_filename none
netdb_filename none
access_log none
cache_log {folder}/cache.log
cache_store_log none
coredump_dir {folder}
cache deny all
shutdown_lifetime 1 seconds
visible_hostname proxy.example
cache_peer 127.0.0.1 parent {origin} 0 no-query originserver name=origin
acl elsewhere port 80
cache_peer_access origin allow elsewhere
never_direct allow elsewhere
{settings}
"""
    )
    # As a user who is not root, whose helpers it starts as itself, and who may read what was made here.
    alone = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    return [*alone, program, "-N", "-f", str(folder / "squid.conf")]
