"""Make the screenshots again: `python docs/screenshots.py [FOLDER]`; it needs Chromium and the test requirements."""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.chromium import chromium, new_page, sign_in  # noqa: E402
from tests.browser.demo import populate  # noqa: E402
from tests.support.server import PerchServer  # noqa: E402

PASSWORD = "only for these pictures"
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
    "okta": "/console/okta",
    "requests": "/console/requests",
    "journal": "/console/journal",
}
THEMES = (("light", WIDE), ("dark", WIDE), ("phone", PHONE))
WHOLE = {"okta", "user", "group"}


def main(folder: Path) -> None:
    """Start a server, push a small organisation, walk the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        server = PerchServer(Path(place), settings={"PERCH_ADMIN_PASSWORD": PASSWORD, "PERCH_TRAFFIC": "all"})
        server.start()
        try:
            walk(server, folder)
        finally:
            server.kill()


def walk(server: PerchServer, folder: Path) -> None:
    """Take every picture."""
    seen = populate(server)
    with chromium() as browser:
        for theme, size in THEMES:
            page = new_page(browser, viewport=size, color_scheme="dark" if theme == "dark" else "light")
            page.goto(f"{server.origin}/console/")
            page.screenshot(path=folder / f"sign-in-{theme}.png")
            sign_in(page, server.origin, PASSWORD)
            for name, path in PAGES.items():
                page.goto(server.origin + path.format(**seen))
                page.screenshot(path=folder / f"{name}-{theme}.png", full_page=name in WHOLE)
            page.context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screenshots")
