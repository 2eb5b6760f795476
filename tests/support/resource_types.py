"""The built-in resource types, for tests without a deployment."""

from schemas import ResourceTypes

RESOURCE_TYPES = ResourceTypes()
USER, GROUP, ROLE = (RESOURCE_TYPES[name] for name in ("User", "Group", "Role"))
