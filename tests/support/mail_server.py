"""Postfix with a milter in front of it, and mail that swaks sends it."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.clamd_clients import needs
from tests.support.service import free_port
from tests.support.waiting import wait_until

_SERVICES = ("pickup", "cleanup", "qmgr", "rewrite", "bounce", "defer", "trace", "verify", "flush", "showq", "error")


@dataclass(frozen=True)
class MailServer:
    """A running Postfix."""

    port: int
    settings: Path

    def held(self) -> int:
        """How many mails are in its hold queue."""
        command = ["/usr/sbin/postqueue", "-c", str(self.settings), "-p"]
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
        return len(re.findall(r"^[0-9A-Za-z]+!", listed, re.MULTILINE))


@contextlib.contextmanager
def mail_server(folder: Path, milter: str) -> Iterator[MailServer]:
    """Postfix, which asks that milter and throws away what it accepts."""
    needs("postfix", "swaks")
    if os.geteuid() != 0:
        pytest.skip("Postfix is started as root only")
    port = free_port()
    for name in ("conf", "queue", "data"):
        (folder / name).mkdir(parents=True)
    for parent in (folder, *folder.parents):
        if parent != Path("/tmp") and str(parent).startswith("/tmp"):
            parent.chmod(0o755)
    Path("/var/lib/postfix").mkdir(exist_ok=True)
    shutil.chown(folder / "data", "postfix")
    (folder / "conf" / "main.cf").write_text(
        f"queue_directory = {folder / 'queue'}\ndata_directory = {folder / 'data'}\ncompatibility_level = 3.6\n"
        "mynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\nmydestination = example.org\nlocal_recipient_maps =\n"
        f"local_transport = discard\nsmtpd_milters = {milter}\nmilter_default_action = tempfail\n"
        "message_size_limit = 50000000\nmyhostname = mail.example.org\nmaillog_file = /dev/stdout\n"
    )
    lines = [f"127.0.0.1:{port} inet n - n - - smtpd"]
    daemons = {"rewrite": "trivial-rewrite", "defer": "bounce", "trace": "bounce"}
    for service in _SERVICES:
        period = {"pickup": "60 1", "qmgr": "300 1", "cleanup": "- 0"}.get(service, "- -")
        private = "n" if service in ("pickup", "cleanup", "qmgr", "flush", "showq") else "-"
        lines.append(f"{service} unix {private} - n {period} {daemons.get(service, service)}")
    lines += ["discard unix - - n - - discard", "anvil unix - - n - 1 anvil", "postlog unix-dgram n - n - 1 postlogd"]
    (folder / "conf" / "master.cf").write_text("\n".join(lines) + "\n")
    command = ["/usr/sbin/postfix", "-c", str(folder / "conf")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*command, "start-fg"], stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(port), "Postfix answers")
        yield MailServer(port, folder / "conf")
    finally:
        subprocess.run([*command, "stop"], capture_output=True)
        server.wait(60)


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def send(port: int, attachment: Path) -> int:
    """What SMTP says to a mail with an attachment: the code of its last answer."""
    envelope = ["--server", f"127.0.0.1:{port}", "--from", "a@example.org", "--to", "b@example.org", "--timeout", "120"]
    attached = ["--attach-type", "application/octet-stream", "--attach", f"@{attachment}"]
    done = subprocess.run(["swaks", *envelope, *attached], capture_output=True, text=True, timeout=170)
    said = re.findall(r"^<[-~*]{1,2}\s+(\d{3}) ", done.stdout, re.MULTILINE)
    failures = [answer for answer in said if answer[0] in "45"]
    assert failures or "354" in said, done.stdout[-2000:]
    return int((failures or ["250"])[0])
