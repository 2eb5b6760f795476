"""Roles from three sources: the cases of tests/cases/roles.json, the shapes that keys see, and the cost of a list."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask

from tests.conftest import MakeApp, MakeClient
from tests.support.client import Answer, ScimClient
from tests.support.commands import run_command
from tests.support.dialogue import fill
from tests.support.statements import about_resources, traced

USER_URN = "urn:perch:scim:schemas:extension:access:1.0:User"
GROUP_URN = "urn:perch:scim:schemas:extension:access:1.0:Group"
CASES = json.loads((Path(__file__).parents[1] / "cases" / "roles.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["title"] for case in CASES])
def test_each_step_of_a_case_holds(case: dict[str, Any], make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(**case.get("settings", {}))
    runner = CaseRunner(app, make_client)
    for number, step in enumerate(case["steps"], start=1):
        try:
            runner.run(fill(step, runner.ids))
        except AssertionError as error:
            raise AssertionError(f"step {number}, {json.dumps(step)}: {error}") from None


class CaseRunner:
    """Runs the steps of a case with one client of each kind of key; knows people and groups by name."""

    def __init__(self, app: Flask, make_client: MakeClient) -> None:
        self.app = app
        self.clients = {
            "okta": make_client("okta", app=app),
            "entra": make_client("entra", app=app),
            "objects": make_client("okta", "--roles-as", "objects", app=app),
        }
        self.ids: dict[str, str] = {}

    def run(self, step: dict[str, Any]) -> None:
        """Run one step; its first key names the action and its subject."""
        verb, name = next(iter(step.items()))
        getattr(self, "_" + verb.replace("-", "_"))(name, step)

    def client(self, step: dict[str, Any]) -> ScimClient:
        return self.clients[step.get("key", "okta")]

    def _create(self, name: str, step: dict[str, Any]) -> None:
        answer = self.client(step).post("/Users", {"userName": name, **step.get("body", {})})
        check(answer, step, 201)
        if answer.status == 201:
            self.ids[name] = answer.body["id"]

    def _put(self, name: str, step: dict[str, Any]) -> None:
        self._write("PUT", f"/Users/{self.ids[name]}", {"userName": name, **step["body"]}, step)

    def _patch(self, name: str, step: dict[str, Any]) -> None:
        self._write("PATCH", f"/Users/{self.ids[name]}", {"Operations": step["ops"]}, step)

    def _delete(self, name: str, step: dict[str, Any]) -> None:
        assert self.client(step).delete(f"/Users/{self.ids[name]}").status == 204

    def _push(self, name: str, step: dict[str, Any]) -> None:
        answer = self.client(step).post("/Groups", {"displayName": name, "members": self.members(step)})
        check(answer, step, 201)
        self.ids[name] = answer.body["id"]

    def _put_group(self, name: str, step: dict[str, Any]) -> None:
        body = {"displayName": name, "members": self.members(step), **step.get("body", {})}
        self._write("PUT", f"/Groups/{self.ids[name]}", body, step)

    def _patch_group(self, name: str, step: dict[str, Any]) -> None:
        self._write("PATCH", f"/Groups/{self.ids[name]}", {"Operations": step["ops"]}, step)

    def _delete_group(self, name: str, step: dict[str, Any]) -> None:
        assert self.client(step).delete(f"/Groups/{self.ids[name]}").status == 204

    def _command(self, arguments: list[str], step: dict[str, Any]) -> None:
        if "fails" not in step:
            run_command(self.app, *arguments)
            return
        result = self.app.test_cli_runner().invoke(args=arguments)
        assert result.exit_code == 1, result.output
        assert step["fails"] in result.stderr, result.stderr

    def _write(self, method: str, path: str, body: Any, step: dict[str, Any]) -> None:
        """Send a write; check that one without an effect keeps the version."""
        client = self.client(step)
        before = client.get(path).body["meta"]
        check(client.request(method, path, body), step, 200)
        after = client.get(path).body["meta"]
        if step.get("same") or step.get("status", 200) >= 400:
            assert after == before

    def members(self, step: dict[str, Any]) -> list[dict[str, str]]:
        return [{"value": self.ids[name]} for name in step["members"]]

    def _see(self, name: str, step: dict[str, Any]) -> None:
        """Compare a person's document, read by id and from a list."""
        user = self.clients["okta"].get(f"/Users/{self.ids[name]}").body
        assert search(self.clients["okta"], f'userName eq "{name}"') == [user]
        seen: dict[str, Any] = {"login": user[USER_URN]["loginAllowed"], "roles": user.get("roles", [])}
        seen["objects"] = self.clients["entra"].get(f"/Users/{self.ids[name]}").body.get("roles", [])
        effective = user[USER_URN].get("effectiveRoles", [])
        seen["names"] = [role["display"] for role in effective]
        seen["effective"] = sorted(map(self.reason, effective))
        seen["groups"] = sorted(f"{self.name_of(group['value'])} {group['type']}" for group in user.get("groups", []))
        for key in seen.keys() & step.keys():
            wanted = sorted(step[key]) if key in ("effective", "groups") else step[key]
            assert seen[key] == wanted, key
        self.check_filters(name, user)

    def check_filters(self, name: str, user: dict[str, Any]) -> None:
        """Check that filters on each role and on the login find the person."""
        login = "true" if user[USER_URN]["loginAllowed"] else "false"
        questions = [f"{USER_URN}:loginAllowed eq {login}"]
        questions += [f'roles eq "{slug}"' for slug in user.get("roles", [])]
        for role in user[USER_URN].get("effectiveRoles", []):
            questions.append(f'{USER_URN}:effectiveRoles.value eq "{role["value"]}"')
            questions.append(f'{USER_URN}:effectiveRoles[value eq "{role["value"]}" and type eq "{role["type"]}"]')
        for question in questions:
            found = search(self.clients["okta"], f'({question}) and userName eq "{name}"')
            assert found == [user], question

    def _see_group(self, name: str, step: dict[str, Any]) -> None:
        group = self.clients["okta"].get(f"/Groups/{self.ids[name]}").body
        assert [role["value"] for role in group.get(GROUP_URN, {}).get("roles", [])] == step["roles"]

    def reason(self, role: dict[str, Any]) -> str:
        source = f" {self.name_of(role['source'])}" if "source" in role else ""
        return f"{role['value']} {role['type']}{source}"

    def name_of(self, identifier: str) -> str:
        return next(name for name, known in self.ids.items() if known == identifier)


def search(client: ScimClient, question: str) -> list[dict[str, Any]]:
    """Return the users that a filter finds."""
    found: list[dict[str, Any]] = client.get("/Users?" + urlencode({"filter": question})).body["Resources"]
    return found


def check(answer: Answer, step: dict[str, Any], status: int) -> None:
    assert answer.status == step.get("status", status), answer
    if answer.status >= 400:
        assert answer.body.get("scimType") == step.get("scimType"), answer
        assert step.get("detail", "") in answer.body["detail"], answer


@pytest.fixture
def pair(app: Flask, make_client: MakeClient) -> Iterator[tuple[ScimClient, ScimClient]]:
    """An Okta key and an application's read key on the same deployment."""
    yield make_client("okta"), make_client("generic", "--access", "read")


def test_each_key_sees_roles_in_its_own_shape(pair: tuple[ScimClient, ScimClient]) -> None:
    okta, reader = pair
    sent = okta.post("/Users", {"userName": "ann", "roles": ["managed:viewer"]})
    assert sent.body["roles"] == ["managed:viewer"]
    for path in (f"/Users/{sent.body['id']}", "/Users"):
        body = reader.get(path).body
        assert body.get("Resources", [body])[0]["roles"] == [{"value": "managed:viewer", "display": "Viewer"}]
    shapes = [roles_schema(client) for client in pair]
    assert shapes[0]["type"] == "string"
    assert "managed:viewer" in shapes[0]["canonicalValues"]
    assert shapes[1]["type"] == "complex"
    value = next(sub for sub in shapes[1]["subAttributes"] if sub["name"] == "value")
    assert value["canonicalValues"] == shapes[0]["canonicalValues"]


def roles_schema(client: ScimClient) -> Any:
    attributes = client.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").body["attributes"]
    return next(attribute for attribute in attributes if attribute["name"] == "roles")


def test_filters_take_both_shapes_for_every_key(pair: tuple[ScimClient, ScimClient]) -> None:
    okta, _ = pair
    role = {"value": "managed:viewer", "primary": True, "type": "X"}
    okta.post("/Users", {"userName": "ann", "roles": [role]})
    okta.post("/Users", {"userName": "bob", "roles": ["managed:admin"]})
    for client in pair:
        for question in (
            'roles eq "managed:viewer"',
            'roles.value eq "managed:viewer"',
            'roles[value eq "managed:viewer"]',
            "roles[primary eq true]",
            'roles[primary eq "True"]',
            'roles.type eq "x"',
            'roles.display eq "viewer"',
            'roles co "view"',
            'not (roles eq "managed:admin")',
        ):
            assert [user["userName"] for user in search(client, question)] == ["ann"], question


def test_lists_sort_by_the_access_extension(app: Flask, okta: ScimClient) -> None:
    for name, roles in (("ann", []), ("bob", ["managed:viewer"]), ("cid", ["managed:admin"])):
        okta.post("/Users", {"userName": name, "roles": roles})
    wanted = {
        "loginAllowed": ["ann", "bob", "cid"],
        "effectiveRoles": ["cid", "bob", "ann"],
        "effectiveRoles.value": ["cid", "bob", "ann"],
    }
    for name, order in wanted.items():
        found = okta.get("/Users?" + urlencode({"sortBy": f"{USER_URN}:{name}"})).body["Resources"]
        assert [user["userName"] for user in found] == order, name


def test_the_access_extensions_are_discovered(okta: ScimClient) -> None:
    for urn, names in ((USER_URN, {"loginAllowed", "effectiveRoles"}), (GROUP_URN, {"roles"})):
        attributes = okta.get(f"/Schemas/{urn}").body["attributes"]
        assert {attribute["name"] for attribute in attributes} == names
        assert {attribute["mutability"] for attribute in attributes} == {"readOnly"}


def test_roles_of_the_catalogue_are_discovered(app: Flask, okta: ScimClient) -> None:
    run_command(app, "roles", "add", "billing:reader", "Billing reader", "--description", "Sees invoices.")
    types = {kind["name"]: kind for kind in okta.get("/ResourceTypes").body["Resources"]}
    assert types["Role"]["schema"] == "urn:okta:scim:schemas:core:1.0:Role"
    first = okta.get("/Roles?startIndex=1&count=1").body
    assert (first["itemsPerPage"], first["totalResults"]) == (1, 6)
    role = okta.get("/Roles/billing:reader").body
    assert (role["id"], role["displayName"]) == ("billing:reader", "Billing reader")
    assert role["description"] == "Sees invoices."
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        path = "/Roles" if method == "POST" else "/Roles/billing:reader"
        assert okta.request(method, path, {"displayName": "X"}).status == 405, method


def test_derived_changes_move_the_entity_tag_but_not_the_version(app: Flask, okta: ScimClient) -> None:
    user = okta.post("/Users", {"userName": "ann", "roles": ["managed:viewer"]}).body
    group = okta.post("/Groups", {"displayName": "Support", "members": [{"value": user["id"]}]}).body
    path = f"/Users/{user['id']}"
    changes = [
        ("roles", "assign", "--user", "ann", "managed:editor"),
        ("roles", "unassign", "--user", "ann", "managed:editor"),
        ("roles", "assign", "--group", "Support", "managed:editor"),
        ("roles", "edit", "managed:viewer", "--name", "Onlooker"),
    ]
    for command in changes:
        before = okta.get(path)
        run_command(app, *command)
        check_derived_change(okta, path, before)
    before = okta.get(path)
    okta.patch(f"/Groups/{group['id']}", {"Operations": [{"op": "replace", "value": {"displayName": "Help"}}]})
    check_derived_change(okta, path, before)
    before = okta.get(path)
    okta.delete(f"/Groups/{group['id']}")
    check_derived_change(okta, path, before)


def check_derived_change(client: ScimClient, path: str, before: Answer) -> None:
    tag = before.headers["ETag"]
    after = client.get(path, {"If-None-Match": tag})
    assert after.status == 200
    assert after.headers["ETag"] != tag
    assert after.headers["ETag"].split(".")[0] == tag.split(".")[0]
    assert after.body["meta"]["lastModified"] == before.body["meta"]["lastModified"]
    kept = client.patch(path, {"Operations": [{"op": "replace", "value": {"active": True}}]}, {"If-Match": tag})
    assert kept.status == 200


def test_a_forced_removal_changes_the_versions_of_direct_holders(app: Flask, okta: ScimClient) -> None:
    ann = okta.post("/Users", {"userName": "ann", "roles": ["managed:viewer"]}).body
    run_command(app, "roles", "remove", "managed:viewer", "--force")
    after = okta.get(f"/Users/{ann['id']}").body
    assert after["meta"]["version"].split(".")[0] != ann["meta"]["version"].split(".")[0]
    change = {"Operations": [{"op": "replace", "value": {"title": "X"}}]}
    assert okta.patch(f"/Users/{ann['id']}", change, {"If-Match": ann["meta"]["version"]}).status == 412


@pytest.mark.parametrize(
    "path", ["/Users?count=200", f"/Users?count=200&filter={quote(USER_URN)}:loginAllowed+eq+true"]
)
def test_a_list_costs_a_fixed_number_of_statements(app: Flask, okta: ScimClient, path: str) -> None:
    counts = []
    for size in (2, 98):
        people = [
            okta.post("/Users", {"userName": f"{size}-{n}", "roles": ["managed:viewer"]}).body["id"]
            for n in range(size)
        ]
        inner = okta.post("/Groups", {"displayName": f"In {size}", "members": [{"value": id} for id in people]}).body
        okta.post("/Groups", {"displayName": f"Out {size}", "members": [{"value": inner["id"]}]})
        run_command(app, "roles", "assign", "--group", f"Out {size}", "managed:admin")
        with traced(app) as statements:
            found = okta.get(path).body
        counts.append(len(about_resources(statements)))
    assert (found["totalResults"], len(found["Resources"])) == (100, 100)
    assert all(len(user[USER_URN]["effectiveRoles"]) == 2 for user in found["Resources"])
    assert all(len(user["groups"]) == 2 for user in found["Resources"])
    assert counts[0] == counts[1] <= 10
