"""Rules that give roles to groups by name, and by whom a role may be given."""

from storage.migrations.script import script

STEPS = {
    # `rule` is the number of the rule that made an assignment, 0 for one made by hand or over SCIM: a group may have a
    # role for several reasons. SQLite cannot change the constraint of a table, so it is made again.
    "m025_group_rules": script("""
        ALTER TABLE roles ADD COLUMN grantedBy TEXT NOT NULL DEFAULT 'any';
        CREATE TABLE group_rules (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, pattern TEXT NOT NULL, folded TEXT NOT NULL UNIQUE
        );
        CREATE TABLE rule_roles (
            rule INTEGER NOT NULL REFERENCES group_rules (seq) ON DELETE CASCADE,
            role TEXT NOT NULL REFERENCES roles (slug),
            PRIMARY KEY (rule, role)
        ) WITHOUT ROWID;
        CREATE TABLE assignments_with_rules (
            resource INTEGER NOT NULL REFERENCES resources (seq) ON DELETE CASCADE,
            source TEXT NOT NULL,
            position INTEGER NOT NULL,
            role TEXT NOT NULL REFERENCES roles (slug),
            display TEXT,
            type TEXT,
            "primary" INTEGER,
            since TEXT NOT NULL,
            actor TEXT NOT NULL,
            rule INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (resource, source, position),
            UNIQUE (role, source, resource, rule)
        ) WITHOUT ROWID;
        INSERT INTO assignments_with_rules SELECT *, 0 FROM assignments;
        DROP TABLE assignments;
        ALTER TABLE assignments_with_rules RENAME TO assignments"""),
}
