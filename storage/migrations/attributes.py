"""The attributes that the workspace declares beside the built-in ones, and their values that are looked up."""

from storage.migrations.script import script

STEPS = {
    # A value is in the form that filters compare. `holder` is 0 where no two resources may have the same value, else
    # the resource: so one index serves look-ups and uniqueness. The workspace's value is the version of the table.
    "m024_attributes": script("""
        CREATE TABLE attributes (
            number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, declaration TEXT NOT NULL
        );
        CREATE TABLE attribute_values (
            resource INTEGER NOT NULL REFERENCES resources (seq) ON DELETE CASCADE,
            attribute INTEGER NOT NULL REFERENCES attributes (number) ON DELETE CASCADE,
            value NOT NULL,
            holder INTEGER NOT NULL,
            PRIMARY KEY (resource, attribute, value)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX attribute_values_value ON attribute_values (attribute, value, holder);
        INSERT INTO workspace VALUES ('attributes', 0)"""),
}
