"""How Perch keeps what it knows: one SQLite file per deployment; the only place with SQL."""
