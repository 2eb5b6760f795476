"""/Groups: groups of people and groups (RFC 7644 section 3.2, RFC 7643 section 4.2)."""

from flask import Blueprint

from scim.web.resources import OPERATIONS, SEARCHES, routed

blueprint = routed(Blueprint("groups", __name__, url_prefix="/Groups"), SEARCHES + OPERATIONS, "Group")
