"""Writes the bill of materials of a deployment as CycloneDX 1.6 JSON, from requirements.txt: `make sbom`."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

from scim.settings import VERSION

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements.txt"
# A pinned requirement as pip-compile writes it: name and version, hashes, and which others need it.
PINNED = re.compile(r"^([\w.-]+)==([^\s;\\]+)[^\n]*\n((?: +--hash=\S+(?: \\)?\n)+) +# via ([^\n]+)$", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
OURSELVES = "perch"
# How the file names the direct requirements' origin.
DIRECT = "-r requirements.in"


def bill_of_materials(requirements: str) -> dict[str, Any]:
    """Return the document; the same requirements give the same document."""
    found = [Requirement(*groups) for groups in PINNED.findall(requirements)]
    references = {each.name: each.reference for each in found} | {DIRECT: OURSELVES}
    needs: dict[str, list[str]] = {reference: [] for reference in references.values()}
    for each in found:
        for parent in each.parents:
            needs[references[parent]].append(each.reference)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{OURSELVES} {VERSION} {requirements}')}",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": OURSELVES, "name": OURSELVES, "version": VERSION}},
        "components": [each.component() for each in found],
        "dependencies": [{"ref": reference, "dependsOn": sorted(others)} for reference, others in needs.items()],
    }


class Requirement:
    """A pinned requirement; `parents` are the names of those that need it."""

    def __init__(self, name: str, version: str, hashes: str, parents: str) -> None:
        self.name = name
        self.version = version
        self.hashes = HASH.findall(hashes)
        self.parents = parents.split(", ")
        self.reference = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"

    def component(self) -> dict[str, Any]:
        """Return the component; any of its files may be installed, each has one of the hashes."""
        hashes = [{"alg": "SHA-256", "content": digest} for digest in self.hashes]
        url = f"https://pypi.org/project/{self.name}/{self.version}/"
        return {
            "type": "library",
            "bom-ref": self.reference,
            "name": self.name,
            "version": self.version,
            "purl": self.reference,
            "externalReferences": [{"type": "distribution", "url": url, "hashes": hashes}],
        }


if __name__ == "__main__":
    print(json.dumps(bill_of_materials(REQUIREMENTS.read_text(encoding="utf-8")), indent=2))
