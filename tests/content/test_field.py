"""Files that people who do this job met: each gets what its row in the folder's README wants.

The folder is not part of the project; where it is missing these are skipped. Tests that make the kinds themselves
stand in `test_readings.py`, `test_drawings.py`, `test_pdf.py`, `test_parts.py` and `test_video.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lists import list_plainly
from tutela.deployment.composition import Deployment, open_deployment

FOLDER = Path(__file__).parents[3] / "shared" / "field"
KNOWN = ("known.png", "known-soft.png")
AWAITED: frozenset[str] = frozenset(
    [
        "tar-jpeg.tar.gz",
        "tar-tar.tar.gz",
        "tgz-tgz.tar.gz",
        "u-contact.vcf",
        "u-doc.doc",
        "u-mail-ics.eml",
        "u-mp4-trailer.mp4",
        "u-odt.odt",
        "u-pages.pages",
        "u-raw.mjpeg",
        "u-song.mp3",
        "u-table.csv",
        "u-text.txt",
        "u-ts-cut-begin.ts",
        "u-voice.m4a",
        "u-voice.opus",
        "u-xlsm.xlsm",
        "u-zip-aae.zip",
        "u-zip-json-media.zip",
        "u-zip-song.zip",
        "u-zip-thumbsdb.zip",
    ]
)
"""Those that do not get it yet."""


def rows() -> list[tuple[str, frozenset[str]]]:
    """(file, decisions of which one is wanted) of every row that wants one."""
    if not FOLDER.is_dir():
        return []
    cells = [[cell.strip() for cell in line.split("|")] for line in (FOLDER / "README.md").read_text().splitlines()]
    return [(row[1], frozenset(row[3].split(" or "))) for row in cells if len(row) > 4 and (FOLDER / row[1]).is_file()]


def cases() -> list[object]:
    wanted = [(name, decisions) for name, decisions in rows() if decisions <= {"allow", "hold", "block"}]
    awaited = pytest.mark.xfail(reason="not yet", strict=True)
    return [pytest.param(*row, id=row[0], marks=[awaited] if row[0] in AWAITED else []) for row in wanted]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment that knows the two pictures by their plain hashes, as from an outside list."""
    with open_deployment(tmp_path_factory.mktemp("field") / "home", decoders=1) as deployment:
        list_plainly(deployment, *((FOLDER / name).read_bytes() for name in KNOWN))
        yield deployment


@pytest.mark.parametrize(("name", "decisions"), cases())
def test_a_file_of_the_field_gets_what_it_should(known: Deployment, name: str, decisions: frozenset[str]) -> None:
    verdict = known.screener.screen((FOLDER / name).read_bytes())
    assert verdict.decision.value in decisions, verdict.reasons
