"""docs/asvs.md gives each requirement of OWASP ASVS 5.0.0, levels 1 and 2, one verdict; what it names exists."""

import ast
import json
import re

import pytest

from tests.support.server import ROOT

PAGE = ROOT / "docs" / "asvs.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (V[\d., V]+) \| ([^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)
IDS: list[str] = json.loads((ROOT / "tests" / "cases" / "asvs.json").read_text(encoding="utf-8"))
VERDICTS = ("held by ", "not applicable: ", "left to the operator: ", "not held: ")
TEST = re.compile(r"`(tests/[^`]*)`")
LINK = re.compile(r"\]\((?!https:)([^)#]*)(#[^)]*)?\)")


def verdict(text: str) -> str:
    (found,) = [each for each in VERDICTS if text.startswith(each)]
    return found


def test_each_requirement_has_one_line() -> None:
    assert len(IDS) == len(set(IDS)) == 253
    named = [identifier for ids, _, _ in ROWS for identifier in ids.split(", ")]
    assert sorted(named) == sorted(IDS)


def test_no_line_of_a_table_is_overlooked() -> None:
    assert len(ROWS) == len(re.findall(r"^\| *V", TEXT, re.MULTILINE))


@pytest.mark.parametrize(("ids", "asked", "text"), ROWS, ids=[ids for ids, _, _ in ROWS])
def test_each_line_has_a_verdict(ids: str, asked: str, text: str) -> None:
    found = verdict(text)
    assert asked.strip() and len(text) > len(found)
    assert found == "not applicable: " or "," not in ids, "only what does not apply may share a line"
    if found == "held by ":
        assert TEST.search(text) or LINK.search(text), "which test holds it?"
    if found == "left to the operator: ":
        assert LINK.search(text), "where does the operator read what to do?"


@pytest.mark.parametrize("named", sorted(set(TEST.findall(TEXT))))
def test_each_test_exists(named: str) -> None:
    path, _, function = named.partition("::")
    assert (ROOT / path).exists(), path
    if function:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert function in {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}, named
    elif (ROOT / path).is_dir():
        assert list((ROOT / path).glob("test_*.py"))
    assert path.rpartition("/")[2].startswith("test_") or (ROOT / path).is_dir()


@pytest.mark.parametrize(("path", "heading"), sorted(set(LINK.findall(TEXT))))
def test_each_link_leads_somewhere(path: str, heading: str) -> None:
    target = (PAGE.parent / path) if path else PAGE
    assert target.is_file()
    if heading:
        names = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert heading.removeprefix("#") in {name.lower().replace(" ", "-") for name in names}


@pytest.mark.parametrize("document", ["README.md", "SECURITY.md"])
def test_the_page_is_linked(document: str) -> None:
    assert "](docs/asvs.md)" in (ROOT / document).read_text(encoding="utf-8")
