"""The way in for an application that embeds Tutela: a deployment as the settings of its home describe it.

So what is held or blocked is sealed and opens a case, as with the service, and nothing has to be said twice.
"""

import os
from dataclasses import replace
from pathlib import Path

from tutela.casework.cases.effects import EffectCallback
from tutela.content.media.limits import Limits
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment
from tutela.deployment.settings import load_settings
from tutela.screening.jobs.limits import JobLimits
from tutela.screening.options import ScreeningPolicy


def open_deployment(
    home: str | os.PathLike[str],
    *,
    database: str | None = None,
    limits: Limits | None = None,
    decoders: int | None = None,
    policy: ScreeningPolicy | None = None,
    casework: CaseworkOptions | None = None,
    job_limits: JobLimits | None = None,
    on_effect: EffectCallback | None = None,
) -> Deployment:
    """Open (and on first use make) the deployment in a folder. Close it, or use it as a context manager.

    What is not given is as the settings say: `tutela.toml` in the folder and the environment, as the service reads
    them. `database` is a SQLAlchemy URL. `decoders` is the number of isolated decoding workers, by default one a core.
    `on_effect` does what decisions ask of the application, such as to hide or to restore an item; it is called in a
    thread of its own once `start` was called.
    Raises StoreError when the database is unreachable or of another version, InputError for options that are wrong.
    """
    settings = load_settings(home=Path(home), database=database)
    settings = replace(
        settings,
        limits=limits or settings.limits,
        decoders=decoders or settings.decoders,
        screening=policy or settings.screening,
        jobs=job_limits or settings.jobs,
    )
    casework = casework or settings.casework
    if on_effect is not None:
        casework = replace(casework, on_effect=on_effect)
    return settings.open(casework)
