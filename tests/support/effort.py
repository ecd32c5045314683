"""How often something random is tried: one variable for all tests, TUTELA_TEST_EFFORT.

`quick`, which `make check` sets, tries a tenth of what `usual`, the default, does; `full` tries as often as the figures
in the documentation say.
"""

import os


def effort(usual: int, full: int, *, least: int = 1) -> int:
    """How often to try: `usual` times, or what TUTELA_TEST_EFFORT says; fewer than `least` would show nothing."""
    match os.environ.get("TUTELA_TEST_EFFORT", "usual"):
        case "quick":
            return max(least, usual // 10)
        case "usual":
            return usual
        case "full":
            return full
        case other:
            raise ValueError(f"TUTELA_TEST_EFFORT is {other!r}: it must be quick, usual or full")
