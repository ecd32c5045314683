"""Reading the settings: the file, the environment over it, the options of the command line over both."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tutela.deployment.settings.doors import DOORS, NAMED_DOORS, choice_of, door_section
from tutela.deployment.settings.keys import is_section, keys_of, without_none
from tutela.deployment.settings.model import DatabaseUrl, Settings, default_home, root_keys
from tutela.deployment.settings.moved import MOVED_VARIABLES
from tutela.deployment.settings.source import (
    PREFIX,
    SYSTEM_FILE,
    Given,
    SettingsFile,
    Table,
    find_file,
    laid_over,
    read_variable,
    variable_of,
)
from tutela.deployment.settings.values import Fault, Reader
from tutela.errors import InputError
from tutela.foundation.options import OptionError, SettingsError, nearest

OTHER_VARIABLES = {
    "TUTELA_CONFIG": "the settings file",
    "TUTELA_KEY": "an API key, for clients of the service",
    "TUTELA_URL": "the service's address, for clients of the service",
    "TUTELA_SIMD": "the instruction-set level of the native core",
    "TUTELA_EMBEDDING_MODEL": "an ONNX file",
    "TUTELA_REVIEW_KEY": "the file of the review key, for `tutela report`",
    "TUTELA_REVIEW_KEY_PASSPHRASE_FD": "where the review key's passphrase is read from",
    **dict.fromkeys(("TUTELA_BUILD_HOME", "TUTELA_BUILD_DATABASE"), "the index builder's own"),
    **dict.fromkeys(("TUTELA_PULL_HOME", "TUTELA_PULL_DATABASE"), "the puller's own"),
    "TUTELA_DEMONSTRATION_PORT": "the demonstration's own",
    "TUTELA_MEMORY": "that a process was started anew with clean memory",
}
"""Variables that are no settings, and what they are."""
OTHER_PREFIXES = ("TUTELA_SECRET_", "TUTELA_TEST_", "TUTELA_BENCHMARK_")
"""Secrets that references name, and what the tests and benchmarks are told."""


def load_settings(
    *,
    config: Path | None = None,
    home: Path | None = None,
    database: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of this process. Raises SettingsError, InputError for a file that cannot be read.

    `config`, `home` and `database` come before what the environment and the file say.
    """
    environment = os.environ if environment is None else environment
    named_home = home or (Path(environment["TUTELA_HOME"]) if environment.get("TUTELA_HOME") else None)
    named = config or (Path(environment["TUTELA_CONFIG"]) if environment.get("TUTELA_CONFIG") else None)
    file = find_file(named, named_home or default_home())
    given, faults = _read_environment(environment)
    table: Table = file.table if file is not None else {}
    for variable in given:
        laid_over(table, variable)
    reader = Reader(file.folder if file is not None else None, frozenset(variable.path for variable in given))
    doors = {name: reader.section(door_section(name), table.get(name, {}), (name,)) for name in DOORS}
    for section in NAMED_DOORS:
        doors[section] = dict(_named(reader, section, table.get(section, {})))
    rooms = {name: value for name, value in table.items() if name not in doors}
    settings: Settings = reader.section(Settings, rooms)
    for fault in reader.faults:
        faults.append(_placed(fault, file, given, rooms))
    if faults:
        raise SettingsError(faults)
    settings = replace(settings, doors=doors, file=file.path if file is not None else None)
    if home is not None:
        settings = replace(settings, home=home)
    elif "home" not in table and file is not None and file.path != SYSTEM_FILE:
        settings = replace(settings, home=file.path.parent)
    if database is not None:
        settings = replace(settings, database=DatabaseUrl.read(database, "database"))
    _check_home(settings.home)
    return settings


def _named(reader: Reader, section: str, tables: Any) -> Iterator[tuple[str, Any]]:
    """The options of a section that has a table for each name. Its door is loaded only where there are some."""
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        reader.faults.append(Fault((section,), "must have a table for each name"))
        return
    for name, table in tables.items():
        try:
            yield name, reader.section(choice_of(section)(name, table), table, (section, name))
        except OptionError as error:
            reader.faults.append(Fault((section, name, error.key), error.rule))
        except InputError as error:
            reader.faults.append(Fault((section, name), str(error)))


def _read_environment(environment: Mapping[str, str]) -> tuple[list[Given], list[str]]:
    """What variables say, those of whole sections first, and what is wrong with them."""
    given, faults = [], []
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES or variable.startswith(OTHER_PREFIXES):
            continue
        if not text:
            continue  # as good as not set, as `${NAME:-}` gives it
        found = read_variable(root_keys(), variable, text)
        if found is not None:
            given.append(found)
        elif variable in MOVED_VARIABLES:
            path = MOVED_VARIABLES[variable]
            faults.append(f"{variable} is now {variable_of(path)}, in {'.'.join(path)} of the settings file")
        else:
            faults.append(f"{variable} is not a setting{nearest(variable, [*variables(), *OTHER_VARIABLES])}")
    return sorted(given, key=lambda item: len(item.path)), faults


def variables() -> Iterator[str]:
    """The environment variable of every key."""

    def below(keys: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
        for name, key in keys.items():
            yield variable_of((*path, name))
            if is_section(kind := without_none(key.kind)):
                yield from below(keys_of(kind), (*path, name))

    return below(root_keys(), ())


def _placed(fault: Fault, file: SettingsFile | None, given: list[Given], rooms: Table) -> str:
    """A fault with the file and line, or the variable, that it comes from."""
    key, rule = ".".join(fault.path), fault.rule
    if len(fault.path) == 1 and fault.path[0] in rooms and rule.startswith("is not a key"):
        rule = f"is not a key{nearest(fault.path[0], root_keys())}"
    for variable in reversed(given):
        shorter = min(len(variable.path), len(fault.path))
        if variable.path[:shorter] == fault.path[:shorter]:
            below = ".".join(fault.path[len(variable.path) :])
            return f"{variable.variable}: {below + ' ' if below else ''}{rule}"
    if file is None:
        return f"{key} {rule}"
    line = file.line_of(fault.path)
    return f"{file.path}{f':{line}' if line else ''}: {key} {rule}"


def _check_home(home: Path) -> None:
    try:
        str(home).encode()
    except UnicodeEncodeError:
        raise InputError("the home's name {home!r} is not UTF-8; choose another", home=str(home)) from None
