"""All checks, in the order in which they run; one module for each step or a few."""

from scim.emulator.checks import connection, gallery, groups, imports, interop, ipsie, roles, users, validator

STEPS = (
    connection.CONNECTOR,
    connection.SUITE,
    users.ASSIGN,
    users.UPDATE,
    users.DEACTIVATE,
    users.REPROVISION,
    roles.ROLES,
    roles.DISCOVERY,
    groups.STEP,
    imports.STEP,
    connection.ERRORS,
)
ENTRA_STEPS = (gallery.CONNECTION, gallery.STEP, validator.STEP, validator.PREVIEW, gallery.LIMITS)
PROFILES = {"interop": (interop.STEP,), "ipsie": (interop.STEP, ipsie.STEP)}
