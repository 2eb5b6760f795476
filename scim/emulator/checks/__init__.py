"""All checks, in the order in which they run; one module for each step or two."""

from scim.emulator.checks import assign, connector, discovery, errors, groups, imports, lifecycle, roles, suite, update

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
