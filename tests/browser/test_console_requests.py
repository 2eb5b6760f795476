"""Requests in Chromium: a person is found by name, and each page leads to the other."""

from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitors
from tests.browser.test_console_guide import client, create_key, go
from tests.support.client import http_transport
from tests.support.server import PerchServer

NAMES = ["margaret@example.com", "o'brien+test@example.com", "Zoë & <b>Søren</b>"]


def search(page: Page, text: str) -> None:
    page.get_by_label("Name or path").fill(text)
    page.get_by_role("button", name="Search").click()


@pytest.mark.parametrize("name", NAMES)
def test_from_a_request_to_the_person_and_back(visitors: Visitors, server: PerchServer, name: str) -> None:
    page = visitors.signed_in()
    okta = client(server, create_key(page, "Okta production"))
    ids = [okta.post("/Users", {"userName": each}).body["id"] for each in (name, "other@example.com")]
    group = okta.post("/Groups", {"displayName": "Support"}).body["id"]
    add = {"op": "add", "path": "members", "value": [{"value": each} for each in ids]}
    assert okta.patch(f"/Groups/{group}", {"Operations": [add]}).status in (200, 204)
    assert okta.get(f"/Users/{ids[0]}").status == 200

    go(page, "Requests")
    search(page, name[:6])
    made = page.get_by_role("link", name=f"Okta creates {name}", exact=True)
    expect(page.get_by_role("row").filter(has_text="other@example.com")).to_have_count(0)
    expect(page.get_by_role("row").filter(has=made)).to_contain_text("UTC")
    made.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Okta creates {name}")
    page.get_by_role("main").get_by_role("link", name=name, exact=True).click()
    expect(page).to_have_url(f"{server.origin}/console/users/{ids[0]}")

    page.get_by_role("main").get_by_role("link", name="Requests", exact=True).click()
    expect(page.get_by_text("Only requests about one user or group.")).to_be_visible()
    told = page.locator("#results tbody tr td:nth-child(2) a")
    expect(told).to_have_text([f"Okta reads {name} before changing it", f"Okta creates {name}"])
    page.get_by_role("link", name="Show all").click()
    page.get_by_role("link", name="Okta adds 2 members to Support").click()
    page.get_by_role("link", name="Support", exact=True).click()
    expect(page).to_have_url(f"{server.origin}/console/groups/{group}")


def test_a_forgotten_name_is_in_no_request(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in()
    okta = client(server, create_key(page, "Okta"))
    made = okta.post("/Users", {"userName": "margaret@example.com"}).body["id"]
    okta.get("/Users?filter=" + quote('userName eq "margaret@example.com"'))
    go(page, "Requests")
    search(page, "margaret")
    expect(page.locator("#results tbody tr")).to_have_count(2)
    assert okta.delete(f"/Users/{made}").status == 204
    server.flask("forget", "margaret@example.com")
    page.goto(f"{server.origin}/console/requests?q=margaret")
    expect(page.get_by_text("No recorded request matches.")).to_be_visible()


def test_a_revoked_key_and_a_wrong_base_url_are_named(visitors: Visitors, server: PerchServer) -> None:
    page = visitors.signed_in()
    key = create_key(page, "Old Okta")
    okta = client(server, key)
    assert okta.get("/Users").status == 200
    go(page, "Access keys")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("is revoked")).to_be_visible()
    assert okta.get("/Users").status == 401
    status, _, _ = http_transport(server.origin)("GET", "/Users", {"Authorization": f"Bearer {key}"}, None)
    assert status == 404
    go(page, "Requests")
    refused = page.get_by_role("row").filter(has_text="401")
    expect(refused).to_contain_text("Old Okta (revoked)")
    wrong = page.get_by_role("row").filter(has_text="404")
    expect(wrong).to_contain_text("GET /Users")
    wrong.get_by_role("link").click()
    expect(page.get_by_text("scim/v2").first).to_be_visible()
