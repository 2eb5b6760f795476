"""One SQLite file per deployment: the only room with SQL. Writes of resources go through `repository`."""
