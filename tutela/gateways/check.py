"""Asking running gateways, through their own protocols, about two benign pictures: one whole, one damaged.

Neither opens a case.
"""

from collections.abc import Iterator, Mapping

from tutela.content.media.probe import PROBE
from tutela.deployment.selftest import SelftestCheck, canary
from tutela.errors import InputError
from tutela.gateways.base import Options
from tutela.gateways.registry import kind_of


def check_gateways(gateways: Mapping[str, Options], name: str | None = None) -> Iterator[SelftestCheck]:
    """What each gateway of the settings says, or that one. Raises InputError when there is none of that name."""
    if name is not None and name not in gateways:
        raise InputError(
            "there is no gateway {name!r}; the settings describe {gateways}",
            name=name,
            gateways=", ".join(gateways) or "none",
        )
    for each, options in gateways.items():
        if name is None or each == name:
            yield from _check(each, options)


def _check(name: str, options: Options) -> Iterator[SelftestCheck]:
    passes = kind_of(options).asking(options)
    for what, content, expected in (("a picture", canary(), True), ("a damaged picture", PROBE, False)):
        try:
            passed = passes(content)
        except (OSError, ValueError) as error:
            yield SelftestCheck(False, f"{name}: {what}", str(error))
        else:
            yield SelftestCheck(passed is expected, f"{name}: {what}", "passes" if passed else "is refused")
