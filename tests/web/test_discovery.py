"""/ServiceProviderConfig, /Schemas and /ResourceTypes refuse filters (RFC 7644 section 4)."""

from tests.support.client import ScimClient
from tests.support.resources import refused


def test_a_filter_on_discovery_is_403(okta: ScimClient) -> None:
    for path in ("/Schemas", "/ResourceTypes", "/ServiceProviderConfig"):
        refused(okta.get(path + "?filter=id+pr"), 403)
