"""Recorded requests name the person or group that they are about, and the provider only where it is the sender."""

from typing import Any

import pytest
from flask import Flask

from scim.traffic.summaries import of_entry
from storage import traffic
from storage.traffic import TrafficEntry, TrafficQuery
from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.console import PASSWORD, Console, text_of
from tests.support.resources import patch_op

GHOST = "00000000-0000-4000-8000-000000000000"


def entries(app: Flask, **query: Any) -> list[TrafficEntry]:
    app.extensions["perch.traffic"].writer.flush()
    with app.extensions["perch"].database.read() as connection:
        return traffic.entries(connection, TrafficQuery(**query))


def newest(app: Flask) -> str:
    return of_entry(entries(app)[0])


@pytest.fixture(params=["errors", "all"])
def app(make_app: MakeApp, request: pytest.FixtureRequest) -> Flask:
    return make_app(PERCH_TRAFFIC=request.param, PERCH_ADMIN_PASSWORD=PASSWORD)


def test_people_and_groups_are_named_while_they_exist_and_afterwards(app: Flask, make_client: MakeClient) -> None:
    okta, whole = make_client("okta", app=app), app.extensions["perch.traffic"].mode == "all"
    grace = okta.post("/Users", {"userName": "grace@example.com"}).body["id"]
    assert newest(app) == "Okta creates grace@example.com"
    okta.get(f"/Users/{grace}")
    assert newest(app) == "Okta reads grace@example.com before changing it"
    support = okta.post("/Groups", {"displayName": "Support"}).body["id"]
    okta.patch(f"/Groups/{support}", patch_op({"op": "add", "path": "members", "value": [{"value": grace}]}))
    assert newest(app) == ("Okta adds 1 member to Support" if whole else "Okta changes Support")
    okta.post("/Users", {"userName": "Grace@Example.com"})
    assert newest(app) == "Okta creates Grace@Example.com", "a refused creation is named by its body"
    okta.get("/Users?filter=userName%20eq%20%22lost%40example.com%22")
    assert newest(app) == "Okta looks lost@example.com up before pushing"
    okta.delete(f"/Users/{grace}")
    assert newest(app) == "Okta deletes grace@example.com"
    okta.get(f"/Users/{grace}")
    assert newest(app) == "Okta reads grace@example.com before changing it", "named by the journal"
    okta.get(f"/Users/{GHOST}")
    assert newest(app) == "Okta reads the user before changing it"


def test_requests_are_found_by_name_and_by_subject(app: Flask, make_client: MakeClient) -> None:
    okta = make_client("okta", app=app)
    zoe, bob = (okta.post("/Users", {"userName": name}).body["id"] for name in ("ZOË@example.com", "bob@example.com"))
    okta.get(f"/Users/{zoe}")
    okta.get(f"/Users/{bob}")
    assert len(entries(app, text="zoë@")) == 2
    assert {entry.name for entry in entries(app, subject=bob)} == {"bob@example.com"}
    assert len(entries(app, subject=bob)) == 2
    admin = Console(app)
    admin.sign_in()
    page = admin.get(f"/users/{bob}")
    assert f'href="/console/requests?about={bob}"' in page.text
    shown = admin.get(f"/requests?about={bob}")
    assert "Okta reads bob@example.com" in text_of(shown) and "ZOË" not in text_of(shown)
    assert f'href="/console/users/{bob}"' in admin.get(f"/requests/{entries(app, subject=bob)[0].seq}").text


@pytest.mark.parametrize(
    ("idp", "agent", "who"),
    [
        ("okta", "Okta SCIM Client 1.0.0", "Okta"),
        ("okta", "curl/8.5.0", "The key 'mine'"),
        ("okta", "", "The key 'mine'"),
        ("entra", "", "Entra"),
        ("entra", "Microsoft-Azure-Sync", "Entra"),
        ("entra", "Okta SCIM Client 1.0.0", "The key 'mine'"),
        ("entra", "python-requests/2", "The key 'mine'"),
        ("generic", "Okta SCIM Client 1.0.0", "The key 'mine'"),
    ],
)
def test_a_provider_is_named_where_key_and_user_agent_are_its_own(idp: str, agent: str, who: str) -> None:
    entry = TrafficEntry("2026-11-27T10:00:00", "k", "mine", idp, "GET", "/w/scim/v2/Schemas", 200, 1.0,
                         {"User-Agent": agent})  # fmt: skip
    assert of_entry(entry) == f"{who} reads the schemas"


def test_the_requests_of_a_revoked_key_name_it_and_cannot_be_sent_again(app: Flask, make_client: MakeClient) -> None:
    okta = make_client("okta", app=app)
    identifier = okta.key.split("_")[1]
    name = run_json(app, "keys", "list")[-1]["name"]
    run_command(app, "keys", "revoke", identifier)
    assert okta.get("/Users").status == 401
    (entry,) = entries(app, errors=True)
    assert (entry.key, entry.keyName, entry.admitted) == (None, f"{name} (revoked)", False)
    assert newest(app) == f"The key '{name} (revoked)' lists the users"
    wrong = ScimClient(okta.transport, okta.base_path, okta.key[:-1] + "x", "okta")
    assert wrong.get("/Users").status == 401
    assert entries(app)[0].keyName is None, "a wrong secret must not tell whose key it is"


@pytest.mark.parametrize(
    "path", ["/{w}/Users", "/Users?x=1", "/scim/v2/Users", "/{w}/scim/Groups/1", "/{w}/v2/Schemas"]
)
def test_a_base_url_that_lacks_a_part_is_recorded_among_strangers(app: Flask, path: str) -> None:
    place = path.format(w=app.extensions["perch"].workspace)
    assert app.test_client().get(place).status_code in (401, 404)
    (entry,) = entries(app)
    assert (entry.path, entry.key) == (place, None)
    assert app.test_client().get("/console/nothing/Users").status_code in (303, 404)
    assert len(entries(app)) == 1


def test_the_names_go_with_forget_and_when_nothing_is_recorded(
    app: Flask, make_app: MakeApp, make_client: MakeClient
) -> None:
    okta = make_client("okta", app=app)
    for name in ("gone@example.com", "stays@example.com"):
        identifier = okta.post("/Users", {"userName": name}).body["id"]
        okta.get(f"/Users/{identifier}")
        okta.delete(f"/Users/{identifier}")
    assert len(entries(app, text="gone@example.com")) == 3
    run_command(app, "forget", "gone@example.com")
    assert entries(app, text="gone@example.com") == [] and len(entries(app, text="stays")) == 3
    off = make_app(PERCH_TRAFFIC="off")
    make_client("okta", app=off).get("/Users")
    off.extensions["perch.traffic"].writer.flush(prune=True)
    assert entries(off) == []
    with off.extensions["perch"].database.read() as connection:
        assert traffic.count_per_key(connection, "0") == {}
