"""A browser without JavaScript for the console: pages, forms and cookies, inside the test's process."""

import html
import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

PASSWORD = "right horse, right battery"


class Console:
    """A browser session; `secure` sends requests over https."""

    def __init__(self, app: Flask, secure: bool = False) -> None:
        self.client = app.test_client()
        self.base = "https://perch.example" if secure else "http://localhost"
        self.token = ""

    def get(self, path: str = "/", **options: Any) -> TestResponse:
        """Load a page below /console."""
        return self._seen(self.client.get(f"/console{path}", base_url=self.base, **options))

    def post(self, path: str, data: dict[str, Any] | None = None, follow: bool = True, **options: Any) -> TestResponse:
        """Send a form with this session's token, and follow the answer."""
        fields = {"form_token": self.token, **(data or {})}
        answer = self.client.post(
            f"/console{path}", base_url=self.base, data=fields, follow_redirects=follow, **options
        )
        return self._seen(answer)

    def sign_in(self, password: str = PASSWORD, **fields: str) -> TestResponse:
        """Sign in through the form; the answer is not followed."""
        self.get("/sign-in")
        answer = self.post("/sign-in", {"password": password, **fields}, follow=False)
        if answer.status_code == 303:
            self.get("/okta")
        return answer

    def _seen(self, answer: TestResponse) -> TestResponse:
        found = re.search(r'name="form_token" value="([^"]+)"', answer.text)
        if found:
            self.token = found[1]
        return answer


def text_of(answer: TestResponse) -> str:
    """Return the visible text of a page: without tags, entities decoded, white space collapsed."""
    main = re.search(r"<main.*?</main>", answer.text, re.DOTALL)
    assert main, answer.text[:500]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main[0].replace("<wbr>", ""))).split())
