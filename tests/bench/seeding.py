"""Seeds a file with the code of the checkout that is the current folder; run as `python -c` by subjects.py.

Arguments: the file, the number of people, the size of the big group, and the JSON file for the key and the ids.
It imports only what the checkouts that are compared have in common.
"""

import json
import sys
from pathlib import Path

from app import create_app
from tests.bench.directory import seed
from tests.support.commands import create_key

file, people, big_group, seeded = sys.argv[1:]
app = create_app({"PERCH_DATABASE": file, "PERCH_FUSE": "off"})
perch = app.extensions["perch"]
ids, groups = seed(perch.database, int(people), int(big_group))
key = create_key(app, "benchmark")
Path(seeded).write_text(json.dumps({"workspace": perch.workspace, "key": key, "ids": ids, "groups": groups}))
perch.database.close()
