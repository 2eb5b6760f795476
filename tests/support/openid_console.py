"""Signing in to the console with an OpenID provider, as a browser does it."""

from werkzeug.test import TestResponse

from tests.support.console import Console, text_of
from tests.support.openid import OpenIdProvider


def begin(console: Console, provider: OpenIdProvider, path: str = "/oidc") -> tuple[str, str]:
    answer = console.get(path)
    assert answer.status_code == 303, text_of(answer)
    return provider.authorize(answer.headers["Location"])


def come_back_once(console: Console, code: str, state: str, **more: str) -> TestResponse:
    return console.get("/oidc/callback", query_string={"code": code, "state": state, **more})


def come_back(console: Console, code: str, state: str, **more: str) -> TestResponse:
    answer = come_back_once(console, code, state, **more)
    if answer.status_code == 303:
        console.get("/okta")
    return answer


def sign_in(console: Console, provider: OpenIdProvider, path: str = "/oidc") -> TestResponse:
    return come_back(console, *begin(console, provider, path))


def refused(answer: TestResponse, *told: str, status: int = 403) -> None:
    assert answer.status_code == status, text_of(answer)
    for sentence in told:
        assert sentence in text_of(answer), text_of(answer)


def is_in(console: Console) -> bool:
    return console.get("/keys").status_code == 200
