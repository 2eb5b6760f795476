"""Signing in and out of the console, and the requests that it refuses."""

import re
import threading
import time

import pytest
from flask import Flask

from storage.database import Database
from tests.conftest import MakeApp
from tests.support.commands import run_command, run_json
from tests.support.console import PASSWORD, Console, text_of

PAGES = [
    "/", "/keys", "/users", "/groups", "/roles", "/setup", "/okta", "/entra", "/webhooks", "/requests",
    "/requests/quirks", "/attributes", "/journal", "/sessions",
]  # fmt: skip


@pytest.fixture
def console(console_app: Flask) -> Console:
    return Console(console_app)


@pytest.fixture
def admin(console: Console) -> Console:
    console.sign_in()
    return console


def test_the_root_leads_to_the_console(console: Console) -> None:
    answer = console.client.get("/")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/console/"


@pytest.mark.parametrize("path", [*PAGES, "/users/x", "/role?slug=x", "/nothing/here", "/keys/x/revoke"])
def test_a_visitor_sees_the_sign_in_page_only(console: Console, path: str) -> None:
    answer = console.get(path)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/console/sign-in?next=")


@pytest.mark.parametrize("path", ["/keys", "/users/x/roles", "/sign-out", "/okta/test", "/requests/1/replay"])
def test_a_visitor_can_send_no_form(console: Console, path: str) -> None:
    console.get("/sign-in")
    assert console.post(path, follow=False).status_code == 303


def test_the_password_opens_and_leads_to_the_page_that_was_asked_for(console: Console) -> None:
    console.get("/roles")
    answer = console.sign_in(next="/console/roles")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/console/roles"
    assert all(console.get(path).status_code == 200 for path in PAGES)
    assert console.get("/sign-in").headers["Location"] == "/console/"


@pytest.mark.parametrize(
    "next_page", ["https://evil.example/", "//evil.example", "/console//evil", "/\\evil", "/x", ""]
)
def test_signing_in_leads_to_no_other_site(console: Console, next_page: str) -> None:
    assert console.sign_in(next=next_page).headers["Location"] == "/console/"


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "x" * 5000, "\udce9\u2603"])
def test_another_password_opens_nothing(console: Console, password: str) -> None:
    answer = console.sign_in(password.encode("utf-8", "replace").decode())
    assert answer.status_code == 401
    assert "The password is wrong." in text_of(answer)
    assert console.client.get_cookie("perch_console", path="/console") is None


@pytest.mark.parametrize("password", ["x" * 64, "x" * 1001, "p" * 5000, "\u2603 x" * 30])
def test_a_long_password_is_compared_whole(make_app: MakeApp, password: str) -> None:
    console = Console(make_app(PERCH_ADMIN_PASSWORD=password))
    for wrong in (password[:-1], password[: min(1000, len(password) - 1)], password + "x", password.upper()):
        assert console.sign_in(wrong).status_code == 401
    assert console.sign_in(password).status_code == 303


@pytest.mark.parametrize("days", [1, 100, 400, 4000])
def test_a_password_does_not_expire(app: Flask, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    password, now = run_command(app, "admin-password").strip(), time.time()
    monkeypatch.setattr(time, "time", lambda: now + days * 86400)
    assert Console(app).sign_in(password).status_code == 303


def test_the_password_is_masked_and_left_to_password_managers(console: Console) -> None:
    (field,) = re.findall(r"<input[^>]*name=\"password\"[^>]*>", console.get("/sign-in").text)
    assert 'type="password"' in field and 'autocomplete="current-password"' in field
    assert "maxlength" not in field and "onpaste" not in field


def test_every_page_has_the_button_that_signs_out(admin: Console) -> None:
    for path in PAGES:
        assert 'action="/console/sign-out"' in admin.get(path).text, path


def test_signing_in_again_ends_the_session_before(admin: Console, console_app: Flask) -> None:
    stolen = admin.client.get_cookie("perch_console", path="/console")
    assert stolen
    assert admin.post("/sign-in", {"password": "wrong"}).status_code == 401
    assert admin.get("/keys").status_code == 200
    assert admin.post("/sign-in", {"password": PASSWORD}, follow=False).status_code == 303
    assert admin.get("/keys").status_code == 200
    thief = console_app.test_client()
    thief.set_cookie("perch_console", stolen.value, path="/console")
    assert thief.get("/console/keys").status_code == 303
    other = Console(console_app)
    other.sign_in()
    assert [visitor.get("/keys").status_code for visitor in (admin, other)] == [200, 200]
    actions = [entry["action"] for entry in run_json(console_app, "journal") if entry["type"] == "Console"]
    assert actions.count("sign-out") == 1


def test_the_password_that_flask_init_made_opens(app: Flask) -> None:
    password = re.search(r"Console password:\s+(\S+)", run_command(app, "init"))
    assert password
    assert Console(app).sign_in(password[1]).status_code == 303


def test_without_a_password_the_page_says_how_to_set_one(app: Flask) -> None:
    visitor = Console(app)
    assert "flask admin-password" in text_of(visitor.get("/sign-in"))
    assert "No console password is set yet" in text_of(visitor.get("/sign-in"))
    assert visitor.sign_in("").status_code == 401


def test_attempts_are_limited_and_the_right_password_waits_too(console: Console) -> None:
    answers = [console.sign_in("wrong").status_code for _ in range(10)]
    assert answers == [401] * 8 + [429] * 2
    refused = console.sign_in()
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert "Too many attempts from your address" in text_of(refused)


def test_the_limit_holds_for_all_workers_together(make_app: MakeApp) -> None:
    workers = [Console(make_app(PERCH_ADMIN_PASSWORD=PASSWORD)) for _ in range(3)]
    answers = [workers[turn % 3].sign_in("wrong").status_code for turn in range(12)]
    assert answers == [401] * 8 + [429] * 4


def test_after_eight_wrong_ones_an_address_may_try_once_a_minute(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    for _ in range(8):
        console.sign_in("wrong")
    for minute in (1, 2):
        monkeypatch.setattr(time, "time", lambda minute=minute: now + minute * 62)
        assert [console.sign_in("wrong").status_code for _ in range(2)] == [401, 429]
    monkeypatch.setattr(time, "time", lambda: now + 3 * 62)
    assert console.sign_in().status_code == 303


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(8):
        console.sign_in("wrong")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86400)
    assert int(console.sign_in().headers.get("Retry-After", 0)) <= 60


def test_a_refused_sign_in_takes_no_time(console: Console) -> None:
    began = time.monotonic()
    for _ in range(20):
        console.sign_in("wrong")
    assert time.monotonic() - began < 5


def refusals(app: Flask) -> list[tuple[str, int]]:
    """Return the address and the count of each entry about refused sign-ins, the oldest first."""
    return [
        (entry["actor"], entry["changes"]["times"]["after"])
        for entry in reversed(run_json(app, "journal"))
        if entry["action"] == "sign-in refused"
    ]


def test_refused_sign_ins_are_one_entry_per_address_and_minute(
    console: Console, console_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = iter(f"2026-11-24T09:{minute}:00.5" for minute in ["30"] * 200)
    monkeypatch.setattr("storage.journal.now", lambda: "2026-11-24T09:30:59")
    monkeypatch.setattr("storage.changes.now", lambda: next(minute))
    for _ in range(11):
        console.sign_in("wrong")
    console.client.environ_base = {**console.client.environ_base, "REMOTE_ADDR": "2001:db8:1:2:3::4"}
    console.sign_in("wrong")
    console.client.environ_base = {**console.client.environ_base, "REMOTE_ADDR": "2001:db8:1:2:5::6"}
    console.sign_in("wrong")
    first, second = ("address:127.0.0.1", 11), ("address:2001:db8:1:2::/64", 2)
    assert refusals(console_app) == [first, second]
    monkeypatch.setattr("storage.journal.now", lambda: "2026-11-24T09:31:00")
    monkeypatch.setattr("storage.changes.now", lambda: "2026-11-24T09:31:00")
    console.sign_in("wrong")
    assert refusals(console_app) == [first, second, ("address:2001:db8:1:2::/64", 1)]


def test_a_wrong_password_is_noted_although_another_thread_writes(console: Console, console_app: Flask) -> None:
    database: Database = console_app.extensions["perch"].database
    begun, end = threading.Event(), threading.Event()

    def write() -> None:
        with database.write(alone=True):
            begun.set()
            end.wait()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    threading.Timer(0.3, end.set).start()
    assert "The password is wrong" in text_of(console.sign_in("wrong"))
    writer.join()
    assert refusals(console_app) == [("address:127.0.0.1", 1)]


def test_the_open_sessions_are_listed_and_ended(console_app: Flask) -> None:
    mine, second, third = (Console(console_app) for _ in range(3))
    for number, visitor in enumerate((mine, second, third)):
        visitor.client.environ_base = {**visitor.client.environ_base, "REMOTE_ADDR": f"192.0.2.{number}"}
        visitor.sign_in()
    listed = text_of(mine.get("/sessions"))
    assert all(f"192.0.2.{number}" in listed for number in range(3))
    assert listed.count("this one") == 1
    (identifier,) = re.findall(r"([0-9a-f]{12}) the password 192\.0\.2\.1", listed)
    assert "1 session ended." in text_of(mine.post("/sessions", {"session": identifier}))
    assert [visitor.get("/keys").status_code for visitor in (mine, second, third)] == [200, 303, 200]
    assert "no such session any more" in text_of(mine.post("/sessions", {"session": identifier}))
    second.sign_in()
    assert "2 sessions ended." in text_of(mine.post("/sessions", {"session": "others"}))
    assert [visitor.get("/keys").status_code for visitor in (mine, second, third)] == [200, 303, 303]
    assert "End all other sessions" not in text_of(mine.get("/sessions"))
    ended = [entry for entry in run_json(console_app, "journal") if entry["action"] == "sign-out"]
    assert len(ended) == 3 and len({entry["actor"] for entry in ended}) == 1


def test_nobody_ends_the_own_session_or_one_of_an_old_password_there(app: Flask) -> None:
    old, new = Console(app), Console(app)
    old.sign_in(run_command(app, "admin-password").strip())
    new.sign_in(run_command(app, "admin-password").strip())
    listed = text_of(new.get("/sessions"))
    (own,) = re.findall(r"([0-9a-f]{12}) the password 127\.0\.0\.1", listed)
    assert "no such session" in text_of(new.post("/sessions", {"session": own}))
    assert new.get("/keys").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/requests/9223372036854775808", "/requests/99999999999999999999999", "/requests/-1", "/users?page=0",
     "/users?page=99999999999999999999", "/groups?page=10000001", "/journal?before=9223372036854775808",
     "/requests?before=99999999999999999999", "/role?slug=managed:admin&page=0"],
)  # fmt: skip
def test_a_number_out_of_range_is_a_page_that_does_not_exist(admin: Console, path: str) -> None:
    assert admin.get(path).status_code == 404


def test_a_number_out_of_range_is_no_request_to_send_again(admin: Console) -> None:
    assert admin.post("/requests/9223372036854775808/replay").status_code == 404


@pytest.mark.parametrize("path", ["/journal?before=9223372036854775807", "/users?page=10000000", "/users?page=x"])
def test_a_number_within_the_range_is_a_page(admin: Console, path: str) -> None:
    assert admin.get(path).status_code == 200


def test_another_address_is_not_locked_out_and_success_gives_the_attempts_back(console: Console) -> None:
    for _ in range(8):
        console.sign_in("wrong")
    console.client.environ_base = {**console.client.environ_base, "REMOTE_ADDR": "192.0.2.7"}
    for _ in range(7):
        assert console.sign_in("wrong").status_code == 401
    assert console.sign_in().status_code == 303
    console.post("/sign-out")
    assert console.sign_in("wrong").status_code == 401


def test_the_cookie_is_locked_down(console: Console) -> None:
    cookie = console.sign_in().headers["Set-Cookie"]
    assert re.match(r"perch_console=[\w-]{43}\.[0-9a-f]{64}; ", cookie), "256 random bits and their HMAC"
    assert {"HttpOnly", "SameSite=Lax", "Path=/console", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_the_cookie_is_secure_when_the_origin_is_https(make_app: MakeApp, console_app: Flask) -> None:
    behind = make_app(PERCH_ADMIN_PASSWORD=PASSWORD, PERCH_PUBLIC_URL="https://perch.example")
    for visitor in (Console(console_app, secure=True), Console(behind)):
        answer = visitor.sign_in()
        assert answer.status_code == 303
        for cookie in answer.headers.getlist("Set-Cookie"):
            name, *attributes = cookie.split("; ")
            assert name.startswith(("__Host-perch_console=", "__Host-perch_signing_in=")), cookie
            assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(attributes), cookie
            assert not any(each.startswith("Domain") for each in attributes)


def test_over_https_a_cookie_without_the_prefix_opens_nothing(console_app: Flask) -> None:
    visitor = Console(console_app, secure=True)
    visitor.sign_in()
    cookie = visitor.client.get_cookie("__Host-perch_console", domain="perch.example", path="/")
    assert cookie
    other = console_app.test_client()
    other.set_cookie("perch_console", cookie.value, domain="perch.example", path="/")
    assert other.get("/console/keys", base_url="https://perch.example").status_code == 303
    assert visitor.get("/keys").status_code == 200
    visitor.post("/sign-out", follow=False)
    assert visitor.client.get_cookie("__Host-perch_console", domain="perch.example", path="/") is None


def test_signing_out_ends_the_session_for_a_copied_cookie_too(admin: Console, console_app: Flask) -> None:
    stolen = admin.client.get_cookie("perch_console", path="/console")
    assert stolen
    thief = console_app.test_client()
    thief.set_cookie("perch_console", stolen.value, path="/console")
    assert thief.get("/console/keys").status_code == 200
    assert "You are signed out." in text_of(admin.post("/sign-out"))
    assert admin.get("/keys").status_code == 303
    assert thief.get("/console/keys").status_code == 303


def test_a_new_password_ends_the_sessions_of_the_old_one(app: Flask) -> None:
    visitor = Console(app)
    visitor.sign_in(run_command(app, "admin-password").strip())
    assert visitor.get("/keys").status_code == 200
    second = run_command(app, "admin-password").strip()
    assert visitor.get("/keys").status_code == 303
    assert visitor.sign_in(second).status_code == 303


def test_a_session_ends_by_itself(admin: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    for hours in range(1, 12):
        monkeypatch.setattr(time, "time", lambda hours=hours: now + hours * 3600)
        assert admin.get("/keys").status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + 12 * 3600 - 10)
    assert admin.get("/keys").status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + 12 * 3600 + 10)
    assert admin.get("/keys").status_code == 303


@pytest.mark.parametrize(("minutes", "status"), [((119,), 200), ((121,), 303), ((90, 180), 200), ((90, 211), 303)])
def test_a_session_without_use_ends_after_two_hours(
    admin: Console, monkeypatch: pytest.MonkeyPatch, minutes: tuple[int, ...], status: int
) -> None:
    now, found = time.time(), 0
    for after in minutes:
        monkeypatch.setattr(time, "time", lambda after=after: now + after * 60)
        found = admin.get("/keys").status_code
    assert found == status


def test_a_page_that_refreshes_itself_and_a_static_file_do_not_use_a_session(
    admin: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    for minutes in range(10, 120, 10):
        monkeypatch.setattr(time, "time", lambda minutes=minutes: now + minutes * 60)
        assert admin.get("/requests", headers={"Perch-Refresh": "1"}).status_code == 200
        assert admin.get("/static/console.css").status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + 121 * 60)
    assert admin.get("/requests", headers={"Perch-Refresh": "1"}).status_code == 303


def test_a_busy_writer_keeps_nobody_out_of_the_console(
    admin: Console, console_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 600)
    with Database(console_app.extensions["perch"].database.path).write():
        assert admin.get("/keys").status_code == 200


@pytest.mark.parametrize("value", ["", "x", "x.y", "." * 50, "a" * 43 + "." + "0" * 64, "\u2603.x"])
def test_a_made_up_cookie_opens_nothing(console_app: Flask, value: str) -> None:
    visitor = console_app.test_client()
    visitor.set_cookie("perch_console", value, path="/console")
    assert visitor.get("/console/keys").status_code == 303


def test_the_token_of_the_sign_in_page_is_not_one_of_the_session(console: Console) -> None:
    console.get("/sign-in")
    before = console.token
    console.sign_in()
    assert console.token != before
    console.token = before
    assert console.post("/keys", {"name": "x"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_of_another_site_is_refused_even_with_the_token(admin: Console, headers: dict[str, str]) -> None:
    answer = admin.post("/sign-out", headers=headers)
    assert answer.status_code == 403
    assert "Load the page again" in text_of(answer)
    assert admin.get("/keys").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}])
def test_a_form_of_this_site_is_accepted(admin: Console, headers: dict[str, str]) -> None:
    assert admin.post("/sign-out", headers=headers).status_code == 200
    assert admin.get("/keys").status_code == 303


def test_behind_a_proxy_the_public_origin_is_this_site(make_app: MakeApp) -> None:
    visitor = Console(make_app(PERCH_ADMIN_PASSWORD=PASSWORD, PERCH_PUBLIC_URL="https://perch.example"))
    visitor.base = "https://perch.example"
    visitor.sign_in()
    answer = visitor.post("/sign-out", headers={"Origin": "https://perch.example"})
    assert answer.status_code == 200


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "\u2603"])
@pytest.mark.parametrize(
    "path",
    ["/sign-out", "/keys", "/keys/x/revoke", "/roles", "/role?slug=managed:admin", "/role/remove?slug=managed:admin",
     "/users/x/roles", "/users/x/roles/withdraw", "/groups/x/roles", "/groups/x/roles/withdraw", "/okta/test", "/fuse",
     "/requests/1/replay", "/webhooks", "/webhooks/x/test", "/webhooks/x/pause", "/webhooks/x/resume",
     "/webhooks/x/rotate", "/webhooks/x/replay", "/webhooks/x/remove", "/sessions", "/attributes",
     "/keys/x/oauth/secrets", "/keys/x/oauth/trusts", "/keys/x/oauth/secret/x/revoke"],
)  # fmt: skip
def test_every_form_needs_the_token(admin: Console, path: str, token: str) -> None:
    assert admin.post(path, {"form_token": token}).status_code == 403


def test_every_form_of_every_page_that_changes_something_carries_the_token(admin: Console) -> None:
    for path in [*PAGES, "/role?slug=managed:admin", "/role/remove?slug=managed:admin"]:
        for form in re.findall(r'<form method="post".*?</form>', admin.get(path).text, re.DOTALL):
            assert 'name="form_token"' in form, (path, form)


def test_every_post_route_of_the_console_is_in_the_list_of_forms_above(console_app: Flask) -> None:
    rules = {
        r.endpoint for r in console_app.url_map.iter_rules() if "POST" in (r.methods or ()) and "console." in r.endpoint
    }
    assert rules == {
        "console.sign_in", "console.sign_out", "console.create_key", "console.revoke", "console.create_role",
        "console.add_secret", "console.add_trust", "console.revoke_credential", "console.declare_attribute",
        "console.edit_role", "console.remove_role", "console.assign_to_user",
        "console.withdraw_from_user",
        "console.assign_to_group", "console.withdraw_from_group", "console.test_connector",
        "console.release_fuse", "console.send_again", "console.not_found", "console.create_webhook",
        "console.test_webhook", "console.pause_webhook", "console.resume_webhook", "console.rotate_secret",
        "console.replay_events", "console.remove_webhook", "console.end_sessions",
    }  # fmt: skip


def test_pages_allow_no_foreign_and_no_inline_code(admin: Console) -> None:
    for path in [*PAGES, "/nothing"]:
        answer = admin.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy and answer.headers.getlist("Content-Security-Policy") == [policy]
        assert "base-uri 'none'" in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", answer.text), path
        assert re.findall(r'(?:src|href|action)="(?!/console/|#)([^"]*)"', answer.text) == [], path


def test_static_files_are_cached_and_nothing_else(console: Console) -> None:
    answer = console.get("/static/console.css")
    assert answer.status_code == 200
    assert "no-store" not in answer.headers.get("Cache-Control", "")
    assert "immutable" in console.get("/static/console.css?v=1").headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert console.get("/static/../guard.py").status_code in (303, 404)


def test_a_form_that_is_too_large_is_refused(admin: Console) -> None:
    answer = admin.post("/keys", {"name": "x" * 300_000})
    assert answer.status_code == 413
    assert "larger than the console accepts" in text_of(answer)


def test_errors_are_pages(admin: Console) -> None:
    for path in (
        "/nothing",
        "/users/nobody",
        "/groups/nothing",
        "/role?slug=none",
        "/requests/99",
        "/keys/none/revoke",
    ):
        answer = admin.get(path)
        assert answer.status_code == 404, path
        assert answer.mimetype == "text/html"
        assert "Page not found" in text_of(answer)
    assert admin.get("/sign-out").status_code == 404


def test_a_bug_is_a_page_without_internals(admin: Console, monkeypatch: pytest.MonkeyPatch) -> None:

    def broken(connection: object) -> None:
        raise RuntimeError("secret internals")

    from storage import statistics

    monkeypatch.setattr(statistics, "figures", broken)
    answer = admin.get("/")
    assert answer.status_code == 500
    assert "the server's log has the cause" in text_of(answer)
    assert "secret internals" not in answer.text


def test_the_forms_of_scim_and_of_the_console_do_not_mix(admin: Console) -> None:
    answer = admin.client.get("/console/nothing")
    assert answer.mimetype == "text/html"
    answer = admin.client.get("/elsewhere/scim/v2/Users")
    assert answer.status_code == 401
    assert answer.mimetype == "application/scim+json"
