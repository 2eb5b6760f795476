"""The overview shows two weeks as charts, folds what is set up, and says who made the last changes."""

import re
from datetime import timedelta

import pytest
from flask import Flask

from schemas.datetimes import now
from storage import statistics, traffic
from tests.conftest import MakeClient
from tests.support.commands import run_json
from tests.support.console import Console, text_of


@pytest.fixture
def app(console_app: Flask) -> Flask:
    return console_app


def day(ago: int) -> str:
    return now(-timedelta(days=ago))[:10]


def tables(html: str) -> dict[str, dict[str, str]]:
    """Return the tables for screen readers by title: numbers by day."""
    return {
        title: dict(re.findall(r"<th scope=\"row\">([^<]+)</th><td>([^<]+)</td>", body))
        for title, body in re.findall(r"<caption>([^<]+) by day</caption><tbody>(.*?)</tbody>", html, re.DOTALL)
    }


def test_charts_show_pushes_refusals_and_people_of_the_last_two_weeks(
    app: Flask, admin: Console, make_client: MakeClient
) -> None:
    okta = make_client("okta", app=app)
    for name in ("ann", "bob"):
        okta.post("/Users", {"userName": name, "roles": ["managed:viewer"]})
    okta.get("/Users")
    okta.post("/Users", {"userName": "ann"})
    okta.get("/Users/nobody")
    with app.extensions["perch"].database.write() as connection:
        traffic.count(connection, {("k", f"{day(3)}T07", traffic.PUSHED): 40, ("k", f"{day(3)}T08", traffic.PUSHED): 2,
                                   ("k", f"{day(20)}T08", traffic.REFUSED): 9})  # fmt: skip
        statistics.note_day(connection, f"{day(2)}T23:10:00", 17)
    app.extensions["perch.traffic"].writer.flush()
    html = admin.get("/").text
    found = tables(html)
    assert list(found) == ["Pushed changes", "Refused requests", "People who may log in"]
    assert all(len(numbers) == 14 for numbers in found.values())
    assert (found["Pushed changes"][day(3)], found["Pushed changes"][day(0)]) == ("42", "2")
    assert (found["Refused requests"][day(0)], "9" in found["Refused requests"].values()) == ("2", False)
    people = found["People who may log in"]
    assert (people[day(2)], people[day(0)], people[day(1)]) == ("17", "2", "unknown")
    assert html.count("<svg") == 3 and "<script>" not in html
    assert re.findall(r"most ([\d,]+)", html) == ["42", "2", "17"]


def test_a_chart_of_nothing_has_no_most(admin: Console) -> None:
    assert re.findall(r"most ([\d,]+)", admin.get("/").text) == ["0", "0", "0"]


def test_the_base_url_is_folded_once_a_provider_pushed(app: Flask, admin: Console, make_client: MakeClient) -> None:
    assert "<summary>Base URL" not in admin.get("/").text
    assert "/scim/v2" in text_of(admin.get("/"))
    okta = make_client("okta", app=app)
    okta.post("/Users", {"userName": "ann"})
    html = admin.get("/").text
    assert "<summary>Base URL and setup checklist</summary>" in html
    assert html.index("<summary>Base URL") < html.index("/scim/v2")


def test_the_last_changes_name_author_and_object_with_links(
    app: Flask, admin: Console, make_client: MakeClient
) -> None:
    okta = make_client("okta", app=app)
    ann, bob = (okta.post("/Users", {"userName": name}).body["id"] for name in ("ann", "bob"))
    okta.delete(f"/Users/{bob}")
    name = run_json(app, "keys", "list")[-1]["name"]
    page = admin.get("/")
    assert f"created by key {name}" in text_of(page) and f"deleted by key {name}" in text_of(page)
    assert len(re.findall(rf'by <a href="/console/keys#key-[0-9a-f]+">key {name}</a>', page.text)) == 3
    assert "signed in from the address" in text_of(page)
    assert f'href="/console/users/{ann}"' in page.text
    assert f'href="/console/users/{bob}"' not in page.text
    assert f'href="/console/journal?resource={bob}"' in page.text


def test_the_figure_is_noted_every_hour_once_and_kept_for_a_month(app: Flask) -> None:
    database = app.extensions["perch"].database
    with database.write() as connection:
        for ago in range(40):
            statistics.note_day(connection, f"{day(ago)}T12:00:00", ago)
    with database.read() as connection:
        found = statistics.may_log_in_per_day(connection, "2000")
        assert sorted(found.values()) == list(range(31))
        assert statistics.is_noted(connection, f"{day(0)}T12:59:59")
        assert not statistics.is_noted(connection, f"{day(0)}T13:00:00")
        assert not statistics.is_noted(connection, f"{day(0)}T11:00:00")
