"""The base URL and /.search: a search of users and groups at once (RFC 7644 sections 3.4.2.1 and 3.4.3)."""

from flask import Blueprint

from scim.web.resources import SEARCHES, routed

blueprint = routed(Blueprint("search", __name__), SEARCHES, "User", "Group")
