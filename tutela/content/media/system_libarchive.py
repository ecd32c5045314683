"""The system's libarchive, where there is one: workers read archives with it, the doctor asks whether it is there."""

import ctypes
import os
from functools import cache
from importlib import import_module
from types import ModuleType

_NAMES = ("libarchive.so.13", "libarchive.dylib", "libarchive.13.dylib")


@cache
def load() -> ModuleType | None:
    """The Python face of libarchive, or None where one of the two is missing."""
    for name in _NAMES:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        os.environ.setdefault("LIBARCHIVE", name)  # otherwise it is searched for by starting programs
        break
    try:
        return import_module("libarchive")
    except (ImportError, OSError, TypeError, AttributeError):
        return None
