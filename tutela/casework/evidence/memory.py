"""What was uploaded leaves no trace in memory: copies are overwritten, and a service overwrites all that it frees."""

import ctypes
import os
import sys

_MARK = "TUTELA_MEMORY"
CLEAN_MEMORY = {
    _MARK: "clean",
    "GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0:glibc.malloc.mmap_threshold=65536",
    "PYTHONMALLOC": "malloc",
}
"""With this in its environment from the start, a process overwrites whatever memory it frees."""
_PR_SET_DUMPABLE = 4
_CPYTHON = sys.implementation.name == "cpython"


def overwrite(secret: bytes) -> None:
    """Fill the bytes of an object with zeros. Nobody else may use the object."""
    if _CPYTHON:
        ctypes.memset(id(secret) + bytes.__basicsize__ - 1, 0, len(secret))


def start_anew_with_clean_memory() -> None:
    """Start this program again so that memory is overwritten whenever it is freed. Does nothing the second time.

    The GNU C library does it when it is asked for at the start; Python then has to leave small objects to it. What was
    uploaded, and what was said with it, is gone from memory with the request that it belonged to.
    """
    if sys.platform != "linux" or os.environ.get(_MARK) == "clean":
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | CLEAN_MEMORY)  # noqa: S606


def guard_memory() -> None:
    """Let no process of the same user read this one's memory or environment: decoding workers meet hostile files."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
