"""The dialects in which the emulator speaks: whose they are, and the headers of their requests."""

from collections.abc import Mapping

CUSTOM, OIN, ENTRA, RFC = "custom", "oin", "entra", "rfc"
OKTA_APPS = (CUSTOM, OIN)
PROVIDERS: Mapping[str, str] = {CUSTOM: "Okta", OIN: "Okta", ENTRA: "Entra", RFC: "Client"}

SCIM_JSON = "application/scim+json"
OKTA_HEADERS = {
    "Accept": SCIM_JSON,
    "Accept-Charset": "utf-8",
    "Content-Type": f"{SCIM_JSON}; charset=utf-8",
    "User-Agent": "Okta SCIM Client 1.0.0",
}
HEADERS: Mapping[str, Mapping[str, str]] = {
    CUSTOM: OKTA_HEADERS,
    OIN: OKTA_HEADERS,
    ENTRA: {"Accept": SCIM_JSON, "Content-Type": f"{SCIM_JSON}; charset=utf-8"},
    RFC: {"Accept": SCIM_JSON, "Content-Type": SCIM_JSON, "User-Agent": "scim-profile-test"},
}
