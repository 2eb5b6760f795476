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
}
