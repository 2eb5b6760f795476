"""/ServiceProviderConfig, /Schemas and /ResourceTypes (RFC 7644 section 4)."""

from tests.support.client import ScimClient
from tests.support.resources import refused


def test_discovery_takes_no_filter(okta: ScimClient) -> None:
    for path in ("/Schemas", "/ResourceTypes", "/ServiceProviderConfig"):
        refused(okta.get(path + "?filter=id+pr"), 403)
