"""The schema's migrations, continued; whoever needs all of them takes `perch` from here."""

from sqlite_utils import Database as SqliteUtils

from storage.migrations.first import BLOCK_SHIFT, perch, run

__all__ = ["BLOCK_SHIFT", "WIDE_BLOCK_SHIFT", "perch"]

WIDE_BLOCK_SHIFT = 15


@perch()
def m014_held(db: SqliteUtils) -> None:
    """Keep in each resource's row what its answer shows of the roles that hang on itself; storage.roles writes it."""
    db.conn.execute("ALTER TABLE resources ADD COLUMN held TEXT")
    db.conn.execute(
        'UPDATE resources SET held = (SELECT group_concat(json_array(source, role, display, type, "primary")) '
        "FROM assignments WHERE resource = seq) WHERE seq IN (SELECT resource FROM assignments)"
    )


@perch()
def m014_wide_blocks(db: SqliteUtils) -> None:
    """Count resources per block of blocks, too, so that not all blocks of a million people must be added up."""
    run(
        db,
        f"""
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
            WHERE type = old.type AND block = old.seq >> {WIDE_BLOCK_SHIFT}; END""",
    )
