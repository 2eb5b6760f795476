"""All checks, in the order in which they run; one module for each step or two."""

from scim.emulator.checks import (
    assign,
    connector,
    discovery,
    errors,
    gallery,
    groups,
    imports,
    interop,
    ipsie,
    lifecycle,
    limits,
    roles,
    suite,
    update,
    validator,
)

STEPS = (
    connector.STEP,
    suite.STEP,
    assign.STEP,
    update.STEP,
    lifecycle.DEACTIVATE,
    lifecycle.REPROVISION,
    roles.STEP,
    discovery.STEP,
    groups.STEP,
    imports.STEP,
    errors.STEP,
)
ENTRA_STEPS = (limits.CONNECTION, gallery.STEP, validator.STEP, validator.PREVIEW, limits.STEP)
PROFILES = {"interop": (interop.STEP,), "ipsie": (interop.STEP, ipsie.STEP)}
