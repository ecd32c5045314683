"""Every command with its arguments and options, as docs/cli-reference.md: from the commands themselves."""

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import get_args

import typer.core
import typer.main

from pages.page import DOCS, Page, table
from tutela.cli.commands import app

_Command = typer.core.TyperGroup | typer.core.TyperCommand
_Parameter = typer.core.TyperArgument | typer.core.TyperOption
_HEAD = """# Every command and option

This page is made from the commands themselves by `make reference`. [The command `tutela`](cli.md) shows them at work.

"""


def pages() -> Iterator[Page]:
    """The page of commands."""
    root = typer.main.get_command(app)
    yield Page(DOCS / "cli-reference.md", _HEAD + "\n".join(_sections(root, "tutela")))


def _sections(command: _Command, path: str) -> Iterator[str]:
    yield _section(command, path)
    for name, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from _sections(below, f"{path} {name}")


def _section(command: _Command, path: str) -> str:
    parts = [f"## {path}\n", f"{_plain(command.help or '')}\n"]
    parameters = [parameter for parameter in command.params if _is_ours(parameter)]
    if not hasattr(command, "commands"):
        parts.append(f"```sh\n{_usage(command, path)}\n```\n")
    if parameters:
        parts.append(table(("argument or option", "what it is", "default"), map(_row, parameters)))
    if command.epilog:
        parts.append("For example:\n\n```sh\n" + "\n".join(_examples(command.epilog)) + "\n```\n")
    return "\n".join(parts)


def _usage(command: typer.core.TyperCommand, path: str) -> str:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    has_options = any(_is_ours(parameter) for parameter in command.params if parameter not in arguments)
    return " ".join(filter(None, (path, "[OPTIONS]" * has_options, *map(_argument, arguments))))


def _argument(argument: typer.core.TyperArgument) -> str:
    name = (argument.metavar or argument.name or "").upper() + ("…" if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _row(parameter: _Parameter) -> tuple[str, str, str]:
    if parameter.param_type_name == "argument":
        return f"`{_argument(parameter)}`", _plain(parameter.help or ""), _default(parameter)
    value = "" if parameter.is_flag else f" {parameter.metavar or _value(parameter.type_descriptor.annotation)}"
    name = ", ".join(f"`{spelling}{value}`" for spelling in (*parameter.opts, *parameter.secondary_opts))
    remarks = [" Required."] * parameter.required + [" May be given several times."] * parameter.multiple
    return name, _plain(parameter.help or "") + "".join(remarks), _default(parameter)


def _value(annotation: object) -> str:
    """What stands for an option's value."""
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType] or [annotation]
    kind = kinds[0]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "/".join(str(choice.value) for choice in kind)
    return {int: "N", float: "N", Path: "PATH"}.get(kind, "TEXT")  # type: ignore[call-overload]


def _default(parameter: _Parameter) -> str:
    default = parameter.default
    if default is None or callable(default) or default in ((), [], False, True, "") or parameter.required:
        return ""
    return f"`{getattr(default, 'value', default)}`"


def _is_ours(parameter: _Parameter) -> bool:
    return parameter.name not in ("help", "install_completion", "show_completion") and not parameter.hidden


def _plain(text: str) -> str:
    """A help text as Markdown on one line."""
    return re.sub(r"\[/?(?:bold|green|red|dim)\]", "", " ".join(text.split()))


def _examples(epilog: str) -> list[str]:
    return [example.removeprefix("Start:").strip() for example in " ".join(epilog.split()).split(" · ")]
