"""Signing in to the console in Chromium with a real OpenID provider, Canaille; `make test-iam` installs and runs it."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import new_page
from tests.conftest import MakeServer
from tests.support.iam import CLIENT, EMAIL, PASSWORD, PERSON, PYTHON, SECRET, IamProvider
from tests.support.resources import patch, user_id
from tests.support.server import PerchServer

pytestmark = pytest.mark.long


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[IamProvider]:
    if not PYTHON.exists():
        pytest.skip("the provider is not installed; make test-iam does it")
    found = IamProvider(tmp_path)
    yield found
    found.stop()


@pytest.fixture
def server(make_server: MakeServer, provider: IamProvider) -> PerchServer:
    settings = {
        "PERCH_OIDC_ISSUER": provider.issuer, "PERCH_OIDC_CLIENT_ID": CLIENT, "PERCH_OIDC_CLIENT_SECRET": SECRET,
        "PERCH_OIDC_ADMINS": "role:managed:admin", "PERCH_OIDC_VERIFIED": "issuer", "PERCH_CONSOLE_PASSWORD": "off",
    }  # fmt: skip
    made = make_server(settings=settings)
    made.start()
    provider.allow(f"{made.origin}/console/oidc/callback")
    return made


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    made = new_page(browser)
    yield made
    made.context.close()


def log_in_at_provider(page: Page, provider: IamProvider) -> None:
    page.wait_for_url(f"{provider.issuer}/**")
    page.locator("input[name=login]").fill(PERSON)
    page.get_by_role("button", name="Continue").click()
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_a_person_signs_in_proves_it_again_and_is_out_with_a_push(
    page: Page, server: PerchServer, provider: IamProvider
) -> None:
    okta = server.client("okta", server.key)
    ada = user_id(okta, EMAIL, roles=["managed:admin"])
    grace = user_id(okta, "grace@example.com")
    begin = time.monotonic()

    page.goto(f"{server.origin}/console/users/{grace}")
    page.get_by_role("link", name="Sign in with localhost").click()
    log_in_at_provider(page, provider)
    page.get_by_role("button", name="Accept").click()
    page.wait_for_url(f"{server.origin}/console/users/{grace}")
    page.get_by_label("Role", exact=True).select_option("managed:editor")
    page.get_by_role("button", name="Assign").click()
    expect(page.get_by_text(f"Assigned manually by {EMAIL}")).to_be_visible()
    page.goto(f"{server.origin}/console/sessions")
    expect(page.get_by_role("row").filter(has_text="this one")).to_contain_text(EMAIL)
    actors = {entry["action"]: entry["actor"] for entry in server.flask_json("journal")}
    assert actors["assign"] == f"person:{EMAIL}"

    with closing(sqlite3.connect(server.database)) as file, file:
        file.execute("UPDATE console_sessions SET proved = proved - 901")
    page.context.clear_cookies(domain="localhost")
    page.goto(f"{server.origin}/console/keys?from=here")
    page.get_by_label("Name", exact=True).fill("Reporting")
    page.get_by_role("button", name="Create access key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in again")
    page.get_by_role("link", name="Sign in with localhost").click()
    log_in_at_provider(page, provider)
    page.wait_for_url(f"{server.origin}/console/keys?from=here")
    expect(page.get_by_text("You have signed in again.")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Reporting")
    page.get_by_role("button", name="Create access key").click()
    expect(page.get_by_text(re.compile(r"perch_[0-9a-f]{10}_")).first).to_be_visible()
    assert {key["name"] for key in server.flask_json("keys", "list")} == {"tests", "Reporting"}

    assert okta.patch(f"/Users/{ada}", patch("replace", "active", False)).status == 200
    page.goto(f"{server.origin}/console/roles")
    expect(page).to_have_url(f"{server.origin}/console/sign-in?next=/console/roles")
    assert server.flask_json("journal")[0]["action"] == "sign-out"
    page.get_by_role("link", name="Sign in with localhost").click()
    expect(page.get_by_text(f"The claim 'email' says {EMAIL}, who is deactivated in Perch.")).to_be_visible()
    page.goto(f"{server.origin}/console/roles")
    expect(page).to_have_title("Sign in · Perch")
    print(f"signed in, asked again and out after {time.monotonic() - begin:.1f} s")
