"""`flask profile test` against this deployment."""

import json

import pytest
from flask import Flask


@pytest.mark.parametrize(("profile", "steps"), [("interop", {"interop"}), ("ipsie", {"interop", "ipsie"})])
def test_each_clause_has_a_row_and_the_draft_is_named(app: Flask, profile: str, steps: set[str]) -> None:
    result = app.test_cli_runner().invoke(args=["profile", "test", profile, "--json"])
    found = json.loads(result.stdout)
    assert (found["app"], found["error"], found["leftOver"]) == ("rfc", None, [])
    assert {row["id"].partition(".")[0] for row in found["results"]} == steps
    assert any("draft-zollner-scim-interop-profile-02" in row["step"] for row in found["results"])
    assert found["counts"]["not judged"] == sum(row["outcome"] == "not judged" for row in found["results"]) > 3
    assert all(row["got"] for row in found["results"] if row["outcome"] == "not judged")
    assert result.exit_code == (0 if found["passed"] else 1)
    # Without a profile Perch is lenient, which the profile forbids.
    failed = {row["id"] for row in found["results"] if row["outcome"] == "failed" and row["id"].startswith("interop")}
    assert failed == {
        f"interop.{name}"
        for name in ("5.3-attribute", "5.3-patch", "5.3-schema", "5.4-types", "6.5.1.1-path", "6.5.2.1-replace")
    }


def test_a_profile_has_a_name(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["profile", "test", "none"])
    assert result.exit_code == 2 and "interop" in result.output
