# ruff: noqa: E501 - what is shown stands in one line
"""One shape, one glyph, one filter that is a whole picture: what has a picture's fields in it is matched or held,
however few elements they are in."""

import pytest

from tests.support.containers import zip_of
from tests.support.looked import outcome
from tests.support.outlined import FIELDS, PATH, POINTS, SECOND, SHOWN, SVG, styled
from tutela.content.media.profile import Profile


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_what_is_a_picture_in_one_shape_is_matched_or_held(shown: str | bytes) -> None:
    data = shown.encode() if isinstance(shown, str) else shown
    assert outcome(data, profile=Profile.FILES) != "allow"


SMALL = "".join(f"M{x} {y}h4v4h-4z" for x, y in FIELDS[:100])
PASSES = {
    "a path of a hundred fields": styled(f"clip-path:path('{SMALL}')"),
    "a drawing with a long path": f'<svg {SVG}><path d="{PATH[:40_000]}" fill="none"/></svg>',
    "a little contrast": f'<!doctype html><style>img{{filter:contrast(110%) brightness(1.2) contrast(90%)}}</style><img src="data:image/png;base64,{SECOND}">',
    "a picture that fades out": f'<!doctype html><img style="mask-image:linear-gradient(#000,transparent)" src="data:image/png;base64,{SECOND}">',
    "coordinates of a map": "<kml><coordinates>" + " ".join(f"{x},{y},0" for x, y in POINTS) + "</coordinates></kml>",
    "numbers": "\n".join(f"{x},{y},{x - y}" for x, y in POINTS),
    "a tone that is a little lighter": f'<svg {SVG}><filter id="f"><feComponentTransfer><feFuncR type="linear" slope="1.2"/></feComponentTransfer></filter>'
    f'<image width="9" height="9" href="data:image/png;base64,{SECOND}" filter="url(#f)"/></svg>',
}


@pytest.mark.parametrize("shown", PASSES.values(), ids=PASSES)
def test_what_ordinary_files_have_of_it_passes(shown: str) -> None:
    assert outcome(shown.encode(), profile=Profile.FILES) == "allow"


SCRIPTED = {
    "a script": "<script>document.write(location)</script>",
    "a handler": '<img src=x onerror="alert(1)">',
    "an address": '<a href="javascript:void(0)">see</a>',
}


@pytest.mark.parametrize("script", SCRIPTED.values(), ids=SCRIPTED)
def test_what_runs_is_no_carrier_of_pictures(script: str) -> None:
    page = f"<!doctype html><html><body>{script}</body></html>".encode()
    assert outcome(page) == "hold"
    assert outcome(zip_of({"index.html": page})) == "hold"
    assert outcome(page, profile=Profile.FILES) == "allow"


def test_data_for_programs_that_read_pages_is_no_script() -> None:
    page = b'<!doctype html><script type="application/ld+json">{"@type": "ImageGallery"}</script><p>see'
    assert outcome(page) == "allow"
