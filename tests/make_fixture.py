"""Makes the database of the present version for tests/storage/test_migrations.py: `python -m tests.make_fixture`.

Run it once for each release, just before its tag, with that release's code, and commit the file. It is never made
again: only a file that the old version wrote tests the migration. CONTRIBUTING.md has all steps of a release.
(Before the release, delete the file to make it again.)
"""

import gzip
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from flask import Flask

from app import create_app
from scim.settings import VERSION
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, run_command, scim_path

FOLDER = Path(__file__).parent / "fixtures" / "databases"
PEOPLE = 40
WORKSPACE = "fixture"


def fill(app: Flask) -> None:
    """Add people in every state, nested groups, roles from all three sources, keys, journal and traffic."""
    client = ScimClient(wsgi_transport(app), scim_path(app), create_key(app, "Okta"), "okta")
    ids = [client.post("/Users", person(number)).body["id"] for number in range(PEOPLE)]
    inner = client.post("/Groups", {"displayName": "Support", "members": [{"value": each} for each in ids[:10]]}).body
    members = [{"value": inner["id"], "type": "Group"}, {"value": ids[-1]}]
    client.post("/Groups", {"displayName": "Everybody", "members": members})
    client.delete(f"/Users/{ids[20]}")
    client.patch(f"/Users/{ids[21]}", {"Operations": [{"op": "Replace", "value": {"active": "False"}}]})
    client.get("/Users/nobody")
    run_command(app, "roles", "add", "billing:reader", "Billing reader", "--description", "Reads invoices.")
    run_command(app, "roles", "assign", "--user", "person1@example.com", "billing:reader")
    run_command(app, "roles", "assign", "--group", "Everybody", "managed:viewer")
    create_key(app, "Application", "--access", "read", "--idp", "generic", "--expires-in", "36500")
    revoked = create_key(app, "Old key")
    run_command(app, "keys", "revoke", revoked.split("_")[1])
    run_command(app, "admin-password")


def person(number: int) -> dict[str, Any]:
    """Return a user as Okta sends it, with attributes of many kinds."""
    return {
        "userName": f"person{number}@example.com",
        "externalId": f"00u{number:04d}",
        "name": {"givenName": f"Zoë {number}", "familyName": "Ångström"},
        "displayName": f"Zoë {number} Ångström",
        "emails": [{"value": f"person{number}@example.com", "type": "work", "primary": True}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": f"Department {number % 3}"},
        "active": True,
        "roles": ["managed:editor"] if number % 4 == 0 else [],
    }


def make(target: Path) -> None:
    """Fill a database and store a compressed copy of it as `target`."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"PERCH_DATABASE": f"{folder}/perch.db", "PERCH_WORKSPACE": WORKSPACE, "PERCH_FUSE": "off"}
        app = create_app(settings)
        app.extensions["perch"].open()
        fill(app)
        app.extensions["perch.traffic"].writer.flush()
        run_command(app, "backup", f"{folder}/copy.db")
        with closing(gzip.GzipFile(target, "wb", mtime=0)) as packed:
            packed.write(Path(folder, "copy.db").read_bytes())


if __name__ == "__main__":
    target = FOLDER / f"{VERSION}.db.gz"
    if target.exists():
        sys.exit(f"{target} exists: a released version's file is never made again.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    make(target)
    print(target)
