"""/ServiceProviderConfig, /Schemas and /ResourceTypes (RFC 7644 section 4)."""

import pytest

from schemas import group
from schemas.user import ENTERPRISE_URN, URN
from tests.support.client import ScimClient
from tests.support.resources import refused


def test_a_filter_on_discovery_is_403(okta: ScimClient) -> None:
    for path in ("/Schemas", "/ResourceTypes", "/ServiceProviderConfig"):
        refused(okta.get(path + "?filter=id+pr"), 403)


@pytest.mark.parametrize(
    ("urn", "name", "description"),
    [
        (URN, "User", "User Account"),
        (group.URN, "Group", "Group"),
        (ENTERPRISE_URN, "EnterpriseUser", "Enterprise User"),
    ],
)
def test_schemas_are_named_as_in_rfc_7643(okta: ScimClient, urn: str, name: str, description: str) -> None:
    """RFC 7643 section 8.7.1; section 8.6 describes the resource types in the same words."""
    document = okta.get(f"/Schemas/{urn}").body
    assert (document["id"], document["name"], document["description"]) == (urn, name, description)
    assert document in okta.get("/Schemas").body["Resources"]
    types = [kind for kind in okta.get("/ResourceTypes").body["Resources"] if kind["schema"] == urn]
    assert [(kind["name"], kind["description"]) for kind in types] == [(name, description)] * (urn != ENTERPRISE_URN)


def test_external_id_is_listed_where_clients_may_write_it(okta: ScimClient) -> None:
    listed = {
        document["name"]: [each for each in document["attributes"] if each["name"] in ("id", "externalId", "meta")]
        for document in okta.get("/Schemas").body["Resources"]
    }
    assert [each["name"] for each in listed.pop("User")] == ["externalId"]
    (of_groups,) = listed.pop("Group")
    assert (of_groups["type"], of_groups["mutability"], of_groups["caseExact"]) == ("string", "readWrite", True)
    assert not any(listed.values()), "neither extensions nor roles have one"
