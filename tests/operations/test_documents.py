"""ARCHITECTURE.md and CONTRIBUTING.md name only existing paths and make targets, and the README links both."""

import re
from collections.abc import Iterator

import pytest

from tests.support.server import ROOT

DOCUMENTS = ("ARCHITECTURE.md", "CONTRIBUTING.md")
SUFFIXES = (".py", ".md", ".json", ".html", ".in", ".txt", ".toml", ".yaml")
# Made on demand, so not in a checkout.
MADE = {".venv", ".venv/bin/python", "dist/"}


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def code_words(text: str) -> Iterator[str]:
    """Yield the words of all code spans and code blocks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    for code in (*blocks, *spans):
        yield from code.split()


def paths(text: str) -> set[str]:
    """Return all words in code that are paths: with a slash inside or a file's suffix, but no URLs."""
    words = {word.partition("::")[0] for word in code_words(text)}
    return {
        word for word in words
        if ("/" in word.lstrip("/") or word.endswith(SUFFIXES)) and "://" not in word and word not in MADE
    }  # fmt: skip


def links(text: str) -> set[str]:
    return set(re.findall(r"\]\((?!http)([^)#]+)\)", text))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_exists(document: str) -> None:
    text = text_of(document)
    named = paths(text)
    assert len(named) > 10
    assert [name for name in sorted(named | links(text)) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", text_of(document))) <= targets


def test_every_room_is_in_the_table() -> None:
    rooms = {f"scim/{folder.name}/" for folder in (ROOT / "scim").iterdir() if (folder / "__init__.py").exists()}
    assert rooms | {"schemas/", "storage/", "tests/", "app.py", "gunicorn.conf.py"} <= paths(text_of("ARCHITECTURE.md"))


def test_the_readme_links_both() -> None:
    assert set(DOCUMENTS) <= links(text_of("README.md"))
