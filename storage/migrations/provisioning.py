"""What identity providers may do: rules of single keys."""

from storage.migrations.script import script

STEPS = {
    "m016_unknown_roles": script("ALTER TABLE keys ADD COLUMN unknownRoles TEXT"),
    "m030_profiles": script("ALTER TABLE keys ADD COLUMN profile TEXT NOT NULL DEFAULT 'none'"),
}
