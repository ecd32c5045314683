"""Postfix and Sendmail with a milter in front of them, and mail that swaks sends."""

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

from tests.support.clamd_clients import PEERS, needs
from tests.support.service import free_port
from tests.support.waiting import PATIENCE_S, wait_until

_SERVICES = ("pickup", "cleanup", "qmgr", "rewrite", "bounce", "defer", "trace", "verify", "flush", "showq", "error")


_MACROS = """divert(0)dnl
include(`ROOT/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`QUEUE_DIR', `FOLDER/queue')dnl
define(`confPID_FILE', `FOLDER/pid')dnl
define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `FOLDER/statistics')dnl
define(`confCW_FILE', `-o FOLDER/none')dnl
define(`confDOMAIN_NAME', `mail.example.org')dnl
define(`confDONT_PROBE_INTERFACES', `true')dnl
define(`confDELIVERY_MODE', `queue')dnl
DAEMON_OPTIONS(`Port=PORT, Addr=127.0.0.1, Name=MTA')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`accept_unresolvable_domains')dnl
INPUT_MAIL_FILTER(`tutela', `S=MILTER, F=T, T=S:30s;R:170s;E:5m')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_CONFIG
Cwexample.org
"""


@dataclass(frozen=True)
class MailServer:
    """A running one."""

    port: int
    listing: tuple[str, ...]
    """The command that lists its queue."""
    marks: str
    """What stands in the list for each mail that is held."""

    def held(self) -> int:
        """How many mails it holds."""
        listed = subprocess.run(self.listing, capture_output=True, text=True, timeout=PATIENCE_S).stdout
        return len(re.findall(self.marks, listed, re.MULTILINE))


@contextlib.contextmanager
def sendmail(folder: Path, milter: str) -> Iterator[MailServer]:
    """Sendmail, which asks that milter and keeps in its queue what it accepts."""
    needs("swaks", "unshare")
    root, port = PEERS / "sendmail", free_port()
    program = root / "usr" / "libexec" / "sendmail" / "sendmail"
    if not program.is_file() or os.geteuid() != 0:
        pytest.skip("Sendmail is not unpacked (run .ci/peers), or this is not root")
    (folder / "queue").mkdir(parents=True, mode=0o700)
    for parent in (folder, *folder.parents):
        if parent != Path("/tmp") and str(parent).startswith("/tmp"):
            parent.chmod(0o755)
    macros = _MACROS.replace("ROOT", str(root)).replace("FOLDER", str(folder)).replace("PORT", str(port))
    m4 = [str(root / "usr" / "bin" / "m4"), f"-D_CF_DIR_={root}/usr/share/sendmail/cf/"]
    made = subprocess.run(m4, input=macros.replace("=MILTER,", f"={milter},").encode(), capture_output=True, check=True)
    settings = folder / "sendmail.cf"
    settings.write_bytes(made.stdout)
    # On a machine without a full name Sendmail waits for one a minute: it gets one of its own.
    named = ("unshare", "--uts", "sh", "-c", 'hostname mail.example.org; exec "$@"', "sh")
    command = (*named, str(program), "-C", str(settings))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*command, "-bD"], stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(port), "Sendmail answers")
        yield MailServer(port, (*command, "-bp", "-qQ"), r"^ *QUARANTINE:")
    finally:
        server.kill()
        server.wait(PATIENCE_S)


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
        listing = ("/usr/sbin/postqueue", "-c", str(folder / "conf"), "-p")
        yield MailServer(port, listing, "^[0-9A-Za-z]+!")
    finally:
        subprocess.run([*command, "stop"], capture_output=True)
        server.wait(PATIENCE_S)


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
    done = subprocess.run(["swaks", *envelope, *attached], capture_output=True, text=True, timeout=PATIENCE_S)
    said = re.findall(r"^<[-~*]{1,2}\s+(\d{3}) ", done.stdout, re.MULTILINE)
    failures = [answer for answer in said if answer[0] in "45"]
    assert failures or "354" in said, done.stdout[-2000:]
    return int((failures or ["250"])[0])
