"""A person loses access: the session in the example application ends, and the person's page shows the receipt."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Visitors
from tests.conftest import MakeServer
from tests.support.ports import unused_port
from tests.support.resources import patch
from tests.support.server import ROOT, PerchServer, clean_environment

EXAMPLE = ROOT / "examples" / "app.py"


@pytest.fixture
def server(make_server: MakeServer) -> PerchServer:
    settings = {"PERCH_ADMIN_PASSWORD": PASSWORD, "PERCH_WEBHOOKS_ALLOW_PRIVATE": "on"}
    made = make_server(settings=settings)
    made.start()
    return made


@contextmanager
def process(arguments: list[str], settings: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "flask", *arguments]
    started = subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(settings), stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def test_a_session_ends_and_the_page_shows_the_receipt(visitors: Visitors, server: PerchServer) -> None:
    okta, port = server.client("okta", server.key), unused_port()
    ada = okta.post("/Users", {"userName": "ada@example.com", "roles": ["managed:admin"], "active": True}).body["id"]
    key = server.flask_json("keys", "create", "Example", "--idp", "generic", "--access", "read")
    hook = server.flask_json("webhooks", "add", f"http://127.0.0.1:{port}/perch")
    server.flask("applications", "add", "Example", "--webhook", hook["id"], "--key", key["id"])
    site = f"http://127.0.0.1:{port}"
    example = {"PERCH_BASE_URL": server.base_url, "PERCH_KEY": key["key"], "PERCH_SECRET": hook["secret"]}
    with ExitStack() as stack:
        stack.enter_context(process(["--app", str(EXAMPLE), "run", "--port", str(port)], example))
        stack.enter_context(process(["deliver", "--interval", "0.05"], server.settings))
        page = visitors.open()
        end = time.monotonic() + 60
        while True:
            try:
                if page.request.post(f"{site}/login", form={"userName": "ada@example.com"}).status == 200:
                    break
            except Exception:
                time.sleep(0.1)
            assert time.monotonic() < end
        assert page.request.get(site).status == 200
        page.goto(f"{server.origin}/console/users/{ada}")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("ada@example.com")
        expect(page.get_by_text("out of Example")).to_have_count(0)

        assert okta.patch(f"/Users/{ada}", patch("replace", "active", False)).status == 200
        begin = time.monotonic()
        while page.request.get(site).status != 401:
            assert time.monotonic() - begin < 60
            time.sleep(0.05)
        page.reload()
        while not page.get_by_text("Out of Example after").count():
            assert time.monotonic() - begin < 60
            page.reload()
        seconds = time.monotonic() - begin
        (receipt,) = server.flask_json("receipts")
    assert receipt["outcome"] == "ended" and receipt["seconds"] <= seconds + 1
    # Two seconds on a machine that does nothing else; the tests share theirs.
    print(f"the receipt was on the page after {seconds:.2f} s")
