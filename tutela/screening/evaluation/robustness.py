"""The whole evaluation: read, attack, count, write. What `tutela evaluate robustness` runs."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tutela._version import __version__
from tutela.content.signals.pdq import PDQ
from tutela.errors import InputError
from tutela.screening.evaluation.attacks.catalogue import ATTACKS
from tutela.screening.evaluation.cost import measure_cost
from tutela.screening.evaluation.report import need_extra, write_report
from tutela.screening.evaluation.subjects import read_subjects
from tutela.screening.evaluation.summary import Summary, count
from tutela.screening.evaluation.trials import all_trials
from tutela.screening.evaluation.unrelated import count_unrelated, make_bank

Progress = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""For the name of a stage, how (done, of all) is shown while it lasts."""


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What is evaluated, and how thoroughly."""

    folder: Path
    results: Path
    attacks: Sequence[str] = ()
    """All when empty."""
    per_strength: int = 100
    """Pictures that each attack is tried on at each strength."""
    bank_size: int = 1_000_000
    """Hashes that unrelated pictures are looked up among."""
    size: int = 512
    """Pixels of the longer side that pictures are brought to."""
    seed: int = 1


def evaluate(plan: EvaluationPlan, progress: Progress) -> Summary:
    """Run what is missing of the plan and write the report. Raises InputError."""
    need_extra()
    unknown = [name for name in plan.attacks if name not in ATTACKS]
    if unknown:
        raise InputError(
            "no attack is called {unknown!r}; there are {attacks}", unknown=unknown[0], attacks=", ".join(ATTACKS)
        )
    try:
        plan.results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("{results} cannot be made: {why}", results=plan.results, why=error.strerror) from error
    subjects, left_out = read_subjects(plan.folder, plan.size)
    attacks = plan.attacks or list(ATTACKS)
    with progress("attacks") as show:
        trials = all_trials(subjects, attacks, plan.per_strength, plan.seed, plan.results / "trials.jsonl", show)
    with progress("unrelated pictures") as show:
        unrelated = count_unrelated(subjects, plan.bank_size, plan.seed, show)
    with progress("cost"):
        cost = measure_cost(subjects, make_bank(subjects, plan.bank_size, plan.seed).hashes)
    groups, rows = count(trials)
    settings = {
        "version": __version__,
        "pictures": len(subjects),
        "trials": len(trials),
        "per_strength": plan.per_strength,
        "size": plan.size,
        "seed": plan.seed,
        "threshold": PDQ.default_threshold,
    }
    summary = Summary(settings, left_out, groups, rows, unrelated, plan.bank_size, cost)
    write_report(summary, plan.results)
    return summary
