"""What `tutela doctor` says of the code that meets hostile bytes: versions, with which advisories are compared.

Each line of `docs/hostile-bytes.md` that names a library has one here.
"""

import ssl
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("pillow", "simplejpeg", "pillow-jxl-plugin", "py7zr", "resvg-py", "plutoprint", "onnxruntime", "pyrage")
"""Those that carry what they are named after, or say nothing else."""
_SERVING = ("uvicorn", "httptools", "python-multipart", "h11")
_PILLOW = ("libjpeg_turbo", "webp", "avif", "libtiff", "littlecms2", "zlib", "jpg_2000", "freetype2")


def native_versions() -> Iterator[tuple[str, str]]:
    """Names and versions, of what is installed."""
    yield from _of_packages(_PACKAGES)
    yield from _asked(_ASKED)


def serving_versions() -> Iterator[tuple[str, str]]:
    """The same of what the serving process itself reads requests and lists with."""
    yield from _of_packages(_SERVING)
    yield from _asked({"libxml2": ("lxml.etree", lambda lxml: _dotted(lxml.LIBXML_VERSION))})
    yield "OpenSSL", ssl.OPENSSL_VERSION.split(" ")[1]


def _of_packages(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def _asked(questions: dict[str, tuple[str, Callable[[Any], str]]]) -> Iterator[tuple[str, str]]:
    for name, (module, ask) in questions.items():
        try:
            found = import_module(module)
        except ImportError:
            continue
        yield name, ask(found)


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def _of_pillow(name: str) -> Callable[[Any], str]:
    return lambda features: str(features.version(name) or "none")


_ASKED: dict[str, tuple[str, Callable[[Any], str]]] = {
    **{name: ("PIL.features", _of_pillow(name)) for name in _PILLOW},
    "libheif": ("pillow_heif", lambda heif: str(heif.libheif_version())),
    "libde265": ("pillow_heif", lambda heif: heif.libheif_info()["decoders"]["libde265"].rpartition(" ")[2]),
    "LibRaw": ("rawpy", lambda rawpy: _dotted(rawpy.libraw_version)),
    "PDFium": ("pypdfium2.version", lambda pdfium: str(pdfium.PDFIUM_INFO).partition("@")[0]),
    "qpdf": ("pikepdf", lambda pikepdf: str(pikepdf.__libqpdf_version__)),
    "libarchive": ("libarchive.ffi", lambda libarchive: _of_number(libarchive.version_number())),
    "zstd": ("zstandard", lambda zstandard: _dotted(zstandard.ZSTD_VERSION)),
    "libavcodec": ("av", lambda av: _dotted(av.library_versions["libavcodec"])),
    "libavformat": ("av", lambda av: _dotted(av.library_versions["libavformat"])),
}


def _of_number(number: int) -> str:
    """libarchive's 3006002 is 3.6.2."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
