"""The Markdown pages of the checkout: their links, headings and commands."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.server import ROOT

FENCE = re.compile(r"^ *```(.*?)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Return all pages, without those of installed packages."""
    places = ("*.md", ".github/**/*.md", "docs/**/*.md", "scim/**/*.md", "deploy/**/*.md", "examples/**/*.md")
    return sorted(page for place in places for page in ROOT.glob(place))


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file and the anchor of each link inside the checkout."""
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page))):
        if "://" not in target and not target.startswith("mailto:"):
            path, _, anchor = target.partition("#")
            yield ((page.parent / path).resolve() if path else page), anchor


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and others make them."""
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+?)\s*$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(name if name not in found else f"{name}-{sum(each.startswith(name) for each in found)}")
    return found


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks in a language."""
    return [code for named, code in FENCE.findall(page.read_text(encoding="utf-8")) if named == language]


def commands(page: Path) -> Iterator[str]:
    """Yield what follows `flask ` in each command, in code blocks and in code inside sentences."""
    text = page.read_text(encoding="utf-8")
    code = [each for _, each in FENCE.findall(text)] + re.findall(r"`([^`\n]+)`", prose(page))
    for each in code:
        for line in each.replace("\\\n", " ").splitlines():
            yield from re.findall(r"(?:^|[\s;(/])flask ((?!run)[a-z][^|;)#`]*)", line)
