"""Everything that is installed is pinned with hashes, and the bill of materials names what a deployment installs."""

import re

import pytest

from tests.support.sbom import OURSELVES, REQUIREMENTS, bill_of_materials
from tests.support.server import ROOT

PINNED = (
    "requirements.txt", "requirements-dev.txt", "requirements-tools.txt", "requirements-iam.txt", "requirements-s3.txt",
)  # fmt: skip


def names(text: str) -> set[str]:
    return set(re.findall(r"^([A-Za-z0-9][\w.-]*)", text, re.MULTILINE))


@pytest.mark.parametrize("file", PINNED)
def test_each_requirement_is_pinned_with_a_hash(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    joined = text.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert lines and all(re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line) for line in lines)


def test_make_installs_with_hashes_except_the_oldest_versions() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(PIP)", "pip install --require-hashes")
    makefile = makefile.replace("$(INSTALL)", "-m pip install")
    installs = [line for line in makefile.splitlines() if line.startswith("\t") and "pip install" in line]
    loose = [line.split()[-1] for line in installs if "--require-hashes" not in line]
    assert len(installs) >= 6 and loose == ["requirements-min.txt"]


def test_the_bill_of_materials_is_complete_and_connected() -> None:
    text = REQUIREMENTS.read_text(encoding="utf-8")
    found = bill_of_materials(text)
    assert found == bill_of_materials(text) and found["bomFormat"] == "CycloneDX"
    components = {each["bom-ref"]: each for each in found["components"]}
    assert {each["name"] for each in components.values()} == names(text)
    assert all(each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}" for each in components.values())
    digests = [entry["content"] for each in components.values() for entry in each["externalReferences"][0]["hashes"]]
    assert sorted(digests) == sorted(re.findall(r"sha256:([0-9a-f]+)", text))
    needs = {entry["ref"]: entry["dependsOn"] for entry in found["dependencies"]}
    assert needs.keys() == components.keys() | {OURSELVES}
    direct = {components[reference]["name"] for reference in needs[OURSELVES]}
    assert direct == {name.lower() for name in names((ROOT / "requirements.in").read_text(encoding="utf-8"))}
    reached, waiting = set(), [OURSELVES]
    while waiting:
        reached.add(reference := waiting.pop())
        waiting += [other for other in needs[reference] if other not in reached]
    assert reached == needs.keys()


def test_another_requirement_is_another_bill() -> None:
    text = REQUIREMENTS.read_text(encoding="utf-8")
    other = bill_of_materials(text.replace("flask==", "flask==9"))
    assert other["serialNumber"] != bill_of_materials(text)["serialNumber"]
