"""An incident as a CASE/UCO graph in JSON-LD, which forensic tools exchange. https://caseontology.org

The graph says what was found (files with their hashes), whose account and address it came from, and by which action of
which tool; identifiers are derived from the case, so that the same incident gives the same graph.
"""

import ipaddress
import json
import uuid
from collections.abc import Iterator
from datetime import datetime

from tutela._version import __version__
from tutela.casework.reports.bundle import file_path
from tutela.casework.reports.details import moment_of
from tutela.casework.reports.incident import Incident, IncidentFile, neutral_name
from tutela.casework.reports.options import Organisation

_UCO = "https://ontology.unifiedcyberontology.org/uco/"
_CONTEXT = {
    "kb": "urn:x-tutela:",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "case-investigation": "https://ontology.caseontology.org/case/investigation/",
    **{f"uco-{name}": f"{_UCO}{name}/" for name in ("action", "core", "identity", "observable", "tool", "types")},
}
_SPACE = uuid.UUID("5a0f5f86-31a0-4d6e-8f4b-5f3e6a1f2b10")

Node = dict[str, object]


def case_uco(incident: Incident, organisation: Organisation) -> bytes:
    """The graph of an incident."""
    return json.dumps({"@context": _CONTEXT, "@graph": list(_graph(incident, organisation))}, indent=1).encode()


def _graph(incident: Incident, organisation: Organisation) -> Iterator[Node]:
    names = _Names(incident.case_id)
    reporter, tool, account = names.of("organization", "us"), names.of("tool", "tutela"), names.of("account", "one")
    yield {"@id": reporter, "@type": "uco-identity:Organization", "uco-core:name": organisation.name}
    yield {
        "@id": tool,
        "@type": "uco-tool:Tool",
        "uco-core:name": "Tutela",
        "uco-tool:version": __version__,
    }
    results: list[Node] = []
    if incident.details.get("uploader"):
        results.append({"@id": account})
        yield _account(names, account, incident)
    for number, file in enumerate(incident.files, 1):
        node = names.of("file", str(number))
        results.append({"@id": node})
        yield _file(names, node, number, file)
        if incident.details.get("uploader"):
            yield _relationship(names, f"upload {number}", node, account, "Uploaded_By")
        if (address := _address(names, number, file)) is not None:
            results.append({"@id": str(address["@id"])})
            yield address
            yield _relationship(names, f"from {number}", node, str(address["@id"]), "Uploaded_From")
    provenance = names.of("provenance", "all")
    yield {
        "@id": provenance,
        "@type": "case-investigation:ProvenanceRecord",
        "uco-core:description": f"Confirmed content of case {incident.case_id}",
        "case-investigation:exhibitNumber": incident.case_id,
        "uco-core:object": results,
    }
    yield {
        "@id": names.of("action", "match"),
        "@type": "case-investigation:InvestigativeAction",
        "uco-core:name": "screening against hash lists and review",
        "uco-action:startTime": _time(incident.at),
        "uco-action:instrument": {"@id": tool},
        "uco-action:performer": {"@id": reporter},
        "uco-action:result": [*results, {"@id": provenance}],
    }


class _Names:
    """Identifiers of one case's nodes."""

    def __init__(self, case_id: str) -> None:
        self._case = uuid.uuid5(_SPACE, case_id)

    def of(self, kind: str, name: str) -> str:
        return f"kb:{kind}-{uuid.uuid5(self._case, f'{kind} {name}')}"


def _account(names: _Names, node: str, incident: Incident) -> Node:
    said = incident.details
    facets: list[Node] = [
        {
            "@id": names.of("account-facet", "one"),
            "@type": "uco-observable:AccountFacet",
            "uco-observable:accountIdentifier": said["uploader"],
            "uco-observable:isActive": _boolean(not said.get("disabled_at")),
        }
    ]
    shown = said.get("display_name") or said.get("screen_name")
    if shown:
        facets.append(
            {
                "@id": names.of("digital-account-facet", "one"),
                "@type": "uco-observable:DigitalAccountFacet",
                "uco-observable:displayName": shown,
            }
        )
    return {"@id": node, "@type": "uco-observable:DigitalAccount", "uco-core:hasFacet": facets}


def _file(names: _Names, node: str, number: int, file: IncidentFile) -> Node:
    size = {"@type": "xsd:integer", "@value": str(file.length)}
    content: Node = {
        "@id": names.of("content-facet", str(number)),
        "@type": "uco-observable:ContentDataFacet",
        "uco-observable:sizeInBytes": size,
        "uco-observable:hash": [
            {
                "@id": names.of(f"hash-{method.lower()}", str(number)),
                "@type": "uco-types:Hash",
                "uco-types:hashMethod": method,
                "uco-types:hashValue": {"@type": "xsd:hexBinary", "@value": value},
            }
            for method, value in (("MD5", file.md5), ("SHA1", file.sha1), ("SHA256", file.sha256))
        ],
    }
    if file.media_type:
        content["uco-observable:mimeType"] = file.media_type
    uploaded = moment_of(file.details, "uploaded_at") or file.at
    return {
        "@id": node,
        "@type": "uco-observable:File",
        "uco-core:hasFacet": [
            {
                "@id": names.of("file-facet", str(number)),
                "@type": "uco-observable:FileFacet",
                "uco-observable:fileName": file.details.get("file_name") or neutral_name(file),
                "uco-observable:filePath": file_path(number, neutral_name(file)),
                "uco-observable:isDirectory": _boolean(False),
                "uco-observable:observableCreatedTime": _time(uploaded),
                "uco-observable:sizeInBytes": size,
            },
            content,
        ],
    }


def _address(names: _Names, number: int, file: IncidentFile) -> Node | None:
    try:
        found = ipaddress.ip_address(file.details.get("ip_address", "").strip())
    except ValueError:
        return None
    kind = f"IPv{found.version}Address"
    return {
        "@id": names.of("address", str(number)),
        "@type": f"uco-observable:{kind}",
        "uco-core:hasFacet": {
            "@id": names.of("address-facet", str(number)),
            "@type": f"uco-observable:{kind}Facet",
            "uco-observable:addressValue": str(found),
        },
    }


def _relationship(names: _Names, name: str, source: str, target: str, kind: str) -> Node:
    return {
        "@id": names.of("relationship", name),
        "@type": "uco-observable:ObservableRelationship",
        "uco-core:source": {"@id": source},
        "uco-core:target": {"@id": target},
        "uco-core:kindOfRelationship": kind,
        "uco-core:isDirectional": _boolean(True),
    }


def _boolean(value: bool) -> Node:
    return {"@type": "xsd:boolean", "@value": value}


def _time(moment: datetime) -> Node:
    return {"@type": "xsd:dateTime", "@value": moment.isoformat()}
