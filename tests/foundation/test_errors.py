"""The error hierarchy: every error has a code of its own, and says a sentence of the code with values in it."""

import ast
import importlib
import pickle
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import tutela
from tutela.errors import ConflictError, InputError, NotFoundError, Statement, TutelaError, UnscreenableError

SOURCE = Path(tutela.__file__).parent
OWN = {"field", "until", "status", "retry_after_s", "after_s", "checkpoint"}
"""What errors take for themselves; all else is a value of the sentence."""


def every_error(root: type[TutelaError] = TutelaError) -> Iterator[type[TutelaError]]:
    yield root
    for child in root.__subclasses__():
        yield from every_error(child)


def test_every_error_has_a_code_of_its_own():
    for module in pkgutil.walk_packages(tutela.__path__, "tutela."):
        if not any(part in module.name for part in ("confined", "migrations", "__main__")):
            importlib.import_module(module.name)
    codes: dict[str, type[TutelaError]] = {}
    for error in every_error():
        if not error.__name__.startswith("_") and error.__module__.startswith("tutela."):
            assert "code" in vars(error), f"{error} has no code of its own"
            assert codes.setdefault(error.code, error) is error, f"{error} and {codes[error.code]}: {error.code}"


def test_a_statement_is_a_sentence_with_values():
    error = NotFoundError("there is no case {case_id!r}, of {count:,}", case_id="{x} %s", count=1000)
    assert str(error) == "there is no case '{x} %s', of 1,000"
    assert error.statement.sentence == "there is no case {case_id!r}, of {count:,}"
    assert str(InputError("braces {stay} without values")) == "braces {stay} without values"


@pytest.mark.parametrize(
    "statement",
    [
        Statement("a sentence alone"),
        Statement("{name!r} has {count:,} of {share:.1f}", {"name": "é", "count": 12345, "share": 0.5}),
        Statement("{error}", {"error": ConflictError("inner {x}", x=1)}),
    ],
)
def test_a_statement_is_stored_as_text_and_read_again(statement: Statement):
    assert str(Statement.of_stored(statement.stored())) == str(statement)


def test_a_text_from_elsewhere_stays_what_it_is():
    assert str(Statement.of_stored("5102 {refused} by the server")) == "5102 {refused} by the server"


def test_an_error_survives_a_copy():
    error = pickle.loads(pickle.dumps(InputError("no {name}", name="x", field="name")))
    assert (str(error), error.field, error.code) == ("no x", "name", "invalid-input")


def test_sentences_of_errors_are_constants_and_name_what_they_are_given():
    names = {error.__name__ for error in every_error()}
    wrong = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names):
                continue
            values = {keyword.arg for keyword in node.keywords} - OWN
            for argument in node.args:
                if isinstance(argument, ast.JoinedStr):
                    wrong.append(f"{path.relative_to(SOURCE)}:{node.lineno} an f-string")
                elif isinstance(argument, ast.Constant) and isinstance(argument.value, str) and values - {None}:
                    try:
                        argument.value.format(**{str(name): _Anything() for name in values})
                    except LookupError as error:
                        wrong.append(f"{path.relative_to(SOURCE)}:{node.lineno} no value for {error}")
    assert wrong == []


class _Anything(int):
    """A value for every form."""


def test_the_reason_of_content_that_is_held_is_beside_its_code():
    error = UnscreenableError("timeout", "decoding took longer than {timeout_s:g} s", timeout_s=5.0)
    assert (error.code, error.reason, str(error)) == ("unscreenable", "timeout", "decoding took longer than 5 s")
