"""Chromium for the tests of the console, with pages that record foreign requests, errors and policy violations."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import EXECUTABLE, chromium, new_page, sign_in
from tests.conftest import MakeServer
from tests.support.server import PerchServer

PASSWORD = "a password for the browser"
SETTINGS = {"PERCH_ADMIN_PASSWORD": PASSWORD, "PERCH_TRAFFIC": "all", "PERCH_FUSE": "on"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one Chromium per module; skip the tests when it is not installed, but never in CI."""
    if not EXECUTABLE and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed")
    with chromium() as started:
        yield started


@pytest.fixture
def server(make_server: MakeServer) -> PerchServer:
    """Start a gunicorn with two workers, as `make run` does."""
    made = make_server(settings=SETTINGS)
    made.start()
    return made


@dataclass
class Watched:
    """Records what no page may do: requests to other origins, script errors, violations of the content policy."""

    origin: str
    faults: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> Page:
        page.on("request", lambda request: self._note(not request.url.startswith(self.origin), request.url))
        page.on("pageerror", lambda error: self._note(True, str(error)))
        page.on("console", lambda said: self._note("Content Security Policy" in said.text, said.text))
        return page

    def _note(self, bad: bool, text: str) -> None:
        if bad:
            self.faults.append(text)


@pytest.fixture
def watched(server: PerchServer) -> Iterator[Watched]:
    found = Watched(server.origin)
    yield found
    assert found.faults == []


class Visitors:
    """Opens watched pages, each in a fresh profile."""

    def __init__(self, browser: Browser, server: PerchServer, watched: Watched) -> None:
        self.browser, self.server, self.watched = browser, server, watched
        self.pages: list[Page] = []

    def open(self, **context: Any) -> Page:
        page = self.watched.watch(new_page(self.browser, **context))
        self.pages.append(page)
        return page

    def signed_in(self, **context: Any) -> Page:
        page = self.open(**context)
        sign_in(page, self.server.origin, PASSWORD)
        return page


@pytest.fixture
def visitors(browser: Browser, server: PerchServer, watched: Watched) -> Iterator[Visitors]:
    made = Visitors(browser, server, watched)
    yield made
    for page in made.pages:
        page.context.close()
