"""/Users: people (RFC 7644 section 3.2, RFC 7643 section 4.1)."""

from flask import Blueprint

from scim.web.resources import OPERATIONS, SEARCHES, routed

blueprint = routed(Blueprint("users", __name__, url_prefix="/Users"), SEARCHES + OPERATIONS, "User")
