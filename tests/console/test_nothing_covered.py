"""What is focused, and what is wrong, is seen: nothing of a page lies over it, in windows of every usual size."""

import pytest

from tests.support.browser import Somebody
from tests.support.held_items import a_match
from tests.support.rooms import Room, claim
from tutela.casework.cases.model import Case

pytestmark = pytest.mark.slow
SIZES = [(1920, 1080), (1440, 900), (1366, 768), (1280, 720), (1024, 768), (912, 600), (390, 844)]
SEEN = """(one) => {
  const box = one.getBoundingClientRect();
  const middle = (from, to, most) => (Math.max(from, 0) + Math.min(to, most)) / 2;
  const hit = document.elementFromPoint(
    middle(box.left, box.right, innerWidth), middle(box.top, box.bottom, innerHeight));
  const name = (other) => other ? `${other.tagName}.${other.className} ${other.id || other.name}` : "nothing";
  return hit !== null && (one.contains(hit) || hit.contains(one)) ? "" : `${name(one)} under ${name(hit)}`;
}"""
"""'' where the middle of an element, as far as it is in the window, is seen; what it is under otherwise."""
STILL = """async () => {
  for (let same = 0, last = -1; same < 5; same = scrollY === last ? same + 1 : 0, last = scrollY) {
    await new Promise(requestAnimationFrame);
  }
}"""
"""The page has come to rest: a browser scrolls to its end over some frames."""
EVERYTHING = f"""() => {{
  const seen = {SEEN}, under = [];
  let count = 0;
  for (const one of document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")) {{
    if (one.disabled || one.type === "hidden" || !one.checkVisibility() || one.closest("dialog")) continue;
    one.focus();
    if (document.activeElement !== one) continue;
    count += 1;
    under.push(seen(one));
  }}
  return [count, under.filter(Boolean)];
}}"""


@pytest.fixture(scope="module")
def one(room: Room, reviewer: Somebody) -> Case:
    """A claimed case of one item with many matches, none of which has a label."""
    case = room.held(*(a_match(number, label=None) for number in range(1, 9)))
    claim(reviewer, case)
    return case


@pytest.fixture(scope="module")
def two(room: Room, reviewer: Somebody) -> Case:
    """A claimed case of two items."""
    for _ in range(2):
        case = room.held(a_match(label=None), uploader="two")
    claim(reviewer, case)
    return case


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def sized(request: pytest.FixtureRequest, reviewer: Somebody) -> Somebody:
    width, height = request.param
    reviewer.page.set_viewport_size({"width": width, "height": height})
    return reviewer


@pytest.mark.parametrize("kind", ["one", "two"])
def test_everything_that_can_be_focused_is_seen_when_it_is(request, sized, kind):
    case, page = request.getfixturevalue(kind), sized.page
    page.goto(f"/cases/{case.id}")
    for begun in ("scrollTo(0, 0)", "scrollTo(0, document.body.scrollHeight)"):
        page.evaluate(begun)
        count, under = page.evaluate(EVERYTHING)
        assert count > 12 and under == []


@pytest.mark.parametrize("kind", ["one", "two"])
def test_where_a_key_leads_and_what_is_wrong_are_seen(request, sized, kind):
    case, page = request.getfixturevalue(kind), sized.page
    page.goto(f"/cases/{case.id}")
    for keys in (("1",), ("2",), ("l",), ("End", "l"), ("End", "1"), ("Home", "1"), ("w",)):
        for key in keys:
            page.keyboard.press(key)
            page.evaluate(STILL)
        assert page.evaluate(f"({SEEN})(document.activeElement)") == "", keys
        page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("w")
    page.keyboard.type("as listed")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    error = page.locator("[data-error]")
    error.wait_for()
    page.evaluate(STILL)
    assert error.inner_text() == "a confirmation needs a label"
    assert error.evaluate(SEEN) == ""
    assert error.evaluate("e => e.getBoundingClientRect().bottom <= innerHeight")
    assert page.evaluate(f"({SEEN})(document.activeElement)") == ""
    assert page.evaluate("document.activeElement.name").startswith("label")
