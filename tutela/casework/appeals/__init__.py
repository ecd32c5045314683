"""Appeals against blocked pages and names: each a case with a clock of 24 hours.

Flow: stop page → reference number → `service.Appeals.receive` → sealed words, case, clock → decided as any case → the
entry counts again, or no more. Two signs of error suspend it meanwhile. Nothing is kept of where an appeal came from.
"""

from tutela.casework.appeals.model import Appeal, AppealReceipt, AppealState, Sign
from tutela.casework.appeals.references import References
from tutela.casework.appeals.service import Appeals

__all__ = ["Appeal", "AppealReceipt", "AppealState", "Appeals", "References", "Sign", "signs"]
