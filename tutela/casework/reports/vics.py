"""An incident in the form of Project VIC's data model 2.0 (VICS), which the picture tools of the police read.

The model is OData JSON: a case with its media, each with its hashes and where it lies in the bundle. Its publisher
shares the full schema with members only; the fields here are those that public tools read and write.
"""

import json
import uuid

from tutela._version import __version__
from tutela.casework.reports.bundle import file_path
from tutela.casework.reports.details import moment_of
from tutela.casework.reports.incident import Incident, IncidentFile, neutral_name
from tutela.casework.reports.options import Organisation
from tutela.screening.sentences import entry_of, listed_by

_CONTEXT = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/{region}/$metadata#Cases"
_CASES = uuid.UUID("8d1b2f0e-5b0c-4a39-9a36-0d7c3d5c6f11")
UNCATEGORISED = 0
_CATEGORIES = {
    "UK": {"A": 1, "B": 2, "C": 3},
    "US": {"A1": 1, "A2": 1, "B1": 1, "B2": 1, "A": 1, "B": 1, "C": 2},
}
"""A region's categories by our labels; what has none is left for the police to categorise."""


def vics(incident: Incident, organisation: Organisation, *, region: str = "UK") -> bytes:
    """The VICS document of an incident. `region` is UK or US, whose categories differ."""
    case: dict[str, object] = {
        "CaseID": str(uuid.uuid5(_CASES, incident.case_id)),
        "CaseNumber": incident.case_id,
        "ContactOrganization": organisation.name,
        "ContactName": " ".join(filter(None, (organisation.contact_first_name, organisation.contact_last_name))),
        "ContactEmail": organisation.contact_email,
        "ContactPhone": organisation.contact_phone,
        "SourceApplicationName": "Tutela",
        "SourceApplicationVersion": __version__,
        "Media": [_media(number, file, region) for number, file in enumerate(incident.files, 1)],
    }
    document = {"@odata.context": _CONTEXT.format(region=region), "value": [_without_nothing(case)]}
    return json.dumps(document, indent=1).encode()


def _media(number: int, file: IncidentFile, region: str) -> dict[str, object]:
    md5 = file.md5.upper()
    path = file_path(number, neutral_name(file))
    uploaded = moment_of(file.details, "uploaded_at") or file.at
    others = [{"MD5": md5, "HashName": "SHA256", "HashValue": file.sha256.upper()}] + [
        {"MD5": md5, "HashName": match.signal.upper(), "HashValue": match.value}
        for match in file.matches
        if match.distance == 0 and match.signal not in ("md5", "sha1", "sha256")
    ]
    return _without_nothing(
        {
            "MediaID": number,
            "Category": _CATEGORIES[region].get(file.label or "", UNCATEGORISED),
            "MD5": md5,
            "SHA1": file.sha1.upper(),
            "MediaSize": file.length,
            "MimeType": file.media_type,
            "RelativeFilePath": path.replace("/", "\\"),
            "DateUpdated": uploaded.isoformat().replace("+00:00", "Z"),
            "IsPrecategorized": bool(file.matches),
            "PrecategorizationSource": f"{entry_of(file.matches[0])}, listed by {listed_by(file.matches[0])}"
            if file.matches
            else None,
            "IsSuspected": True,
            "Comments": f"label {file.label}" if file.label else None,
            "AlternativeHashes": others,
            "MediaFiles": [
                _without_nothing(
                    {
                        "MD5": md5,
                        "FileName": file.details.get("file_name") or neutral_name(file),
                        "FilePath": file.details.get("url") or path,
                        "Created": uploaded.isoformat().replace("+00:00", "Z"),
                    }
                )
            ],
        }
    )


def _without_nothing(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None and value != ""}
