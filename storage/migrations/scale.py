"""Counts and copies that keep answers quick when people are many."""

from storage.migrations.directory import BLOCK_SHIFT
from storage.migrations.script import script

WIDE_BLOCK_SHIFT = 15

STEPS = {
    # The part of an answer that shows the roles of the row itself; storage.roles keeps it up to date.
    "m014_held": script("""
        ALTER TABLE resources ADD COLUMN held TEXT;
        UPDATE resources SET held = (SELECT group_concat(json_array(source, role, display, type, "primary"))
        FROM assignments WHERE resource = seq) WHERE seq IN (SELECT resource FROM assignments)"""),
    # Counts per block of blocks, so that not all blocks of a million people must be added up.
    "m014_wide_blocks": script(f"""
        CREATE TABLE wide_blocks (
            type TEXT NOT NULL, block INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (type, block)
        ) WITHOUT ROWID;
        INSERT INTO wide_blocks
        SELECT type, block >> {WIDE_BLOCK_SHIFT - BLOCK_SHIFT}, sum(count) FROM blocks GROUP BY 1, 2;
        CREATE TRIGGER wide_blocks_insert AFTER INSERT ON resources BEGIN
            INSERT INTO wide_blocks VALUES (new.type, new.seq >> {WIDE_BLOCK_SHIFT}, 1)
            ON CONFLICT DO UPDATE SET count = count + 1; END;
        CREATE TRIGGER wide_blocks_delete AFTER DELETE ON resources BEGIN
            UPDATE wide_blocks SET count = count - 1
            WHERE type = old.type AND block = old.seq >> {WIDE_BLOCK_SHIFT}; END"""),
}
