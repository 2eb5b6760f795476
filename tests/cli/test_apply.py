"""`flask apply` and `flask export`: files good and bad, plans that are what then happens, and exports that apply."""

import json
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from schemas.declarations import TYPES
from storage.journal import Author
from tests.conftest import MakeApp, MakeClient
from tests.storage.test_planned_roles import directory, state
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.resources import ACCESS, group_id, refused, user, user_id

SLUGS = ("managed:admin", "managed:editor", "managed:viewer", "x:new")


def apply(app: Flask, text: str | bytes, *options: str) -> Result:
    data = text if isinstance(text, bytes) else text.encode()
    return app.test_cli_runner().invoke(args=["apply", "-", *options], input=data)


def applied(app: Flask, text: str, *options: str) -> dict[str, Any]:
    result = apply(app, text, "--json", *options)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


BAD = [
    ('[roles."a:b"]\nname = "x\n', ["line 2"]),
    ("a = 1\na = 2\n", ["line 2"]),
    ('[roles."a:b"]\nname = "x', ["at the end, line 2"]),
    ('[roles."a:b"]\n\nname = """x\n', ["at the end, line 3"]),
    ("a = [1,\n2\n\n", ["at the end, line 3"]),
    ("a =", ["at the end, line 1"]),
    ("\ufeff[[group_rules]]", ["group_rules[0].group: This key is missing."]),
    (b'[roles.a]\nname = "\xff"\n', ["line 2", "UTF-8"]),
    (f"a = {'[' * 5000}{']' * 5000}", ["nests too deeply"]),
    (f"[[group_rules]]\ngroup = {'{a=' * 3000}1{'}' * 3000}", ["nests too deeply"]),
    (f"a = {'1' * 5000}", ["a number that is too long"]),
    (f"[[attributes]]\nname = -{'9' * 4301}", ["a number that is too long"]),
    (f"a = 0x{'f' * 5000}", ["a: There is no such key here"]),
    ("", []),
    ("webhooks = []", ["webhooks: There is no such key here"]),
    ("roles = []", ["roles: This must be tables"]),
    ("roles.a = 1", ["roles.a: This must be a table."]),
    ('[roles."a b"]', ['roles."a b": A slug has 1 to 255']),
    ('[roles.".."]', ['roles."..": A slug has 1 to 255']),
    (f'[roles."{"x" * 256}"]', ["A slug has 1 to 255"]),
    ('[roles."a:b"]\ngranted_by = "me"', ['roles."a:b".granted_by: This must be "any", "scim" or "hand".']),
    ('[roles."a:b"]\ngrantedBy = "any"', ['roles."a:b".grantedBy: There is no such key here']),
    (
        '[roles.a]\nname = ""\ndescription = 3',
        ["roles.a.name: This must have 1", "roles.a.description: This must be text"],
    ),
    ('[roles.a]\nname = "  "', ["roles.a.name: This must have 1"]),
    ("group_rules = {}", ["group_rules: This must be an array of tables"]),
    ("group_rules = [1]", ["group_rules[0]: This must be a table."]),
    ("[[group_rules]]", ["group_rules[0].group: This key is missing.", "group_rules[0].roles: This key is missing."]),
    ('[[group_rules]]\ngroup = ""\nroles = []', ["group_rules[0].group: ", "group_rules[0].roles: This must name"]),
    ('[[group_rules]]\ngroup = "a"\nroles = "managed:admin"', ["group_rules[0].roles: This must be an array"]),
    ('[[group_rules]]\ngroup = "a"\nroles = [1]', ["group_rules[0].roles[0]: This must be text"]),
    (
        '[[group_rules]]\ngroup = "a"\nroles = ["managed:admin", "managed:admn"]',
        ["group_rules[0].roles[1]: With this file there is no role 'managed:admn'", "managed:admin"],
    ),
    (
        '[roles."managed:admin"]\ngranted_by = "hand"\n[[group_rules]]\ngroup = "a"\nroles = ["managed:admin"]',
        ["group_rules[0].roles[0]: The role 'managed:admin' may be given by hand only"],
    ),
]


@pytest.mark.parametrize(("text", "told"), BAD)
def test_all_faults_are_told_by_line_or_by_path_and_nothing_is_changed(
    app: Flask, text: str | bytes, told: list[str]
) -> None:
    before = run_command(app, "export")
    for options in ((), ("--dry-run",), ("--prune",)) if told else ():
        result = apply(app, text, *options)
        assert result.exit_code == 1 and result.stdout == ""
        assert all(sentence in result.stderr for sentence in told), result.stderr
    if not told:
        assert apply(app, text).exit_code == 0
    assert run_command(app, "export") == before


def test_faults_of_form_and_of_meaning_are_told_at_once(app: Flask) -> None:
    applied(app, '[[group_rules]]\ngroup = "kept"\nroles = ["managed:editor"]')
    text = """
        extra = 1
        [roles."a b"]
        name = 3
        [roles."by:hand"]
        granted_by = "hand"
        description = 1
        [roles."managed:editor"]
        granted_by = "hand"
        [[group_rules]]
        group = "A"
        roles = ["no:such", "a b"]
        [[group_rules]]
        roles = [1]
        [[group_rules]]
        group = "B"
        roles = ["by:hand"]
        [[attributes]]
        schema = "urn:acme:2.0:User"
        name = "tag"
        type = "text"
        [[attributes]]
        schema = "urn:acme:2.0:User"
        name = "tag"
        type = "string"
        [[attributes]]
        schema = "urn:acme:2.0:User"
        name = "TAG"
        type = "string"
        """
    told = [line.removeprefix("Error: ").partition(": ")[0] for line in apply(app, text).stderr.splitlines()]
    assert sorted(told) == [
        "attributes[0].type", "attributes[2].name", "extra", "group_rules[0].roles[0]", "group_rules[1].group",
        "group_rules[1].roles[0]", "group_rules[2].roles[0]", 'roles."a b"', 'roles."a b".name',
        'roles."by:hand".description',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("people", "told"),
    [
        (1, "1 person: p0."),
        (2, "2 people: p0, p1."),
        (12, "12 people: p0, p1, p2, p3, p4, p5, p6, p7, p8, p9 and 2 more."),
    ],
)
def test_the_plan_reads_as_sentences(app: Flask, generic: ScimClient, people: int, told: str) -> None:
    group_id(generic, "Team", *(user_id(generic, f"p{number}") for number in range(people)))
    assert apply(app, '[[group_rules]]\ngroup = "Team"\nroles = ["managed:viewer"]').stdout.splitlines() == [
        '+ group rule Team, group "Team", roles ["managed:viewer"]',
        f"May log in from then on: {told}",
        f"Gain a role: {told}",
    ]
    run_command(app, "roles", "assign", "--group", "Team", "managed:editor")
    counted = told.partition(":")[0]
    assert apply(app, '[roles."managed:editor"]\nname = "Ed"\ngranted_by = "hand"').stdout.splitlines() == [
        '~ role managed:editor, name "Editor" -> "Ed", description "May change content, not settings or people." -> '
        'nothing, granted_by nothing -> "hand"',
        f"Keep the role managed:editor, though they could no longer get it this way: {counted}.",
        "Nobody gains or loses a role or the login.",
    ]


ACME = "urn:ietf:params:scim:schemas:extension:acme:2.0:User"
TAG = f'[[attributes]]\nschema = "{ACME}"\nname = "tag"\ntype = "string"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TAG.replace('"string"', '"text"'), "attributes[0].type: must be one of string"),
        (TAG + TAG, "attributes[1].name: 'tag' is declared twice"),
        (TAG + "[[attributes.sub]]\nname = 1", "attributes[0].sub[0].name"),
        ('[[attributes]]\nschema = "urn:perch:x:User"\n', "attributes[0].schema: is a URN that Perch serves itself"),
    ],
)
def test_faults_of_attributes_are_told_by_path(app: Flask, text: str, told: str) -> None:
    result = apply(app, text)
    assert result.exit_code == 1 and told in result.stderr, result.stderr


def test_attributes_of_the_file_are_declared_kept_and_pruned(app: Flask, generic: ScimClient) -> None:
    found = applied(app, TAG)
    assert found["changes"] == [
        {"kind": "attribute", "action": "add", "name": f"{ACME}:tag", "before": None,
         "after": {"schema": ACME, "name": "tag", "type": "string"}}
    ]  # fmt: skip
    assert applied(app, TAG)["changes"] == []
    for name in ("ann", "bob"):
        assert user(generic, name, **{ACME: {"tag": "same"}})[ACME] == {"tag": "same"}
    assert tomllib.loads(run_command(app, "export"))["attributes"] == [found["changes"][0]["after"]]
    other = TAG.replace('"tag"', '"other"').replace("acme:2.0:User", "ACME:2.0:User")
    result = apply(app, other)
    assert result.exit_code == 1 and "attributes[0].schema: differs from" in result.stderr
    unique = apply(app, TAG + 'uniqueness = "server"\n', "--dry-run")
    assert unique.exit_code == 1 and "tag" in unique.stderr and "same" in unique.stderr
    assert applied(app, "")["changes"] == []
    dry = apply(app, "", "--prune", "--dry-run")
    assert dry.exit_code == 3 and "2 users have a value; all values are lost" in dry.stderr
    assert applied(app, "", "--prune")["changes"]
    assert ACME not in generic.get("/Users").body["Resources"][0]


def test_wrong_usage_is_2_and_a_dry_run_with_changes_3(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "workspace.toml"
    assert app.test_cli_runner().invoke(args=["apply", str(file)]).exit_code == 2
    file.write_text('[roles.x]\nname = "X"\n')
    result = app.test_cli_runner().invoke(args=["apply", str(file), "--dry-run"])
    assert result.exit_code == 3 and "+ role x" in result.stdout and "dry run" in result.stderr
    assert "x" not in [role["slug"] for role in run_json(app, "roles", "list")]
    assert app.test_cli_runner().invoke(args=["apply", str(file)]).exit_code == 0
    assert app.test_cli_runner().invoke(args=["apply", str(file), "--dry-run"]).exit_code == 0
    assert apply(app, file.read_text()).stdout == "Nothing to change.\n"


def test_the_plan_as_json_names_changes_and_people(app: Flask, generic: ScimClient) -> None:
    group_id(generic, "Team Red", *(user_id(generic, f"p{number}") for number in range(12)))
    text = '[roles."x:new"]\nname = "New"\n[[group_rules]]\ngroup = "team *"\nroles = ["x:new"]\n'
    found = applied(app, text)
    assert found["changes"] == [
        {"kind": "role", "action": "add", "name": "x:new", "before": None, "after": {"name": "New"}},
        {"kind": "groupRule", "action": "add", "name": "team *", "before": None,
         "after": {"group": "team *", "roles": ["x:new"]}},
    ]  # fmt: skip
    assert found["people"] == {"gainLogin": 12, "loseLogin": 0, "gainRole": 12, "loseRole": 0}
    assert found["names"]["gainLogin"] == [f"p{number}" for number in range(10)]
    text = (
        text.replace('name = "New"', 'name = "Newer"')
        .replace('"x:new"]\n', '"managed:admin"]\n')
        .replace('[roles."managed:admin"]', '[roles."x:new"]')
    )
    changes = {(each["kind"], each["action"]) for each in applied(app, text)["changes"]}
    assert changes == {("role", "change"), ("groupRule", "change")}


def test_without_prune_nothing_is_removed_and_with_it_what_the_file_lacks(app: Flask, generic: ScimClient) -> None:
    ann = user(generic, "ann", roles=["managed:viewer"])["id"]
    text = '[roles."managed:admin"]\nname = "Admin"\ndescription = "May change everything in the workspace."\n'
    assert applied(app, text)["changes"] == []
    found = applied(app, text, "--prune")
    assert {(each["action"], each["name"]) for each in found["changes"]} == {
        ("remove", f"managed:{name}") for name in ("analyst", "editor", "inbox_agent", "viewer")
    }
    assert found["people"]["loseLogin"] == found["people"]["loseRole"] == 1
    assert not generic.get(f"/Users/{ann}").body[ACCESS]["loginAllowed"]
    assert applied(app, text, "--prune")["changes"] == []


def test_rules_with_one_pattern_add_up_and_a_role_without_a_name_keeps_its_own(app: Flask) -> None:
    text = """
        [roles."managed:admin"]
        [roles.fresh]
        [[group_rules]]
        group = "Support"
        roles = ["fresh"]
        [[group_rules]]
        group = "SUPPORT"
        roles = ["managed:admin", "fresh"]
        """
    applied(app, text)
    assert applied(app, text)["changes"] == []
    found = tomllib.loads(run_command(app, "export"))
    assert found["group_rules"] == [{"group": "Support", "roles": ["fresh", "managed:admin"]}]
    assert found["roles"]["managed:admin"] == {"name": "Admin"} and found["roles"]["fresh"] == {"name": "fresh"}


@pytest.mark.parametrize("seed", range(15))
def test_an_export_applied_to_an_empty_workspace_gives_the_same(
    app: Flask, make_app: MakeApp, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    letters = "ab\"\\\n\t\x7f\x1f\u200eé😀*[]#='."
    texts = ["".join(chance.choices(letters, k=chance.randint(1, 8))) + "x" for _ in range(6)]
    lines = []
    for number, name in enumerate(texts):
        lines.append(f"[roles.{json.dumps(f'r:{number}ß')}]\nname = {toml(name)}\ndescription = {toml(name * 2)}")
        lines.append(f'granted_by = "{chance.choice(("any", "scim"))}"')
    lines.append('[roles."by:hand"]\ngranted_by = "hand"')
    for name in texts:
        lines.append(f"[[group_rules]]\ngroup = {toml(name)}\nroles = [{toml(f'r:{chance.randrange(6)}ß')}]")
    for number, name in enumerate(texts):
        lines += random_attribute(chance, number, name)
    applied(app, "\n".join(lines))
    exported = run_command(app, "export")
    other = make_app(PERCH_DATABASE=str(tmp_path / "other.db"))
    assert apply(other, exported, "--prune").exit_code == 0
    assert run_command(other, "export") == exported
    assert applied(other, exported, "--prune")["changes"] == []


def random_attribute(chance: random.Random, number: int, description: str) -> list[str]:
    """Return the lines of an attribute; a sub-attribute comes last, as its table ends the attribute's keys."""
    kind, resource = chance.choice(TYPES), chance.choice(("User", "Group"))
    urn = chance.choice((f"urn:acme:{number}:{resource}", f"urn:acme:{number}"))
    keys = {"schema": urn, "resource": resource, "name": f"a{number}", "type": kind, "description": description}
    lines = [f"{key} = {toml(text)}" for key, text in keys.items()]
    flags = ["multiValued", "indexed"] + ["caseExact"] * (kind in ("string", "reference"))
    lines += [f"{flag} = {chance.choice(('true', 'false'))}" for flag in flags]
    lines += ['uniqueness = "server"'] * (kind != "boolean" and chance.random() < 0.5)
    lines += [f"canonicalValues = [{toml(description)}]"] * (kind == "string")
    sub = ["[[attributes.sub]]", 'name = "value"', f"type = {toml(chance.choice(TYPES[:-1]))}"]
    return ["[[attributes]]", *lines, *(sub if kind == "complex" else [])]


@pytest.mark.parametrize(
    ("display", "name"),
    [
        (" Padded ", "Padded"), ("   ", "r:1"), ("x" * 1001, "x" * 1001), ("é" * 30_000, "é" * 30_000), ("any", "any"),
        ("a\nb\t", "a\nb"), ("\u2028", "r:1"),
    ],
)  # fmt: skip
def test_roles_that_a_provider_made_are_exported_so_that_they_apply(
    app: Flask, make_app: MakeApp, make_client: MakeClient, tmp_path: Path, display: str, name: str
) -> None:
    client = make_client("generic", "--unknown-roles", "create")
    user_id(client, "ann", roles=[{"value": "r:1", "display": display}])
    exported = run_command(app, "export")
    assert tomllib.loads(exported)["roles"]["r:1"] == {"name": name}
    assert applied(app, exported, "--prune")["changes"] == []
    other = make_app(PERCH_DATABASE=str(tmp_path / "other.db"))
    applied(other, exported, "--prune")
    assert run_command(other, "export") == exported


@pytest.mark.parametrize(("name", "description"), [("any", "any"), (" a ", " b "), ("scim", "x" * 5000), ("   ", "c")])
def test_roles_of_an_older_file_are_exported_so_that_they_apply(app: Flask, name: str, description: str) -> None:
    with app.extensions["perch"].repository.writing(Author("command", "")) as write:
        write.add_role("r:1", name, description)
    exported = run_command(app, "export")
    table = tomllib.loads(exported)["roles"]["r:1"]
    assert (table.get("name", "   "), table["description"]) == (name, description)
    assert applied(app, exported, "--prune")["changes"] == []


def toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@pytest.mark.parametrize("seed", range(20))
def test_a_dry_run_tells_what_then_happens(app: Flask, generic: ScimClient, seed: int) -> None:
    chance = random.Random(seed)
    directory(generic, chance)
    for _ in range(3):
        text, prune = random_file(chance), ["--prune"] * chance.randrange(2)
        dry = apply(app, text, "--dry-run", "--json", *prune)
        with app.extensions["perch"].repository.reading() as snapshot:
            had, could = state(snapshot.connection)
        real = apply(app, text, "--json", *prune)
        assert real.stdout == dry.stdout and (dry.exit_code, real.exit_code) in ((3, 0), (0, 0), (1, 1))
        if real.exit_code == 1:
            continue
        with app.extensions["perch"].repository.reading() as snapshot:
            has, can = state(snapshot.connection)
        assert json.loads(real.stdout)["people"] == {
            "gainLogin": len(can - could),
            "loseLogin": len(could - can),
            "gainRole": len([seq for seq in had if has[seq] - had[seq]]),
            "loseRole": len([seq for seq in had if had[seq] - has[seq]]),
        }
        assert apply(app, text, "--dry-run", *prune).exit_code == 0


def random_file(chance: random.Random) -> str:
    lines = [f'[roles."{slug}"]\ngranted_by = "{chance.choice(("any", "scim", "any", "hand"))}"' for slug in SLUGS
             if chance.random() < 0.8]  # fmt: skip
    for _ in range(chance.randrange(4)):
        pattern = chance.choice(("G*", "g1", "*", "G2*", "no*"))
        lines.append(f'[[group_rules]]\ngroup = "{pattern}"\nroles = ["{chance.choice(SLUGS)}"]')
    return "\n".join(lines)


HAND = '[roles."managed:admin"]\nname = "Admin"\ngranted_by = "hand"\n'


def test_a_role_by_hand_is_refused_over_scim_but_what_is_held_may_come_back(app: Flask, generic: ScimClient) -> None:
    held = user(generic, "held", roles=["managed:admin"])
    assert applied(app, HAND)["against"] == {"managed:admin": 1}
    assert generic.put(f"/Users/{held['id']}", {"userName": "held", "roles": ["managed:admin"]}).status == 200
    more = {"userName": "held", "title": "x", "roles": ["managed:admin", "managed:editor"]}
    assert generic.put(f"/Users/{held['id']}", more).status == 200
    answer = generic.post("/Users", {"userName": "new", "roles": ["managed:admin"]})
    refused(answer, 400, "invalidValue", "'managed:admin' can be given by hand only")
    other = user_id(generic, "other")
    body = {"Operations": [{"op": "add", "path": "roles", "value": [{"value": "managed:admin"}]}]}
    refused(generic.patch(f"/Users/{other}", body), 400, "invalidValue")
    result = app.test_cli_runner().invoke(args=["roles", "assign", "--group", "None", "managed:admin"])
    assert result.exit_code == 1
    group_id(generic, "None")
    result = app.test_cli_runner().invoke(args=["roles", "assign", "--group", "None", "managed:admin"])
    assert result.exit_code == 1 and "by hand only" in result.stderr
    run_command(app, "roles", "assign", "--user", "other", "managed:admin")
    assert generic.get(f"/Users/{other}").body[ACCESS]["loginAllowed"]


def test_a_role_by_hand_is_left_out_where_unknown_roles_are_ignored(app: Flask, make_client: MakeClient) -> None:
    client = make_client("generic", "--unknown-roles", "ignore")
    applied(app, HAND)
    made = user(client, "ann", roles=["managed:admin", "managed:editor", "nope"])
    assert [role["value"] for role in made["roles"]] == ["managed:editor"]
    (entry,) = [each for each in run_json(app, "journal", "--limit", "9") if each["type"] == "User"]
    assert entry["changes"]["roles.ignored"]["after"] == ["nope", "managed:admin"]


def test_a_role_over_scim_is_not_assigned_to_people_by_hand(app: Flask, generic: ScimClient) -> None:
    user_id(generic, "ann", roles=["managed:admin"])
    run_command(app, "roles", "assign", "--user", "ann", "managed:admin")
    run_command(app, "roles", "edit", "managed:admin", "--granted-by", "scim")
    user_id(generic, "bob", roles=["managed:admin"])
    result = app.test_cli_runner().invoke(args=["roles", "assign", "--user", "bob", "managed:admin"])
    assert result.exit_code == 1 and "over SCIM only" in result.stderr
    group_id(generic, "Team")
    run_command(app, "roles", "assign", "--group", "Team", "managed:admin")
    assert [reason["source"] for reason in run_json(app, "roles", "explain", "ann")] == ["direct", "manual"]


def test_a_rule_that_stays_keeps_its_role_from_being_given_by_hand_only(app: Flask) -> None:
    applied(app, '[[group_rules]]\ngroup = "a*"\nroles = ["managed:admin"]')
    result = apply(app, HAND)
    assert result.exit_code == 1
    assert "roles.\"managed:admin\".granted_by: The rule 'a*', which the file does not have" in result.stderr
    result = app.test_cli_runner().invoke(args=["roles", "edit", "managed:admin", "--granted-by", "hand"])
    assert result.exit_code == 1 and "a*" in result.stderr
    result = app.test_cli_runner().invoke(args=["roles", "remove", "managed:admin"])
    assert result.exit_code == 1 and "rule a*" in result.stderr
    assert applied(app, HAND, "--prune")["changes"]


@pytest.mark.parametrize(
    ("arguments", "people"),
    [
        (("assign", "--user", "ann", "managed:editor"), {"gainRole": 1}),
        (("assign", "--user", "bob", "managed:editor"), {"gainRole": 1, "gainLogin": 1}),
        (("assign", "--group", "Team", "managed:viewer"), {"gainRole": 2, "gainLogin": 1}),
        (("unassign", "--user", "ann", "managed:admin"), {"loseRole": 1, "loseLogin": 1}),
        (("remove", "managed:admin", "--force"), {"loseRole": 1, "loseLogin": 1}),
    ],
)
def test_acts_by_hand_show_the_same_plan(
    app: Flask, generic: ScimClient, arguments: tuple[str, ...], people: dict[str, int]
) -> None:
    group_id(generic, "Team", user_id(generic, "ann"), user_id(generic, "bob"))
    run_command(app, "roles", "assign", "--user", "ann", "managed:admin")
    before = run_command(app, "journal", "--json")
    result = app.test_cli_runner().invoke(args=["roles", *arguments, "--dry-run", "--json"])
    assert result.exit_code == 3 and run_command(app, "journal", "--json") == before
    found = json.loads(result.stdout)
    assert len(found["changes"]) == 1
    assert found["people"] == {"gainLogin": 0, "loseLogin": 0, "gainRole": 0, "loseRole": 0} | people
    text = app.test_cli_runner().invoke(args=["roles", *arguments, "--dry-run"])
    assert text.exit_code == 3 and "1 person: " in text.stdout or "2 people: " in text.stdout
    run_command(app, "roles", *arguments)
    if arguments[0] != "remove":
        assert app.test_cli_runner().invoke(args=["roles", *arguments, "--dry-run"]).exit_code == 0


def test_the_removal_of_a_role_shows_the_rules_that_change_and_end(app: Flask) -> None:
    applied(
        app,
        '[[group_rules]]\ngroup = "a*"\nroles = ["managed:admin"]\n'
        '[[group_rules]]\ngroup = "b*"\nroles = ["managed:admin", "managed:editor"]',
    )
    result = app.test_cli_runner().invoke(args=["roles", "remove", "managed:admin", "--dry-run", "--json"])
    found = [(each["kind"], each["action"], each["name"]) for each in json.loads(result.stdout)["changes"]]
    assert found == [
        ("role", "remove", "managed:admin"), ("groupRule", "remove", "a*"), ("groupRule", "change", "b*"),
    ]  # fmt: skip
    run_command(app, "roles", "remove", "managed:admin", "--force")
    assert tomllib.loads(run_command(app, "export"))["group_rules"] == [{"group": "b*", "roles": ["managed:editor"]}]


def test_json_of_an_act_by_hand_is_for_dry_runs_only(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["roles", "remove", "managed:admin", "--json"])
    assert result.exit_code == 2 and "--dry-run" in result.stderr
