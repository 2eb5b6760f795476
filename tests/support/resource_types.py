"""The resource types as every deployment has them, for tests that need no deployment."""

from schemas import ResourceTypes

RESOURCE_TYPES = ResourceTypes()
USER, GROUP, ROLE = (RESOURCE_TYPES[name] for name in ("User", "Group", "Role"))
