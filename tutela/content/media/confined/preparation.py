"""Everything that examining content needs is loaded here, before a worker confines itself: later no file can be opened.

To add a decoder, a renderer or a model that is loaded on use: name its module in `_MODULES`, and where importing is not
enough give the module a function `prepare()` that makes its objects. A signal type may have a method `prepare()`.
"""

import contextlib
import logging
import pkgutil
from collections.abc import Callable, Iterable
from importlib import import_module
from types import ModuleType

from PIL import Image
from pydantic_core import to_json

from tutela.errors import TutelaError

_HERE = __package__
_FORMATS = (
    *("Jpeg", "Png", "Gif", "WebP", "Bmp", "Tiff", "Avif", "Mpo"),
    *("Jpeg2K", "Ico", "Cur", "Psd", "Tga", "Ppm", "Qoi"),
)
"""Of Pillow."""
_MODULES = (
    f"{_HERE}.decode",
    f"{_HERE}.containers",
    f"{_HERE}.containers.libarchive",
    f"{_HERE}.containers.page",
    f"{_HERE}.video",
    "PIL.ImageCms",
    "numpy.ma",  # which a median of NumPy imports
    *(f"PIL.{name}ImagePlugin" for name in _FORMATS),
    "pillow_heif",
    "pillow_jxl",
    "rawpy",
    "pypdfium2",
    "pikepdf",
    "py7zr",
    "psutil",  # which py7zr imports on use
    "zstandard",
)
"""A module whose own library is not installed is left out; its users say so of the content that needs it."""
_SIGNALS = "tutela.content.signals.registry"
"""Whose types are computed from what is decoded here: named as text, as they stand above."""
_WHOLE = ("av", "encodings")
"""Packages that import parts of themselves on use: names in archives and texts of mails are in any encoding."""


def prepare() -> None:
    """Load it all. Raises TutelaError, as a signal type does whose model cannot be loaded."""
    load(_MODULES)
    to_json(())  # in which answers are written: it loads modules to tell types apart when it is first asked
    _prepare(import_module(_SIGNALS))
    logging.captureWarnings(True)
    logging.getLogger().addHandler(logging.NullHandler())  # what libraries say of hostile content is nobody's log
    with contextlib.suppress(ImportError):
        from PIL import AvifImagePlugin

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # one worker, one processor
    Image._initialized = 2  # no further plug-in is looked for
    for name in _WHOLE:
        with contextlib.suppress(ImportError):
            _load_whole(import_module(name))


def load(names: Iterable[str]) -> None:
    """Import and prepare what is installed. Raises TutelaError where what cannot be imported is Tutela's own."""
    for name in names:
        try:
            _prepare(import_module(name))
        except ImportError as error:
            if (error.name or "").startswith("tutela"):
                raise TutelaError("a part of Tutela cannot be loaded, build it anew: {error}", error=error) from error


def _prepare(module: ModuleType) -> None:
    own: Callable[[], None] | None = getattr(module, "prepare", None)
    if own is not None:
        own()


def _load_whole(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", onerror=lambda _: None):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # those of other systems
                import_module(module.name)
