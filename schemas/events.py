"""The kinds of events, and the URIs of SCIM events (RFC 9967 section 2.4)."""

from schemas.user import ACCESS_URN

PROV = "urn:ietf:params:scim:event:prov"
EVENT_URIS = (
    f"{PROV}:create:notice",
    f"{PROV}:patch:notice",
    f"{PROV}:put:notice",
    f"{PROV}:delete",
    f"{PROV}:activate",
    f"{PROV}:deactivate",
)

USER_CREATED, USER_CHANGED, USER_DELETED = "user.created", "user.changed", "user.deleted"
USER_DEACTIVATED, USER_REACTIVATED = "user.deactivated", "user.reactivated"
LOGIN_ALLOWED, LOGIN_WITHDRAWN = "login.allowed", "login.withdrawn"
ROLES_GAINED, ROLES_LOST, ROLES_OF_MANY = "roles.gained", "roles.lost", "roles.changed_for_many"
GROUP_CREATED, GROUP_RENAMED, GROUP_DELETED = "group.created", "group.renamed", "group.deleted"
GROUP_MEMBERS = "group.members_changed"

KINDS = {
    USER_CREATED: "A user was created.",
    USER_CHANGED: "Attributes of a user changed; `attributes` names them.",
    USER_DEACTIVATED: "A user was deactivated.",
    USER_REACTIVATED: "A deactivated user is active again.",
    USER_DELETED: "A user was deleted.",
    LOGIN_ALLOWED: "A user may log in from now on.",
    LOGIN_WITHDRAWN: "A user may no longer log in: end the sessions.",
    ROLES_GAINED: "A user has gained effective roles.",
    ROLES_LOST: "A user has lost effective roles.",
    ROLES_OF_MANY: "Many people gained or lost some roles at once: read the holders of these roles again.",
    GROUP_CREATED: "A group was created.",
    GROUP_RENAMED: "A group has another displayName.",
    GROUP_MEMBERS: "Members joined or left a group.",
    GROUP_DELETED: "A group was deleted.",
}

# The events that end or reduce somebody's access, the gravest first; that of many people only with their number.
WITHDRAWALS = (USER_DELETED, LOGIN_WITHDRAWN, USER_DEACTIVATED, ROLES_LOST, ROLES_OF_MANY)

OWN = "urn:perch:scim:event"
CREATE_NOTICE, PATCH_NOTICE, PUT_NOTICE, DELETE, ACTIVATE, DEACTIVATE = EVENT_URIS
EFFECTIVE = f"{ACCESS_URN}:effectiveRoles"

PLAIN = {LOGIN_ALLOWED: ACTIVATE, LOGIN_WITHDRAWN: DEACTIVATE, USER_DELETED: DELETE, GROUP_DELETED: DELETE}
ATTRIBUTES = {
    USER_DEACTIVATED: ["active"],
    USER_REACTIVATED: ["active"],
    ROLES_GAINED: [EFFECTIVE],
    ROLES_LOST: [EFFECTIVE],
    ROLES_OF_MANY: [EFFECTIVE],
    GROUP_RENAMED: ["displayName"],
    GROUP_MEMBERS: ["members"],
}
