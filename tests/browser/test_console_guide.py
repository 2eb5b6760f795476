"""The whole guide, followed in Chromium against a gunicorn with two workers."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Visitors
from tests.support.client import ScimClient, http_transport
from tests.support.server import PerchServer

MARKUP = "<b>Bold</b> & <script>document.title='hacked'</script>"
KEY = re.compile(r"perch_[0-9a-f]{10}_[A-Za-z0-9_-]{43}")
NAVIGATION = [
    "Overview", "Access keys", "Users", "Groups", "Roles", "Attributes", "Setup", "Webhooks", "Requests", "Journal",
    "Sessions",
]  # fmt: skip


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Console").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def create_key(page: Page, name: str) -> str:
    go(page, "Access keys")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create access key").click()
    found = KEY.search(page.get_by_text(KEY).first.inner_text())
    assert found
    return found[0]


def client(server: PerchServer, key: str) -> ScimClient:
    return ScimClient(http_transport(server.origin), server.scim_path, key, "okta")


def test_from_signing_in_to_a_revoked_key(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.open()
    page.goto(server.origin)
    expect(page).to_have_title("Sign in · Perch")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The password is wrong.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert page.get_by_role("navigation", name="Console").get_by_role("link").all_inner_texts() == NAVIGATION
    expect(page.get_by_text(server.scim_path).first).to_be_visible()

    key = create_key(page, "Okta production")
    okta = client(server, key)
    assert okta.get("/Users?startIndex=1&count=2").status == 200
    page.reload()
    expect(page.get_by_text("no second key was made")).to_be_visible()
    expect(page.get_by_text(KEY)).to_have_count(0)
    assert len(server.flask_json("keys", "list")) == 1

    made = okta.post("/Users", {"userName": "grace@example.com", "displayName": MARKUP})
    assert made.status == 201
    go(page, "Users")
    page.get_by_role("link", name=MARKUP).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(MARKUP)
    expect(page).to_have_title("grace@example.com · Perch")
    expect(page.get_by_text("has no role and may not log in.")).to_be_visible()
    expect(page.get_by_text("Never had a role.")).to_be_visible()

    page.get_by_label("Role", exact=True).select_option("managed:inbox_agent")
    page.get_by_role("button", name="Assign role").click()
    expect(page.get_by_role("status").first).to_contain_text("now has the role 'managed:inbox_agent'")
    expect(page.get_by_text("Assigned manually by the console")).to_be_visible()
    access = okta.get(f"/Users/{made.body['id']}").body["urn:perch:scim:schemas:extension:access:1.0:User"]
    assert access["loginAllowed"] is True
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("is withdrawn")).to_be_visible()

    go(page, "Access keys")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", name="Revoke 'Okta production'?")).to_be_visible()
    assert okta.get("/Users").status == 200
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("is revoked")).to_be_visible()
    refused = okta.get("/Users")
    assert refused.status == 401
    assert "revoked" in refused.body["detail"]

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_roles_groups_and_the_journal(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in()
    okta = client(server, create_key(page, "Okta"))
    go(page, "Roles")
    page.get_by_label("Name", exact=True).fill("Billing reader")
    page.get_by_label("Slug").fill("billing:reader")
    page.get_by_role("button", name="Create role").click()
    expect(page.get_by_role("row").filter(has_text="Billing reader").get_by_text("billing:reader")).to_be_visible()

    ada = okta.post("/Users", {"userName": "ada@example.com", "displayName": "Ada"}).body["id"]
    okta.post("/Groups", {"displayName": "Finance", "members": [{"value": ada}]})
    go(page, "Groups")
    page.get_by_role("link", name="Finance").click()
    page.get_by_label("Role", exact=True).select_option("billing:reader")
    page.get_by_role("button", name="Assign role").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Assign 'Billing reader' to Finance?")
    expect(page.get_by_text("1 person gains the role: ada@example.com.")).to_be_visible()
    expect(page.get_by_text("1 person may then log in, and may not now: ada@example.com.")).to_be_visible()
    page.get_by_role("button", name="Assign role").click()
    expect(page.get_by_text("Every member of Finance now has the role")).to_be_visible()
    page.get_by_role("link", name="Ada").first.click()
    reason = page.get_by_role("listitem").filter(has_text="Through the group")
    expect(reason.last).to_contain_text("Finance")
    go(page, "Journal")
    expect(page.get_by_role("listitem").filter(has_text="role assigned").first).to_contain_text("Finance")


def test_why_can_grace_not_log_in_any_more(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in()
    okta = client(server, create_key(page, "Okta"))
    ids = [
        okta.post("/Users", {"userName": f"{name}@example.com", "displayName": name.title()}).body["id"]
        for name in ("grace", "ada", "alan")
    ]
    team = {"displayName": "Support", "members": [{"value": one} for one in ids]}
    path = f"/Groups/{okta.post('/Groups', team).body['id']}"
    server.flask("roles", "assign", "--group", "Support", "managed:inbox_agent")
    assert okta.put(path, {**team, "members": team["members"][1:]}).status == 200

    go(page, "Users")
    page.get_by_label("Search").fill("grace")
    page.get_by_role("link", name="Grace").click()
    reason = page.get_by_text("Lost the last role on")
    expect(reason).to_contain_text("because key Okta took Grace out of Support.")
    page.get_by_role("link", name="Show this entry").click()
    entry = page.get_by_role("listitem").filter(has_text="took Grace out of Support")
    expect(entry).to_be_in_viewport()
    expect(entry.get_by_text("Lost the role Inbox agent")).to_be_visible()
    expect(entry.get_by_text("May no longer log in")).to_be_visible()
    entry.get_by_role("link", name="Support").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Support")
    left = page.get_by_role("listitem").filter(has_text="member removed")
    left.get_by_role("link", name="Grace").click()

    go(page, "Journal")
    page.get_by_label("Name").fill("grac")
    page.get_by_role("button", name="Search").click()
    found = page.get_by_role("listitem").filter(has_text="member removed")
    expect(found).to_contain_text("Grace")
    found.get_by_role("link", name="key Okta").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Access keys")
    assert "took Grace" not in server.flask("roles", "explain", "ada@example.com")
    assert "took Grace out of Support" in server.flask("roles", "explain", "grace@example.com")


def test_test_connector_passes_and_a_bad_key_does_not(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in()
    go(page, "Setup")
    page.get_by_role("link", name="Okta setup").click()
    page.get_by_role("button", name="Test connector").click()
    expect(page.get_by_text("Perch answers as Okta expects")).to_be_visible()
    checks = page.get_by_role("list", name="Checks").get_by_role("listitem")
    expect(checks).to_have_count(0)
    page.get_by_text("4 checks").click()
    expect(checks).to_have_count(4)
    expect(page.get_by_text("Okta would refuse the public URL")).to_be_visible()
    expect(page.get_by_text("Okta needs https.")).to_be_visible()
    page.get_by_label("Access key to test").fill("perch_0123456789_nothing")
    page.get_by_role("button", name="Test connector").click()
    expect(page.get_by_text("Perch does not answer as Okta expects")).to_be_visible()
    expect(checks).to_have_count(4)
    expect(page.get_by_text("Okta would refuse to save this connection.")).to_be_visible()
    go(page, "Requests")
    expect(page.get_by_text("No recorded request matches.")).to_be_visible()
    assert server.flask_json("keys", "list") == []


def test_search_as_you_type_and_requests_as_they_come(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in()
    okta = client(server, create_key(page, "Okta"))
    for name in ("grace", "ada", "graham"):
        okta.post("/Users", {"userName": f"{name}@example.com", "displayName": name.title()})
    go(page, "Users")
    rows = page.get_by_role("row")
    expect(rows).to_have_count(4)
    page.get_by_label("Search").press_sequentially("gra")
    expect(rows).to_have_count(3)
    expect(page).to_have_url(re.compile(r"\?q=gra$"))
    expect(page.locator("#said")).to_have_text("1 to 2 of 2 people")
    page.get_by_label("Show").select_option("deactivated")
    expect(page.locator(".empty")).to_contain_text("No person matches.")

    go(page, "Requests")
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "true")
    assert okta.get("/Users/nobody-of-that-id").status == 404
    failed = page.get_by_role("row").filter(has_text="404")
    expect(failed).to_have_count(1)
    failed.get_by_role("link").click()
    expect(page.get_by_text("nobody-of-that-id").first).to_be_visible()
    expect(page.get_by_text("curl -X GET")).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("Sent again; the answer was 404.")).to_be_visible()


def test_copy_buttons_copy(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == server.base_url
    expect(page.locator("#said")).to_have_text("Copied")


def test_the_keyboard_reaches_the_content_first(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in()
    page.goto(f"{server.origin}/console/users")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Search")).to_be_focused()


def test_everything_works_without_javascript(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in(java_script_enabled=False)
    okta = client(server, create_key(page, "Plain"))
    okta.post("/Users", {"userName": "grace@example.com", "displayName": "Grace"})
    okta.post("/Users", {"userName": "ada@example.com", "displayName": "Ada"})
    expect(page.get_by_role("button", name="Copy key")).not_to_be_visible()
    go(page, "Users")
    page.get_by_label("Search").fill("gra")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Grace").click()
    page.get_by_role("button", name="Assign role").click()
    expect(page.get_by_text("Assigned manually by the console")).to_have_count(0)
    page.get_by_label("Role", exact=True).select_option("managed:admin")
    page.get_by_role("button", name="Assign role").click()
    expect(page.get_by_text("Assigned manually by the console")).to_be_visible()
    page.get_by_role("button", name="Withdraw").click()
    go(page, "Roles")
    expect(page.get_by_text("managed:admin")).to_be_visible()
    go(page, "Access keys")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke").click()
    assert okta.get("/Users").status == 401


def test_long_lists_and_creations_are_folded(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in(viewport={"width": 1280, "height": 860})
    okta = client(server, create_key(page, "Okta"))
    names = [f"person-{number:02}@example.com" for number in range(50)]
    made = [
        okta.post("/Users", {
            "userName": name, "displayName": name, "title": "Engineer", "locale": "en", "timezone": "Europe/Zurich",
            "name": {"givenName": "Ada", "familyName": "Lovelace"}, "emails": [{"value": name, "primary": True}],
        }).body["id"]
        for name in names
    ]  # fmt: skip
    go(page, "Journal")
    assert page.evaluate("document.documentElement.scrollHeight") < 6000
    entry = page.get_by_role("listitem").filter(has_text="person-49")
    expect(entry.get_by_text("Europe/Zurich")).not_to_be_visible()
    entry.get_by_text("values", exact=False).first.click()
    expect(entry.get_by_text("Europe/Zurich")).to_be_visible()

    for number in range(45):
        team = okta.post("/Groups", {"displayName": f"Team {number:02}", "members": [{"value": made[0]}]}).body["id"]
        page.goto(f"{server.origin}/console/groups/{team}/roles?slug=managed:viewer")
        page.get_by_role("button", name="Assign role").click()
    page.goto(f"{server.origin}/console/users/{made[0]}")
    groups = page.get_by_role("region", name="Groups", exact=True)
    expect(groups.get_by_role("link", name="Team 04")).to_be_visible()
    expect(groups.get_by_role("link", name="Team 05")).not_to_be_visible()
    groups.get_by_text("40 more groups").click()
    expect(groups.get_by_role("link", name="Team 44")).to_be_visible()
    reasons = page.get_by_role("region", name="Roles and their reasons")
    expect(reasons.get_by_text("40 more reasons")).to_be_visible()
    expect(reasons.get_by_role("link", name="Team 44")).not_to_be_visible()
    page.reload()
    assert page.evaluate("document.documentElement.scrollHeight") < 4000


def test_a_blown_fuse_says_who_went_and_what_was_refused(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in()
    key = create_key(page, "Okta")
    okta = client(server, key)
    ids = [okta.post("/Users", {"userName": f"p{number:02}@example.com"}).body["id"] for number in range(20)]
    off = {"Operations": [{"op": "replace", "value": {"active": False}}]}
    assert [okta.patch(f"/Users/{each}", off).status for each in ids].count(429) == 11
    go(page, "Overview")
    page.get_by_role("link", name="Check and release it").click()
    page.get_by_role("link", name="9 users are deactivated or deleted").click()
    page.get_by_role("link", name="p08@example.com").click()
    expect(page.get_by_text("Deactivated", exact=True)).to_be_visible()
    page.goto(f"{server.origin}/console/fuse")
    expect(page.get_by_text("11 deactivations and deletions were refused")).to_be_visible()
    page.get_by_role("listitem").filter(has_text="refused").get_by_role("link", name="key Okta").click()
    rows = page.get_by_role("row").filter(has_text="429")
    expect(rows).to_have_count(11)
    expect(rows.first.get_by_text("Refused by the safety fuse.")).to_be_visible()
    expect(page.get_by_text("flask fuse release")).to_have_count(0)
    page.goto(f"{server.origin}/console/fuse")
    page.get_by_role("button", name="Release fuse").click()
    expect(page.get_by_text("The fuse is released.")).to_be_visible()
    assert okta.patch(f"/Users/{ids[-1]}", off).status == 200


def test_removing_a_role_shows_who_loses_what(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in()
    okta = client(server, create_key(page, "Okta"))
    okta.post("/Users", {"userName": "ada@example.com", "roles": ["managed:admin", "managed:viewer"]})
    okta.post("/Users", {"userName": "bob@example.com", "roles": ["managed:viewer"]})
    go(page, "Roles")
    page.get_by_role("link", name="Viewer").click()
    page.get_by_role("button", name="Remove role").click()
    expect(page.get_by_text("2 people lose the role: ada@example.com, bob@example.com.")).to_be_visible()
    expect(page.get_by_text("1 person may no longer log in: bob@example.com.")).to_be_visible()
    page.get_by_role("link", name="Keep it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Viewer")
