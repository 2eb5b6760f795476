"""The results of a run as a JUnit file, which CI systems show test by test."""

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree

from scim.emulator.runner import FAILED, NOT_JUDGED, SKIPPED, WARNED, Result

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ELEMENTS = {FAILED: "failure", SKIPPED: "skipped", NOT_JUDGED: "skipped", WARNED: "system-out"}


def junit(app: str, results: Sequence[Result], error: str | None) -> str:
    """Return an XML document: a suite for each step, a case for each check, `error` as a case of its own."""
    root = ElementTree.Element("testsuites", name=app)
    for step, rows in groupby(results, lambda result: result.step):
        suite = _element(root, "testsuite", name=step)
        for row in rows:
            case = _element(suite, "testcase", classname=f"{app}.{row.id.partition('.')[0]}", name=row.title)
            if row.outcome in ELEMENTS:
                _element(case, ELEMENTS[row.outcome], _words(row), message=f"{row.outcome}: {row.got}")
        _count(suite)
    if error:
        suite = _element(root, "testsuite", name="connection")
        _element(_element(suite, "testcase", classname=app, name="the server replies"), "error", message=error)
        _count(suite)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _element(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
    values = {name: NO_XML.sub("?", value) for name, value in attributes.items()}
    if tag == "system-out":
        text, values = f"{values['message']}\n{text}", {}
    element = ElementTree.SubElement(parent, tag, values)
    element.text = NO_XML.sub("?", text) or None
    return element


def _count(suite: ElementTree.Element) -> None:
    found = {"tests": "testcase", "failures": "*/failure", "errors": "*/error", "skipped": "*/skipped"}
    for name, path in found.items():
        suite.set(name, str(len(suite.findall(path))))


def _words(row: Result) -> str:
    lines = {"sent": row.request, "expected": row.expected, "came": row.got}
    lines |= {"otherwise": row.otherwise, "breaks": row.source}
    return "\n".join(f"{name}: {text}" for name, text in lines.items() if text)
