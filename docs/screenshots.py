"""Make the screenshots of the documentation: `python docs/screenshots.py`; needs Chromium and the test requirements.

The README's picture is the console's overview beside the end of `flask okta test`; `--beside` makes that one alone.

With `--all FOLDER` it pictures every page with 500 people, in light and in dark, in a window and on a phone, to be
looked at after a change of the console (`make screenshots`).
"""

import base64
import os
import sys
import tempfile
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page  # noqa: E402

from scim.events.worker import take_turn  # noqa: E402
from tests.browser.chromium import chromium, new_page, sign_in  # noqa: E402
from tests.browser.demo import populate  # noqa: E402
from tests.support.server import PerchServer  # noqa: E402

PASSWORD = "only for these pictures"
SETTINGS = {
    "PERCH_ADMIN_PASSWORD": PASSWORD,
    "PERCH_TRAFFIC": "all",
    "PERCH_WORKSPACE": "acme",
    "PERCH_PUBLIC_URL": "https://perch.example.com",
}
WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
PAGES = {
    "overview": "/console/",
    "keys": "/console/keys",
    "users": "/console/users",
    "user": "/console/users/{user}",
    "groups": "/console/groups",
    "group": "/console/groups/{group}",
    "roles": "/console/roles",
    "role": "/console/role?slug=managed%3Ainbox_agent",
    "attributes": "/console/attributes",
    "setup": "/console/setup",
    "okta": "/console/okta",
    "webhooks": "/console/webhooks",
    "webhook": "/console/webhooks/{webhook}",
    "requests": "/console/requests",
    "journal": "/console/journal",
    "sessions": "/console/sessions",
    "entra": "/console/entra",
    "fuse": "/console/fuse",
    "quirks": "/console/requests/quirks",
    "request": "/console/requests/1",
    "role-remove": "/console/role/remove?slug=managed%3Ainbox_agent",
    "user-deactivated": "/console/users/{deactivated}",
    "group-role": "/console/groups/{everybody}/roles?slug=managed%3Aviewer",
    "everybody": "/console/groups/{everybody}",
    "users-none": "/console/users?q=nobody&state=deactivated&group=Finance",
    "not-found": "/console/nothing",
}
THEMES = (("light", WIDE), ("dark", WIDE), ("phone", PHONE), ("phone-dark", PHONE))
WHOLE = {"okta", "user", "group", "webhook", "webhooks"}
MANY, FEW = 500, 64
SHOWN = {"overview-light", "users-light", "user-light", "okta-light", "requests-light"}


HALF = {"width": 900, "height": 880}
BESIDE = """<body style="margin:0;padding:20px;box-sizing:border-box;display:flex;gap:20px;width:1640px;height:920px;
background:#d7dbe0"><img style="width:900px;height:880px;border-radius:8px" src="data:image/png;base64,{console}">
<pre style="flex:1;margin:0;padding:18px;overflow:hidden;border-radius:8px;background:#16191d;color:#d6dae0;
font:14px/1.55 monospace">{lines}</pre></body>"""


def main(folder: Path, chosen: set[str]) -> None:
    """Start a server, fill it with a small organisation and take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        server = PerchServer(Path(place), settings=SETTINGS)
        server.start()
        try:
            walk(server, folder, chosen)
        finally:
            server.kill()


def walk(server: PerchServer, folder: Path, chosen: set[str]) -> None:
    """Visit every page in each theme and take the chosen pictures; all of them if none is chosen."""
    seen = populate(server, FEW if chosen else MANY)
    # Nothing is wrong in the pictures of the documentation.
    lock = take_turn(server.database, lambda: False)
    for webhook in server.flask_json("webhooks", "list") if chosen else ():
        server.flask("webhooks", "resume", webhook["id"])
    with chromium() as browser:
        for theme, size in THEMES:
            page = new_page(browser, viewport=size, color_scheme="dark" if theme.endswith("dark") else "light")
            page.goto(f"{server.origin}/console/")
            take(page, folder, f"sign-in-{theme}", chosen)
            sign_in(page, server.origin, PASSWORD)
            for name, path in PAGES.items():
                page.goto(server.origin + path.format(**seen))
                take(page, folder, f"{name}-{theme}", chosen)
            page.context.close()
    if lock is not None:
        os.close(lock)


def take(page: Page, folder: Path, name: str, chosen: set[str]) -> None:
    """Take one picture; of the whole page where the window shows too little."""
    if not chosen or name in chosen:
        page.screenshot(path=folder / f"{name}.png", full_page=not chosen or name.partition("-")[0] in WHOLE)


def beside(folder: Path) -> None:
    """Picture the overview beside the end of `flask okta test`, on a deployment with a small organisation."""
    with tempfile.TemporaryDirectory() as place:
        server = PerchServer(Path(place), settings=SETTINGS)
        server.start()
        try:
            populate(server, FEW)
            for webhook in server.flask_json("webhooks", "list"):
                server.flask("webhooks", "remove", webhook["id"])
            printed = server.flask("okta", "test")
            with chromium() as browser:
                picture(browser, server, printed).screenshot(path=folder / "okta-test.png")
        finally:
            server.kill()


def picture(browser: Browser, server: PerchServer, printed: str) -> Page:
    """Return a page with the console on the left and the last lines of a terminal on the right."""
    page = new_page(browser, viewport=HALF, color_scheme="light")
    sign_in(page, server.origin, PASSWORD)
    console = base64.b64encode(page.screenshot()).decode()
    # The terminal is narrow: of each row it has the check and the beginning of its request.
    rows = [f"{row[:49]}{row[49:82].rstrip()}" for row in printed.splitlines() if not row.startswith("  CHECK")]
    end = printed.splitlines()[-1].partition(": ")
    lines = escape("\n".join(["$ flask okta test", "...", *rows[-36:-1], end[0].partition(",")[0] + ": " + end[2]]))
    page.context.close()
    # A page of its own: the console's policy allows no styles of others.
    page = new_page(browser, viewport={"width": 1640, "height": 920})
    page.set_content(BESIDE.format(console=console, lines=lines.replace("✓", '<b style="color:#5fd38d">✓</b>')))
    return page


if __name__ == "__main__":
    if sys.argv[1:2] == ["--all"]:
        main(Path(sys.argv[2]), set())
    elif sys.argv[1:2] == ["--beside"]:
        beside(ROOT / "docs" / "screenshots")
    else:
        main(ROOT / "docs" / "screenshots", SHOWN)
        beside(ROOT / "docs" / "screenshots")
