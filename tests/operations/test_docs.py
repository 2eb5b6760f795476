"""The pages lead somewhere and say what exists: links, anchors, pictures, commands, options and settings."""

import re
import shlex
from pathlib import Path

import click
import pytest
from flask import Flask

from scim.console.blueprint import NAVIGATION
from scim.settings import OF_OTHERS, SETTINGS
from tests.support.pages import anchors, commands, links, pages, prose
from tests.support.server import ROOT

DOCS = ROOT / "docs"
PAGES = pages()
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), f"{target.relative_to(ROOT)} is missing"
        assert not anchor or anchor in anchors(target), f"{target.name} has no heading #{anchor}"


def test_a_broken_link_and_a_broken_anchor_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b` and C\n\n[one](#a-b-and-c) [two](other.md#x) `[no](link)`\n\n```\n[no](block.md)\n```\n")
    assert list(links(page)) == [(page, "a-b-and-c"), (tmp_path / "other.md", "x")]
    assert anchors(page) == {"a-b-and-c"}


def test_the_index_has_every_page() -> None:
    listed = {target for target, _ in links(DOCS / "index.md")}
    assert set(DOCS.glob("*.md")) - listed == {DOCS / "index.md"}
    assert DOCS / "index.md" in {target for target, _ in links(ROOT / "README.md")}


def test_every_page_of_the_console_is_pictured() -> None:
    script = (DOCS / "screenshots.py").read_text(encoding="utf-8")
    missing = [name for name, endpoint in NAVIGATION[1:] if f'"/console/{endpoint}"' not in script]
    assert missing == []


def test_every_picture_is_on_a_page() -> None:
    shown = {target for page in PAGES for target, _ in links(page)}
    assert set((DOCS / "screenshots").glob("*.png")) <= shown


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_a_page_begins_with_what_its_reader_can_do_afterwards(page: Path) -> None:
    title, first, *_ = prose(page).strip().split("\n\n")
    assert title.startswith("# ")
    assert first.startswith("After this page "), first


def test_commands_and_options_exist(app: Flask) -> None:
    found = [(page, text) for page in PAGES if page.name != "CHANGELOG.md" for text in commands(page)]
    assert len(found) > 200
    for page, text in found:
        assert unknown(app.cli, text) is None, f"{page.relative_to(ROOT)}: flask {text}: {unknown(app.cli, text)}"


def unknown(group: click.Group, text: str) -> str | None:
    """Return the first word of a command that Perch does not know, None if it knows all."""
    words = shlex.split(text.replace("'", "").replace('"', ""))
    command: click.Command = group
    options = {"--help"}
    for word in words:
        if isinstance(command, click.Group) and re.fullmatch("[a-z][a-z-]*", word):
            inner = command.get_command(click.Context(command), word)
            if inner is None and not command.params:
                return word
            command = inner or command
            options |= {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
        elif word.startswith("--") and word.partition("=")[0].strip(",.") not in options:
            return word
    return None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("keys create NAME --idp okta", None),
        ("keys make NAME", "make"),
        ("okta test --quick", "--quick"),
        ("traffic --follow", None),
        ("dance", "dance"),
        ("keys set ID --no-strict", None),
    ],
)
def test_an_unknown_command_or_option_is_found(app: Flask, text: str, word: str | None) -> None:
    assert unknown(app.cli, text) == word


def test_settings_exist() -> None:
    known = {name for setting in SETTINGS for name in (setting.name, setting.file_variable)} | set(OF_OTHERS)
    # Variables of the examples and of the emulator, and prefixes such as PERCH_OIDC_….
    known |= {"PERCH_BASE_URL", "PERCH_KEY", "PERCH_SECRET", "PERCH_FOLLOWER_URL", "PERCH_HOME", "PERCH_IMAGE"}
    known |= {"PERCH_CLIENT_SECRET"}
    for page in PAGES:
        named = set(re.findall(r"\bPERCH_[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8")))
        assert named <= known, f"{page.relative_to(ROOT)}: {named - known}"


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in (page for page in PAGES if page.name != "CHANGELOG.md"):
        assert set(re.findall(r"`make ([a-z-]+)", prose(page))) <= targets, page
