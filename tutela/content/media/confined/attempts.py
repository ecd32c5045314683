"""What hostile code in a worker tries, each thing once: a task for `WorkerPool`, for `doctor --isolation` and tests.

Nothing here does harm where it is allowed. An attempt is refused where the system says so; any other error means that
the attempt got as far as the system's own code, and counts as allowed.
"""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import platform
import resource
import signal
import socket
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS})
_SYSTEM_CALLS = {
    # By name: number on x86-64, on aarch64. From 424 on they are the same everywhere.
    "add_key": (248, 217),
    "bpf": (321, 280),
    "clone": (56, 220),
    "execveat": (322, 281),
    "finit_module": (313, 273),
    "kcmp": (312, 272),
    "copy_file_range": (326, 285),
    "kexec_file_load": (320, 294),
    "membarrier": (324, 283),
    "pkey_mprotect": (329, 288),
    "sendmsg": (46, 211),
    "splice": (275, 76),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "seccomp": (317, 277),
    "userfaultfd": (323, 282),
}
_LIBC = ctypes.CDLL(None, use_errno=True)
_NOTHING = ctypes.create_string_buffer(4096)


@dataclass(frozen=True, slots=True)
class Targets:
    """What stands outside for the attempts, made by whoever runs them."""

    file: str
    """A file of the user's, readable to nobody else."""
    folder: str
    """Where the file is, and where a new one could be."""
    unix_socket: str
    """The path of a Unix socket that somebody listens to."""
    abstract_socket: str
    """The name of an abstract one."""
    port: int
    """A TCP port of this machine that somebody listens to."""
    process: int
    """The process that serves."""


def task(content: memoryview, options: Mapping[str, Any]) -> dict[str, str | None]:
    """By attempt: why it was refused, or None where it was not."""
    targets = Targets(**options)
    return {name: _refusal(attempt, targets) for name, attempt in ATTEMPTS.items()}


def _refusal(attempt: Callable[[Targets], object], targets: Targets) -> str | None:
    try:
        attempt(targets)
    except OSError as error:
        return error.strerror if error.errno in _REFUSALS else None
    return None


def _done(result: int) -> int:
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _call(name: str, *arguments: Any) -> int:
    """A function of the C library."""
    return _done(getattr(_LIBC, name)(*arguments))


def _system_call(number: int | str, *arguments: Any) -> int:
    if isinstance(number, str):
        number = _SYSTEM_CALLS[number][platform.machine() == "aarch64"]
    return _done(_LIBC.syscall(number, *arguments))


def _connect(family: int, kind: int, address: Any) -> None:
    with socket.socket(family, kind) as connection:
        connection.settimeout(2)
        connection.connect(address)


def _fork(_: Targets) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _change_by_mapping(targets: Targets) -> None:
    descriptor = os.open(targets.file, os.O_RDWR)
    with mmap.mmap(descriptor, 1) as mapped:
        mapped[0] = mapped[0]


def _executable_memory(_: Targets) -> None:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()


def _memory_made_executable(_: Targets) -> None:
    with mmap.mmap(-1, mmap.PAGESIZE) as memory:
        held = ctypes.c_char.from_buffer(memory)
        try:
            _call("mprotect", ctypes.c_void_p(ctypes.addressof(held)), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC)
        finally:
            del held


def _shell(_: Targets) -> None:
    arguments = (ctypes.c_char_p * 2)(b"/bin/true", None)
    _call("execve", b"/bin/true", arguments, (ctypes.c_char_p * 1)(None))


def _change_the_content(_: Targets) -> None:
    """Through the descriptor that the worker has: what is found in it is what the service would seal."""
    mmap.mmap(held_descriptors(stat.S_ISREG)[0], 1).close()


def _advise(advice: int) -> None:
    """Ask something of a page of its own."""
    with mmap.mmap(-1, mmap.PAGESIZE) as memory:
        held = ctypes.c_char.from_buffer(memory)
        try:
            _call("madvise", ctypes.c_void_p(ctypes.addressof(held)), ctypes.c_size_t(mmap.PAGESIZE), advice)
        finally:
            del held


def _map(flag: int) -> None:
    """Memory of a special kind."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flag
    _call("mmap", None, ctypes.c_size_t(2 << 20), mmap.PROT_READ, flags, -1, ctypes.c_long(0))


def _socket() -> int:
    return held_descriptors(stat.S_ISSOCK)[0]


def held_descriptors(is_wanted: Callable[[int], bool]) -> list[int]:
    """The descriptors that this process was given, of the kind that a function of `stat` says: a worker has one socket,
    and the content as a file."""
    held = []
    for descriptor in range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        with contextlib.suppress(OSError):
            if is_wanted(os.fstat(descriptor).st_mode):
                held.append(descriptor)
    return held


_FILES: Mapping[str, Callable[[Targets], object]] = {
    "read a private file": lambda to: os.open(to.file, os.O_RDONLY),
    "read the program's own code": lambda to: os.open(__file__, os.O_RDONLY),
    "read /etc/passwd": lambda to: os.open("/etc/passwd", os.O_RDONLY),
    "open with openat2": lambda to: _system_call(437, -100, to.file.encode(), (ctypes.c_uint64 * 3)(), 24),
    "open by handle": lambda to: _system_call("open_by_handle_at", -100, _NOTHING, 0),
    "make a handle of a path": lambda to: _system_call("name_to_handle_at", -100, b"/", _NOTHING, _NOTHING, 0),
    "list a folder": lambda to: os.listdir(to.folder),
    "list the root": lambda to: os.listdir("/"),
    "ask about a file": lambda to: os.stat(to.file),
    "write a new file": lambda to: os.open(f"{to.folder}/new", os.O_WRONLY | os.O_CREAT),
    "write a temporary file": lambda to: os.open("/tmp", os.O_RDWR | os.O_TMPFILE),
    "change a file by mapping it": _change_by_mapping,
    "change the program's own code": lambda to: os.open(__file__, os.O_RDWR),
    "change the content it was sent": _change_the_content,
    "shorten a file": lambda to: os.truncate(to.file, 1),
    "rename a file": lambda to: os.rename(to.file, f"{to.file}-renamed"),
    "delete a file": lambda to: os.unlink(f"{to.folder}/spare"),
    "link a file": lambda to: os.link(to.file, f"{to.folder}/link"),
    "make a symbolic link": lambda to: os.symlink(to.file, f"{to.folder}/symlink"),
    "make a folder": lambda to: os.mkdir(f"{to.folder}/made"),
    "make a pipe in a folder": lambda to: os.mkfifo(f"{to.folder}/pipe"),
    "open a file to everybody": lambda to: os.chmod(to.file, 0o666),
    "give a file away": lambda to: os.chown(to.file, os.getuid(), os.getgid()),
    "set a file's times": lambda to: os.utime(to.file),
    "set a file's attribute": lambda to: os.setxattr(to.file, "user.tutela", b"1"),
    "change the working folder": lambda to: os.chdir(to.folder),
    "change the root": lambda to: os.chroot(to.folder),
    "watch a folder": lambda to: _call("inotify_init1", 0),
    "make a file in memory": lambda to: _system_call("memfd_create", b"x", 0),
    "make secret memory": lambda to: _system_call(447, 0),
}
_NETWORK: Mapping[str, Callable[[Targets], object]] = {
    "connect by TCP": lambda to: _connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", to.port)),
    "connect by TCP over IPv6": lambda to: _connect(socket.AF_INET6, socket.SOCK_STREAM, ("::1", to.port)),
    "send by UDP": lambda to: _connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", to.port)),
    "connect to a Unix socket": lambda to: _connect(socket.AF_UNIX, socket.SOCK_STREAM, to.unix_socket),
    "connect to an abstract Unix socket": lambda to: _connect(socket.AF_UNIX, socket.SOCK_STREAM, to.abstract_socket),
    "open a netlink socket": lambda to: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "open netfilter": lambda to: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12),
    "open a raw socket": lambda to: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "open a packet socket": lambda to: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0),
    "open a socket to the host of a machine": lambda to: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM),
    "use the kernel's ciphers": lambda to: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET),
    "make a pair of sockets": lambda to: socket.socketpair(),
    "make a pipe": lambda to: os.pipe(),
}
_PROCESSES: Mapping[str, Callable[[Targets], object]] = {
    "fork": _fork,
    "make a process with clone3": lambda to: _system_call(435, _NOTHING, 88),
    "make a process that shares its memory": lambda to: _system_call("clone", 0x00000100 | 17, None, None, None, None),
    "run a program": _shell,
    "run a program by descriptor": lambda to: _system_call("execveat", 0, b"", _NOTHING, _NOTHING, 0x1000),
    "signal the service": lambda to: os.kill(to.process, 0),
    "signal every process": lambda to: os.kill(-1, 0),
    "trace the service": lambda to: _call("ptrace", 0x4206, to.process, None, None),
    "be traced": lambda to: _call("ptrace", 0, 0, None, None),
    "read the service's memory": lambda to: _system_call("process_vm_readv", to.process, _NOTHING, 1, _NOTHING, 1, 0),
    "write the service's memory": lambda to: _system_call("process_vm_writev", to.process, _NOTHING, 1, _NOTHING, 1, 0),
    "open the service's memory": lambda to: os.open(f"/proc/{to.process}/mem", os.O_RDWR),
    "read the service's environment": lambda to: os.open(f"/proc/{to.process}/environ", os.O_RDONLY),
    "open its own memory": lambda to: os.open("/proc/self/mem", os.O_RDWR),
    "open another process": lambda to: _system_call(434, to.process, 0),
    "take another's descriptor": lambda to: _system_call(438, 0, 0, 0),
    "compare with another process": lambda to: _system_call("kcmp", to.process, os.getpid(), 0, 0, 0),
    "slow the service down": lambda to: os.setpriority(os.PRIO_PROCESS, to.process, 19),
    "move to another processor": lambda to: os.sched_setaffinity(0, {0}),
    "wait for a process": lambda to: os.waitpid(-1, os.WNOHANG),
}
_PRIVILEGES: Mapping[str, Callable[[Targets], object]] = {
    "become root": lambda to: os.setuid(0),
    "change groups": lambda to: os.setgroups([]),
    "take capabilities": lambda to: _call("capset", _NOTHING, _NOTHING),
    "make a namespace of users": lambda to: _call("unshare", 0x10000000),
    "make a namespace of mounts": lambda to: _call("unshare", 0x00020000),
    "enter a namespace": lambda to: _call("setns", 0, 0),
    "mount": lambda to: _call("mount", b"none", b"/", b"tmpfs", 0, None),
    "mount with fsopen": lambda to: _system_call(430, b"tmpfs", 0),
    "unmount": lambda to: _call("umount2", b"/", 2),
    "name the machine": lambda to: _call("sethostname", b"x", 1),
    "raise a limit": lambda to: _set_limit(resource.RLIMIT_NOFILE, 4096),
    "lower a limit": lambda to: _set_limit(resource.RLIMIT_NOFILE, 31),
    "allow dumps of its memory": lambda to: _call("prctl", 4, 1, 0, 0, 0),
    "change its personality": lambda to: _call("personality", 0x0040000),
    "set the clock": lambda to: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "restart the machine": lambda to: _call("reboot", 0),
}
_KERNEL: Mapping[str, Callable[[Targets], object]] = {
    "io_uring": lambda to: _system_call(425, 4, _NOTHING),
    "bpf": lambda to: _system_call("bpf", 0, _NOTHING, 0),
    "perf events": lambda to: _system_call("perf_event_open", _NOTHING, 0, -1, -1, 0),
    "read a keyring": lambda to: _system_call("keyctl", 0, -3, 0),
    "add a key": lambda to: _system_call("add_key", b"user", b"x", b"x", 1, -3),
    "handle page faults": lambda to: _system_call("userfaultfd", 0),
    "load a kernel module": lambda to: _system_call("finit_module", -1, b"", 0),
    "load a kernel": lambda to: _system_call("kexec_file_load", -1, -1, 0, b"", 0),
    "read the kernel's log": lambda to: _call("klogctl", 10, None, 0),
    "filter its own calls": lambda to: _system_call("seccomp", 0, 0, None),
    "ask the terminal": lambda to: _call("ioctl", 0, 0x5401, _NOTHING),
    "map executable memory": _executable_memory,
    "make memory executable by a key": lambda to: _system_call("pkey_mprotect", None, 4096, 5, 0),
    "merge its memory with that of others": lambda to: _advise(12),
    "have its memory taken for broken": lambda to: _advise(100),
    "take the system's huge pages": lambda to: _map(0x40000),
    "keep memory from being swapped": lambda to: _map(0x2000),
    "lock memory": lambda to: _call("mlock", _NOTHING, 4096),
    "advise on another's memory": lambda to: _system_call(440, 0, _NOTHING, 1, 4, 0),
    "stop every processor": lambda to: _system_call("membarrier", 1, 0, 0),
    "send a descriptor": lambda to: _system_call("sendmsg", 0, _NOTHING, 0),
    "copy from file to file": lambda to: _system_call("copy_file_range", 0, None, 1, None, 1, 0),
    "splice": lambda to: _system_call("splice", 0, None, 1, None, 1, 0),
    "add rules to Landlock": lambda to: _system_call(444, None, 0, 1),
    "change how it is scheduled": lambda to: _call("sched_setscheduler", 0, 0, (ctypes.c_int * 1)(0)),
    "become less nice": lambda to: os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0)),
    "be killed last": lambda to: os.open("/proc/self/oom_score_adj", os.O_WRONLY),
    "have a signal sent by its socket": lambda to: fcntl.fcntl(_socket(), 8, os.getpid()),
    "ask its socket how much waits": lambda to: _call("ioctl", _socket(), 0x541B, _NOTHING),
    "name itself": lambda to: _call("prctl", 15, b"tutela", 0, 0, 0),
    "make memory executable": _memory_made_executable,
    "make shared memory": lambda to: _call("shmget", 0, 4096, 0o1600),
    "make a queue of messages": lambda to: _call("msgget", 0, 0o1600),
    "make semaphores": lambda to: _call("semget", 0, 1, 0o1600),
    "make a timer": lambda to: _call("timer_create", 0, None, _NOTHING),
    "send signals by descriptor": lambda to: _call("signalfd", -1, _NOTHING, 0),
    "wait with epoll": lambda to: _call("epoll_create1", 0),
    "send a real-time signal to a process": lambda to: _call("sigqueue", to.process, signal.SIGUSR1, None),
}


def _set_limit(kind: int, value: int) -> None:
    """By the call itself: Python would explain a refusal in its own words."""
    _call("setrlimit", kind, (ctypes.c_uint64 * 2)(value, value))


ATTEMPTS: Mapping[str, Callable[[Targets], object]] = {
    **_FILES,
    **_NETWORK,
    **_PROCESSES,
    **_PRIVILEGES,
    **_KERNEL,
}
