"""`flask profile test` against this deployment."""

import json
from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import MakeServer
from tests.support.jwt import claims, key_set, new_key, signed


@pytest.mark.parametrize(("profile", "steps"), [("interop", {"interop"}), ("ipsie", {"interop", "ipsie"})])
def test_each_clause_has_a_row_and_the_draft_is_named(app: Flask, profile: str, steps: set[str]) -> None:
    result = app.test_cli_runner().invoke(args=["profile", "test", profile, "--json"])
    found = json.loads(result.stdout)
    assert (found["app"], found["error"], found["leftOver"]) == ("rfc", None, [])
    assert {row["id"].partition(".")[0] for row in found["results"]} == steps
    assert any("draft-zollner-scim-interop-profile-02" in row["step"] for row in found["results"])
    assert found["counts"]["not judged"] == sum(row["outcome"] == "not judged" for row in found["results"]) > 3
    assert all(row["got"] for row in found["results"] if row["outcome"] == "not judged")
    failed = {row["id"] for row in found["results"] if row["outcome"] == "failed"}
    assert (failed, result.exit_code) == (set(), 0)


def test_without_a_profile_the_clauses_fail_that_perch_is_more_lenient_about(
    make_server: MakeServer, app: Flask
) -> None:
    server = make_server(workers=1)
    server.start()
    key = server.create_key("Plain", "--idp", "generic")
    arguments = ["profile", "test", "interop", "--url", server.base_url, "--key", key, "--json"]
    found = json.loads(app.test_cli_runner().invoke(args=arguments).stdout)
    assert {row["id"].removeprefix("interop.") for row in found["results"] if row["outcome"] == "failed"} == {
        "5.3-attribute", "5.3-patch", "5.3-schema", "5.4-types", "6.5.1.1-path", "6.5.2.1-replace",
    }  # fmt: skip


def test_ipsie_with_a_client_of_its_own(make_server: MakeServer, app: Flask, tmp_path: Path) -> None:
    server = make_server(workers=1)
    server.start()
    made = server.prepare_json("keys", "create", "IPSIE", "--idp", "generic", "--profile", "ipsie", "--oauth")
    key, token_url = new_key(), f"{server.base_url.removesuffix('/scim/v2')}/oauth/token"
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(key_set(key)))
    server.prepare("keys", "trust", made["id"], "--jwks", str(keys))
    assertion = tmp_path / "assertion.txt"
    assertion.write_text(signed(key, claims(made["clientId"], made["clientId"], token_url, jti="once")))
    arguments = [
        "--token-url",
        token_url,
        "--client-id",
        made["clientId"],
        "--client-assertion",
        str(assertion),
        "--json",
    ]
    result = app.test_cli_runner().invoke(args=["profile", "test", "ipsie", "--url", server.base_url, *arguments])
    found = json.loads(result.stdout)
    assert [row for row in found["results"] if row["outcome"] in ("failed", "skipped")] == []
    assert result.exit_code == 0


def test_a_profile_has_a_name(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["profile", "test", "none"])
    assert result.exit_code == 2 and "interop" in result.output
