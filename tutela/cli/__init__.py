"""The command line face. `main` turns errors into one line and an exit code; the commands are in `commands`.

Exit codes: 0 done and nothing matched; 1 something matched, was held, or needs a look; 2 the input is wrong; 3 our
fault; 130 interrupted; 141 whoever read our output went away before the end.
"""

import io
import os
import sys
import traceback

from tutela.errors import InputError, TutelaError
from tutela.foundation.processes import end_promptly

__all__ = ["main"]

_EXTRAS = {
    module: extra
    for extra, modules in {
        "cli": ("typer", "rich"),
        "server": (
            *("fastapi", "starlette", "anyio", "fastapi_swagger", "pydantic", "python_multipart"),
            *("uvicorn", "uvloop", "httptools", "prometheus_client", "structlog", "nacl"),
        ),
        "console": ("webauthn", "authlib", "joserfc", "babel"),
        "exchanges": ("httpx", "httpcore", "certifi", "lxml"),
        "evidence": ("pyrage", "obstore", "cryptography", "standardwebhooks"),
        "reports": ("fpdf", "pyzipper", "jinja2", "markupsafe", "matplotlib"),
        "archives": ("pikepdf", "pypdfium2"),
        "video": ("av",),
        "formats": ("pillow_heif",),
        "embeddings": ("onnxruntime", "tokenizers"),
        "conversations": ("cel",),
        "dns": ("dns",),
        "whip": ("aiortc",),
        "gateways": ("boto3", "botocore"),
        "postgres": ("psycopg",),
        "kafka": ("confluent_kafka",),
        "redis": ("redis",),
    }.items()
    for module in modules
}
"""Modules that a smaller installation lacks, and the extra that brings each."""


def main() -> None:
    """Run `tutela`."""
    _stand_in()
    end_promptly()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show must not end a screening
    code = 3
    try:
        _run()
        return
    except KeyboardInterrupt:
        code = 130
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            traceback.print_exc()
        else:
            extra = _EXTRAS[error.name]
            sys.stderr.write(f"tutela: {error.name} is not installed; run: pip install 'tutela[{extra}]'\n")
            code = 2
    except OSError as error:
        sys.stderr.write(f"tutela: {error}\n")
    except Exception:
        traceback.print_exc()
    _flush()
    sys.exit(code)


def _stand_in() -> None:
    """Open standard streams that whoever started us closed: a database that took such a place would be written to as
    output. Reading and printing there fails; complaints are lost."""
    for descriptor, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free, which is this one
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def _run() -> None:
    from tutela.cli.commands import app

    try:
        app()
    except TutelaError as error:
        _complain(error)
        sys.exit(2 if isinstance(error, InputError) else 3)


def _complain(error: TutelaError) -> None:
    from tutela.cli.output import complain
    from tutela.foundation.options import SettingsError

    for fault in error.faults if isinstance(error, SettingsError) else (str(error),):
        complain(fault)


def _flush() -> None:
    """Write what is left to be written; where that is not possible, keep Python from trying it again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
