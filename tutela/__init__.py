"""Tutela: screening of content against hash lists, before anyone sees it.

`import tutela` is cheap and starts nothing; names are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from tutela._version import __version__
from tutela.errors import TutelaError

if TYPE_CHECKING:
    from tutela.casework.cases.model import EffectRequest
    from tutela.casework.cases.outcomes import Effect
    from tutela.deployment.composition import Deployment
    from tutela.deployment.library import open_deployment
    from tutela.screening.decision import Decision
    from tutela.screening.screener import Screener
    from tutela.screening.verdict import Context, Match, Verdict

__all__ = [
    "Context",
    "Decision",
    "Deployment",
    "Effect",
    "EffectRequest",
    "Match",
    "Screener",
    "TutelaError",
    "Verdict",
    "__version__",
    "open_deployment",
]

_HOME = {
    "Context": "tutela.screening.verdict",
    "Decision": "tutela.screening.decision",
    "Deployment": "tutela.deployment.composition",
    "Effect": "tutela.casework.cases.outcomes",
    "EffectRequest": "tutela.casework.cases.model",
    "Match": "tutela.screening.verdict",
    "Screener": "tutela.screening.screener",
    "Verdict": "tutela.screening.verdict",
    "open_deployment": "tutela.deployment.library",
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'tutela' has no attribute {name!r}")
