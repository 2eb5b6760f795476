"""The lists of the console in Chromium: people are found as a person would, filters combine, lists are exported."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SETTINGS, Visitors, Watched
from tests.browser.demo import populate
from tests.browser.test_console_guide import go
from tests.support.resources import patch_op
from tests.support.server import PerchServer

LONG = "Wolfeschlegelsteinhausenbergerdorff-" * 4 + "Hansen"


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PerchServer]:
    """One server with 40 people for the tests that only look."""
    made = PerchServer(tmp_path_factory.mktemp("organisation"), 1, SETTINGS)
    made.start()
    populate(made, people=40)
    yield made
    made.kill()


@pytest.fixture
def looking(browser: Browser, organisation: PerchServer) -> Iterator[Page]:
    """A page that is signed in to the organisation."""
    watched = Watched(organisation.origin)
    page = Visitors(browser, organisation, watched).signed_in()
    yield page
    page.context.close()
    assert watched.faults == []


def test_hansen_is_found_filtered_and_exported(visitors: Visitors, server: PerchServer, tmp_path: Path) -> None:
    okta = populate(server, people=12)["okta"]
    ids = {}
    for given, family in (("Mette", "Hansen"), ("Karl", "Hansen"), ("Hans", "Ensen"), ("Anna", "Smith")):
        name = {"givenName": given, "familyName": family}
        mail = f"{given}@example.com".lower()
        body = {"userName": mail, "displayName": f"{given} {family}", "name": name, "roles": ["managed:analyst"]}
        ids[given] = okta.post("/Users", body).body["id"]
    okta.post("/Groups", {"displayName": "Night shift", "members": [{"value": ids["Mette"]}, {"value": ids["Anna"]}]})
    page = visitors.signed_in(accept_downloads=True)
    go(page, "Users")
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("hansen/")
    expect(page.get_by_label("Search")).to_have_value("hansen/")
    rows = page.locator("#results tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_label("Search").fill("hansen")
    page.get_by_label("In the group").fill("night shift")
    expect(rows).to_have_count(1)
    page.get_by_label("Holds the role").select_option("managed:analyst")
    page.get_by_label("Show").select_option("login")
    page.get_by_label("Changed since (UTC)").fill("2026-01-01")
    expect(page).to_have_url(
        re.compile(r"q=hansen&state=login&role=managed%3Aanalyst&group=night\+shift&since=2026-01-01")
    )
    expect(rows).to_have_text(re.compile("Mette Hansen"))
    page.reload()
    expect(page.get_by_label("In the group")).to_have_value("Night shift")
    expect(rows).to_have_count(1)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="JSON").click()
    waiting.value.save_as(tmp_path / "list.json")
    assert [person["name"] for person in json.loads((tmp_path / "list.json").read_text())] == ["Mette Hansen"]
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    assert re.fullmatch(r"perch-users-[\d-]+\.csv", waiting.value.suggested_filename)
    page.get_by_label("Search").fill("nobody")
    expect(page.locator(".empty")).to_contain_text("“nobody” must begin a word of the given name")
    expect(page.locator(".empty")).to_contain_text("group: Night shift")
    page.get_by_role("link", name="Show everybody").click()
    expect(rows).to_have_count(16)


@pytest.mark.parametrize("name", ["Groups", "Roles", "Users"])
def test_a_slash_puts_the_cursor_into_the_search(looking: Page, name: str) -> None:
    go(looking, name)
    looking.keyboard.press("Control+/")
    expect(looking.get_by_label("Search")).not_to_be_focused()
    looking.keyboard.press("/")
    expect(looking.get_by_label("Search")).to_be_focused()
    expect(looking.get_by_label("Search")).to_have_value("")


def test_a_long_name_leaves_the_status_in_view(visitors: Visitors, server: PerchServer) -> None:
    okta, page = server.client("okta", server.key), visitors.signed_in()
    mail = re.sub(r"\W+", "", LONG.lower()) + "@" + "example" * 12 + ".com"
    made = okta.post("/Users", {"userName": mail, "roles": ["managed:admin"]}).body["id"]
    okta.post("/Groups", {"displayName": LONG * 2, "members": [{"value": made}]})
    for name in (LONG, "word " * 60, "株" * 120):
        okta.patch(f"/Users/{made}", patch_op({"op": "replace", "value": {"displayName": name}}))
        for path, seen in (("/users", "May log in"), ("/groups", "none")):
            page.goto(f"{server.origin}/console{path}")
            for width in (1280, 700, 390):
                page.set_viewport_size({"width": width, "height": 844})
                where = (name, path, width)
                box = page.locator("#results").get_by_text(seen, exact=True).bounding_box()
                assert box and box["x"] >= 0 and box["x"] + box["width"] <= width, (where, box)
                inner = page.locator(".scroll").evaluate("each => each.scrollWidth - each.clientWidth")
                assert inner <= 0, where


def test_the_focus_is_visible_on_everything_that_takes_it(looking: Page, organisation: PerchServer) -> None:
    page = looking
    page.goto(f"{organisation.origin}/console/users")
    seen: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        text, style, width = _focused(page)
        if text == "BODY ":
            break
        seen.append(text)
        assert style == "solid" and float(width.removesuffix("px")) >= 2, (text, style, width)
    assert {"A", "INPUT", "SELECT", "BUTTON", "DIV"} <= {text.partition(" ")[0] for text in seen}


def _focused(page: Page) -> tuple[str, str, str]:
    found = page.evaluate(
        "() => { const e = document.activeElement, s = getComputedStyle(e);"
        " return [e.tagName + ' ' + e.id, s.outlineStyle, s.outlineWidth]; }"
    )
    return found[0], found[1], found[2]


# The text of every link and every userName on one line, or broken where the page allows it (<wbr>).
BROKEN = """() => [...document.querySelectorAll('tbody a, .login, .slim, .plain a')].flatMap(each =>
    [...each.childNodes].filter(node => node.nodeType === 3 && !/\\s/.test(node.data.trim())).filter(node => {
        const range = document.createRange();
        range.selectNodeContents(node);
        return range.getClientRects().length > 1;
    }).map(node => node.data.trim()))"""


def test_no_ordinary_name_is_broken_within_a_word(looking: Page, organisation: PerchServer) -> None:
    for path in ("/", "/users", "/groups", "/keys", "/sessions"):
        looking.goto(f"{organisation.origin}/console{path}")
        for width in (1280, 1024, 390):
            looking.set_viewport_size({"width": width, "height": 860})
            assert looking.evaluate(BROKEN) == [], (path, width)
