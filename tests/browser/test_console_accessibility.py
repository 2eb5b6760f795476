"""axe-core checks every page of the console, in light, in dark and on a phone."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.browser.conftest import PASSWORD, Visitors
from tests.browser.demo import populate
from tests.support.server import PerchServer

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
PHONE = {"width": 390, "height": 844}
LOOKS: list[dict[str, Any]] = [{}, {"color_scheme": "dark"}, {"viewport": PHONE}]
PAGES = (
    "/", "/keys", "/users", "/users?q=nobody", "/users/{user}", "/groups", "/groups/{group}", "/roles",
    "/role?slug=managed%3Ainbox_agent", "/role/remove?slug=managed%3Ainbox_agent", "/setup", "/okta", "/entra",
    "/requests", "/groups/{group}/roles?slug=managed%3Aviewer", "/fuse",
    "/requests/1", "/requests/quirks", "/attributes", "/journal", "/sessions", "/keys/{key}/revoke",
    "/keys/{client}/oauth",
    "/webhooks",
    "/webhooks/{webhook}", "/webhooks/{webhook}/remove", "/nothing",
)  # fmt: skip
ALL = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Dark changes the colours only.
DARK = ["color-contrast"]
RUN = "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})"


def serious(page: Page) -> list[str]:
    """Return the serious and critical findings of axe-core on a page, each with its first element."""
    page.evaluate(AXE)
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    found = page.evaluate(RUN, DARK if dark else ALL)["violations"]
    return [
        f"{page.url}: {finding['id']}: {finding['help']}: {finding['nodes'][0]['html'][:200]}"
        for finding in found
        if finding["impact"] in ("serious", "critical")
    ]


def overflow(page: Page) -> list[str]:
    """Return a line if a page is wider than the window, or a table of it than its place."""
    parts = "[document.documentElement, ...document.querySelectorAll('.scroll')]"
    wide = page.evaluate(f"{parts}.some(each => each.scrollWidth > each.clientWidth)")
    return [f"{page.url} or a table of it is wider than the window {page.viewport_size}"] if wide else []


def test_no_page_has_serious_findings(visitors: Visitors, server: PerchServer) -> None:
    seen = populate(server, people=12)
    seen["key"] = server.prepare_json("keys", "list")[0]["id"]
    seen["client"] = server.prepare_json("keys", "create", "Gallery", "--oauth")["id"]
    found: list[str] = []
    for look in LOOKS:
        page = visitors.open(**look)
        page.goto(f"{server.origin}/console/")
        found += serious(page)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        for path in PAGES:
            page.goto(server.origin + "/console" + path.format(**seen))
            found += [*serious(page), *overflow(page)]
    assert found == []


def test_states_of_trouble_have_no_serious_findings(visitors: Visitors, server: PerchServer) -> None:
    """A blown fuse, a group whose role reaches many, a person in many groups, with everything unfolded."""
    okta = server.client(key=server.key)
    ids = [okta.post("/Users", {"userName": f"person-{place}@customer.example"}).body["id"] for place in range(20)]
    teams = [
        okta.post("/Groups", {"displayName": f"Team {place}", "members": [{"value": each} for each in ids]}).body["id"]
        for place in range(8)
    ]
    statuses = [okta.delete(f"/Users/{each}").status for each in ids]
    assert statuses.count(429) == 11
    paths = (
        "/fuse", f"/groups/{teams[0]}/roles?slug=managed%3Aadmin", "/role/remove?slug=managed%3Aadmin",
        f"/users/{ids[-1]}", "/journal", "/requests?show=errors",
    )  # fmt: skip
    found: list[str] = []
    for look in LOOKS:
        page = visitors.signed_in(**look)
        for path in paths:
            page.goto(f"{server.origin}/console{path}")
            page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
            found += [*serious(page), *overflow(page)]
        page.goto(f"{server.origin}/console/sessions")
        page.evaluate("document.querySelectorAll('tbody th a').forEach(each => { each.textContent = 'd'.repeat(12); })")
        found += overflow(page)
    assert found == []


def test_answers_to_forms_have_no_serious_findings(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in()
    page.goto(f"{server.origin}/console/okta")
    page.get_by_role("button", name="Test connector").click()
    page.get_by_text("Perch answers as Okta expects").wait_for()
    found = serious(page)
    page.goto(f"{server.origin}/console/keys")
    page.get_by_label("Name", exact=True).fill("Okta")
    page.get_by_role("button", name="Create access key").click()
    page.get_by_role("heading", name="Copy the key now").wait_for()
    found += serious(page)
    page.goto(f"{server.origin}/console/webhooks")
    page.get_by_label("URL").fill("https://127.0.0.1/perch")
    page.get_by_text("Choose kinds of events").click()
    page.get_by_label("login.withdrawn").check()
    page.get_by_role("button", name="Add webhook").click()
    page.get_by_role("alert").wait_for()
    found += serious(page)
    page.get_by_label("URL").fill("https://93.184.216.34/perch")
    page.get_by_role("button", name="Add webhook").click()
    page.get_by_role("heading", name="Copy the secret now").wait_for()
    found += serious(page)
    page.goto(f"{server.origin}/console/roles")
    page.get_by_label("Name", exact=True).fill("Twice")
    page.get_by_label("Slug").fill("managed:admin")
    page.get_by_role("button", name="Create role").click()
    page.get_by_role("alert").wait_for()
    found += serious(page)
    assert found == []
