"""Filing with the CyberTipline: open → upload → fileinfo → finish, one durable step after the other.

Only a finished report counts, and only the number that is stored is ever asked to be finished. So a crash at any moment
leaves at most an open report without a number of ours, which NCMEC deletes after a day: never two that count.
"""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

from tutela.casework.reports.cybertipline.answers import Code, TiplineAnswer, TiplineRefusedError, UncertainError
from tutela.casework.reports.cybertipline.client import CyberTipline
from tutela.casework.reports.draft import Draft, FileSource
from tutela.casework.reports.ledger import FilingChange, Ledger
from tutela.casework.reports.model import MOVING, FiledFile, FileState, Filing, FilingState, OvertakenError
from tutela.errors import InputError, Statement, StoreError, TutelaError, message
from tutela.foundation.backoff import BackOff
from tutela.foundation.leases import new_holder

log = logging.getLogger(__name__)

LEASE_S = 900.0
"""How long a holder may be silent. Longer than one call takes: an upload moves on or fails within minutes."""
MAX_RESTARTS = 3
"""Times that a report is retracted and opened anew by itself."""
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 1800.0
_WORKER = "filing"


class Filer:
    """Moves filings on. Any number of processes may do so at once."""

    def __init__(
        self,
        ledger: Ledger,
        tipline: CyberTipline,
        files: FileSource,
        *,
        lease_s: float = LEASE_S,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self._ledger = ledger
        self._tipline = tipline
        self._files = files
        self._lease_s = lease_s
        self._longest_wait_s = longest_wait_s

    def run_due(self) -> int:
        """Move on everything that is due; how many filings were touched."""
        due = self._ledger.due(self._tipline.environment)
        for filing_id in due:
            try:
                self.advance(filing_id)
            except StoreError:
                raise
            except Exception:
                log.exception("report %s could not be moved on", filing_id)
        return len(due)

    def advance(self, filing_id: str) -> Filing:
        """Move one filing on as far as it goes now: finished, waiting for another try, or for a person.

        Raises NotFoundError; InputError when it is for another environment.
        """
        filing = self._ledger.get(filing_id)
        if filing.environment != self._tipline.environment:
            raise InputError(
                "report {filing_id} is for the {environment} environment, not this one",
                filing_id=filing_id,
                environment=filing.environment,
            )
        holder = new_holder()
        try:
            while self._ledger.take(filing_id, holder, self._lease_s) is not None:
                if not self._step(self._ledger.get(filing_id), holder):
                    break
        except OvertakenError as overtaken:
            log.info("%s", overtaken)
        finally:
            self._ledger.release(filing_id, holder)
        return self._ledger.get(filing_id)

    def _step(self, filing: Filing, holder: str) -> bool:
        """Make the next step; False when there is nothing more to do now."""
        if filing.state not in MOVING:
            return False
        step = _Steps(self._ledger, self._tipline, self._files, filing, holder, self._lease_s)
        try:
            step.make()
        except UncertainError as error:
            self._again(filing, holder, str(error), None)
            return False
        except TiplineRefusedError as refused:
            if refused.passing:
                self._again(filing, holder, str(refused), refused.response_code)
            else:
                step.refused(refused)
            return not refused.passing
        except (OvertakenError, StoreError):
            raise
        except TutelaError as error:
            # Evidence that cannot be opened, a draft that cannot be read: no time mends that.
            step.stop(error.statement, None)
            return False
        return True

    def _again(self, filing: Filing, holder: str, why: str, code: int | None) -> None:
        filing = self._ledger.get(filing.id)
        wait_s = BackOff(FIRST_WAIT_S, self._longest_wait_s).wait_s(filing.attempts + 1)
        log.warning("report %s: %s; again in %.0f s", filing.id, why, wait_s)
        with self._ledger.change(filing, holder, self._lease_s) as change:
            change.set(attempts=filing.attempts + 1, due_at=change.at + int(wait_s * 1e6))
            change.note("failed", actor=_WORKER, number=filing.number, code=code, detail=why)


class _Steps:
    """The steps of one filing, from what the ledger says to what it says next."""

    def __init__(
        self, ledger: Ledger, tipline: CyberTipline, files: FileSource, filing: Filing, holder: str, lease_s: float
    ) -> None:
        self._ledger = ledger
        self._tipline = tipline
        self._files = files
        self._filing = filing
        self._holder = holder
        self._lease_s = lease_s

    def make(self) -> None:
        """The next step. Raises UncertainError, RefusedError, OvertakenError, TutelaError."""
        match self._filing.state:
            case FilingState.READY | FilingState.OPENING:
                self._open()
            case FilingState.OPEN:
                self._fill()
            case FilingState.FINISHING:
                self._finish()
            case FilingState.RESTARTING | FilingState.RETRACTING:
                self._retract()

    def refused(self, refused: TiplineRefusedError) -> None:
        """What follows from a code that does not pass by itself."""
        state, code = self._ledger.get(self._filing.id).state, refused.response_code
        gone = code in (Code.NO_SUCH_REPORT, Code.RETRACTED_ALREADY)
        if state is FilingState.FINISHING and code == Code.FINISHED_ALREADY:
            self._finished(refused.answer)
        elif state is FilingState.RETRACTING and code == Code.FINISHED_ALREADY:
            self._finished(refused.answer, "it was finished before it could be retracted")
        elif state is FilingState.RESTARTING and gone:
            self._anew(refused.answer)
        elif state is FilingState.RETRACTING and gone:
            self._retracted(refused.answer)
        elif state is FilingState.OPEN and code == Code.NO_SUCH_REPORT:
            self._restart("it was not finished in time and NCMEC has deleted it", FilingState.READY, code)
        else:
            self.stop(Statement(_ADVICE.get(code, "{refused}"), {"refused": refused}), code)

    def stop(self, reason: Statement, code: int | None) -> None:
        """Wait for a person."""
        log.error("report %s needs a person: %s", self._filing.id, reason)
        with self._change() as change:
            change.stop(reason)
            change.note("stopped", actor=_WORKER, number=self._filing.number, code=code, detail=str(reason))

    # --- opening

    def _open(self) -> None:
        again = self._filing.state is FilingState.OPENING
        draft = self._draft()
        with self._change() as change:
            change.set(state=FilingState.OPENING.value)
            orphan = "an earlier try may have left an open report, which NCMEC deletes after a day"
            change.note("opening", actor=_WORKER, detail=orphan if again else "")
        self._filing = replace(self._filing, state=FilingState.OPENING)
        answer = self._tipline.submit(draft.report)
        number = answer.report_id
        assert number is not None
        try:
            with self._change() as change:
                change.to(FilingState.OPEN, number=number, opened_at=change.at, changed_at=change.at)
                change.note("opened", actor=_WORKER, number=number, code=answer.code, detail=_request(answer))
        except OvertakenError:
            self._drop(number)
            raise

    def _drop(self, number: int) -> None:
        """Take back a report that was opened and is not the one that the ledger has."""
        try:
            self._tipline.retract(number)
        except (TiplineRefusedError, UncertainError) as error:
            log.warning("report number %d is open and not ours; NCMEC deletes it after a day (%s)", number, error)

    # --- filling

    def _fill(self) -> None:
        files = self._filing.files
        doubtful = next((file for file in files if file.state is FileState.SENDING), None)
        if doubtful is not None and self._filing.restarts < MAX_RESTARTS:
            self._restart(f"it is not known whether file {doubtful.position + 1} arrived", FilingState.RESTARTING, None)
        elif waiting := next((f for f in files if f.state in (FileState.WAITING, FileState.SENDING)), None):
            self._upload(waiting)
        elif undescribed := next((file for file in files if file.state is FileState.SENT), None):
            self._describe(undescribed)
        else:
            with self._change() as change:
                change.to(FilingState.FINISHING)
                change.note("finishing", actor=_WORKER, number=self._filing.number)

    def _upload(self, file: FiledFile) -> None:
        draft = self._draft().files[file.position]
        with self._files.open(file.evidence) as content:
            with self._change() as change:
                change.file(file.position, FileState.SENDING)
            try:
                answer = self._tipline.upload(self._number, draft.details.file_name or "file", content)
            except TiplineRefusedError:
                # An answer is an answer: this file is not there.
                with self._change() as change:
                    change.file(file.position, FileState.WAITING)
                raise
        if draft.md5 is not None and answer.md5 is not None and draft.md5 != answer.md5:
            self._restart(f"file {file.position + 1} arrived damaged", FilingState.RESTARTING, answer.code)
            return
        with self._change() as change:
            change.file(file.position, FileState.SENT, answer.file_id)
            change.set(changed_at=change.at, attempts=0)
            change.note("uploaded", actor=_WORKER, number=self._number, code=answer.code, detail=_request(answer))

    def _describe(self, file: FiledFile) -> None:
        assert file.file_id is not None
        details = self._draft().files[file.position].details.of(self._number, file.file_id)
        answer = self._tipline.fileinfo(details)
        with self._change() as change:
            change.file(file.position, FileState.DESCRIBED, file.file_id)
            change.set(changed_at=change.at, attempts=0)
            change.note("described", actor=_WORKER, number=self._number, code=answer.code, detail=_request(answer))

    # --- ending

    def _finish(self) -> None:
        self._finished(self._tipline.finish(self._number))

    def _finished(self, answer: TiplineAnswer, remark: str = "") -> None:
        ours = {file.file_id for file in self._filing.files}
        surplus = [file_id for file_id in answer.file_ids if file_id not in ours]
        details = [remark, _request(answer), f"NCMEC has {len(surplus)} more copies of files" if surplus else ""]
        with self._change() as change:
            change.to(FilingState.FINISHED, finished_at=change.at)
            detail = "; ".join(filter(None, details))
            change.note("finished", actor=_WORKER, number=self._number, code=answer.code, detail=detail)

    def _retract(self) -> None:
        number = self._filing.number
        answer = TiplineAnswer(0) if number is None else self._tipline.retract(number)
        if self._filing.state is FilingState.RESTARTING:
            self._anew(answer)
        else:
            self._retracted(answer)

    def _retracted(self, answer: TiplineAnswer) -> None:
        with self._change() as change:
            change.to(FilingState.RETRACTED)
            change.note("retracted", actor=_WORKER, number=self._filing.number, code=answer.code)

    def _anew(self, answer: TiplineAnswer) -> None:
        with self._change() as change:
            change.to(FilingState.READY, number=None, opened_at=None, changed_at=None)
            change.forget_files()
            change.note("retracted", actor=_WORKER, number=self._filing.number, code=answer.code)

    def _restart(self, why: str, state: FilingState, code: int | None) -> None:
        if self._filing.restarts >= MAX_RESTARTS:
            again = Statement("{why}, and it was begun anew {restarts} times", {"why": why, "restarts": MAX_RESTARTS})
            self.stop(again, code)
            return
        log.warning("report %s begins anew: %s", self._filing.id, why)
        with self._change() as change:
            change.to(state, restarts=self._filing.restarts + 1)
            if state is FilingState.READY:
                change.set(number=None, opened_at=None, changed_at=None)
                change.forget_files()
            change.note("restarted", actor=_WORKER, number=self._filing.number, code=code, detail=why)

    # --- what all need

    @property
    def _number(self) -> int:
        assert self._filing.number is not None
        return self._filing.number

    def _draft(self) -> Draft:
        return self._ledger.draft(self._filing.id)

    def _change(self) -> AbstractContextManager[FilingChange]:
        return self._ledger.change(self._filing, self._holder, self._lease_s)


_ASK_FOR_THE_RIGHT = message("{refused}. Ask NCMEC for the right, then say `tutela report resume`")
_ADVICE: Mapping[int, str] = {
    Code.NO_SUCH_REPORT: message(
        "{refused}. It was asked to be finished, and no answer came; ask NCMEC whether they have it, then say"
        " `tutela report confirm` or `tutela report refile`"
    ),
    Code.RETRACTED_ALREADY: message(
        "{refused}. It was retracted elsewhere; say `tutela report refile` to file it all the same"
    ),
    Code.FINISHED_ALREADY: message(
        "{refused}. It was finished elsewhere; ask NCMEC what it says, then say `tutela report confirm`"
    ),
    Code.AUTHENTICATION_REQUIRED: message(
        "{refused}. Correct the user and the password, then say `tutela report resume`"
    ),
    Code.NOT_AUTHORISED: _ASK_FOR_THE_RIGHT,
    Code.NOT_AUTHORISED_TO_SUBMIT: _ASK_FOR_THE_RIGHT,
    Code.NOT_AUTHORISED_TO_UPDATE: _ASK_FOR_THE_RIGHT,
}


def _request(answer: TiplineAnswer) -> str:
    return f"Request-ID {answer.request_id}" if answer.request_id else ""
