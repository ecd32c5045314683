"""What a worker gives up for good before its first byte of content, and what of it this system grants.

The kernel's means are in the native core (`native/confinement.cpp`). Here is their order, and what takes their place
where one is refused: every step says whether it took effect, so that nobody relies on what is not there.
"""

import contextlib
import errno
import os
import resource
import sys
from pathlib import Path

from tutela import _native

Refusals = dict[str, str]
"""By the name of each protection: why it did not take effect; empty where it did."""

MAX_OPEN_FILES = 32
MAX_THREADS = 16
_NOBODY = 65534
_NEW_MOUNTS = 0x00020000
_NEW_CGROUPS = 0x02000000
_NEW_NAME = 0x04000000
_NEW_IPC = 0x08000000
_NEW_USERS = 0x10000000
_NEW_PROCESSES = 0x20000000
_NEW_NETWORK = 0x40000000
_APART = _NEW_NETWORK | _NEW_MOUNTS | _NEW_IPC | _NEW_NAME | _NEW_CGROUPS


def leave_processes() -> int:
    """Let the next child be the first process of a namespace of its own, in which no other has a number.

    Returns the namespaces that were left for it, 0 where the system refuses.
    """
    if sys.platform != "linux":
        return 0
    if _native.leave_namespaces(_NEW_PROCESSES) == 0:
        return _NEW_PROCESSES  # as root, without anything else
    user, group = os.geteuid(), os.getegid()
    if _native.leave_namespaces(_NEW_USERS | _NEW_PROCESSES) != 0:
        return 0
    for name, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        try:
            Path("/proc/self", name).write_text(line, encoding="ascii")
        except OSError:
            continue  # what needs it is refused, and says so
    return _NEW_USERS | _NEW_PROCESSES


def confine(max_memory_bytes: int, left: int) -> Refusals:
    """Give up what decoding does not need, after the namespaces that `leave_processes` left.

    No file can be opened later: whatever content asks for must be loaded.
    """
    refusals = _limit_resources(max_memory_bytes)
    if sys.platform != "linux":
        return refusals
    os.dup2(sys.stdout.fileno(), sys.stderr.fileno())  # nowhere: what a decoder says may be words of the content
    refusals["own-processes"] = "" if left & _NEW_PROCESSES else "the system refuses a namespace of processes"
    refusals["one-thread"] = "" if len(list(Path("/proc/self/task").iterdir())) == 1 else "a library started threads"
    refusals |= _leave_namespaces(left)
    refusals["few-threads"] = refusals["own-users"] or _limit_threads()
    refusals["no-privileges"] = _become_nobody(refusals) or _why(_native.drop_capabilities())
    refusals["no-new-privileges"] = _why(_native.forbid_new_privileges())
    refusals["no-memory-dump"] = _why(_native.forbid_dumps())
    _native.end_on_alarm()
    if left & _NEW_PROCESSES:
        _native.end_with_parent()  # once more: the kernel forgets it when privileges change
    refusals["landlock"] = _why(_native.restrict_files())
    refusals["seccomp"] = _why(_native.filter_system_calls())
    return refusals


def _limit_resources(max_memory_bytes: int) -> Refusals:
    most = _address_space() + max_memory_bytes
    limits = {
        "core": (resource.RLIMIT_CORE, 0),
        "file-size": (resource.RLIMIT_FSIZE, 0),
        "open-files": (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        "memory": (resource.RLIMIT_AS, most),
        "data": (resource.RLIMIT_DATA, most),  # where a library asks how much it may take
    }
    refusals = {}
    for name, (kind, value) in limits.items():
        try:
            resource.setrlimit(kind, (value, value))
            refusals[name] = ""
        except (OSError, ValueError) as error:
            refusals[name] = str(error)
    return refusals


def _limit_threads() -> str:
    """Threads are counted in the namespace of users; without one they would be those of all of the user's processes."""
    try:
        resource.setrlimit(resource.RLIMIT_NPROC, (MAX_THREADS, MAX_THREADS))
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _leave_namespaces(left: int) -> Refusals:
    """The most that the system grants: all with a namespace of users, all as root without one, at least no network."""
    refused = 0
    for flags in (_NEW_USERS | _APART, _APART, _NEW_USERS | _NEW_NETWORK, _NEW_NETWORK):
        refused = _native.leave_namespaces(flags)
        if refused == 0:
            break
    left |= flags if refused == 0 else 0
    return {
        "own-users": "" if left & _NEW_USERS else _why(refused or errno.EPERM),
        "no-network": "" if left & _NEW_NETWORK else _why(refused),
        "empty-root": _why(_native.empty_root()) if left & _NEW_MOUNTS else _why(refused or errno.EPERM),
    }


def _become_nobody(refusals: Refusals) -> str:
    """Where there is no namespace of users, root becomes somebody who owns nothing."""
    if not refusals["own-users"] or os.geteuid() != 0:
        return ""
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError as error:
        return str(error)
    return ""


def _why(number: int) -> str:
    return os.strerror(number) if number else ""


def _address_space() -> int:
    """Bytes of address space in use."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 1 << 30
    return pages * os.sysconf("SC_PAGE_SIZE")


def confine_connected(*, alone: bool) -> Refusals:
    """Give up, once a receiver's connection is open, what taking packets apart does not need.

    `alone` says that it needs nothing but what is open: then it opens no other connection and no file from now on.
    """
    refusals: Refusals = {}
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform != "linux":
        return {"seccomp": "this system has none"}
    refusals["no-privileges"] = _become_nobody({"own-users": "kept"}) or _why(_native.drop_capabilities())
    refusals["no-new-privileges"] = _why(_native.forbid_new_privileges())
    refusals["no-memory-dump"] = _why(_native.forbid_dumps())
    _native.end_with_parent()  # once more: the kernel forgets it when privileges change
    if alone:
        refusals["landlock"] = _why(_native.restrict_files())
        refusals["seccomp"] = _why(_native.filter_system_calls())
    return refusals
