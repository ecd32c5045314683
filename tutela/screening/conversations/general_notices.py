"""General notices: of the pairs in which nothing was noticed, a few are shown the words that an alarm causes.

Whoever sees that a child was shown something then learns nothing from it. Which pairs, at which of their messages and
in which time of a child's follows from the keyed numbers that stand for names, so that it is the same however often
events are judged, and nobody outside can foresee it. Nothing is written down of whoever wrote.
"""

import numpy as np
import numpy.typing as npt

from tutela.screening.conversations.events import AgeBand
from tutela.screening.conversations.levels import Level
from tutela.screening.conversations.reasons import APPROACHES
from tutela.screening.conversations.records import ACQUAINTED, ELSEWHERE, GROUP, ROLE, Pseudonyms, Records
from tutela.screening.conversations.state import RiskState

PERIOD_S = 90 * 86_400
"""A child is shown one in so long a time at most; each child's times begin at a moment of its own."""
FRESH_S = 3_600
"""What a state that is read anew finds in the ledger is long over."""
_ONE_IN = 8
"""Of the messages in a pair that was drawn: mostly an early one, as alarms come early, and any of them."""
_APART = ACQUAINTED | ELSEWHERE | GROUP | ROLE


def drawn(records: Records, share: float, now_s: int) -> npt.NDArray[np.intp]:
    """Rows at which a child would be shown general words, if a stranger came to it, by their numbers alone."""
    near = np.isin(records["kind"], APPROACHES) & ((records["flags"] & _APART) == 0) & (records["id"] != 0)
    fresh = records["received_s"].astype(np.int64) >= now_s - FRESH_S
    # The numbers of names are keyed hashes, and so is what differs between two of them.
    of_pairs = (records["sender"] ^ records["recipient"]) < np.uint64(share * 2.0**64)
    return np.flatnonzero(near & fresh & of_pairs & (records["id"] < np.uint64(2**64 // _ONE_IN)))


def is_unnoticed(state: RiskState, sender: int, recipient: int) -> bool:
    """Whether an adult came to somebody under 18 as a stranger, and nothing was noticed of that adult."""
    known = state.account(sender)
    if known is None or known["band"] != AgeBand.ADULT or known["level"] != Level.NONE:
        return False
    return state.table.came_first(sender, recipient)


def notice_id(names: Pseudonyms, child: str, at_s: float) -> str:
    """The notice of a child's present time: of the same form as an alarm's, and the same for all of that time."""
    period = (int(at_s) + names.of(child) % PERIOD_S) // PERIOD_S
    return f"{notices_of(names, child)}{names.of(f'general notice {period} of {child}'):016x}"


def notices_of(names: Pseudonyms, child: str) -> str:
    """How all of a child's general notices begin, for erasure."""
    return f"{names.of(f'general notices of {child}'):016x}"
