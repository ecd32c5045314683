"""Files that people who do this job met: each gets what its row in the folder's README wants.

The folder is not part of the project; where it is missing these are skipped. Tests that make the kinds themselves
stand in `test_readings.py`, `test_drawings.py`, `test_pdf.py`, `test_parts.py` and `test_video.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lists import list_plainly
from tutela.content.media.limits import Limits
from tutela.content.media.profile import Profile
from tutela.deployment.composition import Deployment, compose_deployment

FOLDER = Path(__file__).parents[3] / "shared" / "field"
KNOWN = ("known.png", "known-soft.png")


def rows() -> list[tuple[str, frozenset[str]]]:
    """(file, decisions of which one is wanted) of every row that wants one."""
    if not FOLDER.is_dir():
        return []
    cells = [[cell.strip() for cell in line.split("|")] for line in (FOLDER / "README.md").read_text().splitlines()]
    return [(row[1], frozenset(row[3].split(" or "))) for row in cells if len(row) > 4 and (FOLDER / row[1]).is_file()]


def cases() -> list[object]:
    wanted = [(name, decisions) for name, decisions in rows() if decisions <= {"allow", "hold", "block"}]
    return [pytest.param(*row, id=row[0]) for row in wanted]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A file service that knows the two pictures by their plain hashes, as from an outside list."""
    if not FOLDER.is_dir():
        pytest.skip("the folder of the field is not here")
    limits = Limits(profile=Profile.FILES)
    with compose_deployment(tmp_path_factory.mktemp("field") / "home", decoders=1, limits=limits) as deployment:
        list_plainly(deployment, *((FOLDER / name).read_bytes() for name in KNOWN))
        yield deployment


@pytest.mark.slow
@pytest.mark.parametrize(("name", "decisions"), cases())
def test_a_file_of_the_field_gets_what_it_should(known: Deployment, name: str, decisions: frozenset[str]) -> None:
    verdict = known.screener.screen((FOLDER / name).read_bytes())
    assert verdict.decision.value in decisions, verdict.reasons


def test_a_self_extracting_zip_is_told_as_a_zip(known: Deployment) -> None:
    verdict = known.screener.screen((FOLDER / "zip-prefix.zip").read_bytes())
    assert (verdict.media_type, verdict.decision.value) == ("application/zip", "block")
    assert [reason.code for reason in verdict.reasons] == ["match-block"], verdict.reasons
