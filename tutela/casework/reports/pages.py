"""Pages that are read and printed: templates with everything escaped, and nothing loaded from elsewhere."""

from functools import cache
from typing import TYPE_CHECKING

from tutela.errors import NotReadyError

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment() -> "Environment":
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ModuleNotFoundError as error:
        raise NotReadyError("pages of reports need more packages: pip install 'tutela[reports]'") from error

    return Environment(
        loader=PackageLoader("tutela.casework.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, /, **values: object) -> str:
    """A template of this room, filled in."""
    return _environment().get_template(template).render(**values)
