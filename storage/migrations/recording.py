"""Recorded requests of callers without a valid key apart from those of clients."""

from storage.migrations.script import script

STEPS = {
    # `admitted`: whether the key of a request allowed it; older requests of a read key were refused when they wrote.
    # `traffic_of_keys`: how many recorded requests have a key, so that the oldest beyond a number need no scan.
    "m018_strangers": script("""
        ALTER TABLE traffic ADD COLUMN admitted INTEGER NOT NULL DEFAULT 0;
        UPDATE traffic SET admitted = 1 WHERE key IS NOT NULL AND NOT (status = 403 AND fault IS NULL);
        INSERT INTO workspace SELECT 'traffic_of_keys', count(key) FROM traffic;
        CREATE TRIGGER traffic_insert AFTER INSERT ON traffic WHEN new.key IS NOT NULL BEGIN
            UPDATE workspace SET value = value + 1 WHERE name = 'traffic_of_keys'; END;
        CREATE TRIGGER traffic_delete AFTER DELETE ON traffic WHEN old.key IS NOT NULL BEGIN
            UPDATE workspace SET value = value - 1 WHERE name = 'traffic_of_keys'; END"""),
    # `subject` and `name`: the user or group that a request is about. `brief`: a success of which only the first line
    # is kept; these have a number of their own, so they are not counted with the others. Hours are text: 2026-11-24T09.
    "m022_successes": script("""
        ALTER TABLE traffic ADD COLUMN subject TEXT NOT NULL DEFAULT '';
        ALTER TABLE traffic ADD COLUMN name TEXT NOT NULL DEFAULT '';
        ALTER TABLE traffic ADD COLUMN brief INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX traffic_subject ON traffic (subject) WHERE subject != '';
        CREATE INDEX traffic_brief ON traffic (seq) WHERE brief = 1;
        CREATE TABLE traffic_hours (
            key TEXT NOT NULL, hour TEXT NOT NULL, count INTEGER NOT NULL, pushes INTEGER NOT NULL,
            refused INTEGER NOT NULL, PRIMARY KEY (key, hour)
        ) WITHOUT ROWID;
        CREATE TABLE days (day TEXT PRIMARY KEY, hour TEXT NOT NULL, mayLogIn INTEGER NOT NULL) WITHOUT ROWID;
        DROP TRIGGER traffic_insert;
        DROP TRIGGER traffic_delete;
        CREATE TRIGGER traffic_insert AFTER INSERT ON traffic WHEN new.key IS NOT NULL AND new.brief = 0 BEGIN
            UPDATE workspace SET value = value + 1 WHERE name = 'traffic_of_keys'; END;
        CREATE TRIGGER traffic_delete AFTER DELETE ON traffic WHEN old.key IS NOT NULL AND old.brief = 0 BEGIN
            UPDATE workspace SET value = value - 1 WHERE name = 'traffic_of_keys'; END"""),
}
