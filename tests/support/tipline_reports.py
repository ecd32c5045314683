"""Reports to the CyberTipline, as small as they may be."""

import dataclasses
import hashlib

from tests.support.incidents import NOON
from tutela.casework.reports.cybertipline.people import TiplinePerson
from tutela.casework.reports.cybertipline.report import FileDetails, IncidentSummary, Report, Reporter
from tutela.casework.reports.cybertipline.vocabulary import IncidentType
from tutela.casework.reports.draft import Draft, DraftFile


def smallest_report() -> Report:
    return Report(
        incident_summary=IncidentSummary(incident_type=IncidentType.CHILD_PORNOGRAPHY, incident_date_time=NOON),
        reporter=Reporter(reporting_person=TiplinePerson()),
    )


def draft(*evidence: str, mark: str = "") -> Draft:
    report = dataclasses.replace(smallest_report(), additional_info=mark or None)
    files = tuple(
        DraftFile(
            evidence=name, md5=hashlib.md5(name.encode()).hexdigest(), details=FileDetails(original_file_name=name)
        )
        for name in evidence
    )
    return Draft(report=report, files=files)
