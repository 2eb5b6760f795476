"""The lists of the console in Chromium: people are found as a person would, filters combine, lists are exported."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitors
from tests.browser.demo import populate
from tests.browser.test_console_guide import go
from tests.support.server import PerchServer

LONG = "Wolfeschlegelsteinhausenbergerdorff-" * 4 + "Hansen"
PHONE = {"width": 390, "height": 844}


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
def test_a_slash_puts_the_cursor_into_the_search(visitors: Visitors, server: PerchServer, name: str) -> None:
    page = visitors.signed_in()
    go(page, name)
    page.keyboard.press("Control+/")
    expect(page.get_by_label("Search")).not_to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    expect(page.get_by_label("Search")).to_have_value("")


@pytest.mark.parametrize("width", [1280, 700, 390])
@pytest.mark.parametrize("name", [LONG, "word " * 60, "株" * 120])
def test_a_long_name_leaves_the_status_in_view(visitors: Visitors, server: PerchServer, name: str, width: int) -> None:
    okta = server.client("okta", server.create_key("Okta"))
    mail = re.sub(r"\W+", "", LONG.lower()) + "@" + "example" * 12 + ".com"
    made = okta.post("/Users", {"userName": mail, "displayName": name, "roles": ["managed:admin"]}).body["id"]
    okta.post("/Groups", {"displayName": LONG * 2, "members": [{"value": made}]})
    page = visitors.signed_in(viewport={"width": width, "height": 844})
    for path, seen in (("/users", "May log in"), ("/groups", "none")):
        page.goto(f"{server.origin}/console{path}")
        box = page.locator("#results").get_by_text(seen, exact=True).bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width, (path, box)
        inner = page.locator(".scroll").evaluate("each => each.scrollWidth - each.clientWidth")
        assert inner <= 0, path


def test_the_focus_is_visible_on_everything_that_takes_it(visitors: Visitors, server: PerchServer) -> None:
    populate(server, people=3)
    page = visitors.signed_in()
    page.goto(f"{server.origin}/console/users")
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


@pytest.mark.parametrize("width", [1280, 1024, 390])
def test_no_ordinary_name_is_broken_within_a_word(visitors: Visitors, server: PerchServer, width: int) -> None:
    populate(server, people=40)
    page = visitors.signed_in(viewport={"width": width, "height": 860})
    for path in ("/", "/users", "/groups", "/keys", "/sessions"):
        page.goto(f"{server.origin}/console{path}")
        assert page.evaluate(BROKEN) == [], path
